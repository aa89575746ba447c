"""Hand-written folders of trials to export. They have every kind of label, and every detail is known."""

from pathlib import Path

import numpy as np
from PIL import Image

from alearn.files.labels_csv import to_csv
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.oracle.store import Store
from alearn.values import Scores
from tests.command import alearn
from tests.conftest import compose

CLASSES = ("cat, small", 'dog "x"', "Überraschung", "../up")
IDS = ("b, 1.png", 'a "2".png', "deep/er/3.png", "ü/4 日.png", "5.png", "6.png", "7.png", "8.png", "9.png")
LABELS = ("../up", "cat, small", 'dog "x"', "Überraschung", "cat, small", None, None, "cat, small", 'dog "x"')
SOURCES = ("hand", "auto", "hand", "auto", "hand", "hand", None, "hand", "auto")


def images(root: Path, ids=IDS) -> None:
    for number, name in enumerate(ids):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 9 * number, np.uint8)).save(root / name)


def ledger() -> Ledger:
    """Return a ledger of IDS with the labels LABELS from SOURCES."""
    new = Ledger.empty(len(IDS))
    given = [CANNOT_TELL if name is None else CLASSES.index(name) for name in LABELS]

    def write(index: list[int], source: Source, number: int) -> None:
        new.write(np.array(index), np.array([given[i] for i in index]), source, number)

    write([4], Source.GIVEN, 0)
    write([0, 5], Source.FIRST, 0)
    auto = np.array([1, 3, 8])
    new.note(Scores(auto, np.array(given)[auto], np.log([0.25, 1e-9, 0.5]).astype(np.float32), np.zeros(3)), 2)
    write([1, 3, 8], Source.AUTO, 2)
    write([2], Source.QUERY, 1)
    write([7], Source.AUDIT, 2)
    return new


def trial(folder: Path, root: Path, answers: bool = True) -> Path:
    """Write the folder of an unfinished trial with answers of people.

    One image has two answers, and one answer belongs to the current round, so labels.csv does not have it yet.
    """
    folder.mkdir()
    images(root)
    config = compose("data=folder", f"data.root='{root}'", "oracle=web")
    (folder / "config.yaml").write_text(config.yaml())
    (folder / "labels.csv").write_text(to_csv(ledger(), IDS, CLASSES))
    if answers:
        with Store(folder / "answers.db", IDS, list(CLASSES)) as store:
            store.answer(0, 3, Source.FIRST, 0, "Ada")
            store.answer(5, CANNOT_TELL, Source.FIRST, 0, "Bob, jr.")
            store.answer(2, 1, Source.QUERY, 0, "Ada")
            store.answer(7, 2, Source.AUDIT, 2, "Ada")
            store.answer(7, 0, Source.AUDIT, 2, "Eve", again=True)
            store.answer(8, 0, Source.QUERY, 3, "Ada")
            store.withdraw(8)
            store.answer(8, 2, Source.QUERY, 3, "Bob, jr.")
    return folder


EARLY = {"9.png": "Überraschung"}
"""The label of the answer that labels.csv does not have yet."""


def expected() -> dict[str, str | None]:
    return dict(zip(IDS, LABELS, strict=True)) | EARLY


def export(*args: object) -> str:
    """Run `alearn export`, which must succeed, and return what it printed."""
    code, out, err = alearn("export", *args)
    assert (code, err) == (0, "")
    return out


def refused(*args: object, code: int = 1) -> str:
    """Run `alearn export`, which must fail with this exit code, and return its message."""
    actual, out, err = alearn("export", *args)
    assert (actual, out) == (code, "")
    assert err.startswith("error: ")
    return err
