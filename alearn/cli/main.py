"""The command `alearn`: run a subcommand, or pass the arguments to Hydra. This imports only what the command needs."""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module

from alearn.cli import exit_codes
from alearn.cli.exit_codes import UsageError

SUBCOMMANDS = ("example", "features", "report", "table", "predict", "export", "plan", "audit", "verify")
"""Each has a module `alearn.cli.NAME_command` with a `parser()` and a `run(args)`, which returns the exit code."""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code. args: by default, the arguments of this process."""
    return exit_codes.guard(partial(_dispatch, list(sys.argv[1:] if args is None else args)))


def _dispatch(args: list[str]) -> int:
    match args:
        case ["help", *names]:
            return _dispatch([*names[:1], "--help"])
        case [name, *options] if name in SUBCOMMANDS:
            command = import_module(f"alearn.cli.{name}_command")
            code: int = command.run(command.parser().parse_args(options))
            return code
        case [name, *_] if not _is_hydras(name):
            near = get_close_matches(name, SUBCOMMANDS, n=1)
            hint = f"did you mean alearn {near[0]}?" if near else "alearn --help lists all commands"
            raise UsageError(f"{name}: there is no such command; {hint}")
    from alearn.cli import run_command

    return run_command.run(args)


def _is_hydras(arg: str) -> bool:
    """Return whether an argument is a flag, an override (KEY=VALUE), or the deletion of a key (~KEY)."""
    return "=" in arg or arg.startswith(("-", "~"))
