"""Oracles answer with labels: true labels for an experiment, people for real work. Each module registers its oracle."""

from alearn.oracle.interface import Oracle, Remembers, ask

__all__ = ["Oracle", "Remembers", "ask"]
