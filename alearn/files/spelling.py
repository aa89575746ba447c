"""Spellings of a name: which of them are the same name, and which people mistake for the same."""

from unicodedata import normalize


def tidy(name: str) -> str:
    """Return the name without blanks at its ends, its accents composed (NFC): what people type and see is that."""
    return normalize("NFC", name.strip())


def blurred(name: str) -> str:
    """Return what names have in common that differ only in case, width, blanks or characters that do not show."""
    shown = (letter for letter in normalize("NFKC", name).casefold() if letter.isprintable() and not letter.isspace())
    return normalize("NFKC", "".join(shown))
