"""What a metric is: what it counts, and the places that may show it. `alearn.trial.metrics` has the list."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Unit(Enum):
    """What a value counts. Each place writes a unit in its own way."""

    COUNT = "whole number"
    FEW = "small whole number, of which a mean has a decimal"
    SHARE = "share, from 0 to 1"
    ACCURACY = "share of right answers, from 0 to 1"
    SECONDS = "seconds"
    SPEED = "images a second"
    LOSS = "nats"
    OBJECT = "JSON, for programs"
    TEXT = "sentence"


class Topic(Enum):
    """A group of charts: a category of TensorBoard's dashboard."""

    MISLABELS = "mislabel rate"
    LABELS = "labels by source"
    ACCURACY = "accuracy"
    TIME = "time"


@dataclass(frozen=True)
class Curve:
    """A metric in TensorBoard.

    Attributes:
        tag: The curve over rounds, "" if there is none. TensorBoard sorts by name, opens the first groups and shows the
            first five tags as columns of the HParams tab: what matters most comes first in the alphabet.
        final: Whether the curve ends with the row's value, one step after the last round, when the rest is labeled. The
            HParams tab takes the last point of each curve, and so shows the numbers of the row.
        over_hand: The curve over the number of hand labels, "" if there is none.
        hand: The metric that counts these.
        topic: The category of the dashboard that has a chart of it, if any.
        band: Whether the dashboard of a sweep has a chart of its mean over seeds.
    """

    tag: str = ""
    final: bool = False
    over_hand: str = ""
    hand: str = "hand"
    topic: Topic | None = None
    band: bool = False


@dataclass(frozen=True)
class Metric:
    """A number that a round or a trial comes to, and where it is shown.

    Attributes:
        key: Its name in metrics.jsonl and row.json. A dot leads into an object.
        title: What people read.
        unit: What it counts.
        meaning: What it is, in a sentence or two.
        in_rounds: Whether metrics.jsonl has it for each round.
        in_row: Whether row.json has it for the trial.
        column: The heading of its column in the console, "" if it has none.
        summary: Whether the outcome of a trial shows it: on the console at the end, and at the top of its page.
        rare: Whether the outcome leaves out a zero.
        stands_in_for: The metric that it estimates: it is shown only where nobody knows that one.
        table: The name of its columns in a sweep's table, "" if it has none.
        published: Whether a published result has it, under the name that the table has.
        line: The colour of its line on a trial's page, "" if it has none: see `alearn.report.html.page.LIGHT`.
        compared: Whether the page of a sweep draws it over rounds for each setting.
        curve: What TensorBoard shows, if anything.
    """

    key: str
    title: str
    unit: Unit
    meaning: str
    in_rounds: bool = True
    in_row: bool = False
    column: str = ""
    summary: bool = False
    rare: bool = False
    stands_in_for: str = ""
    table: str = ""
    published: bool = False
    line: str = ""
    compared: bool = False
    curve: Curve = Curve()

    def of(self, values: Mapping[str, Any]) -> Any:
        """Return its value in the metrics of a round or in a trial's row; None where it is not known."""
        value: Any = values
        for part in self.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value
