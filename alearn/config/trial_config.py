"""The whole config of a trial."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from omegaconf import OmegaConf
from pydantic import Field

from alearn.config.data_config import Data, Standard
from alearn.config.model_config import AnyModel, default_model
from alearn.config.oracle_config import AnyOracle
from alearn.config.policy_config import Policy
from alearn.config.section import Count, Section
from alearn.config.train_config import AnyTrain, Train
from alearn.errors import AlearnError
from alearn.registry import ORACLES, QUERIES

FREE = ("data.root", "data.cache", "policy.audit.seed", "policy.max_rounds", "record.projector", "resume")
"""Keys that may change when a trial is resumed, because the labels do not depend on them: the places of files, when to
give up, and what is shown. (Without policy.audit.seed two runs draw differently anyway, and a resumed trial keeps its
draw.)"""


class Record(Section):
    """What a trial records additionally."""

    projector: Annotated[int, Field(ge=0)] = 0
    """How many images of the pool TensorBoard's projector shows; the seed draws them."""


class Trial(Section):
    """The name of a trial."""

    name: Annotated[str, Field(json_schema_extra={"default": "${policy.name}"})] = "frugal"
    """Tables average trials with the same name and different seeds. The command takes the name of the policy."""


def _suiting(config: dict[str, Any]) -> Train:
    return Train(lr=config["model"].lr, augment=config["data"].augment)


class Config(Section):
    """The whole config of a trial. `Config()` is what the command `alearn` runs by default."""

    data: Data = Field(default_factory=Standard)
    model: AnyModel = Field(default_factory=lambda: default_model("small_cnn"))
    train: AnyTrain = Field(default_factory=_suiting)
    policy: Policy = Policy()
    oracle: AnyOracle = Field(default_factory=lambda: ORACLES.get("truth").config())
    record: Record = Record()
    trial: Trial = Field(default_factory=lambda config: Trial(name=config["policy"].name))
    seed: Annotated[int, Field(ge=0)] = 0
    """This seed determines every random draw of the trial."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs. auto: on the GPU if there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the convolutions; logits and decisions are always fp32. auto: bf16 if the hardware supports it."""
    threads: Literal["auto"] | Count = "auto"
    """CPU threads of a trial. auto: all cores for a single trial, one thread for each job of a sweep."""
    cuda_graphs: bool = False
    """Whether to replay training steps as CUDA graphs, which launch their kernels at once. Labels stay the same. Off,
    because it has not run on a GPU yet."""
    resume: str | None = None
    """Folder of an interrupted trial, which continues with its own config."""

    def model_post_init(self, context: Any, /) -> None:
        """Check what one group requires from another."""
        strategy = self.policy.query.strategy
        if "information" in QUERIES.get(strategy).needs and getattr(self.model, "dropout", None) == 0:
            raise ValueError(
                f"policy.query.strategy={strategy} needs a network with dropout: set model.dropout=0.25, for example"
            )

    def in_sweep(self) -> Self:
        """Return the config of a job of a sweep.

        Each job gets one thread, so that jobs fill the cores and their labels do not depend on the launcher.

        Raises:
            AlearnError: the job would wait for people.
        """
        if not ORACLES.get(self.oracle.name).simulated:
            raise AlearnError(
                f"oracle={self.oracle.name}: people answer one trial, not a sweep; must be truth, noisy or another "
                "simulated oracle"
            )
        if self.policy.finish == "audit" and self.policy.audit.seed == "wait":
            raise AlearnError(
                "policy.audit.seed=wait: a sweep waits for nobody; run its trials one by one, or leave the key out"
            )
        return self.model_copy(update={"threads": 1}) if self.threads == "auto" else self

    def identity(self) -> dict[str, Any]:
        """Return the flat config, `{"policy.threshold": 0.9999, ...}`, without the keys that may change on resuming."""
        flat = flatten(self.model_dump(mode="json"))  # with lists, as in YAML
        return {key: value for key, value in flat.items() if key not in free(flat)}

    def digest(self) -> str:
        """Return the SHA-256 of `identity`. Trials with the same digest must give the same labels."""
        return _sha256(self.identity())

    def setting(self) -> str:
        """Return the SHA-256 of `identity` without the seed. Tables may average results with the same setting."""
        return _sha256({key: value for key, value in self.identity().items() if key != "seed"})

    def yaml(self) -> str:
        """Return the config as YAML."""
        return OmegaConf.to_yaml(OmegaConf.create(self.model_dump()))


def _sha256(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def free(flat: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a flat config that may change: FREE, and the free keys of its registered oracle.

    The path of the user's own folder may not change, because nothing else identifies the data set.
    """
    keys = [key for key in FREE if key != "data.root" or flat.get("data.name") != "folder"]
    with suppress(AlearnError):  # the package of the oracle is not installed any more
        keys += [f"oracle.{key}" for key in sorted(ORACLES.get(flat.get("oracle.name", "")).free)]
    return tuple(keys)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn `{"a": {"b": 1}}` into `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
