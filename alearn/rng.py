"""Randomness without state: every draw gets its own generator, derived from what it is for.

Because a draw depends on (seed, round, purpose) alone and never on how many draws came before it, a trial that was
killed and resumed draws exactly what an undisturbed one would have drawn, and nothing about randomness has to be saved.
"""

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, e.g. `derive(seed, round, "fit")`; the same on every machine and Python."""
    digest = hashlib.sha256("/".join(map(str, (seed, *purpose))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """NumPy's generator for one purpose."""
    return np.random.default_rng(derive(seed, *purpose))
