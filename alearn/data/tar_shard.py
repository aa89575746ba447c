"""List a tar file in the layout of webdataset: files that share their name up to the first dot are one sample."""

import tarfile
from typing import Any

from alearn.data.decode import SUFFIXES
from alearn.data.file_store import ContentError
from alearn.data.tree import legible

LABEL = "cls"
"""The usual suffix of the file that holds the class, as a name or a number."""

BLOCK = 512
"""Tar files are written in blocks of this many bytes, and end with one of zeros."""

PADDING = 1 << 20
"""More bytes than this after the end are no padding. Whatever they are, it would be lost without a word."""

_IMAGES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def listed(
    opened: Any, size: int, image: str | None, label: str | None
) -> tuple[list[str], list[str | None], list[tuple[int, int]], list[tuple[str, str]]]:
    """Return the name of each image, its label or None, where its bytes are, and what is skipped, with the reason.

    Where its bytes are: the first, and the one after the last. Of files with the same name the last one counts, as for
    tar itself.

    Args:
        opened: The file.
        size: Its bytes.
        image: The suffix of the images, such as "jpg"; None takes the first image of each sample.
        label: The suffix of the labels; None takes LABEL where there is one.

    Raises:
        ContentError: The file is damaged or cut off, or lacks what was named. The message is a predicate.
    """
    wanted = _IMAGES if image is None else (f".{image.lower().lstrip('.')}",)
    named = f".{(label or LABEL).lower().lstrip('.')}"
    images = dict[str, tarfile.TarInfo]()
    labels = dict[str, str]()
    skipped = dict[str, str]()
    end = 0
    try:
        with tarfile.open(fileobj=opened, mode="r:") as tar:
            for member in tar:
                if member.issparse():
                    raise ContentError("has sparse files; pack it without --sparse")
                end = member.offset_data + (-(-member.size // BLOCK) * BLOCK if member.isreg() else 0)
                folder, _, base = member.name.removeprefix("./").rpartition("/")
                stem, _, suffix = base.partition(".")
                if member.isdir() or not stem:  # not stem: a hidden file
                    continue
                sample, suffix = f"{folder}/{stem}", f".{suffix}".lower()
                if not member.isreg():
                    skipped[member.name] = "is a link in the tar file; pack it with --hard-dereference --dereference"
                elif suffix.endswith(named):
                    labels[sample] = _text(tar, member)
                elif suffix.endswith(wanted):
                    if sample in images and images[sample].name != member.name:
                        skipped[member.name] = (
                            f"belongs to the sample of {images[sample].name}, by its name up to the first dot"
                        )
                    else:
                        images[sample] = member
        opened.seek(end)
        rest = opened.read(PADDING + 1)
    except tarfile.TarError as error:
        raise ContentError(f"is no tar file, or is damaged ({error})") from None
    if len(rest) < BLOCK:
        raise ContentError(f"is cut off: it has {size:,} bytes, and its last file ends at {end:,}")
    if len(rest) > PADDING or any(rest):
        raise ContentError(
            f"is damaged, or is several tar files in one: more follows its end at {end:,} of {size:,} bytes"
        )
    if not images:
        raise ContentError(f"holds no images ({', '.join(wanted)})")
    if label is not None and not labels:
        raise ContentError(f"has no *{named}, which data.label_field asks for")
    skipped |= {
        f"{sample.lstrip('/')}{named}": "is a label without an image" for sample in labels.keys() - images.keys()
    }
    return (
        [member.name for member in images.values()],
        [labels.get(sample) or None for sample in images],
        [(member.offset_data, member.offset_data + member.size) for member in images.values()],
        sorted(skipped.items()),
    )


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    assert file is not None
    try:
        label = file.read().decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ContentError(f"has a label that is no text: {member.name}") from None
    if not legible(label):
        raise ContentError(f"has a label of several lines, or with control characters: {member.name}")
    return label
