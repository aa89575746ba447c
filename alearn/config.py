"""The typed config: what Hydra composed, checked before anything is spent.

The models below say what each key means and what it may be; the values live in conf/ alone, so no key has two
defaults. `parse` turns a composed config into a `Config` or raises one `AlearnError` that names every bad key, its
value and what is allowed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alearn.errors import AlearnError

Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]

FREE = ("data.root", "policy.max_rounds", "record.projector", "resume")
"""Keys that may change when a trial is resumed: where things lie, when to give up, what is shown; not the labels."""


class Section(BaseModel):
    """Frozen; unknown keys are errors; a string is never taken for a number; nan and inf are no numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


S = TypeVar("S", bound=Section)


class Data(Section):
    """Where the images come from."""

    name: Literal["mnist"]
    root: str
    """Folder that holds the data set, or gets it: torchvision's own layout."""
    limit: Annotated[int, Field(ge=10)] | None
    """Take a random subset of so many images (drawn by the seed); null takes all."""


class SourceCnn(Section):
    """The published experiment's network."""

    name: Literal["source_cnn"]
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate that suits it with AdamW, for training recipes that take it from here."""


class SmallCnn(Section):
    """A batch-normalised network: a fifth of the multiplications, and better with few labels."""

    name: Literal["small_cnn"]
    width: Count
    """Channels of the first layer; the later ones have 2 and 4 times as many."""
    lr: Annotated[float, Field(gt=0)]
    """As in source_cnn; batch norm stands more."""


class Train(Section):
    """How a model is trained, from scratch, in every round."""

    name: str
    optimizer: Literal["adadelta", "adamw"]
    lr: Annotated[float, Field(gt=0)]
    """Learning rate; the peak of it with schedule=one_cycle."""
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["constant", "one_cycle"]
    batch: Count
    """Images a step."""
    steps: Count | None
    """Train for exactly so many steps; null trains until `patience` runs out."""
    hand_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of each batch that is drawn from the hand labels, be they ever so few; 0 draws from all labels alike."""
    patience: Count | None
    """Stop after so many epochs without a better validation accuracy and keep the best weights; null with `steps`."""
    validation: Annotated[float, Field(ge=0, lt=1)]
    """Share of the labeled images that is held out."""
    split: Literal["last", "random"]
    """Which ones: the last ones labeled, or a random draw from the hand labels."""
    augment: Literal["none", "digits"]
    """Random distortions of each training batch."""

    def model_post_init(self, context: Any, /) -> None:
        """One way to end, and the schedule must know where that is."""
        if (self.steps is None) == (self.patience is None):
            raise ValueError("one of steps and patience must be set and the other null")
        if self.patience is not None and not self.validation:
            raise ValueError("patience needs validation > 0")
        if self.hand_share and self.steps is None:
            raise ValueError("hand_share needs steps")
        if self.schedule == "one_cycle" and (self.steps is None or self.steps < 10):
            raise ValueError("schedule=one_cycle needs steps, at least 10")


class SourcePolicy(Section):
    """The published experiment's decisions."""

    name: Literal["source"]
    init_fraction: Share
    """Share of the data set that is hand labeled before the first round."""
    init: Literal["first", "random"]
    """Which ones: the first ones in file order, or a random draw."""
    threshold: Share
    """Auto label what the model gives a probability strictly above this."""
    hand_fraction: Share
    """Share of the whole data set that is hand labeled each round: the least probable ones."""
    stop_fraction: Share
    """Finish once less than this share of the data set is unlabeled."""
    finish: Literal["hand", "auto"]
    """Who labels what is left at the end."""
    max_rounds: Count
    """Give up after so many rounds."""


class Oracle(Section):
    """Who answers for the human."""

    name: Literal["truth"]


class Record(Section):
    """What is recorded beyond the rest."""

    projector: Annotated[int, Field(ge=0)]
    """Images of the pool in TensorBoard's projector, drawn by the seed; 0 for none."""


class Published(Section):
    """A published row: its results, and the settings under which it may be compared."""

    data: str
    init_fraction: float
    threshold: float
    hand_fraction: float
    rounds: int
    hand: int
    auto: int
    mislabeled: float


