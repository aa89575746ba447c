"""An audit: what is frozen, which labels are drawn, what follows from the answers, and how many to check.

Nothing here knows of images or files: a trial's labels and those of any other tool are audited by the same functions.
The draw needs no library and no library's version, so that anyone can repeat it: see `draw`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from alearn import rng
from alearn.decide import certificate
from alearn.decide.certificate import Stages
from alearn.events import Array

SIMULATED = 200
"""Audits that are simulated to estimate what one costs."""
CONFIDENT = 0.1
"""Share of the wrong labels that is expected anywhere in the order, however sure the model is."""
TOLERATED = 13
"""Plans tolerate fewer errors than this at their first stage."""
COUNTS = 1, 3, 5
"""Stages of the audits that are weighed against each other."""


@dataclass(frozen=True)
class Outcome:
    """What an audit came to. stage: the last one that was completed, from 0. audited: labels checked; errors: how many
    of them were wrong, accepted_errors: ... before the cut. cut: places accepted, counted from the most trusted.
    """

    stage: int
    audited: int
    errors: int
    accepted_errors: int
    cut: int


def digest(items: Iterable[str], labels: Iterable[str]) -> str:
    """SHA-256 of what is frozen, the text of frozen.csv: a line `item,label` each, from most to least trusted."""
    return sha256(frozen_text(items, labels).encode()).hexdigest()


def frozen_text(items: Iterable[str], labels: Iterable[str]) -> str:
    """The text that is hashed. Items and labels are quoted as in CSV if they need to be."""
    pairs = zip(items, labels, strict=True)
    return "item,label\n" + "".join(f"{quoted(item)},{quoted(label)}\n" for item, label in pairs)


def quoted(text: str) -> str:
    """One field of a CSV file."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def draw(digest: str, seed: str, items: int) -> Array:
    """int64 [items]: all places in the order in which they are drawn, a uniform permutation; an audit of m labels
    takes the first m. Places are sorted by the SHA-256 of the text `digest:seed:place`, so the draw is fixed by what is
    frozen and the seed, and cannot be known before both are.
    """
    prefix = sha256(f"{digest}:{seed}:".encode())
    keys = []
    for place in range(items):
        one = prefix.copy()
        one.update(b"%d" % place)
        keys.append((one.digest(), place))
    keys.sort()
    return np.array([place for _, place in keys], np.int64)


def outcome(items: int, stages: Stages, places: Array, wrong: Array) -> Outcome:
    """What the answers say. places: int64 [m], the audited ones in the order of the draw; wrong: bool [m].

    Raises ValueError if m is no stage's size.
    """
    sizes = [size for size, _ in stages]
    if len(places) not in sizes:
        raise ValueError(f"{len(places)} answers; the stages end at {sizes}")
    stage = sizes.index(len(places))
    cut = certificate.cut(items, stages[stage][1], places[wrong])
    return Outcome(stage, len(places), int(wrong.sum()), int((places[wrong] < cut).sum()), cut)


def enough(items: int, stages: Stages, result: Outcome) -> bool:
    """Whether to stop at this stage: the next would cost more than labeling by hand what lies beyond the cut."""
    if result.stage == len(stages) - 1:
        return True
    more = stages[result.stage + 1][0] - result.audited
    return (items - result.cut) * (1 - result.audited / items) <= more


def error_profile(doubt: Array) -> Array:
    """float64: an estimate of the probability that a label is wrong from its doubt, log(1 - p).

    Probabilities that are averaged over rounds and views are too cautious; with their log-odds doubled they add up to
    about the wrong labels. CONFIDENT of these are taken to be anywhere: there are always some that are wrong and sure.
    """
    if not len(doubt):
        return np.zeros(0)
    doubt = np.clip(np.nan_to_num(doubt.astype(np.float64), nan=0.0), -100, -1e-9)
    odds = doubt - np.log1p(-np.exp(doubt))  # log((1 - p) / p)
    sharp = 1 / (1 + np.exp(-2 * odds))
    result: Array = (1 - CONFIDENT) * sharp + CONFIDENT * sharp.mean()
    return result


def cost(items: int, stages: Stages, wrong: Sequence[Array]) -> tuple[float, float, float]:
    """Mean, median and 90th percentile of the labels that an audit and what lies beyond its cut cost.

    wrong: for each simulated audit the places of the wrong labels, int64. Drawn from a generator of its own: the same
    arguments give the same cost.
    """
    generator, spent = rng.generator(0, 0, "plan"), []
    for places in wrong:
        rank = generator.choice(items, len(places), replace=False) if len(places) else places  # when each is drawn
        for stage, (size, _) in enumerate(stages):
            found = places[rank < size]
            cut = certificate.cut(items, stages[stage][1], found)
            result = Outcome(stage, size, len(found), int((found < cut).sum()), cut)
            if enough(items, stages, result):
                break
        spent.append(result.audited + (items - result.cut) * (1 - result.audited / items))
    return float(np.mean(spent)), float(np.median(spent)), float(np.percentile(spent, 90))


def simulated(probability: Array) -> list[Array]:
    """Places of the wrong labels, SIMULATED times: each label is wrong by itself with its probability, float64 [N], in
    the order of trust.
    """
    generator = rng.generator(0, 0, "profile")
    return [np.flatnonzero(generator.random(len(probability)) < probability) for _ in range(SIMULATED)]


@dataclass(frozen=True)
class Plan:
    """An audit, and what it is expected to cost: labels to check and beyond the cut, by hand."""

    stages: Stages
    mean: float
    median: float
    high: float
    """90th percentile."""


def plans(allowed: int, risk: float, probability: Array, staged: bool = True) -> list[Plan]:
    """The sensible audits, the cheapest in the mean first. probability: float64 [N], that each label is wrong, from the
    most trusted on: an estimate, which decides what the audit costs and never whether it is right.

    staged: whether audits that may stop early are among them.
    """
    items, found = len(probability), []
    if allowed >= items:
        return [Plan(((0, 0),), 0.0, 0.0, 0.0)]
    wrong = simulated(probability)
    for first in range(min(TOLERATED, allowed + 1)):
        for count in COUNTS if staged else (1,):
            chosen = certificate.stages(items, allowed, risk, first, count)
            found.append(Plan(chosen, *cost(items, chosen, wrong)))
    return sorted(found, key=lambda plan: plan.mean)
