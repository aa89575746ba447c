"""Compare rules that decide which labels of a model to accept, on the same frozen labels and the same samples.

    .venv/bin/python scripts/compare_rules.py [TRIAL ...] [--targets 0.0041 0.002] [--repeats 300]

A TRIAL is the folder of a finished trial whose truth is known. Without a TRIAL the labels are simulated. For each rule,
the table has the share of repetitions that deliver more wrong labels than the target allows, the number of wrong
labels, and the number of hand labels for the sample and for the images that are not accepted. The competitors are
implemented from their formulas:

- TBAL: threshold-based auto-labeling, Vishwakarma et al., NeurIPS 2023: for each class the smallest threshold above
  which the sampled error e has e + C sqrt(e (1 - e) / n) <= target, with C = 0.25.
- SGR: Geifman and El-Yaniv, NeurIPS 2017: binary search for the coverage whose Clopper-Pearson bound at
  risk / ceil(log2 m) meets the target.
- LTT: Learn then Test, Angelopoulos et al., 2021: fixed-sequence testing of growing coverages with binomial p-values.
- PAC labels: Candes, Ilyas and Zrnic, 2025: the largest coverage whose betting upper bound (Waudby-Smith and Ramdas,
  2024) on the share of accepted wrong labels meets the target.

SGR, LTT and TBAL bound the error among the accepted labels. PAC labels and our rule bound it among all labels. All are
judged by what they deliver: the wrong labels in the whole data set, after the errors in the sample are corrected.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta, binom

from alearn.audit import bounds, forecast, plan, profiles, rules
from alearn.audit.bounds import Claim
from alearn.audit.plan import Costs, Kind
from alearn.audit.rules import Group, Terms
from alearn.values import Array

TBAL_C = 0.25
LTT_GRID = 200


@dataclass(frozen=True)
class Frozen:
    """The frozen labels of a model, from most to least trusted.

    Attributes:
        name: A name for the table.
        wrong: bool [n], whether a label is wrong.
        guess: int64 [n], the labels.
        likely: float64 [n], the probability that a label is wrong, according to the model.
        total: The number of images in the data set.
    """

    name: str
    wrong: Array
    guess: Array
    likely: Array
    total: int


Rule = Callable[[Frozen, Array, float, float], tuple[Array, int]]
"""A function (labels, places in the order of the draw, target, risk) -> (bool [n] accepted, size of the sample)."""


def _upto(count: int, cut: int) -> Array:
    return np.arange(count) < cut


def ours(frozen: Frozen, drawn: Array, target: float, risk: float, kind: Kind = "auto") -> tuple[Array, int]:
    """Run the audit that alearn's planner chooses, and end it as alearn does."""
    items = len(frozen.wrong)
    stages = planned(frozen, Terms(target, risk).claim(frozen.total, items), risk, kind)
    group = Group("", np.arange(items), stages, whole=False)
    costs = Costs([frozen.likely], stages)
    for stage, (size, _, _) in enumerate(stages):
        checked = drawn[:size]
        wrong = frozen.wrong[checked]
        result = rules.outcome(group, checked, wrong)
        if costs.enough(stage, checked[wrong]):
            break
    return _upto(items, result.cut), result.audited


_PLANNED: dict[tuple[str, Claim, float, Kind], bounds.Stages] = {}


def planned(frozen: Frozen, claim: Claim, risk: float, kind: Kind) -> bounds.Stages:
    """Return the cheapest audit. What it costs is estimated by the model and never by the truth."""
    key = frozen.name, claim, risk, kind
    if key not in _PLANNED:
        _PLANNED[key] = plan.plans(claim, risk, [frozen.likely], kind)[0].stages
    return _PLANNED[key]


def fixed_size(frozen: Frozen, target: float, risk: float) -> int:
    """Return the sample size of the best single-stage audit. The competitors get a sample of this size."""
    claim = Terms(target, risk).claim(frozen.total, len(frozen.wrong))
    return planned(frozen, claim, risk, "single")[0].checked


def tbal(frozen: Frozen, drawn: Array, target: float, risk: float) -> tuple[Array, int]:
    """Apply TBAL: one threshold for each class. It has no risk."""
    size = fixed_size(frozen, target, risk)
    sample = np.sort(drawn[:size])
    accepted = np.zeros(len(frozen.wrong), bool)
    for label in np.unique(frozen.guess):
        places = sample[frozen.guess[sample] == label]
        error = np.cumsum(frozen.wrong[places]) / np.arange(1, len(places) + 1)
        bound = error + TBAL_C * np.sqrt(error * (1 - error) / np.arange(1, len(places) + 1))
        good = np.flatnonzero(bound <= target)
        if len(good):
            accepted |= (frozen.guess == label) & _upto(len(accepted), int(places[good[-1]]) + 1)
    return accepted, size


def sgr(frozen: Frozen, drawn: Array, target: float, risk: float) -> tuple[Array, int]:
    """Apply SGR: selection with guaranteed risk."""
    size = fixed_size(frozen, target, risk)
    sample = np.sort(drawn[:size])
    errors = np.cumsum(frozen.wrong[sample])
    steps = math.ceil(math.log2(size))
    low = 0
    high = size - 1
    best = -1
    for _ in range(steps):
        middle = (low + high + 1) // 2
        n = middle + 1
        k = int(errors[middle])
        if beta.ppf(1 - risk / steps, k + 1, n - k) <= target:
            best = max(best, middle)
            low = middle
        else:
            high = middle - 1
    cut = 0 if best < 0 else (len(frozen.wrong) if best == size - 1 else int(sample[best]) + 1)
    return _upto(len(frozen.wrong), cut), size


