from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alearn.config import Oracle
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.ledger import Ledger, Source
from alearn.oracle.context import Context
from alearn.oracle.noisy import NoisyOracle
from alearn.oracle.truth import TrueOracle
from alearn.registry import ORACLES
from tests.conftest import shapes


def built(config: Oracle, images: ImageSet):
    ledger = Ledger.empty(len(images))
    context = Context(config.name, images, 0, Path(), ledger, estimate=lambda: None, report=lambda done, total: None)
    return ORACLES.get(config.name).build(config, context)


def test_it_answers_with_the_truth():
    images = shapes(20)
    asked = np.array([7, 3])
    assert built(TrueOracle(), images).label(asked, Source.QUERY).tolist() == images.truth[[7, 3]].tolist()


def test_with_mistakes_it_answers_with_the_truth_or_another_class():
    images = shapes(400)
    answers = built(NoisyOracle(error=0.5), images).label(np.arange(400), Source.QUERY)
    assert 100 < (answers != images.truth).sum() < 300
    assert set(answers.tolist()) <= set(range(len(images.classes)))


def test_without_truth_there_is_nobody_to_ask():
    for config in (TrueOracle(), NoisyOracle(error=0.1)):
        with pytest.raises(AlearnError, match=f"oracle={config.name}: these images have no true labels"):
            built(config, replace(shapes(20), truth=None))


def test_who_answers_by_the_truth_is_registered_so():
    simulated = {"truth": True, "noisy": True, "web": False, "labelstudio": False}
    assert {name: ORACLES.get(name).simulated for name in simulated} == simulated
