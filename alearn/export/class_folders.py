"""Class names as names of folders, on Linux, macOS and Windows alike."""

import re
import unicodedata
from collections.abc import Collection, Iterable

LONGEST = 100
"""Bytes of a folder's name, in UTF-8: every system takes 255 characters or bytes, but Windows has 260 for a path."""
UNSAFE = re.compile(r'[<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)
"""Names of Windows' devices, with any ending."""


def folders(classes: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """A folder's name for each class. A name that is safe stays as it is; others are changed where they must be, and
    numbered where two would be one on a system that does not tell upper from lower case. taken: names that are used.
    """
    names = sorted(set(classes))
    names.sort(key=lambda name: safe(name) != name)  # those that may stay come first
    used, found = {_key(name) for name in taken}, dict[str, str]()
    for name in names:
        folder, number = safe(name), 1
        while _key(folder) in used:
            number += 1
            folder = f"{_cut(safe(name), LONGEST - len(f'~{number}'))}~{number}"
        used.add(_key(folder))
        found[name] = folder
    return found


def safe(name: str) -> str:
    """A folder's name that looks like it."""
    text = unicodedata.normalize("NFC", name)  # macOS takes composed and decomposed letters for the same
    text = UNSAFE.sub("_", "".join("_" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text))
    text = _cut(text.strip(" "), LONGEST)
    text = re.sub(r"[. ]+$", lambda end: "_" * len(end[0]), text)  # Windows drops them
    if not text or text.startswith(".") or RESERVED.fullmatch(text):
        text = _cut(f"_{text}", LONGEST)  # hidden ones would not be read
    return text


def _cut(text: str, size: int) -> str:
    """The beginning that has at most so many bytes, whole letters only."""
    return text.encode()[:size].decode(errors="ignore")


def _key(name: str) -> str:
    """What must differ for two names to differ everywhere."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
