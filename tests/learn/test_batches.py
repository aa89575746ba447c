from itertools import islice

import numpy as np
import pytest
import torch

from alearn.config import Train
from alearn.learn import batches
from alearn.learn.training_set import TrainingSet
from tests.conftest import compose

CPU = torch.device("cpu")


def settings(**changes) -> Train:
    return compose("train=source").train.model_copy(update=changes)


def test_an_epoch_without_a_budget_is_every_image_once():
    """The last batch is smaller, as in Keras."""
    first, second = islice(batches.epochs(settings(batch=32), torch.ones(100, dtype=torch.bool)), 2)
    parts = list(first)
    assert [len(batch) for batch in parts] == [32, 32, 32, 4]
    assert sorted(torch.cat(parts).tolist()) == list(range(100))
    assert torch.cat(parts).tolist() != torch.cat(list(second)).tolist()


def fixed(**changes) -> Train:
    return settings(steps=1000, patience=None, batch=32, **changes)


def test_with_a_budget_batches_are_full_and_all_images_come_equally_often():
    parts = [batch for epoch in islice(batches.epochs(fixed(), torch.ones(96, dtype=torch.bool)), 3) for batch in epoch]
    assert {len(batch) for batch in parts} == {32}
    assert len(parts) == 3 * batches.MIN_STEPS
    assert torch.bincount(torch.cat(parts)).tolist() == [3 * batches.MIN_STEPS * 32 // 96] * 96


def test_a_share_of_each_batch_is_hand_labels():
    hand = torch.arange(1000) % 50 == 0
    for batch in next(batches.epochs(fixed(hand_share=0.25), hand)):
        assert hand[batch].sum() == 8
        assert len(batch) == 32
    for alone in (hand | True, hand & False):  # without auto labels, or without hand labels
        assert {len(batch) for batch in next(batches.epochs(fixed(hand_share=0.25), alone))} == {32}


def labeled(doubt: np.ndarray | None, hand: int = 2) -> TrainingSet:
    """Images 0 and 1 have hand labels, the others have auto labels."""
    index = np.arange(6)
    return TrainingSet(index, index % 2, index < hand, index[hand:], doubt)


def test_an_unsure_image_is_drawn_more_often_in_proportion_to_a_power_of_its_doubt():
    doubt = np.log(np.array([0.5, 0.5, 0.64, 0.16, 0.01, 1e-9])).astype(np.float32)
    draw = batches.drawn(settings(focus=0.5), labeled(doubt), np.arange(2, 6), CPU)
    torch.manual_seed(0)
    share = torch.bincount(draw(100_000), minlength=4) / 100_000
    weight = np.sqrt([0.64, 0.16, 0.01, 0.001])  # the last is drawn as if 1 - p were a thousandth
    np.testing.assert_allclose(share, weight / weight.sum(), atol=0.005)


def test_what_was_never_scored_is_drawn_like_the_most_doubtful_image():
    """So in the first round all are drawn alike. Certainty beyond what a float can say does no harm."""
    doubt = np.array([0, 0, np.nan, np.nan, 0, -np.inf], np.float32)
    draw = batches.drawn(settings(focus=1.0), labeled(doubt), np.arange(2, 6), CPU)
    torch.manual_seed(0)
    share = torch.bincount(draw(100_000), minlength=4) / 100_000
    np.testing.assert_allclose(share, np.array([1, 1, 1, 0.001]) / 3.001, atol=0.005)


@pytest.mark.parametrize(("focus", "doubt"), [(0.0, np.zeros(6, np.float32)), (0.5, None)])
def test_without_focus_or_doubt_nothing_is_drawn_by_weight(focus, doubt):
    assert batches.drawn(settings(focus=focus), labeled(doubt), np.arange(2, 6), CPU) is None


def test_a_draw_replaces_the_order_of_the_auto_labels_alone():
    hand = torch.arange(100) < 10
    draw = batches.Draw(np.arange(90) == 5, CPU)
    for batch in next(batches.epochs(fixed(hand_share=0.25), hand, draw)):
        assert (batch[:8] < 10).all()
        assert batch[8:].tolist() == [15] * 24


def test_without_auto_labels_the_consistency_loss_takes_their_places():
    train = settings(batch=192, hand_share=0.25, consistency_batch=64)
    changed = batches.without_auto_labels(train)
    assert (changed.batch, changed.consistency_batch) == (48, 64 + 144)
    assert batches.without_auto_labels(settings(batch=192, hand_share=0.0)).batch == 192
