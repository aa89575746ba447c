"""The keys below hydra.sweeper of a search."""

from typing import Annotated, Any

from pydantic import Field

from alearn.config.section import Count, Section


class Search(Section):
    """How `hydra/sweeper=optuna` searches."""

    params: dict[str, Any] | None = Field(default_factory=dict)
    """What the search may choose, by key, in Hydra's sweep syntax. The command line can add and replace keys."""
    n_trials: Count = 20
    """Number of trials to finish."""
    n_jobs: Count = 1
    """Number of trials to launch at once, for launchers that run them in parallel."""
    seed: Annotated[int, Field(ge=0)] = 0
    """This seed and the results of the earlier trials determine every choice."""
    storage: str | None = None
    """URL of a database in SQLAlchemy's form; null keeps search.db in the sweep's folder."""
    study_name: Annotated[str, Field(min_length=1)] = "alearn"
    """Name of the study in that database. A study is one search in one folder."""
