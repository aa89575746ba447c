"""List a tar file in the layout of webdataset: files that share their name up to the first dot are one sample."""

import tarfile
from typing import Any

from alearn.data.decode import SUFFIXES
from alearn.data.file_store import ContentError

LABEL = "cls"
"""The usual suffix of the file that holds the class, as a name or a number."""

BLOCK = 512
"""Tar files are written in blocks of this many bytes, and end with one of zeros."""

PADDING = 1 << 20
"""More bytes than this after the end are no padding. Whatever they are, it would be lost without a word."""

_IMAGES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def listed(
    opened: Any, size: int, image: str | None, label: str | None
) -> tuple[list[str], list[str | None], list[tuple[int, int]]]:
    """Return the name of each image, its label or None, and where its bytes are: the first, and the one after the last.

    Args:
        opened: The file.
        size: Its bytes.
        image: The suffix of the images, such as "jpg"; None takes the first image of each sample.
        label: The suffix of the labels; None takes LABEL where there is one.

    Raises:
        ContentError: The file is damaged or cut off, or lacks what was named. The message is a predicate.
    """
    wanted = _IMAGES if image is None else (f".{image.lower().lstrip('.')}",)
    images = dict[str, tarfile.TarInfo]()
    labels = dict[str, str]()
    end = 0
    try:
        with tarfile.open(fileobj=opened, mode="r:") as tar:
            for member in tar:
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                folder, _, base = member.name.rpartition("/")
                stem, _, suffix = base.partition(".")
                if not member.isreg() or not stem:  # a folder, a link, or a hidden file
                    continue
                sample = f"{folder}/{stem}"
                if suffix.lower() == (label or LABEL).lstrip("."):
                    labels[sample] = _text(tar, member)
                elif f".{suffix}".lower().endswith(wanted):
                    images.setdefault(sample, member)
    except tarfile.TarError as error:
        raise ContentError(f"is no tar file, or is damaged ({error})") from None
    if end + BLOCK > size:
        raise ContentError(f"is cut off: it has {size:,} bytes, and its last file ends at {end:,}")
    if size - end > PADDING:
        raise ContentError(
            f"has {size - end:,} bytes after its end: is it several tar files in one? Unpack or split them"
        )
    if not images:
        raise ContentError(f"holds no images ({', '.join(wanted)})")
    if label is not None and not labels:
        raise ContentError(f"has no *.{label.lstrip('.')}, which data.label_field asks for")
    return (
        [member.name for member in images.values()],
        [labels.get(sample) or None for sample in images],
        [(member.offset_data, member.offset_data + member.size) for member in images.values()],
    )


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    assert file is not None
    try:
        return file.read().decode().strip()
    except UnicodeDecodeError:
        raise ContentError(f"has a label that is no text: {member.name}") from None
