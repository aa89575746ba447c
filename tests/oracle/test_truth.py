from dataclasses import replace

import numpy as np
import pytest

from alearn import oracle
from alearn.config import NoisyOracle, TrueOracle
from alearn.errors import AlearnError
from alearn.ledger import Source
from tests.conftest import shapes


def test_it_answers_with_the_truth():
    images = shapes(20)
    human = oracle.simulated(TrueOracle(name="truth"), images, 0)
    asked = np.array([7, 3])
    assert human.label(asked, Source.QUERY).tolist() == images.truth[[7, 3]].tolist()


def test_without_truth_there_is_nobody_to_ask():
    for config in (TrueOracle(name="truth"), NoisyOracle(name="noisy", error=0.1)):
        with pytest.raises(AlearnError, match=f"oracle={config.name}"):
            oracle.simulated(config, replace(shapes(20), truth=None), 0)
