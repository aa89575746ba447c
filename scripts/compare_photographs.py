"""Compare alearn's trials on photographs with what else one could do with the same features and as many answers.

    .venv/bin/python scripts/compare_photographs.py TRIAL [--budgets 100 250] [--seeds 0 1 2]

TRIAL is the folder of a finished trial with train=head whose truth is known; it says which images and which features.
The rivals get the stored features and as many answers as the budget says. Each labels all other images with its guess.
The table has the share of wrong labels among all images, mean and standard deviation over the seeds:

- random labels, alearn's head: what the choice of questions is worth.
- random labels, k nearest neighbours (cosine, k = 5), as in many notebooks.
- random labels, scikit-learn's LogisticRegressionCV.
- strategies of scikit-activeml (Kottke et al.): margin, TypiClust, core-set and BADGE, in rounds of 25 after 20 random
  images, with scikit-learn's LogisticRegression (C=10).
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, CoreSet, TypiClust, UncertaintySampling
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.neighbors import KNeighborsClassifier

from alearn.config import Head, load
from alearn.data import sources
from alearn.learn import device
from alearn.learn.extract import extraction
from alearn.learn.head import fit_head
from alearn.learn.training_set import TrainingSet
from alearn.models.pretrained import Pretrained
from alearn.values import Array

FIRST, ROUND = 20, 25
Rival = Callable[[Array, Array, int, np.random.Generator], Array]
"""A function (features [N, F], truth [N], budget, random generator) -> which labels are wrong, bool [N]."""


def random_labels(truth_n: Array, budget: int, random: np.random.Generator) -> Array:
    """Return random images, int64 [budget]. Every class that is left out is wrong for all of its images."""
    return random.choice(len(truth_n), budget, replace=False)


def with_head(x_nf: Array, truth_n: Array, budget: int, random: np.random.Generator) -> Array:
    """Label with alearn's head, after random questions."""
    hand = random_labels(truth_n, budget, random)
    labeled = TrainingSet(hand, truth_n[hand], np.ones(budget, bool), np.arange(0))
    runtime = device.choose("cpu", "fp32", 1)
    features_nf = torch.from_numpy(x_nf).half()
    fitted = fit_head(Head(), features_nf, labeled, int(truth_n.max()) + 1, runtime=runtime, seed=budget, round=1)
    with torch.inference_mode():
        return wrong(fitted.model(features_nf.float()).argmax(1).numpy(), truth_n, hand)


def with_scikit(make: Callable[[], object]) -> Rival:
    """Return a rival that fits a classifier of scikit-learn to random labels."""

    def label(x_nf: Array, truth_n: Array, budget: int, random: np.random.Generator) -> Array:
        hand = random_labels(truth_n, budget, random)
        classifier = make()
        classifier.fit(x_nf[hand], truth_n[hand])  # type: ignore[attr-defined]
        return wrong(classifier.predict(x_nf), truth_n, hand)  # type: ignore[attr-defined]

    return label


def with_strategy(make: Callable[[int], object]) -> Rival:
    """Return a rival that asks as a strategy of scikit-activeml says."""

    def label(x_nf: Array, truth_n: Array, budget: int, random: np.random.Generator) -> Array:
        classes = np.arange(truth_n.max() + 1)
        classifier = SklearnClassifier(LogisticRegression(C=10, max_iter=200), classes=classes, random_state=0)
        strategy = make(int(random.integers(1 << 31)))
        y_n = np.full(len(truth_n), np.nan)
        hand = random_labels(truth_n, FIRST, random)
        while True:
            y_n[hand] = truth_n[hand]
            classifier.fit(x_nf[hand], y_n[hand])
            if len(hand) == budget:
                return wrong(classifier.predict(x_nf), truth_n, hand)
            count = min(ROUND, budget - len(hand))
            needs = {"clf": classifier} if isinstance(strategy, UncertaintySampling | Badge) else {}
            hand = np.append(hand, strategy.query(X=x_nf, y=y_n, batch_size=count, **needs))  # type: ignore[attr-defined]

    return label


RIVALS: dict[str, Rival] = {
    "random labels, alearn's head": with_head,
    "random labels, 5 nearest neighbours": with_scikit(lambda: KNeighborsClassifier(5, metric="cosine")),
    "random labels, LogisticRegressionCV": with_scikit(lambda: LogisticRegressionCV(Cs=8, cv=3, max_iter=200)),
    "scikit-activeml: margin": with_strategy(lambda seed: UncertaintySampling("margin_sampling", random_state=seed)),
    "scikit-activeml: TypiClust": with_strategy(lambda seed: TypiClust(random_state=seed)),
    "scikit-activeml: core-set": with_strategy(lambda seed: CoreSet(random_state=seed)),
    "scikit-activeml: BADGE": with_strategy(lambda seed: Badge(random_state=seed)),
}


def wrong(guess_n: Array, truth_n: Array, hand: Array) -> Array:
    """Return which labels are wrong if the images `hand` have their true label and the others a guess, bool [N]."""
    wrong_n = np.asarray(guess_n) != truth_n
    wrong_n[hand] = False
    return wrong_n


def main() -> None:
    """Print the table, a line for each rival as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trial", type=Path, help="the folder of a finished trial with train=head")
    parser.add_argument("--budgets", type=int, nargs="+", default=[100, 250])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    config = load(args.trial / "config.yaml")
    assert isinstance(config.model, Pretrained)
    runtime = device.choose(config.device, config.precision, config.threads)
    pool, _ = sources.load(config.data, config.seed, extraction(config.model, config.data, runtime))
    assert pool.features is not None
    assert pool.truth is not None
    x_nf = pool.features[torch.arange(len(pool))].float().numpy()
    warnings.filterwarnings("ignore")  # scikit-learn warns of classes with few members
    print(f"{len(pool):,} images, {x_nf.shape[1]:,} features, {runtime.describe()}")
    print("|", " | ".join(["", *(f"{budget} answers" for budget in args.budgets), "seconds"]), "|", flush=True)
    print("|", " | ".join(["---"] * (len(args.budgets) + 2)), "|", flush=True)
    for name, rival in RIVALS.items():
        start = time.perf_counter()
        cells = []
        for budget in args.budgets:
            shares = [rival(x_nf, pool.truth, budget, np.random.default_rng(seed)).mean() for seed in args.seeds]
            cells.append(f"{100 * np.mean(shares):.1f} ± {100 * np.std(shares, ddof=1):.1f} %")
        seconds = (time.perf_counter() - start) / len(args.budgets) / len(args.seeds)
        print("|", " | ".join([name, *cells, f"{seconds:.1f}"]), "|", flush=True)


if __name__ == "__main__":
    main()
