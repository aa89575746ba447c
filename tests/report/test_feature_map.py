from dataclasses import replace

import numpy as np
import torch

from alearn.ledger import Ledger, Source
from alearn.report.html.feature_map import POINTS, feature_map
from tests.conftest import shapes


def labeled(pool) -> Ledger:
    ledger = Ledger.empty(len(pool))
    ledger.write(np.arange(10), pool.truth[:10], Source.FIRST, round=0)
    index = np.arange(10, len(pool) - 5)
    ledger.write(index, pool.truth[index], Source.AUTO, round=1)
    return ledger


def test_the_map_has_a_colour_for_each_kind_of_label():
    pool = shapes(60)
    pool = replace(pool, features=torch.randn(60, 4).half())
    chart = feature_map(labeled(pool), pool, np.arange(10, 13))
    assert [label for label, _ in chart.legend] == ["unlabeled", "auto", "wrong auto", "hand"]
    assert chart.svg.count("<use ") == 60, "a point for each image"
    chart = feature_map(labeled(pool), pool, np.arange(0))
    assert [label for label, _ in chart.legend] == ["unlabeled", "auto", "hand"]


def test_a_large_pool_is_thinned_and_pixels_have_no_map():
    pool = shapes(2 * POINTS)
    ledger = Ledger.empty(len(pool))
    assert feature_map(ledger, pool, np.arange(0)) is None
    chart = feature_map(ledger, replace(pool, features=torch.randn(len(pool), 2).half()), np.arange(0))
    assert chart.svg.count("<use ") == POINTS
