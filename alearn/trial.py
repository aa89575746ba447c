"""The seven steps: a labeling from nothing to all, as a generator of events. No I/O, and no sight of the true labels.

1. Hand label a small portion of the data set.
2. With the labeled data, train a classifier that returns class probabilities.
3. Predict class probabilities for all unlabeled data.
4. Take every prediction above a probability threshold as true: auto labels.
5. Hand label some portion of the data with the lowest predicted class probabilities.
6. Repeat 2-5 until a small portion of the data is unlabeled.
7. Hand label the remaining data, or auto label it.
"""

from collections.abc import Generator
from time import perf_counter

from torch import Tensor

from alearn.config import Config
from alearn.decide import source
from alearn.decide.stop import remainder_below
from alearn.errors import AlearnError
from alearn.events import Event, RoundDone, RoundStarted, TrialDone
from alearn.learn.device import Runtime
from alearn.learn.fit import fit
from alearn.learn.score import score
from alearn.ledger import Ledger, Source
from alearn.oracle import Oracle


def label(
    config: Config, runtime: Runtime, images_nchw: Tensor, classes: int, oracle: Oracle, ledger: Ledger
) -> Generator[Event, None, None]:
    """Label every image, writing into the ledger; goes on from wherever the ledger stands.

    images_nchw: uint8 [N, C, H, W] on runtime.device. The ledger is whole at every `RoundDone` and at `TrialDone`: what
    is saved there is all that a resumed trial needs to end with the same labels. Raises AlearnError for settings that
    do not fit the data, for training that fails, and when policy.max_rounds have not sufficed.
    """
    policy, seed, total = config.policy, config.seed, len(ledger)
    source.check(policy, total)

    if not ledger.source.any():  # step 1
        first = source.first(policy, total, seed)
        ledger.write(first, oracle.label(first, Source.FIRST), Source.FIRST, round=0)

    while not remainder_below(len(ledger.unlabeled), total, policy.stop_fraction):  # step 6
        number = ledger.rounds + 1
        if number > policy.max_rounds:
            raise AlearnError(
                f"policy.max_rounds={policy.max_rounds}: the limit is reached, and {len(ledger.unlabeled)} of {total} "
                "images have no label. Nothing is lost: resume with a higher limit, or start anew with a lower "
                "policy.threshold or a higher policy.hand_fraction"
            )
        labeled, unlabeled = ledger.labeled, ledger.unlabeled
        yield RoundStarted(number, len(labeled), len(unlabeled))
        clock = _Clock(runtime)

        fitted = yield from fit(  # step 2
            config, runtime, images_nchw, labeled, ledger.label[labeled], ledger.hand[labeled], classes, number
        )
        clock.lap("fit")

        scores = yield from score(runtime, fitted.model, images_nchw, unlabeled)  # step 3
        ledger.note(scores)
        clock.lap("score")

        decision = source.decide(policy, scores, total)
        clock.lap("decide")
        ledger.write(decision.hand, oracle.label(decision.hand, Source.QUERY), Source.QUERY, number)  # step 5
        ledger.write(decision.auto, decision.auto_label, Source.AUTO, number)  # step 4
        clock.lap("ask")

        yield RoundDone(number, ledger, fitted, scores, decision, clock.seconds)

    clock, rest = _Clock(runtime), ledger.unlabeled  # step 7
    if policy.finish == "hand" or not ledger.rounds:  # without a round there is no model to ask
        ledger.write(rest, oracle.label(rest, Source.REST), Source.REST, ledger.rounds)
    else:
        ledger.write(rest, ledger.guess[rest], Source.AUTO, ledger.rounds)
    clock.lap("ask")
    yield TrialDone(ledger, clock.seconds)


class _Clock:
    """Seconds by phase."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._last = runtime, perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        self._runtime.synchronize()
        now = perf_counter()
        self.seconds[phase], self._last = now - self._last, now
