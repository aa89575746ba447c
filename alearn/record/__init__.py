"""What a trial leaves behind: sinks for its events, the checkpoint, the row and the table."""