class Trial(Section):
    """A named row of settings."""

    name: str
    """Trials of one name and different seeds are averaged."""
    published: Published | None


class Config(Section):
    """All of a trial."""

    data: Data
    model: Annotated[SourceCnn | SmallCnn, Field(discriminator="name")]
    train: Train
    policy: SourcePolicy
    oracle: Oracle
    record: Record
    trial: Trial
    seed: Annotated[int, Field(ge=0)]
    """Every random draw of the trial follows from it."""
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    """Of the convolutions; logits and decisions are fp32 always. auto: bf16 where the hardware has it."""
    threads: Literal["auto"] | Count
    """CPU threads of a trial. auto: every core for a trial by itself, one for each job of a sweep."""
    resume: str | None
    """Folder of a trial to go on with; it brings its own config."""

    def in_sweep(self) -> Self:
        """As a job of a sweep has it. With a thread each, jobs fill the cores and no launcher changes their labels."""
        return self.model_copy(update={"threads": 1}) if self.threads == "auto" else self

    def published(self) -> Published | None:
        """The published row, if this trial's settings are still that row's."""
        row = self.trial.published
        if row is None or self.data.limit is not None or self.data.name != row.data:
            return None
        same = all(
            getattr(row, key) == getattr(self.policy, key) for key in ("init_fraction", "threshold", "hand_fraction")
        )
        return row if same else None

    def identity(self) -> dict[str, Any]:
        """The config flat, `{"policy.threshold": 0.9999, ...}`, without the keys that a resumed trial may change."""
        return {key: value for key, value in flatten(self.model_dump()).items() if key not in FREE}

    def digest(self) -> str:
        """sha256 of `identity`: equal for trials that must give the same labels."""
        return _sha256(self.identity())

    def setting(self) -> str:
        """sha256 of `identity` without the seed: equal for trials whose results may be averaged."""
        return _sha256({key: value for key, value in self.identity().items() if key != "seed"})

    def yaml(self) -> str:
        """As YAML, every value resolved."""
        return OmegaConf.to_yaml(OmegaConf.create(self.model_dump()))


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


def _sha256(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` to `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def parse(composed: DictConfig) -> Config:
    """Check a composed config, without Hydra's own part of it.

    Raises AlearnError with a line for each bad key: the key, its value, what is allowed.
    """
    return _checked(Config, _plain(composed, [str(key) for key in composed if key != "hydra"]))


def parse_search(composed: DictConfig) -> Search:
    """Check the keys of a search in a composed config that has Hydra's own part. Raises AlearnError as `parse` does."""
    tree = _plain(composed.hydra, ["sweeper"])
    del tree["sweeper"]["_target_"]
    return _checked(Search, tree["sweeper"], "hydra.sweeper.")


def _plain(composed: DictConfig, keys: list[str]) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.masked_copy(composed, keys), resolve=True)
    except OmegaConfBaseException as error:
        raise AlearnError(f"config: {error}") from None


def _checked(kind: type[S], tree: Any, prefix: str = "") -> S:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise AlearnError("\n".join(prefix + _explain(problem, tree) for problem in error.errors())) from None


def load(path: Path) -> Config:
    """The config that a trial wrote, from its config.yaml. Raises AlearnError if there is none in the file."""
    try:
        composed = OmegaConf.load(path)
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(composed, DictConfig):
        raise AlearnError(f"{path} holds no config")
    try:
        return parse(composed)
    except AlearnError as error:
        raise AlearnError(f"{path} is no config of this version:\n{error}") from None


def _explain(problem: Any, tree: Any) -> str:
    keys: list[str] = []
    at: Any = tree
    for part in map(str, problem["loc"]):
        inside = at if isinstance(at, Mapping) else {}
        if inside.get("name") == part and part not in inside:
            continue  # pydantic names the variant that it chose; the user's key has no such part
        keys, at = [*keys, part], inside.get(part)
    key, value, kind = ".".join(keys), problem["input"], problem["type"]
    if kind == "extra_forbidden":
        return f"{key}: there is no such key"
    if kind == "missing":
        return f"{key}: a value is missing"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if isinstance(value, Mapping):
        return f"{key}: {message}"
    return f"{key}={value}: {message}"
