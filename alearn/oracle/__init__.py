"""Whoever answers: the true labels for an experiment, people for real work. Each oracle is registered in its module."""

from alearn.oracle.interface import Oracle, Remembers, ask

__all__ = ["Oracle", "Remembers", "ask"]
