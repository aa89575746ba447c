"""The seven steps that label a whole data set. The loop does no I/O of its own and never sees the true labels.

1. Hand label a small portion of the data set; labels that exist already count.
2. With the labeled data, train a classifier that returns class probabilities.
3. Predict class probabilities for all unlabeled data.
4. Take every prediction above a probability threshold as true: auto labels.
5. Hand label some portion of the data with the lowest predicted class probabilities.
6. Repeat 2-5 until a small portion of the data is unlabeled.
7. Hand label the remaining data, or auto label it, or audit the model's labels: see `alearn.audit.protocol`.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from alearn import rng
from alearn.audit import protocol
from alearn.audit.forecast import pays
from alearn.audit.protocol import Names, audit, terms
from alearn.config import Head, Policy, Train
from alearn.errors import AlearnError
from alearn.journal import Finished, Journal, Round, RoundStarted
from alearn.learn.device import Clock, Runtime
from alearn.learn.fit import Network, fit
from alearn.learn.head import fit_head
from alearn.learn.pool_scores import score_pool
from alearn.learn.training_set import TrainingSet
from alearn.ledger import Ledger, Source
from alearn.oracle import Oracle, Remembers, ask, asks_ahead
from alearn.policy import decide as decisions
from alearn.policy.stop import allowance, finished, left
from alearn.values import Array, Decision, Fitted, Images, Scores, Weights

MORE = 10
"""How many more first images to ask about at a time, until the first labels have at least two classes."""


@dataclass(frozen=True)
class Trial:
    """Everything that a labeling needs.

    Attributes:
        images: What the model sees, on runtime.device: pixels, uint8 [N, C, H, W], or stored features, float16 [N, F].
        names: The names of the images and of the classes.
        oracle: Answers questions about images.
        ledger: The state, which the loop changes. The loop continues from whatever state it has.
        policy: How to label.
        train: How to train. A `Head` needs features, a `Train` needs pixels.
        network: Makes a fresh model. A `Head` does not need it.
        runtime: The device and the precision.
        seed: Every random draw follows from it.
        distortion: Random distortions that do not change the classes of these images, a key of
            `alearn.data.augment.AUGMENT`.
        start: The weights of the last round's model, if there was a round before.
    """

    images: Images
    names: Names
    oracle: Oracle
    ledger: Ledger
    policy: Policy
    train: Train | Head
    network: Network
    runtime: Runtime
    seed: int
    distortion: str = "none"
    start: Weights | None = None


def label(trial: Trial, journal: Journal) -> Ledger:
    """Label every image and return the ledger.

    The ledger is complete at every `journal.commit`: a trial that resumes from what is saved there ends with the same
    labels.

    Raises:
        AlearnError: Settings do not fit the data, training fails, or policy.max_rounds rounds are not enough.
    """
    policy = trial.policy
    ledger = trial.ledger
    check(policy, len(ledger), ledger.count(Source.GIVEN))
    weights = trial.start
    ask_first(trial)  # 1
    while ledger.audit is None and not finished(policy, ledger):  # 6; no training after an audit has begun
        number = start_round(trial, journal)
        clock = Clock(trial.runtime)
        with clock.phase("fit"):
            fitted = fit_labeled(trial, number, weights, journal)  # 2
            weights = fitted.model.state_dict()
        with clock.phase("score"):
            scores = score_unlabeled(trial, fitted, number, journal)  # 3
        with clock.phase("decide"):
            decision = decide(trial, scores, number)  # 4 and 5
        with clock.phase("ask"):
            decision = apply(trial, scores, decision, number)
        journal.commit(Round(number, ledger, fitted, scores, decision, clock.seconds))
    return finish(trial, journal)  # 7


def check(policy: Policy, total: int | None, given: int = 0) -> None:
    """Raise AlearnError if the policy does not fit `total` images, `given` of which have a label already.

    total: None if only loading can tell.
    """
    if total is not None:
        decisions.check(policy, total, given)
    protocol.check(policy, total)


def ask_first(trial: Trial) -> None:
    """Hand label the first images. Do nothing if there has been a round already."""
    policy = trial.policy
    ledger = trial.ledger
    if ledger.rounds:
        return
    asks = policy.init_size(len(ledger)) - len(ledger.labeled)
    while len(ledger.unlabeled) and (asks > 0 or known(trial) < 2 or not len(ledger.labeled)):
        first = decisions.first(policy, trial.images, trial.seed, ledger, asks if asks > 0 else MORE)
        ledger.write(first, asked(trial, first, Source.FIRST), Source.FIRST, round=0)
        asks = 0


def start_round(trial: Trial, journal: Journal) -> int:
    """Announce the next round and return its number. Raise AlearnError if it would exceed policy.max_rounds."""
    ledger = trial.ledger
    limit = trial.policy.max_rounds
    number = ledger.rounds + 1
    left = len(ledger.unlabeled)
    if number > limit:
        raise AlearnError(
            f"policy.max_rounds={limit}: the limit is reached, and {left} of {len(ledger)} images have no label. "
            "Nothing is lost: resume with a higher limit, or start again with a lower policy.threshold or a higher "
            "policy.hand_fraction"
        )
    journal.progress(RoundStarted(number, len(ledger) - left, len(pool(trial))))
    return number


def fit_labeled(trial: Trial, number: int, weights: Weights | None, journal: Journal) -> Fitted:
    """Train a model on all labeled images. weights: those of the round before, None in the first round."""
    train = trial.train
    if decisions.surprised(trial.policy, trial.ledger, number - 1):
        weights = None
    learn = partial(fit_head, train) if isinstance(train, Head) else partial(fit, train, trial.network, start=weights)
    return learn(
        trial.images,
        TrainingSet.of(trial.ledger, hand_only=isinstance(train, Head)),
        known(trial),
        runtime=trial.runtime,
        seed=trial.seed,
        round=number,
        on_progress=journal.progress,
    )


def score_unlabeled(trial: Trial, fitted: Fitted, number: int, journal: Journal) -> Scores:
    """Score the pool and record the scores in the ledger."""
    scores = score_pool(
        trial.policy,
        fitted.model,
        trial.images,
        trial.ledger,
        pool(trial),
        decisions.wanted(trial.policy, stored(trial) is not None, number),
        runtime=trial.runtime,
        distortion=trial.distortion,
        seed=trial.seed,
        round=number,
        forget=decisions.surprised(trial.policy, trial.ledger, number - 1),
        on_progress=journal.progress,
    )
    trial.ledger.note(scores, number)
    return scores


def decide(trial: Trial, scores: Scores, number: int) -> Decision:
    """Choose the images for the human and the predictions that become auto labels.

    If people answer while the model learns, this takes their answers first, and chooses some images beyond those that
    the round needs: they are the queries that stay open. The budget has room for all of them.
    """
    policy = trial.policy
    ledger = trial.ledger
    people = asks_ahead(trial.oracle)
    if people:
        adopt(ledger, people.answered(number), number)
        scores = scores.of(~ledger.hand[scores.index])
        if not len(scores):
            return Decision(scores.index, scores.index, scores.guess, scores.index, policy.threshold)
    asks = allowance(policy, ledger, number)
    if policy.finish == "audit" and not pays(terms(policy), ledger, asks):
        asks = 0
    if people and asks:
        asks = left(policy, ledger, asks + people.ahead)
    draw, check_draw = (rng.generator(trial.seed, number, purpose) for purpose in ("query", "check"))
    return decisions.decide(policy, scores, asks, number, draw, check_draw, stored(trial))


def apply(trial: Trial, scores: Scores, decision: Decision, number: int) -> Decision:
    """Take back the auto labels that are not repeated, ask the human, and write the labels of the round.

    Return the decision without the auto labels that the answers speak against.
    """
    ledger = trial.ledger
    oracle = trial.oracle
    ledger.check(decision.checked)  # first, because people must not see the guesses that they check
    if people := asks_ahead(oracle):
        decision = decisions.trusted(trial.policy, decision, ledger)
        accept(ledger, scores, decision, number)  # people see while they answer what the round has come to
        needed = min(len(decision.hand), allowance(trial.policy, ledger, number))
        adopt(ledger, people.ask_ahead(decision.hand, needed), number)
        return decision
    ledger.take_back(not_given_again(ledger, scores, decision))
    ledger.write(decision.hand, asked(trial, decision.hand, Source.QUERY), Source.QUERY, number)
    decision = decisions.trusted(trial.policy, decision, ledger)
    accept(ledger, scores, decision, number)
    if isinstance(oracle, Remembers):
        adopt(ledger, oracle.answered(number), number)
    return decision


def accept(ledger: Ledger, scores: Scores, decision: Decision, number: int) -> None:
    """Take back the auto labels that are not repeated, and write those that do not stand already."""
    ledger.take_back(not_given_again(ledger, scores, decision))
    new = ledger.source[decision.auto] == Source.NONE
    ledger.write(decision.auto[new], decision.auto_label[new], Source.AUTO, number)


def asked(trial: Trial, index: Array, purpose: Source) -> Array:
    """Ask the oracle and return its labels, int64 [n]."""
    return ask(trial.oracle, trial.names.classes, index, purpose)


def adopt(ledger: Ledger, answers: dict[int, int], number: int) -> None:
    """Write the hand labels that people gave up to this round and that the ledger does not have yet.

    A round that resumes on another machine may ask about other images than before. The earlier answers still count.

    Args:
        ledger: The labels.
        answers: The answers by image, as of `Remembers.answered`.
        number: The round that takes them.
    """
    index = np.array([i for i in sorted(answers) if not ledger.hand[i]], np.int64)
    ledger.take_back(index[ledger.auto[index]])
    ledger.write(index, np.array([answers[i] for i in index], np.int64), Source.QUERY, number)


def finish(trial: Trial, journal: Journal) -> Ledger:
    """Label the remaining images by hand, by the model, or by the model as far as an audit accepts its labels."""
    policy = trial.policy
    ledger = trial.ledger
    clock = Clock(trial.runtime)
    with clock.phase("ask"):
        people = asks_ahead(trial.oracle)
        if people and ledger.rounds and ledger.audit is None:  # close the open queries, and lose no answer to them
            adopt(ledger, people.ask_ahead(ledger.unlabeled[:0], 0), ledger.rounds)
        if policy.finish == "audit" and ledger.rounds:
            audit(terms(policy), trial.names, trial.oracle, ledger, journal)
        by_hand, by_model = decisions.finish(policy, ledger)
        ledger.write(by_hand, asked(trial, by_hand, Source.REST), Source.REST, ledger.rounds)
        ledger.write(by_model, ledger.guess[by_model], Source.AUTO, ledger.rounds)
    journal.commit(Finished(ledger, clock.seconds))
    return ledger


def pool(trial: Trial) -> Array:
    """Return the images that a round scores, int64 [n].

    If auto labels are permanent, these are the images without a label. Otherwise, they are all images that no human
    labeled.
    """
    ledger = trial.ledger
    return ledger.unlabeled if trial.policy.auto.permanent else np.flatnonzero(~ledger.hand)


def stored(trial: Trial) -> Images | None:
    """Return the stored features that the model gets, float16 [N, F]; None if it gets pixels."""
    return None if trial.images.dtype == torch.uint8 else trial.images


def known(trial: Trial) -> int:
    """Return how many classes the model distinguishes: those known at the start, and those that have a label.

    Added classes without a label do not count. A resumed trial knows all added classes when it starts, and must still
    train as the undisturbed trial did.
    """
    return max(trial.names.first, int(trial.ledger.label.max(initial=-1)) + 1)


def not_given_again(ledger: Ledger, scores: Scores, decision: Decision) -> Array:
    """Return the auto labels among the scored images that the decision does not repeat, int64 [n]."""
    again = np.full(len(ledger), -1)
    again[decision.auto] = decision.auto_label
    changed: Array = scores.index[(ledger.auto & (ledger.label != again))[scores.index]]
    return changed
