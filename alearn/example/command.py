"""alearn-example: the command."""

import argparse
import csv
import io
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from alearn import rng
from alearn.data.progress_bar import Bar
from alearn.errors import AlearnError
from alearn.example.fruit import KINDS
from alearn.example.scene import picture
from alearn.files import atomic

FEWEST = 10
QUALITY = (80, 93)
"""Of the JPEGs."""
NOTES = "notes.txt", "Fruit, drawn by alearn-example. This file, a damaged one and an empty one are no images.\n"


@dataclass(frozen=True)
class Made:
    """What was written. images: how many differ. damaged, empty, copy, notes: names of the files that real folders
    have, too. truth: the file with the true labels, which lies outside of the folder.
    """

    images: int
    damaged: str
    empty: str
    copy: str
    notes: str
    truth: Path


def make(folder: Path, images: int = 1200, seed: int = 0) -> Made:
    """Draw a folder of pictures of fruit, and FOLDER.truth.csv (path,label) beside it; the same seed gives the same.

    One image is there twice, one file is cut off, one is empty, one is text. Raises AlearnError for a folder that is
    not empty.
    """
    if images < FEWEST:
        raise AlearnError(f"--images {images}: must be at least {FEWEST}")
    if seed < 0:
        raise AlearnError(f"--seed {seed}: must be 0 or more")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlearnError(f"{folder}: is there already and not empty; give another folder")
    random = rng.generator(seed, "example")
    kinds, total = random.choice(list(KINDS), images).tolist(), images + 2
    names = [f"IMG_{number:0{max(4, len(str(total)))}}.jpg" for number in range(1, total + 1)]
    damaged, empty, twice = (names[i] for i in sorted(random.choice(total, 3, replace=False).tolist()))
    label = dict(zip((name for name in names if name not in (damaged, empty)), kinds, strict=True))

    def draw(name: str) -> bytes:
        mine = rng.generator(seed, "example", name)
        image, file = picture(mine, label.get(name, next(iter(KINDS)))), io.BytesIO()
        image.save(file, "JPEG", quality=int(mine.integers(*QUALITY)))
        return file.getvalue()

    folder.mkdir(parents=True, exist_ok=True)
    copy = twice.replace(".jpg", " copy.jpg")
    label[copy] = label[twice]
    with ThreadPoolExecutor() as threads, Bar(len(label), doing="drawing") as bar:  # mostly outside of Python's lock
        for name, content in zip(label, threads.map(draw, [*list(label)[:-1], twice]), strict=True):
            (folder / name).write_bytes(content)
            bar.advance(1)
    whole = draw(damaged)
    (folder / damaged).write_bytes(whole[: len(whole) // 2])
    (folder / empty).touch()
    (folder / NOTES[0]).write_text(NOTES[1])
    text, truth = io.StringIO(), folder.with_name(f"{folder.name}.truth.csv")
    csv.writer(text, lineterminator="\n").writerows([("path", "label"), *sorted(label.items())])
    atomic.replace(truth, text.getvalue())
    return Made(images, damaged, empty, copy, NOTES[0], truth)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="alearn-example",
        description=f"Draw a folder of photo-like pictures to try alearn on: {', '.join(KINDS)}. Like any real folder, "
        "it has a damaged file, an empty one, a text, and an image twice. The true labels go to DIR.truth.csv.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or an empty one")
    parser.add_argument("--images", type=int, default=1200, help="how many (default: 1200)")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other pictures (default: 0)")
    words = parser.parse_args()
    try:
        made = make(words.folder.absolute(), words.images, words.seed)
    except (AlearnError, OSError) as error:
        sys.exit(f"error: {error}")
    folder = shlex.quote(str(words.folder))
    print(
        f"{words.folder}: {made.images:,} images of {', '.join(KINDS)}; besides, {made.copy} is one of them again, "
        f"{made.damaged} is damaged, {made.empty} is empty, {made.notes} is text\n"
        f"true labels, for checking: {made.truth}\nnext: alearn data=folder data.root={folder} oracle=web"
    )
