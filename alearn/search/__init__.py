"""Searches over settings: what they may choose from, what was asked and came of it, the front of the best."""
