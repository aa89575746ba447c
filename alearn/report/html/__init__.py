"""Pages that need no server: a trial's, a sweep's."""
