import csv
import io

import numpy as np

from alearn.files.labels_csv import to_csv
from alearn.ledger import Ledger, Source
from alearn.values import Scores


def test_one_line_an_image_in_data_set_order_with_source_round_and_confidence():
    ledger = Ledger.empty(5)
    ledger.write(np.array([4]), np.array([1]), Source.FIRST, 0)
    doubts = np.log([1e-12, 0.25]).astype(np.float32)
    ledger.note(Scores(np.array([0, 2]), np.array([0, 1]), doubts, np.zeros(2)), 1)
    ledger.write(np.array([2, 0]), np.array([1, 0]), Source.AUTO, 3)
    ledger.write(np.array([1]), np.array([0]), Source.REST, 4)
    ids = ('a,"x".png', "b.png", "c.png", "d.png", "e.png")
    rows = list(csv.DictReader(io.StringIO(to_csv(ledger, ids, ("cat", "dog")))))
    assert [row["id"] for row in rows] == list(ids)
    assert [row["index"] for row in rows] == list("01234")
    assert [row["label"] for row in rows] == ["cat", "cat", "dog", "", "dog"]
    assert [row["source"] for row in rows] == ["auto", "hand", "auto", "", "hand"]
    assert [row["purpose"] for row in rows] == ["", "rest", "", "", "first"]
    assert [row["round"] for row in rows] == ["3", "4", "3", "", "0"]
    assert rows[1]["confidence"] == rows[4]["confidence"] == "1"
    assert float(rows[2]["confidence"]) == np.float32(0.75)
    assert 0.9999999999989 < float(rows[0]["confidence"]) < 0.9999999999991, "near certainty keeps its digits"
