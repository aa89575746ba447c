"""A module that cannot be imported."""

raise RuntimeError("outsider.broken needs a library that is not here")
