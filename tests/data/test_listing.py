"""List the files of a data set from folders and tables, and name what is wrong with them."""

import json
import os

import pyarrow as pa
import pytest
from pyarrow import parquet

from alearn.config import Folder
from alearn.data import label_table, listing
from alearn.data.tree import tree
from alearn.errors import AlearnError


def files(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def data(config, root, *words) -> Folder:
    return config("data=folder", f"data.root='{root}'", *words).data


def listed(config, root, *words):
    return listing.listed(data(config, root, *words))


def test_train_and_test_with_folders_in_the_classes(config, tmp_path):
    files(tmp_path, "train/b/x/2.png", "train/b/10.png", "train/a c/z.png", "train/a/y.png", "test/b/q/1.png")
    files(tmp_path, "train/loose.png", "test/loose.png", "val/a/1.png", "readme.txt", ".git/x.png", "train/a/.y.png")
    pool, test = listed(config, tmp_path)
    assert pool.ids == ("train/a c/z.png", "train/a/y.png", "train/b/10.png", "train/b/x/2.png"), "sorted as paths are"
    assert pool.labels == ("a c", "a", "b", "b")
    assert pool.classes == test.classes == ("a", "a c", "b")
    assert (test.ids, test.labels) == (("test/b/q/1.png",), ("b",))
    reason = "lies in no folder of a class below train/ or test/"
    assert dict(pool.skipped) == dict.fromkeys(
        ("train/loose.png", "test/loose.png", "val/a/1.png", "readme.txt"), reason
    )


def test_class_folders_some_files_without_labels(config, tmp_path):
    files(tmp_path, "b/1.png", "a/1.png", "a/unlabeled/2.png")
    (tmp_path / "empty").mkdir()
    pool, test = listed(config, tmp_path)
    assert (pool.labels, pool.classes, pool.known) == (("a", "a", "b"), ("a", "b", "empty"), True)
    assert not test.ids
    files(tmp_path, "unlabeled/9.png", "unlabeled/deep/1.png")
    pool, _ = listed(config, tmp_path)
    assert pool.ids[-2:] == ("unlabeled/9.png", "unlabeled/deep/1.png")
    assert (pool.labels[-2:], pool.known) == ((None, None), False)
    assert pool.classes == ["a", "b", "empty"], "a list: people may add some"
    assert listed(config, tmp_path, "data.classes=[b,a,empty]")[0].classes == ("b", "a", "empty")


def test_digits_are_names_of_classes(config, tmp_path):
    files(tmp_path, "0/1.png", "10/1.png", "unlabeled/2.png")
    assert listed(config, tmp_path, "data.classes=[10,0,7]")[0].classes == ("10", "0", "7")
    for bad in ("1.5", "true", "null"):
        with pytest.raises(AlearnError, match=r"data\.classes=.*: must be a valid string"):
            listed(config, tmp_path, f"data.classes=[0,{bad}]")


def test_folders_that_mean_nothing(config, tmp_path):
    files(tmp_path, "2024/05/1.jpg", "2024/06/1.jpg", "2025/1.jpg")
    pool, _ = listed(config, tmp_path, "data.layout=unlabeled")
    assert (pool.ids, pool.labels, pool.classes) == (("2024/05/1.jpg", "2024/06/1.jpg", "2025/1.jpg"), (None,) * 3, [])
    assert listed(config, tmp_path)[0].classes == ("2024", "2025")
    assert listing.layout(tree(str(tmp_path))) == (
        "classes",
        "2 folders are taken as classes: 2024, 2025; if they are none: data.layout=unlabeled",
    )
    files(tmp_path, "readme.txt")
    assert listing.layout(tree(str(tmp_path)))[0] == "classes"
    files(tmp_path, "IMG_1.JPG")
    pool, _ = listed(config, tmp_path)
    assert (pool.ids[-2:], pool.classes) == (("IMG_1.JPG", "readme.txt"), [])
    assert listing.layout(tree(str(tmp_path))) == (
        "unlabeled",
        "images lie in the folder itself, so no folder is taken as a class",
    )
    pool, _ = listed(config, tmp_path, "data.layout=classes")
    assert dict(pool.skipped) == dict.fromkeys(("IMG_1.JPG", "readme.txt"), "lies in no folder of a class")


def test_a_sentence_names_some_of_many_folders(tmp_path):
    for name in "abcdefgh":
        (tmp_path / name).mkdir()
    assert "8 folders are taken as classes: a, b, c, d, e, and 3 more; if" in listing.layout(tree(str(tmp_path)))[1]


def test_a_folder_that_is_none_of_the_classes_is_named(config, tmp_path):
    files(tmp_path, "train/a/1.png", "train/dgo/1.png")
    with pytest.raises(
        AlearnError, match=rf"{tmp_path}/train/dgo: dgo is none of data\.classes=\[a,dog\]; add it or move"
    ):
        listed(config, tmp_path, "data.classes=[a,dog]")
    files(tmp_path, "test/c/1.png")
    with pytest.raises(AlearnError, match=rf"{tmp_path}/test/c: there is no such class in {tmp_path}/train$"):
        listed(config, tmp_path)
    assert listed(config, tmp_path, "data.classes=[a,dgo,c]")[1].labels == ("c",)


def test_links_are_followed_once(config, tmp_path):
    files(tmp_path, "data/z/1.png", "far/2.png")
    (tmp_path / "data" / "a").symlink_to(tmp_path / "data" / "z")  # sorts first, but z has a name of its own
    (tmp_path / "data" / "b").symlink_to(tmp_path / "far")
    (tmp_path / "data" / "z" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "z" / "3.png").symlink_to(tmp_path / "far" / "2.png")
    pool, _ = listed(config, tmp_path / "data")
    assert pool.ids == ("b/2.png", "z/1.png", "z/3.png")
    assert dict(pool.skipped) == dict.fromkeys(("a", "z/up"), "leads to a folder that is listed already")


def test_names_that_would_break_a_table_are_skipped(config, tmp_path):
    files(tmp_path, "a/1.png", "a/two\nlines.png", "a/tab\t.png", "a/übel 👩‍🚀.png", "b\n/1.png")
    with open(os.fsencode(tmp_path) + b"/a/latin\xe9.png", "w"):
        pass
    pool, _ = listed(config, tmp_path)
    assert pool.ids == ("a/1.png", "a/übel 👩‍🚀.png")
    assert pool.classes == ("a",)
    assert sorted(name for name, _ in pool.skipped) == [
        r"'a/latin\udce9.png'", r"'a/tab\t.png'", r"'a/two\nlines.png'", r"'b\n/1.png'",
    ]  # fmt: skip
    assert all("not valid UTF-8 or holds control characters" in reason for _, reason in pool.skipped)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(config, tmp_path):
    files(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "b").chmod(0)
    assert listed(config, tmp_path)[0].skipped == (("b", "cannot be opened (Permission denied)"),)
    (tmp_path / "b").chmod(0o700)


def test_a_root_that_cannot_be_read(config):
    with pytest.raises(
        AlearnError, match=r"data\.root=/nowhere: /nowhere cannot be read \(No such file or directory\)"
    ):
        listed(config, "/nowhere")


def rows(tmp_path, text: str, classes=None, name="labels.csv"):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return label_table.read(tmp_path, name, classes)


def test_a_table_is_the_data_set_in_its_order(config, tmp_path):
    text = '\ufeffwho,path,label\r\nme,b/2.jpg,cat\r\n,"a, b.jpg", dog \r\n\r\nyou,./a/1.jpg,\r\n'
    assert rows(tmp_path, text) == [("b/2.jpg", "cat"), ("a, b.jpg", "dog"), ("./a/1.jpg", None)]
    pool, test = listed(config, tmp_path, "data.labels=labels.csv")
    assert (pool.ids, pool.labels) == (("b/2.jpg", "a, b.jpg", "./a/1.jpg"), ("cat", "dog", None))
    assert (pool.classes, pool.known, test.ids) == (["cat", "dog"], False, ())
    assert rows(tmp_path, "path\nx.jpg\n") == [("x.jpg", None)]
    assert rows(tmp_path, "path,label\nx.jpg\n") == [("x.jpg", None)]
    rows(tmp_path, "path,label\nx.jpg,dog\ny.jpg,cat\n")
    pool, _ = listed(config, tmp_path, "data.labels=labels.csv")
    assert (pool.classes, pool.known) == (("cat", "dog"), True)
    assert listed(config, tmp_path, "data.labels=labels.csv", "data.classes=[dog,eel,cat]")[0].classes == (
        "dog",
        "eel",
        "cat",
    )


def test_a_manifest_of_a_labeling_job(config, tmp_path):
    about = {
        "class-name": "dog",
        "confidence": 0.9,
        "type": "groundtruth/image-classification",
        "human-annotated": "yes",
    }
    lines = [{"source-ref": "a.jpg", "kind": 1, "kind-metadata": about}, {"source-ref": "b.jpg", "size": 7}]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    for name in ("new.jsonl", "output.manifest"):
        assert rows(tmp_path, text, name=name) == [("a.jpg", "dog"), ("b.jpg", None)]
    assert listed(config, tmp_path, "data.labels=output.manifest")[0].labels == ("dog", None)


def line(**row) -> str:
    return json.dumps({"source-ref": "a.jpg"}) + "\n" + json.dumps(row) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "path,label,label\nx.png,a,b\n", r"a\.csv: has 2 columns label; rename all but one"),
        ("a.csv", "path,Label\nx.png,a\n", r"a\.csv: has a column 'Label'; call it label, or something unlike it"),
        (
            "a.csv",
            "path\n/etc/x.png\n",
            r"a\.csv: line 2: '/etc/x\.png' leads out of data\.root; paths must be relative",
        ),
        ("a.csv", "path\na.png\na/../../x.png\n", r"a\.csv: line 3: 'a/\.\./\.\./x\.png' leads out of data\.root"),
        ("a.csv", "path\na.png\nb.png\n./a.png\n", r"a\.csv: line 4: '\./a\.png' is in line 2 already"),
        ("a.csv", "path,label\na.png,cat\nb.png,cow\n", r"a\.csv: line 3: 'cow' is none of data\.classes=\[cat,dog\]"),
        ("a.csv", "file,label\na.png,cat\n", r"a\.csv: has no column path; there are file, label"),
        (
            "a.csv",
            "path;label\na.png;cat\n",
            r"has no column path; there are path;label; are they separated by commas\?",
        ),
        ("a.csv", "path,label,label\na.png,cat,dog\n", r"has 2 columns label; rename all but one"),
        ("a.csv", "path,label\n,cat\n", r"a\.csv: line 2: the path is missing"),
        ("a.csv", "path,label\n", r"a\.csv has no rows"),
        ("a.csv", "", r"a\.csv: has no column path; there are none"),
        ("a.csv", b"path\n\xe9.png\n", r"a\.csv: is not UTF-8 \(.* at byte 5\); save it as UTF-8"),
        ("a.csv", 'path\na.png\n"' + "x" * 200_000, r"a\.csv: line 3: is not CSV \(unexpected end of data\)"),
        ("a.csv", "path,label\na.png,cat,dog\n", r"a\.csv: line 2: must have 2 fields, has 3; quote fields that hold"),
        ("a.jsonl", b"\xe9", r"a\.jsonl: is not UTF-8 \(.* at byte 0\); save it as UTF-8"),
        (
            "a.jsonl",
            '{"source-ref": "a.jpg"}\n{"source',
            r"a\.jsonl: line 2: must be a JSON object with \"source-ref\"",
        ),
        ("a.jsonl", line(source="b.jpg"), r"line 2: must be a JSON object with \"source-ref\", the path of an image"),
        ("a.jsonl", "[" * 100_000, r"line 1: must be a JSON object"),
        (
            "a.jsonl",
            line(**{"source-ref": "s3://bucket/b.jpg"}),
            r"line 2: 's3://bucket/b\.jpg' leads out of data\.root",
        ),
        (
            "a.jsonl",
            line(**{"source-ref": "b.jpg", "a-metadata": {"class-name": "cat"}, "b-metadata": {"class-name": "dog"}}),
            r'line 2: must have one "class-name", a text, in its metadata, not \["cat", "dog"\]',
        ),
        ("a.jsonl", line(**{"source-ref": "b.jpg", "a-metadata": {"class-name": 3}}), r'one "class-name", a text'),
    ],
)
def test_what_is_wrong_in_a_table_is_named_with_its_line(tmp_path, name, text, message):
    with pytest.raises(AlearnError, match=message) as error:
        rows(tmp_path, text, ["cat", "dog"], name)
    assert "\n" not in str(error.value)


