"""The context of a trial, from which an oracle is built together with its own config."""

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
    """What an oracle may know about the trial that asks.

    name: the name under which the oracle is registered.
    images: the images of the questions, with their ids and the names of the classes.
    seed: determines what a simulated oracle draws, so that a resumed trial gets the same answers.
    folder: the trial's folder, for files of the oracle that must outlive the process.
    ledger: all labels so far. It changes during the trial; read it only.
    estimate: returns the estimated share of wrong auto labels, or None if there is no estimate.
    report: takes (answered, total) while people answer.
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
        """The true classes of all images, int64 [N], for simulated oracles. Raise AlearnError if they are not known."""
        if self.images.truth is None:
            raise no_truth(self.name)
        return self.images.truth


def no_truth(name: str) -> AlearnError:
    """Return the error of a simulated oracle without true labels."""
    return AlearnError(f"oracle={name}: these images have no true labels to answer with; oracle=web asks people")


def ask_people(
    context: Context, channel: Callable[[ImageSet, Store, Insight, Path], Channel], ahead: int = 0
) -> People:
    """Return an oracle that asks people through a channel. ahead: see `alearn.oracle.people.People`.

    Their answers go into the store in the trial's folder. It does not ask again what has an answer there.

    Raises:
        AlearnError: another trial uses the store, or the channel cannot be opened.
    """
    if not context.images.visible:
        raise AlearnError(
            f"oracle={context.name}: people need to see the images; give the folder that their ids are relative to as "
            "data.images=DIR"
        )
    store = Store(context.folder / NAME, context.images.ids, context.images.classes)
    try:
        insight = Insight(context.ledger, context.estimate)
        asking = channel(context.images, store, insight, context.folder)
        return People(store, asking, context.ledger, context.report, ahead)
    except BaseException:
        store.close()
        raise
