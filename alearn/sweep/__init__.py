"""Many trials: Hydra's callback, the worker, progress, tables, search."""
