"""Oracles answer with labels: true labels for an experiment, people for real work. Each module registers its oracle."""

from alearn.oracle.interface import AsksAhead, KeepsDraw, Oracle, Remembers, ask, asks_ahead, seed_of_draw

__all__ = ["AsksAhead", "KeepsDraw", "Oracle", "Remembers", "ask", "asks_ahead", "seed_of_draw"]
