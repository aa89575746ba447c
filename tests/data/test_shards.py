"""Images in tar files and Parquet files, on this machine and in a store: pixels and labels are those of files."""

import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from alearn.config import Folder
from alearn.data import decode, file_store, image_folder, listing, shards, sources, tar_shard
from alearn.data.choose import sample
from alearn.data.file_store import is_url
from alearn.errors import AlearnError

CLASSES = ("cat", "dog", "owl")
TOTAL = 30


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(256, size=(12, 10, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


PICTURES = [picture(number) for number in range(TOTAL)]
LABELS = [CLASSES[number % 3] for number in range(TOTAL)]


def tar(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))


def tars(root: Path, labels: bool = True) -> list[str]:
    """Write three shards of ten images; return the ids."""
    for shard in range(3):
        files = dict[str, bytes]()
        for number in range(shard * 10, shard * 10 + 10):
            files[f"{number:03}.png"] = PICTURES[number]
            files[f"{number:03}.json"] = b"{}"
            if labels:
                files[f"{number:03}.cls"] = f"{LABELS[number]}\n".encode()
        tar(root / f"part-{shard}.tar", files)
    return [f"part-{number // 10}.tar/{number:03}.png" for number in range(TOTAL)]


def parquets(root: Path, **columns: object) -> list[str]:
    """Write two shards of fifteen images, in row groups of four; return the ids."""
    root.mkdir(parents=True, exist_ok=True)
    all_columns = {"image": PICTURES, "label": LABELS} | columns
    for shard in range(2):
        part = {name: values[shard * 15 : shard * 15 + 15] for name, values in all_columns.items()}
        parquet.write_table(pa.table(part), root / f"part-{shard}.parquet", row_group_size=4)
    return [f"part-{number // 15}.parquet/{number % 15}" for number in range(TOTAL)]


def folder(root: object, tmp_path: Path, **keys: object) -> Folder:
    settings = {
        "layout": "shards",
        "size": 8,
        "channels": 3,
        "augment": "none",
        "cache": str(tmp_path / "cache"),
    } | keys
    return Folder(root=str(root), **settings)


def load(data: Folder) -> image_folder.ImageSet:
    return image_folder.load(data)[0]


@pytest.fixture
def expected(tmp_path) -> torch.Tensor:
    """The pixels of the same images as files, in folders of their classes."""
    for number, (content, label) in enumerate(zip(PICTURES, LABELS, strict=True)):
        path = tmp_path / "files" / label / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    pool = load(folder(tmp_path / "files", tmp_path, layout="classes"))
    order = np.argsort([name.rpartition("/")[2] for name in pool.ids])
    return pool.images[torch.from_numpy(order)]


def check(pool: image_folder.ImageSet, ids: list[str], expected: torch.Tensor) -> None:
    """Check pixels, labels, and what people see."""
    assert list(pool.ids) == ids
    assert torch.equal(pool.images[torch.arange(TOTAL)], expected)
    assert pool.classes == CLASSES
    assert [CLASSES[kind] for kind in pool.truth] == LABELS
    for number in (0, 7, 29):
        content, kind = decode.encoded(pool, number, 12)
        assert kind == "image/png"
        with Image.open(io.BytesIO(content)) as shown, Image.open(io.BytesIO(PICTURES[number])) as written:
            assert np.array_equal(np.asarray(shown), np.asarray(written))


def test_tar_files(tmp_path, expected):
    ids = tars(tmp_path / "tars")
    check(load(folder(tmp_path / "tars", tmp_path)), ids, expected)


def test_parquet_files_of_bytes(tmp_path, expected):
    ids = parquets(tmp_path / "rows")
    check(load(folder(tmp_path / "rows", tmp_path)), ids, expected)


def test_parquet_files_as_hugging_face_writes_them(tmp_path, expected):
    """The column is a struct, classes are numbers, and their names are in the metadata of the file."""
    images = [{"bytes": content, "path": None} for content in PICTURES]
    table = pa.table({"img": images, "kind": [number % 3 for number in range(TOTAL)]})
    about = {"info": {"features": {"kind": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    (tmp_path / "rows").mkdir()
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), tmp_path / "rows/a.parquet")
    data = folder(tmp_path / "rows", tmp_path, image_field="img", label_field="kind")
    check(load(data), [f"a.parquet/{number}" for number in range(TOTAL)], expected)


def test_parquet_files_of_paths_and_names_of_their_own(tmp_path, expected):
    paths = [f"files/{label}/{number:03}.png" for number, label in enumerate(LABELS)]
    parquets(tmp_path, path=paths, image=[None] * TOTAL, id=[f"no {number}" for number in range(TOTAL)])
    parquet.write_table(pa.table({"path": ["files/gone.png"]}), tmp_path / "part-2.parquet")
    ids = [f"part-{number // 15}.parquet/no {number}" for number in range(TOTAL)]
    data = folder(tmp_path, tmp_path, image_field="path")
    pool = load(data)
    check(pool, ids, expected)
    assert ("part-2.parquet/0", "is missing: there is no file files/gone.png") in pool.skipped
    assert len(sample(data).files) == TOTAL


def test_numbers_count_the_names_of_the_config_and_a_test_set_lies_apart(tmp_path):
    for place, numbers in (("train", range(20)), ("test", range(20, 30))):
        files = {f"{n}.png": PICTURES[n] for n in numbers} | {f"{n}.cls": b"%d" % (n % 3) for n in numbers}
        tar(tmp_path / "set" / place / "0.tar", files)
    pool, test = image_folder.load(folder(tmp_path / "set", tmp_path, classes=CLASSES))
    assert (len(pool), len(test)) == (20, 10)
    for images, first in ((pool, 0), (test, 20)):
        assert [CLASSES[kind] for kind in images.truth] == LABELS[first : first + len(images)]
    with pytest.raises(AlearnError, match=r"train/0\.tar has the class 2, and data\.classes 2"):
        listing.listed(folder(tmp_path / "set", tmp_path, classes=CLASSES[:2]))
    assert listing.listed(folder(tmp_path / "set", tmp_path))[0].classes == ("0", "1", "2")


def test_without_labels_people_name_the_classes(tmp_path):
    tars(tmp_path / "tars", labels=False)
    pool = load(folder(tmp_path / "tars", tmp_path))
    assert (pool.truth, pool.given, pool.classes) == (None, None, [])
    tar(tmp_path / "tars" / "part-9.tar", {"a.png": picture(99), "a.cls": b"cat"})
    pool = load(folder(tmp_path / "tars", tmp_path))
    assert (pool.truth, pool.given.tolist()) == (None, [-1] * TOTAL + [0]), "some labels are given"


def test_a_folder_of_shards_is_known_by_its_files(tmp_path):
    tars(tmp_path / "tars")
    data = folder(tmp_path / "tars", tmp_path, layout="auto")
    assert listing.layout(listing.tree(data.root)) == ("shards", "images are read from files such as part-0.tar")
    assert sample(data).shapes.tolist() == [[12, 10]] * TOTAL
    (tmp_path / "tars" / "a.png").write_bytes(PICTURES[0])
    assert listing.layout(listing.tree(data.root))[0] == "unlabeled"


def test_the_next_start_reads_no_shard(tmp_path, monkeypatch):
    tars(tmp_path / "tars")
    data = folder(tmp_path / "tars", tmp_path)
    first = load(data)
    monkeypatch.setattr(tar_shard, "listed", None)
    monkeypatch.setattr(file_store.Store, "read", None)
    again = load(data)
    assert (again.ids, torch.equal(again.images, first.images)) == (first.ids, True)


def test_a_shard_that_has_changed_is_read_again(tmp_path):
    tars(tmp_path / "tars")
    data = folder(tmp_path / "tars", tmp_path)
    load(data)
    tar(tmp_path / "tars" / "part-1.tar", {"x.png": picture(99), "x.cls": b"cat"})
    os.utime(tmp_path / "tars" / "part-1.tar", (1, 1))
    pool = load(data)
    assert (len(pool), "part-1.tar/x.png" in pool.ids) == (21, True)
    where = pool.ids.index("part-1.tar/x.png")
    expected = decode.pixels(picture(99), "x.png", (8, 8), 3)
    assert np.array_equal(pool.images[torch.tensor([where])][0], expected)


def test_bad_images_in_a_shard_are_skipped_by_name(tmp_path):
    good = {f"{n}.png": PICTURES[n] for n in range(3)}
    tar(tmp_path / "set" / "0.tar", good | {"bad.png": b"\x89PNG\r\n\x1a\nno", "empty.png": b"", "._0.png": b"x"})
    (tmp_path / "set" / "notes.txt").write_text("hello")
    pool = load(folder(tmp_path / "set", tmp_path))
    skipped = dict(pool.skipped)
    assert len(pool) == 3
    assert skipped.keys() == {"notes.txt", "0.tar/bad.png", "0.tar/empty.png"}
    assert skipped["0.tar/empty.png"] == "is empty (0 bytes)"
    assert skipped["0.tar/bad.png"].startswith("is damaged or cut off")


def cut(path: Path, size: int | None = None) -> None:
    """Cut a tar file off: after some bytes, or after its last file."""
    if size is None:
        with tarfile.open(path) as file:
            size = file.getmembers()[-1].offset_data + 512
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    ("make", "keys", "message"),
    [
        (
            lambda root: (root / "part-1.tar").write_bytes((root / "part-1.tar").read_bytes() * 40),
            {},
            r"part-1\.tar is damaged, or is several tar files in one: more follows its end at",
        ),
        (lambda root: cut(root / "part-1.tar"), {}, r"part-1\.tar is cut off: it has 30,720 bytes"),
        (
            lambda root: cut(root / "part-1.tar", 9000),
            {},
            r"part-1\.tar is no tar file, or is damaged \(unexpected end",
        ),
        (lambda root: (root / "part-1.tar").write_bytes(b"no tar file" * 100), {}, r"part-1\.tar is no tar file"),
        (lambda root: tar(root / "a.tar", {"a.txt": b"a"}), {}, r"a\.tar holds no images"),
        (
            lambda root: tar(root / "a.tar", {"a.png": b"a", "a.cls": b"\xff"}),
            {},
            r"a\.tar has a label that is no text",
        ),
        (lambda root: None, {"label_field": "kind"}, r"part-0\.tar has no \*\.kind, which data\.label_field asks for"),
        (lambda root: None, {"image_field": "jpg"}, r"part-0\.tar holds no images \(\.jpg\)"),
        (lambda root: (root / "a.parquet").write_bytes(b"no"), {}, r"a\.parquet is no Parquet file, or is damaged"),
        (
            lambda root: parquet.write_table(pa.table({"x": [1]}), root / "a.parquet"),
            {},
            r"a\.parquet has none of the columns image, .*, but x; name one with data\.image_field",
        ),
        (
            lambda root: parquet.write_table(pa.table({"image": [1]}), root / "a.parquet"),
            {},
            r"a\.parquet has the column image of int64; it must be bytes",
        ),
        (
            lambda root: parquet.write_table(pa.table({"image": [b"1"], "label": [0.5]}), root / "a.parquet"),
            {},
            r"a\.parquet has 0\.5 in the column label; labels must be text or whole numbers",
        ),
        (
            lambda root: parquet.write_table(pa.table({"image": [b"1", b"2"], "id": [1, 1]}), root / "a.parquet"),
            {},
            r"a\.parquet has the same id in several rows",
        ),
        (lambda root: [path.unlink() for path in root.glob("*")], {}, "there are no files; give the folder"),
        (
            lambda root: [path.rename(path.with_suffix(".zip")) for path in root.glob("*")],
            {},
            r"has no \*\.tar or \*\.parquet files, and data\.layout=shards needs some",
        ),
    ],
)
def test_what_is_wrong_with_a_shard_is_one_message(tmp_path, make, keys, message):
    root = tmp_path / "set"
    tars(root)
    make(root)
    with pytest.raises(AlearnError, match=message) as error:
        listing.listed(folder(root, tmp_path, **keys))
    assert str(error.value).startswith(f"data.root={root}: ")


def test_a_url_that_leads_nowhere_is_one_message():
    for root, message in (
        ("nowhere://x/y", r"data\.root=nowhere://x/y: Protocol not known: nowhere; must be a folder, or a URL such as"),
        ("memory://empty", r"data\.root=memory://empty: there are no files"),
    ):
        with pytest.raises(AlearnError, match=message):
            sources.known(Folder(root=root))


def test_folders_and_shards_in_a_store(tmp_path, expected):
    """fsspec has a store in memory."""
    store = file_store.Store("memory://pictures")
    for path in (tmp_path / "files").rglob("*.png"):
        store._fs.pipe_file(f"/pictures/{path.relative_to(tmp_path / 'files')}", path.read_bytes())
    data = folder("memory://pictures", tmp_path, layout="classes")
    pool = load(data)
    order = np.argsort([name.rpartition("/")[2] for name in pool.ids])
    assert torch.equal(pool.images[torch.from_numpy(order)], expected)
    assert [pool.ids[at].split("/")[0] for at in order] == LABELS
    assert listing.layout(listing.tree(data.root))[0] == "classes"
    assert len(sample(folder("memory://pictures", tmp_path, layout="auto")).files) == TOTAL

    tars(tmp_path / "tars")
    for path in (tmp_path / "tars").iterdir():
        store._fs.pipe_file(f"/shards/{path.name}", path.read_bytes())
    pool = load(folder("memory://shards", tmp_path))
    check(pool, [f"part-{number // 10}.tar/{number:03}.png" for number in range(TOTAL)], expected)


def test_a_store_that_fails_stops_the_start_and_loses_nothing(tmp_path, monkeypatch):
    tars(tmp_path / "tars")
    data = folder(tmp_path / "tars", tmp_path)
    read, calls = file_store.Store.read, []

    def failing(self, *args):
        calls.append(args)
        if len(calls) > 12:
            raise AlearnError("data.root=...: part-1.tar cannot be read (timed out)")
        return read(self, *args)

    monkeypatch.setattr(file_store.Store, "read", failing)
    with pytest.raises(AlearnError, match="timed out"):
        load(data)
    monkeypatch.setattr(file_store.Store, "read", read)
    assert (len(load(data)), load(data).skipped) == (TOTAL, ())


def test_urls():
    assert [is_url(root) for root in ("s3://b/c", "gs://b", "/data/x", "data", "C:/x")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_another_column_is_other_images(tmp_path):
    parquets(tmp_path / "rows", left=PICTURES, right=PICTURES[::-1])
    left, right = (load(folder(tmp_path / "rows", tmp_path, image_field=name)) for name in ("left", "right"))
    assert not torch.equal(left.images, right.images)
    assert torch.equal(left.images[torch.tensor([0])], right.images[torch.tensor([TOTAL - 1])])


def test_shards_beside_images_are_no_data_set_of_shards(tmp_path):
    """Such as the labels of `alearn predict --out`, or a backup."""
    for number in range(4):
        path = tmp_path / "set" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURES[number])
    parquet.write_table(pa.table({"path": ["a/0.png"], "label": ["b"]}), tmp_path / "set" / "new.parquet")
    assert listing.layout(listing.tree(str(tmp_path / "set")))[0] == "classes"


def test_of_files_of_one_name_the_last_counts_and_what_is_not_used_is_named(tmp_path):
    (tmp_path / "set").mkdir()
    with tarfile.open(tmp_path / "set" / "0.tar", "w") as out:
        for name, content in [
            ("a.png", PICTURES[0]), ("a.cls", b"cat"), ("./c/2.PNG", PICTURES[2]), ("c/2.cls", b"\xef\xbb\xbfowl"),
            ("a.png", PICTURES[1]), ("a.cls", b"dog"), ("a.2.png", PICTURES[3]), ("d.cls", b"cat"),
        ]:  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("e.png")
        link.type, link.linkname = tarfile.LNKTYPE, "a.png"
        out.addfile(link)
    pool, _ = listing.listed(folder(tmp_path / "set", tmp_path))
    assert dict(zip(pool.ids, pool.labels, strict=True)) == {"0.tar/a.png": "dog", "0.tar/./c/2.PNG": "owl"}
    images = load(folder(tmp_path / "set", tmp_path)).images
    assert np.array_equal(images[torch.tensor([0])][0], decode.pixels(PICTURES[1], "a.png", (8, 8), 3))
    skipped = dict(pool.skipped)
    assert skipped.keys() == {"0.tar/a.2.png", "0.tar/d.cls", "0.tar/e.png"}
    assert skipped["0.tar/e.png"].startswith("is a link in the tar file")


def test_a_header_that_is_damaged_in_the_middle_is_no_end(tmp_path):
    tars(tmp_path / "tars")
    path = tmp_path / "tars" / "part-1.tar"
    with tarfile.open(path) as file:
        place = file.getmembers()[5].offset
    content = bytearray(path.read_bytes())
    content[place + 150] ^= 1  # in the checksum
    path.write_bytes(content)
    with pytest.raises(AlearnError, match=r"part-1\.tar is (damaged|no tar file, or is damaged)"):
        listing.listed(folder(tmp_path / "tars", tmp_path))


def test_whether_numbers_count_classes_is_one_question_for_all_shards(tmp_path):
    for number in range(3):
        tar(tmp_path / "set" / f"{number}.tar", {"a.png": PICTURES[number], "a.cls": b"%d" % (number + 1)})
    pool, _ = listing.listed(folder(tmp_path / "set", tmp_path, classes=("1", "2", "3")))
    assert pool.labels == ("1", "2", "3")
    tar(tmp_path / "set" / "3.tar", {"a.png": PICTURES[4], "a.cls": b"0"})
    with pytest.raises(AlearnError, match=r"3\.tar: '0' is none of data\.classes=\[1,2,3\]"):
        listing.listed(folder(tmp_path / "set", tmp_path, classes=("1", "2", "3")))


def test_a_class_of_the_test_set_alone_is_refused(tmp_path):
    tar(tmp_path / "set" / "train" / "0.tar", {"a.png": PICTURES[0], "a.cls": b"cat"})
    tar(tmp_path / "set" / "test" / "0.tar", {"a.png": PICTURES[1], "a.cls": b"owl"})
    with pytest.raises(AlearnError, match="owl is a class in test/, and none in train/"):
        listing.listed(folder(tmp_path / "set", tmp_path))


def test_an_image_whose_store_is_gone_is_shown_by_its_pixels(tmp_path):
    tars(tmp_path / "tars")
    pool = load(folder(tmp_path / "tars", tmp_path))
    (tmp_path / "tars" / "part-0.tar").unlink()
    assert decode.encoded(pool, 0, 12)[1] == "image/png"


@pytest.mark.parametrize("make", [tars, parquets])
def test_a_part_of_the_shards_reads_its_images_without_an_index_of_its_own(tmp_path, monkeypatch, make):
    """It is what another machine gets, which has no data.cache of this one."""
    ids = make(tmp_path / "root")
    some = [ids[2], ids[11], ids[12], ids[29]]
    sent = pickle.dumps(listing.shards(folder(tmp_path / "root", tmp_path)).part(some))
    monkeypatch.setattr(shards, "_kept", None)
    place = pickle.loads(sent)
    assert [(place / name).read() for name in some] == [PICTURES[number] for number in (2, 11, 12, 29)]
    with pytest.raises(KeyError):
        place / ids[0]


def test_a_part_of_a_folder_in_a_store_is_found_without_listing_it(tmp_path, monkeypatch):
    root = "memory://part"
    store = file_store.Store(root)
    for number in range(3):
        store.write(f"{number}.png", PICTURES[number])
    whole = listing.place(folder(root, tmp_path, layout="auto"))
    monkeypatch.setattr(file_store.Store, "listed", None)
    place = pickle.loads(pickle.dumps(whole.part(["1.png"])))
    assert (place / "1.png").read() == PICTURES[1]
    assert (place / "1.png").stamp() == (whole / "1.png").stamp()
    with pytest.raises(KeyError):
        place / "0.png"
