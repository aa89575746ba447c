"""What an oracle is built from besides its own keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alearn.errors import AlearnError
from alearn.oracle.people import Insight, People
from alearn.oracle.store import NAME, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alearn.data.imageset import ImageSet
    from alearn.ledger import Ledger
    from alearn.oracle.people import Channel
    from alearn.values import Array


@dataclass(frozen=True)
class Context:
    """The trial that asks, as far as an oracle may know it.

    name: that the oracle is registered as. images: those that it will be asked about, with their ids and the names of
    the classes. seed: what a simulated oracle draws follows from it, so that a resumed trial gets the same answers.
    folder: the trial's, for files of the oracle that must outlive the process. ledger: all labels so far, live, read
    only. estimate: the share of the auto labels that is probably wrong, None where nothing tells. report: to be told
    (answered, of how many) while people answer.
    """

    name: str
    images: ImageSet
    seed: int
    folder: Path
    ledger: Ledger
    estimate: Callable[[], float | None]
    report: Callable[[int, int], None]

    @property
    def truth(self) -> Array:
        """The true classes of all images, int64 [N]: for simulated oracles. Raises AlearnError if nobody knows them."""
        if self.images.truth is None:
            raise no_truth(self.name)
        return self.images.truth


def no_truth(name: str) -> AlearnError:
    """Return what is wrong with a simulated oracle where there are no true labels."""
    return AlearnError(f"oracle={name}: these images have no true labels to answer with; oracle=web asks people")


def ask_people(context: Context, channel: Callable[[ImageSet, Store, Insight, Path], Channel]) -> People:
    """Return an oracle of the people whom a channel reaches.

    Their answers go into the store in the trial's folder, and what has an answer there is not asked again. Raises
    AlearnError if another trial holds the store, or if the channel cannot be opened.
    """
    store = Store(context.folder / NAME, context.images.ids, context.images.classes)
    try:
        insight = Insight(context.ledger, context.estimate)
        return People(store, channel(context.images, store, insight, context.folder), context.ledger, context.report)
    except BaseException:
        store.close()
        raise