def test_a_table_that_cannot_be_had(config, tmp_path):
    with pytest.raises(AlearnError, match=rf"data\.labels=no\.csv: there is no file {tmp_path}/no\.csv"):
        listed(config, tmp_path, "data.labels=no.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(AlearnError, match=r"data\.labels=folder\.csv: .* cannot be read \(Is a directory\)"):
        listed(config, tmp_path, "data.labels=folder.csv")


def test_illegible_rows_of_a_table_are_skipped(config, tmp_path):
    rows(tmp_path, 'path\n"a\nb.png"\nc.png\n')
    pool, _ = listed(config, tmp_path, "data.labels=labels.csv")
    assert pool.ids == ("c.png",)
    assert pool.skipped[0][0] == r"'a\nb.png'"


def test_a_table_may_be_a_parquet_file(config, tmp_path):
    files(tmp_path, "1.png", "2.png")
    rows = {"path": ["2.png", "1.png"], "label": [None, "dog"], "source": ["", "hand"], "more": [0.5, 0.25]}
    parquet.write_table(pa.table(rows), tmp_path / "labels.parquet")
    pool, _ = listed(config, tmp_path, "data.labels=labels.parquet")
    assert (pool.ids, pool.labels) == (("2.png", "1.png"), (None, "dog"))
    parquet.write_table(pa.table({"path": ["1.png", "1.png"]}), tmp_path / "labels.parquet")
    with pytest.raises(AlearnError, match=r"labels\.parquet: line 3: '1\.png' is in line 2 already"):
        listed(config, tmp_path, "data.labels=labels.parquet")


def test_a_column_of_a_parquet_file_may_not_be_mistaken(config, tmp_path):
    files(tmp_path, "1.png", "2.png")
    for column, message in (
        ({"Label": ["cat", "dog"]}, "has a column 'Label'; call it label"),
        ({"label": [b"cat", b"dog"]}, "the column label holds b'cat'; it must be text or numbers"),
    ):
        parquet.write_table(pa.table({"path": ["1.png", "2.png"]} | column), tmp_path / "labels.parquet")
        with pytest.raises(AlearnError, match=message):
            listed(config, tmp_path, "data.labels=labels.parquet")
