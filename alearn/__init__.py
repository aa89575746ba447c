"""Label an image data set with a small share of the hand labels.

A human labels a few images, a CNN learns from them, what it is sure of is auto labeled, what it is least sure of goes
back to the human, until hardly anything is left. `alearn.loop` is that loop; `ARCHITECTURE.md` is the map of
everything around it.

Nothing heavy is imported here: `alearn --help` must not wait for torch.
"""

__version__ = "0.1.0"
