"""Image data sets: their type, the sources that they can come from, and distortions for training."""
