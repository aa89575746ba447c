"""What a metric is: what it counts, and where it is shown. `alearn.trial.metrics` has the list of metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Unit(Enum):
    """What a value counts. Each place that shows values has its own format for each unit."""

    COUNT = "whole number"
    FEW = "small whole number; its mean has one decimal"
    SHARE = "share, from 0 to 1"
    ACCURACY = "share of right answers, from 0 to 1"
    SECONDS = "seconds"
    SPEED = "images per second"
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
    """What TensorBoard shows of a metric.

    Attributes:
        tag: The tag of its curve over rounds, "" if there is none. TensorBoard sorts tags by name, opens the first
            groups, and shows the first five tags as columns of the HParams tab. So the most important tags come first
            in the alphabet.
        final: Whether the curve gets the value of the row as its last point, one step after the last round, when the
            remaining images are labeled. The HParams tab shows the last point of each curve, so it shows the row.
        over_hand: The tag of its curve over the number of hand labels, "" if there is none.
        hand: The key of the metric that counts these hand labels.
        topic: The category of the dashboard in which it has a chart, None if it has none.
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
    """A number that describes a round or a trial, and where it is shown.

    Attributes:
        key: Its name in metrics.jsonl and row.json. "a.b" is the value b in the object a.
        title: Its name for people.
        unit: What it counts.
        meaning: What it is, in a sentence or two.
        in_rounds: Whether metrics.jsonl has it for each round.
        in_row: Whether row.json has it for the trial.
        column: The heading of its column in the console, "" if it has none.
        summary: Whether the outcome of a trial shows it: on the console at the end, and at the top of its page.
        rare: Whether the outcome omits it if it is zero.
        stands_in_for: The key of the metric that it estimates. It is shown only if that metric is unknown.
        table: The name of its columns in a sweep's table, "" if it has none.
        published: Whether published results have it, under the name in `table`.
        line: The colour of its line on a trial's page, "" if it has none: see `alearn.report.html.page.LIGHT`.
        compared: Whether the page of a sweep draws it over rounds for each setting.
        curve: What TensorBoard shows of it, if anything.
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
        """Return its value in the metrics of a round or in a trial's row; None if it is unknown."""
        value: Any = values
        for part in self.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value
