"""oracle=contrary and oracle=expert."""

from pathlib import Path

import numpy as np

import alearn
from alearn.config import Oracle
from alearn.ledger import Source
from alearn.oracle.context import Context
from alearn.values import Array


class ContraryOracle(Oracle):
    """The keys of conf/oracle/contrary.yaml."""

    shift: int
    """Answer with the class that comes so many places after the true one."""


class Table:
    """Answers by a label for each image."""

    def __init__(self, labels: Array) -> None:
        self.labels = labels

    def label(self, index: Array, purpose: Source, again: bool = False) -> Array:
        """Return the classes of the images `index`."""
        return self.labels[index]


@alearn.register_oracle("contrary", ContraryOracle, simulated=True)
def contrary(config: ContraryOracle, context: Context) -> Table:
    """Make it from the true labels."""
    return Table((context.truth + config.shift) % len(context.images.classes))


class ExpertOracle(Oracle):
    """The keys of conf/oracle/expert.yaml."""

    table: str
    """A file with a line for each image: its path, a space, its class."""


@alearn.register_oracle("expert", ExpertOracle, simulated=False, free={"table"})
def expert(config: ExpertOracle, context: Context) -> Table:
    """Make it from a table that knows every image by its id."""
    lines = [line.split() for line in Path(config.table).read_text().splitlines()]
    label = {path: context.images.classes.index(name) for path, name in lines}
    return Table(np.array([label[item] for item in context.images.ids]))
