"""The seven steps: a labeling from nothing to all, as a generator of events. No I/O, and no sight of the true labels.

1. Hand label a small portion of the data set; labels that are there already count.
2. With the labeled data, train a classifier that returns class probabilities.
3. Predict class probabilities for all unlabeled data.
4. Take every prediction above a probability threshold as true: auto labels.
5. Hand label some portion of the data with the lowest predicted class probabilities.
6. Repeat 2-5 until a small portion of the data is unlabeled.
7. Hand label the remaining data, or auto label it, or audit what the model makes of it: see `alearn.audit.protocol`.
"""

from collections.abc import Generator
from time import perf_counter

import numpy as np

from alearn import rng
from alearn.audit.protocol import Names, audited, pays, terms
from alearn.config import Config
from alearn.errors import AlearnError
from alearn.journal import Event, RoundDone, RoundStarted, TrialDone
from alearn.learn.device import Runtime
from alearn.learn.fit import fit
from alearn.learn.pool_scores import predict
from alearn.learn.training_set import TrainingSet
from alearn.ledger import Ledger, Source
from alearn.oracle import Oracle
from alearn.policy import decide as decisions
from alearn.policy.stop import allowance, finished
from alearn.values import Array, Decision, Images, Scores

MORE = 10
"""More first images that are asked about, while the others had no label or were all of one class."""


def label(
    config: Config, runtime: Runtime, images_nchw: Images, names: Names, oracle: Oracle, ledger: Ledger
) -> Generator[Event, None, None]:
    """Label every image, writing into the ledger; goes on from wherever the ledger stands.

    images_nchw: uint8 [N, C, H, W] on runtime.device. The ledger is whole at every `RoundDone` and at `TrialDone`: what
    is saved there is all that a resumed trial needs to end with the same labels. Raises AlearnError for settings that
    do not fit the data, for training that fails, and when policy.max_rounds have not sufficed.
    """
    policy, total = config.policy, len(ledger)
    decisions.check(policy, total, ledger.count(Source.GIVEN))

    if not ledger.rounds:  # step 1
        asks = policy.init_size(total) - len(ledger.labeled)
        while len(ledger.unlabeled) and (asks > 0 or known(ledger, names) < 2 or not len(ledger.labeled)):
            first = decisions.first(policy, images_nchw, config.seed, ledger, asks if asks > 0 else MORE)
            ledger.write(first, oracle.label(first, Source.FIRST), Source.FIRST, round=0)
            asks = 0

    while ledger.audit is None and not finished(policy, ledger):  # step 6; nothing is trained after an audit
        number = ledger.rounds + 1
        if number > policy.max_rounds:
            raise AlearnError(
                f"policy.max_rounds={policy.max_rounds}: the limit is reached, and {len(ledger.unlabeled)} of {total} "
                "images have no label. Nothing is lost: resume with a higher limit, or start anew with a lower "
                "policy.threshold or a higher policy.hand_fraction"
            )
        pool = ledger.unlabeled if policy.auto.permanent else np.flatnonzero(~ledger.hand)
        yield RoundStarted(number, total - len(ledger.unlabeled), len(pool))
        clock = _Clock(runtime)

        fitted = yield from fit(
            config, runtime, images_nchw, TrainingSet.of(ledger), known(ledger, names), number
        )  # step 2
        clock.lap("fit")

        wanted = decisions.wanted(policy)
        scores = yield from predict(config, runtime, fitted.model, images_nchw, ledger, pool, wanted, number)  # step 3
        ledger.note(scores, number)
        clock.lap("score")

        draw = rng.generator(config.seed, number, "query")
        asks = allowance(policy, ledger, number)
        if policy.finish == "audit" and not pays(terms(policy), ledger, asks):
            asks = 0
        decision = decisions.decide(policy, scores, asks, number, draw)
        clock.lap("decide")
        ledger.take_back(_changed(ledger, scores, decision))
        ledger.write(decision.hand, oracle.label(decision.hand, Source.QUERY), Source.QUERY, number)  # step 5
        new = ledger.source[decision.auto] == Source.NONE
        ledger.write(decision.auto[new], decision.auto_label[new], Source.AUTO, number)  # step 4
        clock.lap("ask")

        yield RoundDone(number, ledger, fitted, scores, decision, clock.seconds)

    clock = _Clock(runtime)
    if policy.finish == "audit" and ledger.rounds:
        yield from audited(terms(policy), names, oracle, ledger)
    by_hand, by_model = decisions.finish(policy, ledger)  # step 7
    ledger.write(by_hand, oracle.label(by_hand, Source.REST), Source.REST, ledger.rounds)
    ledger.write(by_model, ledger.guess[by_model], Source.AUTO, ledger.rounds)
    clock.lap("ask")
    yield TrialDone(ledger, clock.seconds)


def known(ledger: Ledger, names: Names) -> int:
    """How many classes the model tells apart: those that there were at first, and those of which there is a label. (Not
    all that people have added: a resumed trial, which knows them from its start, must train as if it did not.)
    """
    return max(names.first, int(ledger.label.max(initial=-1)) + 1)


def _changed(ledger: Ledger, scores: Scores, decision: Decision) -> Array:
    """int64 [n]: the auto labels that this round does not give again."""
    again = np.full(len(ledger), -1)
    again[decision.auto] = decision.auto_label
    changed: Array = scores.index[(ledger.auto & (ledger.label != again))[scores.index]]
    return changed


class _Clock:
    """Seconds by phase."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._last = runtime, perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        self._runtime.synchronize()
        now = perf_counter()
        self.seconds[phase], self._last = now - self._last, now
