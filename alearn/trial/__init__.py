"""One trial in one folder: run, journal, resume, row."""
