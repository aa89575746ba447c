"""The command `alearn`: Hydra's overrides, and a subcommand a module."""
