"""The command `alearn`: Hydra's overrides, and subcommands, one per module."""
