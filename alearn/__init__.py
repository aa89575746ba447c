"""Label an image data set with a small share of the hand labels.

A human labels a few images, a CNN learns from them, what it is sure of is auto labeled, what it is least sure of goes
back to the human, until hardly anything is left. `alearn.label` does that from Python, the command `alearn` from a
shell; `alearn.loop` is the loop, and `ARCHITECTURE.md` the map of everything around it.

    import alearn

    done = alearn.label(images, oracle=alearn.Truth(labels), policy=alearn.preset("policy", "frugal", hand_budget=300))
    done.labels, done.source, done.confidence, done.wrong(labels)

The names below are imported when they are first used: `import alearn` and `alearn --help` must not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AlearnError": "alearn.errors",
    "ImageSet": "alearn.data.imageset",
    "Labeling": "alearn.api",
    "Ledger": "alearn.ledger",
    "Policy": "alearn.config",
    "Source": "alearn.ledger",
    "Train": "alearn.config",
    "Truth": "alearn.oracle.truth",
    "label": "alearn.api",
    "preset": "alearn.config",
    "register_auto_rule": "alearn.registry",
    "register_exporter": "alearn.registry",
    "register_model": "alearn.registry",
    "register_oracle": "alearn.registry",
    "register_query": "alearn.registry",
    "training": "alearn.config",
}
"""The public names, and the module of each."""

__all__ = [
    "AlearnError",
    "ImageSet",
    "Labeling",
    "Ledger",
    "Policy",
    "Source",
    "Train",
    "Truth",
    "__version__",
    "label",
    "preset",
    "register_auto_rule",
    "register_exporter",
    "register_model",
    "register_oracle",
    "register_query",
    "training",
]

if TYPE_CHECKING:
    from alearn.api import Labeling, label
    from alearn.config import Policy, Train, preset, training
    from alearn.data.imageset import ImageSet
    from alearn.errors import AlearnError
    from alearn.ledger import Ledger, Source
    from alearn.oracle.truth import Truth
    from alearn.registry import register_auto_rule, register_exporter, register_model, register_oracle, register_query


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'alearn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
