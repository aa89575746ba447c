"""Label images from Python: `alearn.label`, without Hydra and without a folder of results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alearn import loop
from alearn.audit.protocol import Names
from alearn.config import AnyTrain, Auto, Folder, Head, Model, Policy, Standard, Train, preset, training, usual_policy
from alearn.data import choose, features, sources
from alearn.data.file_store import is_url
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.journal import Entry, OnProgress, Round, ignore
from alearn.learn import device as devices
from alearn.learn.device import Runtime
from alearn.learn.embedding import on_pixels, prepared
from alearn.learn.extract import extraction
from alearn.learn.fit import Network
from alearn.ledger import CANNOT_TELL, Ledger, Source
from alearn.models import build
from alearn.models.classifier import Classifier, as_classifier
from alearn.models.pretrained import Pretrained
from alearn.oracle.interface import Oracle
from alearn.oracle.truth import numbered
from alearn.trial import settle
from alearn.values import Array

CHANNELS = (1, 3)
Images = Array | Tensor | ImageSet | str | PathLike[str]
Labels = Sequence[int] | Sequence[str] | Array
Factory = Callable[[tuple[int, int, int], int], nn.Module]
OnCommit = Callable[[Entry], None]


@dataclass(frozen=True)
class Labeling:
    """The result of a labeling of N images.

    Attributes:
        ledger: The complete state of the labeling, see `alearn.Ledger`.
        classes: The names of the classes, by number.
        ids: The names of the images.
        model: The model of the last round, None if there was no round.
    """

    ledger: Ledger
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    model: nn.Module | None

    @property
    def labels(self) -> Array:
        """The number of the class of each image, int64 [N], -1 if the oracle could not tell."""
        return self.ledger.label

    @property
    def source(self) -> Array:
        """Who labeled each image, str [N]: "hand" or "auto"."""
        return np.where(self.ledger.auto, "auto", "hand")

    @property
    def confidence(self) -> Array:
        """The confidence of each label, float32 [N]: 1 if by hand, else its probability, nan if that is unknown."""
        confidence: Array = np.where(self.ledger.hand, 1.0, -np.expm1(self.ledger.doubt)).astype(np.float32)
        return confidence

    @property
    def rounds(self) -> int:
        """The number of rounds."""
        return self.ledger.rounds

    @property
    def hand_labels(self) -> int:
        """The number of labels that the oracle was asked for."""
        return self.ledger.paid

    def names(self) -> list[str]:
        """Return the name of the class of each image, "" if the oracle could not tell."""
        return [self.classes[label] if label != CANNOT_TELL else "" for label in self.labels.tolist()]

    def wrong(self, labels: Labels) -> Array:
        """Return the indices of the wrongly labeled images, int64 [n].

        labels: the N true classes, as numbers or names. Images that the oracle could not tell count as wrong.
        """
        truth = numbered(labels, self.classes)
        if len(truth) != len(self.labels):
            raise ValueError(f"labels: {len(truth)} for {len(self.labels)} images")
        return np.flatnonzero(self.labels != truth)


def label(
    images: Images,
    oracle: Oracle,
    *,
    classes: Sequence[str] | None = None,
    model: str | Model | Factory = "auto",
    policy: str | Policy | None = None,
    train: str | Train | Head | None = None,
    augment: str = "auto",
    given: Labels | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = ignore,
    on_commit: OnCommit | None = None,
) -> Labeling:
    """Label a data set, asking an oracle few questions.

    Args:
        images: N images: uint8 [N, H, W], [N, C, H, W] or [N, H, W, C] with C of 1 or 3, an array or a tensor; a folder
            of image files; or an `ImageSet`.
        oracle: The object that answers questions. Its method `label(index, purpose)` returns the classes of the images
            `index` as int64. `alearn.Truth(labels)` answers from known labels.
        classes: Names of the classes. If None, the attribute `classes` of the oracle is used, or else the classes of
            the image set or folder.
        model: A network by name; its config, e.g. `alearn.preset("model", "small_cnn", width=32)`; or a function that
            makes an `nn.Module` from the shape of an image (C, H, W) and the number of classes. The module maps float
            images in [0, 1] to logits. "auto" chooses one of ours from the images.
        policy: How to label: the name of a preset, e.g. "frugal", where answers are dear, or "quick", where time is;
            or e.g. `alearn.preset("policy", "frugal", hand_budget=300)`. None takes frugal on a GPU, else quick.
        train: How to train: the name of a preset, a `Train`, or None for the one that suits the policy.
        augment: Random distortions that do not change classes: none, digits, numbers, objects or clothes. "auto"
            chooses from the images.
        given: Labels that are known already, one for each image: numbers or names, -1 or "" if there is none. They cost
            nothing.
        seed: Every random draw follows from it.
        device: auto, cpu or cuda.
        precision: auto, fp32 or bf16, of the convolutions.
        threads: The number of CPU threads; None leaves torch's setting as it is.
        on_progress: Called with every step of the work, see `alearn.journal.Progress`.
        on_commit: Called after every round and every stage of an audit, see `alearn.journal.Entry`.

    Returns:
        The labels, with their sources and confidences.

    Raises:
        AlearnError: Settings do not fit the images or each other, or training fails.
    """
    runtime = devices.choose(device, precision, "auto" if threads is None else threads)
    if policy is None:
        policy = usual_policy.on(gpu=runtime.device.type == "cuda")
    rules = preset("policy", policy) if isinstance(policy, str) else policy
    recipe: AnyTrain
    if train is None:
        pretrained = model == "pretrained" or getattr(model, "network", None) == "pretrained"
        recipe = Head() if pretrained else training(rules.name)
    else:
        recipe = preset("train", train) if isinstance(train, str) else train
    pool = _with_classes(_pool(images, seed, runtime), classes, oracle, given)
    if augment == "auto":
        augment, _ = choose.augment(_thumbnails(pool))
    made = _model(model, recipe, pool, augment, runtime)
    recipe = settle.recipe(recipe, made if isinstance(made, Model) else None)
    if isinstance(made, Model):
        network: Network = partial(build.build, made)
        changes = {"lr": made.lr}
    else:
        network = partial(_from_factory, made)
        changes = {}
    rules = settle.paced(rules, recipe)
    if isinstance(recipe, Head):
        assert isinstance(made, Pretrained)  # settle.recipe has checked it
        cache = Path(Standard().root).expanduser()
        extractor = extraction(made, Standard(), runtime)
        pool = features.added(pool, extractor, cache, "ALEARN_DATA").to(runtime.device)
        components, embedding = prepared(pool.inputs, recipe.smooth)
        pool = replace(pool, features=components)
    elif not isinstance(train, Train):
        recipe = recipe.model_copy(update=changes | {"augment": augment})
    pool = pool.to(runtime.device)
    ledger = Ledger.empty(len(pool))
    if pool.given is not None:
        index = np.flatnonzero(pool.given >= 0)
        ledger.write(index, pool.given[index], Source.GIVEN, round=0)
    journal = _LastRound(on_progress, on_commit)
    loop.label(
        loop.Trial(
            images=pool.inputs,
            names=Names(pool.ids, pool.classes),
            oracle=oracle,
            ledger=ledger,
            policy=rules,
            train=recipe,
            network=network,
            runtime=runtime,
            seed=seed,
            distortion=augment,
        ),
        journal,
    )
    trained = journal.model
    if isinstance(recipe, Head) and trained is not None:  # a head on features; give the user a model of images
        weights = on_pixels(extractor.backbone, embedding, trained.state_dict())
        trained = Classifier(extractor.backbone, extractor.width, len(weights["head.bias"]))
        trained.load_state_dict(weights)
        trained.to(runtime.device).eval()
    return Labeling(ledger, tuple(pool.classes), tuple(pool.ids), trained)


class _LastRound:
    """A journal that passes everything on and keeps the model of the last round."""

    def __init__(self, on_progress: OnProgress, on_commit: OnCommit | None) -> None:
        self.progress = on_progress
        self._on_commit = on_commit
        self.model: nn.Module | None = None

    def commit(self, entry: Entry) -> None:
        """Keep the model of a round, and pass the entry on."""
        if isinstance(entry, Round):
            self.model = entry.fitted.model
        if self._on_commit is not None:
            self._on_commit(entry)


def _pool(images: Images, seed: int, runtime: Runtime) -> ImageSet:
    """Return images of any supported type as an image set."""
    if isinstance(images, ImageSet):
        return images
    if isinstance(images, str | PathLike):
        root = str(images)
        folder = Folder(root=root if is_url(root) else str(Path(root).expanduser().absolute()))
        settled = settle.settle(folder, preset("model", "small_cnn"), Train(), Policy(), runtime)
        return sources.load(settled.data, seed)[0]
    pixels = torch.as_tensor(images)
    if pixels.dtype != torch.uint8 or pixels.ndim not in (3, 4):
        raise AlearnError(f"images: {pixels.dtype} {list(pixels.shape)}; must be uint8 [N, H, W] or [N, C, H, W]")
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.shape[1] not in CHANNELS and pixels.shape[3] in CHANNELS:
        pixels = pixels.permute(0, 3, 1, 2)
    return ImageSet(pixels.contiguous(), tuple(map(str, range(len(pixels)))), (), None)


def _with_classes(pool: ImageSet, classes: Sequence[str] | None, oracle: Oracle, given: Labels | None) -> ImageSet:
    """Return the pool with the names of the classes and the labels that are known."""
    names = classes or getattr(oracle, "classes", None) or pool.classes
    if not names:
        raise AlearnError("classes: give the names of the classes, e.g. classes=['cat', 'dog']; the oracle has none")
    if given is not None:
        pool = replace(pool, given=numbered(given, names))
    return replace(pool, classes=names if isinstance(names, list) else tuple(names))


def _thumbnails(pool: ImageSet) -> Array:
    """Return some of the images as small images with three channels, uint8 [n, 3, S, S]."""
    index = np.unique(np.linspace(0, len(pool) - 1, choose.THUMBNAILS).round().astype(np.int64))
    pixels = pool.images[torch.from_numpy(index)].float()
    small = F.interpolate(pixels, (choose.SIDE, choose.SIDE), mode="area").round().to(torch.uint8)
    return small.expand(-1, 3, -1, -1).numpy()


def _model(
    model: str | Model | Factory, recipe: AnyTrain, pool: ImageSet, augment: str, runtime: Runtime
) -> Model | Factory:
    """Return a network that can be built, chosen by these images if it is "auto"."""
    if isinstance(model, str):
        model = preset("model", model)
    if isinstance(model, Auto):
        channels, *sides = pool.images.shape[1:]
        small = max(sides) <= choose.SMALL
        model, _ = settle.network(model, recipe, choose.why_plain(augment, channels, small), small, runtime)
    elif isinstance(model, Model):
        model, _ = build.settle(model)
    if isinstance(model, Model):
        build.check(model)
    return model


def _from_factory(factory: Factory, shape: tuple[int, int, int], classes: int) -> Classifier:
    return as_classifier(factory(shape, classes))
