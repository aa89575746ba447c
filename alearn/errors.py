"""The exceptions that are meant for the user, and what pydantic finds in one line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line starts without it
    from pydantic import ValidationError


class AlearnError(Exception):
    """Something that the user can mend: shown as its message alone, never as a traceback.

    The message names the key, file or round, the value, and what is allowed or what to do next.
    """


class WaitingError(Exception):
    """Nothing is wrong, but answers of people are missing; the message says how many, where they go, what then."""


def first_problem(error: "ValidationError", values: bool = True) -> str:
    """Return the first field that is refused, its value and why: "answers.0.index=-1: must be greater than ...".

    values: False leaves the value out, for it may be a secret. One that is no text or number always is.
    """
    problem = error.errors(include_url=False)[0]
    where, value = ".".join(map(str, problem["loc"])), problem["input"]
    why = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if values and isinstance(value, str | int | float | None):
        where += f"={repr(value)[:60]}" if where else ""
    return f"{where}: {why}" if where else why
