"""Randomness without state: every draw has its own generator, which is derived from the purpose of the draw.

A draw depends only on (seed, round, purpose), never on how many draws came before it. So a trial that was killed and
resumed draws exactly what an undisturbed trial would have drawn, and no random state has to be saved.
"""

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for a purpose, e.g. `derive(seed, round, "fit")`, the same on every machine and Python."""
    digest = hashlib.sha256("/".join(map(str, (seed, *purpose))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return NumPy's generator for a purpose, see `derive`."""
    return np.random.default_rng(derive(seed, *purpose))
