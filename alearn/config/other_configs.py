"""The smaller groups, and what searches."""

from typing import Annotated, Any, Literal

from pydantic import Field

from alearn.config.section import Count, Section


class TrueOracle(Section):
    """The true labels answer for the human."""

    name: Literal["truth"]


class NoisyOracle(Section):
    """The true labels, with slips."""

    name: Literal["noisy"]
    error: Annotated[float, Field(ge=0, lt=1)]
    """The probability that an answer is one of the other classes instead."""


class WebOracle(Section):
    """People, on a page in their browsers."""

    name: Literal["web"]
    host: str
    """Address to serve the page at. Any but a loopback address is reachable by others, who then need the token that is
    in the link."""
    port: Annotated[int, Field(ge=0, le=65535)]
    """0 for any that is free."""
    names: Annotated[tuple[str, ...], Field(strict=False)]
    """Further host names by which people may reach it, e.g. behind a proxy."""


class LabelStudioOracle(Section):
    """People, in Label Studio."""

    name: Literal["labelstudio"]
    url: str | None
    """Of the server; its key is taken from the variable LABEL_STUDIO_API_KEY. null: by files, without a server."""
    project: str | None
    """Title of the project, made if there is none; null is the name of the trial's folder."""


SIMULATED = ("truth", "noisy")
"""Oracles that are no people: they answer by the true labels."""
Oracle = Annotated[TrueOracle | NoisyOracle | WebOracle | LabelStudioOracle, Field(discriminator="name")]
"""Who answers for the human."""


class Record(Section):
    """What is recorded beyond the rest."""

    projector: Annotated[int, Field(ge=0)]
    """Images of the pool in TensorBoard's projector, drawn by the seed; 0 for none."""


class Published(Section):
    """A published row: its results, and the settings under which it may be compared; null is any."""

    data: str
    init_fraction: float | None
    threshold: float | None
    hand_fraction: float | None
    rounds: int
    hand: int
    auto: int
    mislabeled: float


class Trial(Section):
    """A named row of settings."""

    name: str
    """Trials of one name and different seeds are averaged."""
    published: Published | None


class Search(Section):
    """How `hydra/sweeper=optuna` searches: the keys below hydra.sweeper."""

    params: dict[str, Any] | None
    """What it may choose from, in Hydra's sweep syntax, by key; the command line adds to it and replaces."""
    n_trials: Count
    """Trials that are to finish."""
    n_jobs: Count
    """Trials that are launched at once, for launchers that run them side by side."""
    seed: Annotated[int, Field(ge=0)]
    """Every choice follows from it, and from what the earlier trials came to."""
    storage: str | None
    """URL of a database (SQLAlchemy's form); null is search.db in the sweep's folder."""
    study_name: Annotated[str, Field(min_length=1)]
    """In that database; one study is one search in one folder."""
