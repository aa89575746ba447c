"""What a page sends, checked: every field has a type, a range and a length."""

import json
import re
from typing import Any

from werkzeug.exceptions import HTTPException

LONGEST = 100
"""Characters of a name, of a person or of a class."""
MANY = 100
"""Images in one request."""
NUMBER = 2**53
"""Whole numbers up to here are the same in a page and here."""


class Refused(HTTPException):
    """A request that is turned down. why: short, for the person."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


class Form:
    """The object in a request's body. Every method raises Refused for a field that is missing or not of its kind."""

    def __init__(self, body: bytes) -> None:
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):  # also: not UTF-8, numbers with thousands of digits
            raise Refused(400, "this is not JSON") from None
        if not isinstance(fields, dict):
            raise Refused(400, "this is not a JSON object")
        self._fields: dict[str, Any] = fields

    def number(self, key: str, low: int = 0, high: int = NUMBER) -> int:
        """A whole number."""
        return _whole(self._fields.get(key), key, low, high)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._fields.get(key)
        if not isinstance(value, bool):
            raise Refused(400, f"{key} must be true or false")
        return value

    def name(self, key: str) -> str:
        """What a person or a class may be called, without space around it."""
        return _name(self._fields.get(key), key)

    def session(self) -> str:
        """A browser's own name for its tab."""
        value = self._fields.get("session")
        if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{32}", value):
            raise Refused(400, "session must be 32 hexadecimal digits")
        return value

    def text(self, key: str) -> str:
        """Any short text; empty if it is missing."""
        value = self._fields.get(key, "")
        if not isinstance(value, str) or len(value) > LONGEST:
            raise Refused(400, f"{key} must be a short text")
        return value

    def images(self, key: str = "images") -> list[int]:
        """Distinct images."""
        return _distinct([_whole(value, key, 0, NUMBER) for value in self._list(key)])

    def answers(self) -> list[tuple[int, str | None]]:
        """Images with a class each, or null for "cannot tell"."""
        found: list[tuple[int, str | None]] = []
        for value in self._list("answers"):
            if not isinstance(value, dict) or "label" not in value:
                raise Refused(400, "an answer must have an index and a label")
            label = value["label"]
            if not (label is None or isinstance(label, str)):
                raise Refused(400, "a label must be the name of a class, or null")
            found.append((_whole(value.get("index"), "index", 0, NUMBER), label))
        _distinct([index for index, _ in found])
        return found

    def _list(self, key: str) -> list[Any]:
        value = self._fields.get(key)
        if not isinstance(value, list) or not 1 <= len(value) <= MANY:
            raise Refused(400, f"{key} must be a list of 1 to {MANY}")
        return value


def _whole(value: object, key: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(400, f"{key} must be a whole number from {low} to {high}")
    return value


def _distinct(index: list[int]) -> list[int]:
    if len(set(index)) != len(index):
        raise Refused(400, "an image is named twice")
    return index


def _name(value: object, key: str) -> str:
    name = value.strip() if isinstance(value, str) else ""
    if not 0 < len(name) <= LONGEST:
        raise Refused(400, f"{key} must be a text of 1 to {LONGEST} characters")
    if not all(c.isprintable() or c in "\u200c\u200d" for c in name):  # these two join letters
        raise Refused(400, f"{key} must be of characters that can be seen")
    return name