def ltt(frozen: Frozen, drawn: Array, target: float, risk: float) -> tuple[Array, int]:
    """Apply Learn then Test over LTT_GRID coverages."""
    size = fixed_size(frozen, target, risk)
    items = len(frozen.wrong)
    sample = np.sort(drawn[:size])
    errors = np.cumsum(frozen.wrong[sample])
    cut = 0
    smallest = math.log(risk) / math.log(1 - target)  # a smaller sample cannot reject
    for coverage in np.linspace(0, 1, LTT_GRID + 1)[1:]:
        n = int(np.searchsorted(sample, coverage * items))
        if n < smallest:
            continue
        if binom.cdf(errors[n - 1], n, target) > risk:
            break
        cut = int(coverage * items)
    return _upto(items, cut), size


def pac(frozen: Frozen, drawn: Array, target: float, risk: float) -> tuple[Array, int]:
    """Apply PAC labels: accept labels if a bet against the claim that too many of them are wrong is won."""
    size = fixed_size(frozen, target, risk)
    items = len(frozen.wrong)
    mean = (bounds.allowed(frozen.total, target) + 1) / items
    sampled_wrong = np.sort(drawn[:size][frozen.wrong[drawn[:size]]])
    for cut in (items, *sampled_wrong[::-1].tolist()):
        loss = (frozen.wrong[drawn[:size]] & (drawn[:size] < cut)).astype(float)
        t = np.arange(1, size + 1)
        average = (0.5 + np.cumsum(loss)) / (t + 1)
        variance = (0.25 + np.cumsum((loss - average) ** 2)) / (t + 1)
        before = np.concatenate([[0.25], variance[:-1]])
        bet = np.minimum(np.sqrt(2 * math.log(1 / risk) / (before * size)), 0.75 / (1 - mean))
        if np.cumsum(np.log1p(bet * (mean - loss))).max() >= math.log(1 / risk):
            return _upto(items, int(cut)), size
    return _upto(items, 0), size


RULES: dict[str, Rule] = {
    "ours": ours,
    "ours, staged": lambda *args: ours(*args, kind="staged"),
    "ours, one stage": lambda *args: ours(*args, kind="single"),
    "ours, sequential": lambda *args: ours(*args, kind="sequential"),
    "PAC labels, betting": pac,
    "SGR": sgr,
    "LTT": ltt,
    "TBAL": tbal,
}


def compare(frozen: Frozen, target: float, risk: float, repeats: int) -> list[str]:
    """Return one line of the table for each rule."""
    allowed = bounds.allowed(frozen.total, target)
    lines = []
    seeds = [rules.draw(frozen.name, str(number), len(frozen.wrong)) for number in range(repeats)]
    for name, rule in RULES.items():
        wrong: list[int] = []
        spent: list[int] = []
        for drawn in seeds:
            accepted, size = rule(frozen, drawn, target, risk)
            human = ~accepted
            human[drawn[:size]] = True
            wrong.append(int((frozen.wrong & ~human).sum()))
            spent.append(int(human.sum()))
        violated = float(np.mean(np.array(wrong) > allowed))
        high = np.percentile(spent, 90)
        lines.append(
            f"| {frozen.name} | {target:.2%} | {name} | {violated:.1%} | {np.mean(wrong):.0f} of {allowed} | "
            f"{np.mean(spent):,.0f} | {np.median(spent):,.0f} | {high:,.0f} |"
        )
    return lines


def of_trial(folder: Path) -> Frozen:
    """Return the labels that the model of a finished trial gave to the images that no human labeled."""
    from omegaconf import OmegaConf

    from alearn.config import parse
    from alearn.data import sources
    from alearn.trial import checkpoint

    config = parse(OmegaConf.load(folder / "config.yaml"))
    pool, _ = sources.load(config.data, config.seed)
    ledger = checkpoint.load(folder, config.digest(), len(pool)).ledger
    assert pool.truth is not None
    if ledger.audit is not None:
        item = ledger.audit.item
        label = ledger.audit.label
    else:
        item = np.flatnonzero(ledger.auto)
        item = item[np.lexsort((item, ledger.doubt[item]))]
        label = ledger.label[item]
    likely = forecast.error_profiles(ledger, item)[0]
    return Frozen(folder.name, label != pool.truth[item], label, likely, len(ledger))


def simulated() -> list[Frozen]:
    """Return labels for 59,000 of 60,000 images, with four kinds of mistakes.

    The mistakes are where the model doubts; anywhere, but too many; just too many, where the model is most confident;
    and just too many, where it is least confident.
    """
    items = 59_000
    generator = np.random.default_rng(0)
    doubt = np.sort(-0.7 - generator.gamma(4, 2.6, items))
    guess = generator.integers(10, size=items)
    cases = []
    for name, places in {
        "where it doubts": np.flatnonzero(generator.random(items) < np.exp(doubt)),
        "anywhere, too many": generator.choice(items, 300, replace=False),
        "just too many, sure": np.arange(247),
        "just too many, last": np.arange(items - 247, items),
    }.items():
        wrong = np.zeros(items, bool)
        wrong[places] = True
        cases.append(Frozen(name, wrong, guess, profiles.error_profiles(doubt)[0], 60_000))
    return cases


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", type=Path)
    parser.add_argument("--targets", nargs="+", type=float, default=[0.0041])
    parser.add_argument("--risk", type=float, default=0.05)
    parser.add_argument("--repeats", type=int, default=300)
    args = parser.parse_args()
    print("| labels | target | rule | violated | wrong, mean | labels spent, mean | median | 90th percentile |")
    print("|---|---|---|---|---|---|---|---|")
    for frozen in [of_trial(folder) for folder in args.trials] or simulated():
        for target in args.targets:
            for line in compare(frozen, target, args.risk, args.repeats):
                print(line, flush=True)


if __name__ == "__main__":
    main()
