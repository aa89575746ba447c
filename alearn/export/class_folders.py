"""Turn class names into names of folders that work on Linux, macOS and Windows."""

import re
import unicodedata
from collections.abc import Collection, Iterable

LONGEST = 100
"""The most bytes in the name of a folder, in UTF-8. Every system accepts 255 characters or bytes, but Windows accepts
only 260 for a whole path."""
UNSAFE = re.compile(r'[<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)
"""The names of devices in Windows, with any extension."""


def folders(classes: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Return the name of a folder for each class.

    A safe name stays as it is. Other names are changed only where necessary. A number tells apart two names that would
    be equal on a system that ignores case. taken: names that are already in use.
    """
    names = sorted(set(classes))
    names.sort(key=lambda name: safe(name) != name)  # the safe names come first
    used = {_key(name) for name in taken}
    chosen = dict[str, str]()
    for name in names:
        folder = safe(name)
        number = 1
        while _key(folder) in used:
            number += 1
            folder = f"{_cut(safe(name), LONGEST - len(f'~{number}'))}~{number}"
        used.add(_key(folder))
        chosen[name] = folder
    return chosen


def safe(name: str) -> str:
    """Return a similar name that every system accepts for a folder."""
    text = unicodedata.normalize("NFC", name)  # macOS treats composed and decomposed letters as equal
    text = UNSAFE.sub("_", "".join("_" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text))
    text = _cut(text.strip(" "), LONGEST)
    text = re.sub(r"[. ]+$", lambda end: "_" * len(end[0]), text)  # Windows removes these from the end
    if not text or text.startswith(".") or RESERVED.fullmatch(text):
        text = _cut(f"_{text}", LONGEST)  # training programs skip hidden folders
    return text


def _cut(text: str, size: int) -> str:
    """Return the beginning of a text that has at most `size` bytes, without splitting a character."""
    return text.encode()[:size].decode(errors="ignore")


def _key(name: str) -> str:
    """Return a key for a name. Two names differ on every system if their keys differ."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
