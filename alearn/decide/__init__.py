"""Decisions as pure functions of scores: no I/O, no clock, no randomness that is not passed in, no truth."""
