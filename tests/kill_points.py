"""Kill a trial with SIGKILL at its steps, resume it, and compare its files with those of an undisturbed trial.

This is a program. It imports torch once, and every run of a trial is a fork of it. The model follows the script of
tests/scripted.py, so a run takes a fraction of a second. Of the steps of a kind, the first and the last are tried. The
program prints, as JSON, the kinds of each case and the steps after which files differed.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import timm  # noqa: F401  # so that no fork has to
import torch
from torch import nn

from alearn import loop
from alearn.config import Config
from alearn.data import sources
from alearn.data.imageset import ImageSet
from alearn.files import atomic
from alearn.journal import EpochDone, ScoreProgress
from alearn.learn import pool_scores
from alearn.learn.head import fit_head
from alearn.models.classifier import Classifier
from alearn.oracle.context import ask_people
from alearn.oracle.store import Store
from alearn.oracle.truth import Truth
from alearn.registry import ORACLES
from alearn.trial import metrics_jsonl
from alearn.trial.run import prepare, run
from alearn.values import Fitted, Scores
from tests.conftest import compose
from tests.scripted import KINDS, TOTAL, TRUTH, Channel, probabilities

FEW = ("policy.hand_budget=90", "policy.init_count=30", "policy.hand_per_round=30", "policy.views=0", "train=fast")
AUDIT = ("policy.finish=audit", "policy.audit.target_error=0.06", "policy.stop_rounds=1", "policy.audit.seed=7",
         "policy.audit.kind=staged")  # fmt: skip
CASES = {
    "source": ("policy.threshold=0.99", "policy.stop_fraction=0.3"),
    "frugal": ("policy=frugal", *FEW, "policy.memory_from=1"),
    "audit": (*AUDIT, "policy.threshold=0.9"),
    "head": (
        "policy=own",
        "train=head",
        "policy.hand_budget=60",
        *FEW[1:3],
        "model=pretrained",
        "model.name=test_resnet",
        "model.weights=null",
    ),
    "people": ("policy=own", "model=small_cnn", *FEW, "policy.stop_yield=null", "oracle=web"),
}
FILES = ("labels.csv", "metrics.jsonl", "certificate.json", "audit.csv", "frozen.csv")


class Steps:
    """A counter of the steps of a run. It kills the process at the step `last`, as `kill -9` does."""

    def __init__(self, last: int | None) -> None:
        self.names: list[str] = []
        self._last = last

    def __call__(self, name: str) -> None:
        if self._last == len(self.names):
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)

    def after(self, name: Callable[..., str], work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work` with a step after it. A step before it is not needed: nothing on disk has changed by then."""

        def stepped(*args: Any, **options: Any) -> Any:
            result = work(*args, **options)
            self(f"{name(*args)} is written")
            return result

        return stepped


class SteppedChannel(Channel):
    """A channel that takes a step after every tenth answer."""

    def __init__(self, store: Store, step: Steps) -> None:
        super().__init__(store)
        self._step = step

    def ask(self, batch, report):
        for start in range(0, len(batch.index), 10):
            part = type(batch)(batch.index[start : start + 10], batch.purpose, batch.round, batch.again, 0)
            super().ask(part, report)
            self._step(f"{batch.purpose.name} answers")


def images(people: bool, features: bool) -> tuple[ImageSet, ImageSet]:
    """Return a pool of the scripted images, with features if a head needs them, and an empty test set."""
    pixels = torch.zeros(TOTAL, 1, 1, 1, dtype=torch.uint8)
    ids = tuple(f"image {i}" for i in range(TOTAL))
    random = np.random.default_rng(0)
    stored = np.eye(len(KINDS), 8)[TRUTH] * 3 + random.normal(size=(TOTAL, 8))
    made = torch.from_numpy(stored).half() if features else None
    pool = ImageSet(pixels, ids, [] if people else tuple(KINDS), None if people else TRUTH, features=made)
    return pool, pool.subset(np.zeros(0, np.int64))


