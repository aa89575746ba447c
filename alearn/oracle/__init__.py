"""Whoever answers: the true labels for an experiment, people for real work."""

from collections.abc import Callable
from pathlib import Path

from alearn.config import LabelStudioOracle as LabelStudioConfig
from alearn.config import NoisyOracle as NoisyConfig
from alearn.config import Oracle as OracleConfig
from alearn.config import TrueOracle as TrueConfig
from alearn.config import WebOracle as WebConfig
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.oracle.interface import Oracle, Remembers
from alearn.oracle.noisy import Noisy
from alearn.oracle.people import Channel, Insight, People
from alearn.oracle.store import NAME, Store
from alearn.oracle.truth import Truth

__all__ = ["Oracle", "Remembers", "nobody", "people", "simulated"]


def simulated(config: OracleConfig, images: ImageSet, seed: int) -> Oracle | None:
    """The oracle that answers by the true labels, None if the config names people. seed: what it draws follows from it.

    Raises AlearnError where there are no true labels.
    """
    if not isinstance(config, TrueConfig | NoisyConfig):
        return None
    if images.truth is None:
        raise nobody(config)
    if isinstance(config, NoisyConfig):
        return Noisy(images.truth, len(images.classes), config.error, seed)
    return Truth(images.truth)


def nobody(config: OracleConfig) -> AlearnError:
    """What is wrong with a simulated oracle where there are no true labels."""
    return AlearnError(f"oracle={config.name}: these images have no true labels to answer with; oracle=web asks people")


def people(
    config: OracleConfig, images: ImageSet, insight: Insight, folder: Path, report: Callable[[int, int], None]
) -> People:
    """The people whom the config names; their answers go into the folder's store. report: see `Channel.ask`.

    Raises AlearnError if another trial holds the store, or if there is no way to them.
    """
    store = Store(folder / NAME, images.ids, images.classes)
    try:
        return People(store, _channel(config, images, store, insight, folder), insight.ledger, report)
    except BaseException:
        store.close()
        raise


def _channel(config: OracleConfig, images: ImageSet, store: Store, insight: Insight, folder: Path) -> Channel:
    if isinstance(config, WebConfig):
        from alearn.oracle.web import Web

        return Web(config, images, store, insight, folder)
    from alearn.oracle import labelstudio

    assert isinstance(config, LabelStudioConfig)
    kind = labelstudio.Files if config.url is None else labelstudio.Server
    return kind(config, images, store, insight, folder)
