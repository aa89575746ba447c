"""Files that several rooms read and write: whole files, CSV tables, labels.csv."""