def live(config: Config, folder: Path, step: Steps) -> None:
    """Run or resume a trial in a folder until it ends or is killed."""
    people = config.oracle.name == "web"

    def fit(train, network, images, labeled, classes, *, runtime, seed, round, on_progress, start):  # noqa: A002
        on_progress(EpochDone(1, 0.1, None, 0.5))
        step("inside fit")
        torch.manual_seed(round)
        model = Classifier(nn.Flatten(), 1, max(classes, 2))
        if start is not None:  # a resumed trial must start from the weights that the undisturbed one has
            model.head.bias.data += start["head.bias"].sum()
        model.number = round
        return Fitted(model, 1, 1, len(labeled), 0.1, None, ((1, 0.1, None),))

    def score(runtime, model, images, index, want, labeled, seed, on_progress):
        on_progress(ScoreProgress(1, 2))
        step("inside score")
        guess, p_max = (column[index] for column in probabilities(model.number))
        known = len(model.head.bias)
        guess = guess % known
        probs = np.repeat((1 - p_max[:, None]) / (known - 1), known, axis=1)
        probs[np.arange(len(index)), guess] = p_max
        doubt, margin = np.log1p(-p_max).astype(np.float32), 2 * p_max - 1
        return Scores(index, guess, doubt, margin, probs=torch.from_numpy(probs).float() if "probs" in want else None)

    def fit_a_head(*args, on_progress, **options):
        step("inside fit")
        return fit_head(*args, **options)

    def score_by_head(*args):
        step("inside score")
        return score_by_model(*args)

    head = config.train.name == "head"
    score_by_model = pool_scores.score
    sources.load = lambda data, seed, extractor: images(people, head)
    replacing = atomic.replacing

    @contextmanager
    def stepping(path):
        with replacing(path) as file:
            yield file
        step(f"{path.name} is written")

    atomic.replacing = stepping
    metrics_jsonl.append = step.after(lambda *_: "a line of metrics.jsonl", metrics_jsonl.append)

    class Asking:
        """An oracle that takes a step after each answer, before the answer is in the ledger."""

        def __init__(self, answers):
            self._answers = answers

        def label(self, index, purpose, again=False):
            answer = self._answers.label(index, purpose, again)
            step(f"{purpose.name} answers")
            return answer

    def build(config, context):
        if people:
            return ask_people(context, lambda pool, store, insight, folder: SteppedChannel(store, step))
        return Asking(Truth(TRUTH))

    class Watching:
        """A reporter that takes a step after every entry, because a trial can be killed while it reports, too."""

        def progress(self, progress):
            pass

        def committed(self, entry):
            step(f"{type(entry).__name__} is committed")

        def close(self):
            pass

    loop.fit = fit
    loop.fit_head = fit_a_head
    pool_scores.score = score_by_head if head else score
    registered = ORACLES.get
    ORACLES.get = lambda name: replace(registered(name), build=build)
    run(prepare(config, folder), reporters=lambda setting: [Watching()])


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a fork of this process. Return its exit code, as `os.waitstatus_to_exitcode` gives it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def left(folder: Path) -> dict[str, str]:
    """Return the contents of the files of a trial, without seconds and speeds."""
    texts = {name: (folder / name).read_text() for name in FILES if (folder / name).exists()}
    rounds = [json.loads(line) for line in texts["metrics.jsonl"].splitlines()]
    kept = [{key: value for key, value in metrics.items() if "second" not in key} for metrics in rounds]
    row = json.loads((folder / "row.json").read_text())
    same = {key: row[key] for key in ("hand", "auto", "rounds", "wrong_auto", "learning_curve", "certificate")}
    return texts | {"metrics.jsonl": json.dumps(kept), "row.json": json.dumps(same)}


def check(case: str, folder: Path) -> dict[str, Any]:
    """Kill a trial at its steps and resume it. Return the kinds of steps, and the steps that changed the files."""
    whole, config = folder / "whole", compose(*CASES[case], "device=cpu", "precision=fp32")

    def undisturbed() -> None:
        step = Steps(None)
        live(config, whole, step)
        (folder / "steps.json").write_text(json.dumps(step.names))

    assert fork(undisturbed) == 0
    names: Sequence[str] = json.loads((folder / "steps.json").read_text())
    expected, wrong = left(whole), []
    last = {name: number for number, name in enumerate(names)}
    tried = sorted({names.index(name) for name in last} | set(last.values()))
    for number in tried:
        here = folder / str(number)
        killed = fork(lambda here=here, number=number: live(config, here, Steps(number)))
        resumed = fork(lambda here=here: live(config, here, Steps(None)))
        if killed != -signal.SIGKILL or resumed != 0 or left(here) != expected:
            wrong.append(f"{number}: {names[number]} (killed: {killed}, resumed: {resumed})")
    return {"steps": sorted(last), "wrong": wrong}


if __name__ == "__main__":
    os.fsync = lambda handle: None  # SIGKILL loses nothing that was written; only a power cut does
    torch.set_num_threads(1)
    results = {}
    for case in CASES:
        (Path(sys.argv[1]) / case).mkdir()
        results[case] = check(case, Path(sys.argv[1]) / case)
    print(json.dumps(results))
