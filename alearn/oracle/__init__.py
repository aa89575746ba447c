"""Oracles answer with labels: true labels for an experiment, people for real work. Each module registers its oracle."""

from alearn.oracle.interface import AsksAhead, Oracle, Remembers, ask, asks_ahead

__all__ = ["AsksAhead", "Oracle", "Remembers", "ask", "asks_ahead"]
