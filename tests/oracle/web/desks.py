"""Shared by the tests of the page: a pool of coloured shapes, a ledger, a page that asks about them in a thread, and a
client that answers.
"""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from PIL import Image, ImageDraw
from werkzeug.test import Client

from alearn.data.imageset import ImageSet
from alearn.ledger import Ledger, Source
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import NAME, Store
from alearn.oracle.web.channel import Web
from tests.waiting import LIMIT

CLASSES = ("circle", "square", "triangle", "diamond")
COLOURS = ("#d6452b", "#2b7ccb", "#1c8a55", "#e8a33d", "#7d6ad6", "#17879c")
SIDE = 64


def shapes(total: int, classes: Sequence[str] = CLASSES, prefix: str = "photos/", seed: int = 0) -> ImageSet:
    """Return images of shapes with random sizes and colours on a light ground. The shape is the class."""
    random = np.random.default_rng(seed)
    truth = random.integers(len(CLASSES), size=total)
    images = np.stack([_shape(int(kind), random) for kind in truth]).transpose(0, 3, 1, 2)
    return ImageSet(
        torch.from_numpy(np.ascontiguousarray(images)),
        tuple(f"{prefix}{i:04d}.png" for i in range(total)),
        classes,
        truth,
    )


def _shape(kind: int, random: np.random.Generator) -> Any:
    image = Image.new("RGB", (SIDE, SIDE), tuple(int(x) for x in random.integers(215, 245, 3)))
    draw, colour = ImageDraw.Draw(image), COLOURS[random.integers(len(COLOURS))]
    (x, y), r = random.integers(26, 38, 2), random.integers(14, 24)
    corners = [(x - r, y - r), (x + r, y + r)]
    if kind == 0:
        draw.ellipse(corners, colour)
    elif kind == 1:
        draw.rectangle(corners, colour)
    elif kind == 2:
        draw.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], colour)
    else:
        draw.polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], colour)
    return np.asarray(image)


def ledger(pool: ImageSet, rounds: int = 2) -> Ledger:
    """Return a ledger after some rounds: each image has a score and a guess that is at least 90% probable."""
    new = Ledger.empty(len(pool))
    if rounds:
        assert pool.truth is not None
        new.scored[:] = rounds
        new.guess[:] = pool.truth
        new.doubt[:] = np.log(np.linspace(0.1, 0.001, len(pool)))
    return new


def config(host: str = "127.0.0.1", port: int = 0, names: tuple[str, ...] = ()) -> Any:
    """Return the keys of `WebOracle` that the page uses."""
    return SimpleNamespace(name="web", host=host, port=port, names=names)


class Trial:
    """A running server of the page, and a thread that asks one batch after the other."""

    def __init__(
        self, folder: Path, pool: ImageSet, rounds: int = 2, estimate: float | None = 0.0123, **where: Any
    ) -> None:
        self.folder, self.pool, self.ledger = folder, pool, ledger(pool, rounds)
        self.store = Store(folder / NAME, pool.ids, pool.classes)
        try:
            self.web = Web(config(**where), pool, self.store, Insight(self.ledger, lambda: estimate), folder)
        except BaseException:
            self.store.close()
            raise
        self.reports: list[tuple[int, int]] = []
        self._thread: threading.Thread | None = None

    def ask(self, index: Sequence[int], purpose: Source = Source.QUERY, again: bool = False, answered: int = 0) -> None:
        """Start asking."""
        batch = Batch(np.array(index, np.int64), purpose, self.ledger.rounds, again, answered)
        report: Callable[[int, int], None] = lambda *counts: self.reports.append(counts)  # noqa: E731
        self._thread = threading.Thread(target=self.web.ask, args=(batch, report), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until every image of the batch has an answer."""
        assert self._thread is not None
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "not everything is answered"

    def close(self) -> None:
        """End the trial without waiting until the pages of the tests know."""
        for seat in self.web._room._desk.seats.values():
            seat.heard = float("-inf")
        self.web.close()
        self.store.close()


class Browser:
    """A client that sends the same requests as the page."""

    def __init__(self, trial, who="Ann", session="0" * 32, host=None):
        self.client = Client(trial.web.app)
        self.who, self.session, self.visit, self.number = who, session, 1, 0
        self.host = host or urlsplit(trial.web.where).netloc

    def get(self, path, **headers):
        return self.client.get(path, headers={"Host": self.host, **named(headers)})

    def post(self, path, fields=None, body=None, kind="application/json", **headers):
        body = json.dumps(self.about() | (fields or {})) if body is None else body
        return self.client.post(path, data=body, content_type=kind, headers={"Host": self.host, **named(headers)})

    def request(self, **fields):
        return json.dumps(self.about() | fields)

    def about(self):
        return {
            "session": self.session, "visit": self.visit, "who": self.who,
            "classes": 0, "want": 8, "grid": False, "here": True,
        }  # fmt: skip

    def sync(self, **fields):
        reply = self.post("/api/sync", fields)
        assert reply.status_code == 200, reply.text
        return reply.json

    def change(self, what, again=False, number=None, **fields):
        self.number += 1
        return self.post(f"/api/{what}", {"again": again, "number": number or self.number, **fields})

    def answer(self, *answers, **fields):
        return self.change("answer", answers=[{"index": i, "label": label} for i, label in answers], **fields)


def named(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}
