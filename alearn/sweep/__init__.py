"""Many trials together: Hydra's callback, the worker, progress, tables and search."""
