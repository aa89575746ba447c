"""Features that were computed before: what alearn reads from Parquet files, and what it refuses."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from alearn.data import feature_table, sources
from alearn.data.imageset import ImageSet
from alearn.data.pixels import Mapped
from alearn.errors import AlearnError
from tests.conftest import compose


def lists(values: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    """Return rows of numbers as a column of lists, all of one length unless another type is given."""
    width = values.shape[1]
    if kind is None:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), width)
    return pa.array(values.tolist(), kind)


def put(path: Path, first: int = 0, rows: int = 6, **columns: object) -> np.ndarray:
    """Write a file of rows x 4 features; None takes a column out. Return the features."""
    values = np.random.default_rng(first).normal(size=(rows, 4)).astype(np.float32)
    there: dict[str, object] = {"id": [f"{first + i}.png" for i in range(rows)], "features": lists(values)}
    there |= columns
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({name: value for name, value in there.items() if value is not None}), path)
    return values


def load(tmp_path: Path, *words: str) -> tuple[ImageSet, ImageSet]:
    data = compose("data=features", f"data.root='{tmp_path}/f'", f"data.cache='{tmp_path}/cache'", *words).data
    sources.check(data)
    return sources.load(data, 0)


def test_rows_of_all_files_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_table, "ROWS", 4)
    second = put(tmp_path / "f" / "b.parquet", 6, label=["cat", "dog"] * 3)
    first = put(tmp_path / "f" / "a.parquet", 0, label=["dog", "eel"] * 3)
    (tmp_path / "f" / "readme.txt").write_text("not a table")
    pool, test = load(tmp_path)
    assert list(pool.ids) == [f"{i}.png" for i in range(12)]
    expected = np.concatenate([first, second]).astype(np.float16)
    assert torch.equal(pool.inputs[torch.arange(12)], torch.from_numpy(expected))
    assert pool.classes == ("cat", "dog", "eel")
    assert pool.truth.tolist() == [1, 2] * 3 + [0, 1] * 3
    assert (pool.given, pool.root, pool.visible, pool.images.shape, len(test)) == (None, None, False, (12, 3, 0, 0), 0)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float16(), 4), pa.list_(pa.float32(), 4)]
)
def test_lists_of_any_kind_of_numbers(tmp_path, kind):
    values = np.array([[0.5, -1, 2, 1e-3], [3, 4, -65504, 65504]], np.float32)
    put(tmp_path / "f" / "a.parquet", rows=2, features=lists(values, kind))
    pool, _ = load(tmp_path)
    assert pool.inputs[torch.arange(2)].tolist() == values.astype(np.float16).tolist()
    put(tmp_path / "f" / "a.parquet", rows=2, features=pa.array([[1, 2], [3, -4]], pa.list_(pa.int8())))
    pool, _ = load(tmp_path)
    assert pool.inputs[torch.arange(2)].tolist() == [[1, 2], [3, -4]]


@pytest.mark.parametrize("name", ["features", "embedding", "embeddings", "vector", "clip"])
def test_the_usual_names_of_the_column_and_any_other(tmp_path, name):
    values = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    put(tmp_path / "f" / "a.parquet", **{"features": None, name: lists(values)})
    words = () if name != "clip" else ("data.feature_field=clip",)
    pool, _ = load(tmp_path, *words)
    assert pool.inputs[torch.arange(6)].tolist() == values.tolist()


def test_labels_that_some_rows_have_are_given_and_people_may_add_classes(tmp_path):
    put(tmp_path / "f" / "a.parquet", kind=["cat", None, "dog", None, "", "cat"])
    pool, _ = load(tmp_path, "data.label_field=kind")
    assert (list(pool.classes), pool.given.tolist(), pool.truth) == (["cat", "dog"], [0, -1, 1, -1, -1, 0], None)
    assert isinstance(pool.classes, list)
    pool, _ = load(tmp_path, "data.label_field=kind", "data.classes=[eel,dog,cat]")
    assert (pool.classes, pool.given.tolist()) == (("eel", "dog", "cat"), [2, -1, 1, -1, -1, 2])
    pool, _ = load(tmp_path)
    assert (pool.classes, pool.given, pool.truth) == ([], None, None), "the column kind is no label unless named"


def test_numbers_are_names_or_count_the_classes(tmp_path):
    put(tmp_path / "f" / "a.parquet", label=[0, 1, 10, 2, 1, 0])
    pool, _ = load(tmp_path)
    assert (pool.classes, pool.truth.tolist()) == (("0", "1", "10", "2"), [0, 1, 2, 3, 1, 0])
    put(tmp_path / "f" / "a.parquet", label=[0, 1, 1, 2, 1, 0])
    pool, _ = load(tmp_path, "data.classes=[cat,dog,eel]")
    assert (pool.classes, pool.truth.tolist()) == (("cat", "dog", "eel"), [0, 1, 1, 2, 1, 0])


def test_files_below_test_are_the_test_set_if_there_are_some_below_train(tmp_path):
    put(tmp_path / "f" / "train" / "a.parquet", 0, label=["cat", "dog"] * 3)
    tested = put(tmp_path / "f" / "test" / "a.parquet", 6, label=["dog", "cat"] * 3)
    pool, test = load(tmp_path)
    assert (pool.ids[0], test.ids[0], len(pool), len(test)) == ("0.png", "6.png", 6, 6)
    assert (test.classes, test.truth.tolist()) == (("cat", "dog"), [1, 0] * 3)
    assert test.inputs[torch.arange(6)].tolist() == tested.astype(np.float16).tolist()


def test_files_are_read_once_and_again_when_one_has_changed(tmp_path, monkeypatch):
    put(tmp_path / "f" / "a.parquet")
    load(tmp_path)
    real, read = feature_table._copy, []
    monkeypatch.setattr(feature_table, "_copy", lambda *words: read.append(1) or real(*words))
    assert load(tmp_path)[0].ids[0] == "0.png"
    assert not read
    put(tmp_path / "f" / "a.parquet", 50)
    assert load(tmp_path)[0].ids[0] == "50.png"
    assert len(read) == 1


def test_a_copy_that_was_interrupted_is_made_again(tmp_path, monkeypatch):
    put(tmp_path / "f" / "a.parquet")
    put(tmp_path / "f" / "b.parquet", 6)
    with monkeypatch.context() as patched:
        patched.setattr(feature_table.IdsWriter, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            load(tmp_path)
    assert len(load(tmp_path)[0]) == 12


def test_a_large_pool_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_table, "IN_MEMORY", 1)
    values = put(tmp_path / "f" / "a.parquet")
    pool, _ = load(tmp_path)
    assert isinstance(pool.inputs, Mapped)
    assert pool.inputs[torch.tensor([4, 1])].tolist() == values[[4, 1]].astype(np.float16).tolist()


def test_people_see_the_images_that_the_ids_name(tmp_path):
    put(tmp_path / "f" / "a.parquet")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 20), (250, 0, 0)).save(tmp_path / "images" / "2.png")
    pool, _ = load(tmp_path, f"data.images='{tmp_path}/images'")
    assert pool.visible
    (seen,) = pool.images[torch.tensor([2])]
    assert seen.float().mean((1, 2)).round().tolist() == [250, 0, 0]
    assert str(pool.root / "2.png") == f"{tmp_path}/images/2.png"
    with pytest.raises(AlearnError, match=r"data.images=.*3.png cannot be read \(No such file"):
        pool.root / "3.png"


def test_mistakes_are_one_message_with_the_file_and_the_row(tmp_path):
    columns = "id, features"
    wide = lists(np.zeros((6, 5), np.float32))
    huge = np.zeros((6, 4), np.float32)
    huge[2, 1] = 1e5
    broken = np.zeros((6, 4), np.float32)
    broken[5, 3] = np.nan
    ragged = pa.array([[1.0], [1.0, 2.0]] * 3)
    for words, changed, message in (
        ((), {"id": None}, "b.parquet has no column id, but features"),
        ((), {"features": None, "x": list(range(6))}, "b.parquet has none of the columns features, embedding"),
        (("data.feature_field=x",), {}, "a.parquet has no column x, which data.feature_field asks for, but " + columns),
        (("data.label_field=y",), {}, "a.parquet has no column y, which data.label_field asks for, but " + columns),
        ((), {"features": list(range(6))}, "b.parquet has the column features of int64; it must be lists of numbers"),
        ((), {"features": [["a"]] * 6}, "b.parquet has the column features of list<element: string>; it must be lists"),
        ((), {"features": ragged}, "b.parquet has rows with 1, 2 numbers in the column features"),
        ((), {"features": [[1.0]] * 5 + [None]}, "b.parquet has rows with missing numbers in the column features"),
        ((), {"features": [[1.0, None]] * 6}, "b.parquet has rows with missing numbers in the column features"),
        ((), {"features": [[]] * 6}, "b.parquet has the column features of list<element: null>; it must be lists"),
        ((), {"features": wide}, "b.parquet has 5 features a row, not 4 as in a.parquet"),
        ((), {"features": lists(huge)}, "b.parquet has 100000.0 in the column features, row 2; numbers must be from"),
        ((), {"features": lists(broken)}, "b.parquet has nan in the column features, row 5; numbers must be from"),
        ((), {"id": [*"abcde", None]}, "b.parquet has None in the column id, row 5; it must be text or a whole number"),
        ((), {"id": [*"abcd", "", "f"]}, "b.parquet has '' in the column id, row 4; it must be text"),
        ((), {"id": [*"abcde", "0.png"]}, "the id 0.png occurs twice, in a.parquet and in b.parquet"),
        ((), {"id": [*"abcde", "a"]}, "the id a occurs twice, in b.parquet and in b.parquet"),
        (("data.classes=[cat,dog]",), {"label": ["cat", "cow"] * 3}, "cow"),
    ):
        put(tmp_path / "f" / "a.parquet")
        put(tmp_path / "f" / "b.parquet", 6, **changed)
        with pytest.raises(AlearnError) as error:
            load(tmp_path, *words)
        assert message in str(error.value)
        assert str(error.value).startswith(f"data.root={tmp_path}/f: ")
        assert "\n" not in str(error.value)


def test_a_folder_without_tables_and_a_damaged_one(tmp_path):
    with pytest.raises(AlearnError, match="there is no such folder; give the folder of your Parquet files"):
        load(tmp_path)
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.csv").write_text("id,features\n")
    with pytest.raises(AlearnError, match=r"has no \*.parquet files; each row of them must be an id and features"):
        load(tmp_path)
    put(tmp_path / "f" / "a.parquet", rows=0)
    with pytest.raises(AlearnError, match=r"its \*.parquet files have no rows"):
        load(tmp_path)
    put(tmp_path / "f" / "a.parquet")
    whole = (tmp_path / "f" / "a.parquet").read_bytes()
    (tmp_path / "f" / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AlearnError, match=r"a.parquet is no Parquet file, or is damaged"):
        load(tmp_path)
