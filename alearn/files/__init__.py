"""What several rooms read and write: files replaced as a whole, CSV tables, and labels.csv."""
