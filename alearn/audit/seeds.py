"""What text may be the seed of a draw."""

from alearn.errors import AlearnError


def check_seed(text: str, where: str) -> None:
    """Raise AlearnError if a text cannot be the seed of a draw. where: the key or option that gives it.

    Anyone must be able to repeat the draw, so the seed must be seen on a page and have a UTF-8 encoding.
    """
    if not text.strip():
        raise AlearnError(f"{where}: the seed is empty; give a text, or leave it out to draw from fresh entropy")
    if not text.isprintable():
        raise AlearnError(f"{where}={text!r}: a seed is a text of printable characters")
