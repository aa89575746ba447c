"""The keys below hydra.sweeper of a search."""

from typing import Annotated, Any

from pydantic import Field

from alearn.config.section import Count, Section


class Search(Section):
    """How `hydra/sweeper=optuna` searches."""

    params: dict[str, Any] | None = Field(default_factory=dict)
    """What the search may choose, by key, in Hydra's sweep syntax. The command line adds to it and replaces it."""
    n_trials: Count = 20
    """Trials to finish."""
    n_jobs: Count = 1
    """Trials to launch at once, for launchers that run them side by side."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Every choice follows from this seed and from the results of the earlier trials."""
    storage: str | None = None
    """URL of a database in SQLAlchemy's form; null keeps search.db in the sweep's folder."""
    study_name: Annotated[str, Field(min_length=1)] = "alearn"
    """Name of the study in that database. A study is one search in one folder."""
