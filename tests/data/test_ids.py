"""Names of images in files: the same as a tuple of strings, in all that others do with them."""

import numpy as np
import pytest

from alearn.data import ids
from alearn.data.ids import IdsWriter, StoredIds, digest, positions

PLAIN = [f"shard-{i // 7}/img{i}.jpg" for i in range(50)]
MIXED = ["ä/ß.png", "a", "日本/写真.jpg", "🐈", "z" * 300, *PLAIN]


@pytest.fixture(params=[PLAIN, MIXED], ids=["ascii", "any script"])
def names(request):
    return request.param


def stored(folder, names, step=8):
    folder.mkdir(exist_ok=True)
    with IdsWriter(folder) as writer:
        for start in range(0, len(names), step):
            writer.add(names[start : start + step])
        assert writer.finish() is None
    return StoredIds(folder)


def test_they_read_as_they_were_written(tmp_path, names, monkeypatch):
    monkeypatch.setattr(ids, "BLOCK", 11)
    there = stored(tmp_path / "ids", names)
    assert len(there) == len(names)
    assert list(there) == names
    assert [there[i] for i in range(len(names))] == names
    assert (there[-1], there[-len(names)]) == (names[-1], names[0])
    for part in (slice(None), slice(3, 20), slice(20, 3), slice(-5, None), slice(1, 40, 6), slice(None, None, -1)):
        assert list(there[part]) == names[part], part
    for wrong in (len(names), -len(names) - 1):
        with pytest.raises(IndexError):
            there[wrong]


def test_their_positions_and_their_digest_are_those_of_a_tuple(tmp_path, names, monkeypatch):
    there = stored(tmp_path / "ids", names)
    monkeypatch.setattr(ids, "BLOCK", 7)
    assert digest(there) == digest(tuple(names))
    assert digest(names[::-1]) != digest(names) != digest([*names[:-1], "other"])
    here, plain = positions(there), positions(tuple(names))
    assert dict(here) == plain == {name: i for i, name in enumerate(names)}
    assert (here.get("missing"), "missing" in here, names[3] in here, len(here)) == (None, False, True, len(names))


def test_names_with_the_same_hash_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(ids, "_hash", lambda name: len(name))
    names = ["ab", "c", "de", "fg", "h", "ijk"]
    there = positions(stored(tmp_path / "ids", names))
    assert [there[name] for name in names] == list(range(6))
    assert "xy" not in there


def test_a_name_that_occurs_twice_is_found_with_both_places(tmp_path):
    tmp_path.joinpath("ids").mkdir()
    with IdsWriter(tmp_path / "ids") as writer:
        writer.add(PLAIN)
        writer.add(["other", PLAIN[12]])
        assert writer.finish() == (PLAIN[12], 12, 51)


def test_no_names_are_no_error(tmp_path):
    there = stored(tmp_path / "ids", [])
    assert (len(there), list(there), there[:5]) == (0, [], [])
    assert not np.any([name in positions(there) for name in PLAIN])
