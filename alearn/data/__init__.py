"""Images in: one type for a data set, the places it can come from, and its distortions for training."""
