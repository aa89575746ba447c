"""Read finished labels."""

import numpy as np
import pytest

from alearn.audit import finished_labels
from alearn.errors import AlearnError
from alearn.ledger import CANNOT_TELL, Source

COLUMNS = {"id": "id", "label": "label"}


def read(tmp_path, text, **columns):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return finished_labels.read(path, COLUMNS | columns)


def test_columns_that_may_be_missing_are_unknown(tmp_path):
    labels = read(tmp_path, "id,label\na,cat\nb,dog\n")
    assert np.isnan(labels.confidence).all()
    assert not labels.hand.any()


def test_an_empty_confidence_is_unknown(tmp_path):
    labels = read(tmp_path, "id,label,confidence\na,cat,0.5\nb,dog,\nc,dog\n")
    assert labels.confidence[0] == 0.5
    assert np.isnan(labels.confidence[1:]).all()


def test_a_human_who_could_not_tell_gave_no_label(tmp_path):
    labels = read(tmp_path, "id,label,source\na,cat,auto\nb,,hand\nc, ,Hand\nd,dog,hand\n")
    ledger = labels.ledger(["cat", "dog"])
    assert ledger.label.tolist() == [-1, CANNOT_TELL, CANNOT_TELL, 1]
    assert ledger.source.tolist() == [Source.NONE, Source.FIRST, Source.FIRST, Source.FIRST]
    assert ledger.aside.tolist() == [False, True, True, False]
    with pytest.raises(AlearnError, match="line 2: label='': must be text"):
        read(tmp_path, "id,label,source\na,,auto\n")


@pytest.mark.parametrize("text", ["id,source,\na,hand,hand\n", "id,source\na,hand\n"])
def test_a_column_has_one_meaning(tmp_path, text):
    labels = read(tmp_path, text, label="source")
    assert (labels.label, labels.hand.tolist()) == (["hand"], [False])


@pytest.mark.parametrize("missing", ["confidence", "source"])
def test_a_column_that_was_named_must_be_there(tmp_path, missing):
    with pytest.raises(AlearnError, match="has no column sure; there are id, label"):
        read(tmp_path, "id,label\na,cat\n", **{missing: "sure"})
