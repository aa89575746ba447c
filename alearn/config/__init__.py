"""The typed config: what Hydra composed, checked before anything is spent.

The models below say what each key means and what it may be; the values live in conf/ alone, so no key has two
defaults. `parse` turns a composed config into a `Config` or raises one `AlearnError` that names every bad key, its
value and what is allowed.
"""

from alearn.config.config import Config, flatten, free
from alearn.config.data import Data, Folder, Imbalance, Standard
from alearn.config.model import Auto, Model, Resnet, SmallCnn, SourceCnn, Torchvision
from alearn.config.others import (
    SIMULATED,
    LabelStudioOracle,
    NoisyOracle,
    Oracle,
    Published,
    Record,
    Search,
    Trial,
    TrueOracle,
    WebOracle,
)
from alearn.config.parse import load, parse, parse_model, parse_search
from alearn.config.policy import Policy
from alearn.config.train import Train

__all__ = [
    "SIMULATED",
    "Auto",
    "Config",
    "Data",
    "Folder",
    "Imbalance",
    "LabelStudioOracle",
    "Model",
    "NoisyOracle",
    "Oracle",
    "Policy",
    "Published",
    "Record",
    "Resnet",
    "Search",
    "SmallCnn",
    "SourceCnn",
    "Standard",
    "Torchvision",
    "Train",
    "Trial",
    "TrueOracle",
    "WebOracle",
    "flatten",
    "free",
    "load",
    "parse",
    "parse_model",
    "parse_search",
]
