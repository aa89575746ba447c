"""Images in a bucket of S3, whose server runs on this machine: folders, tar files and Parquet files."""

import io
import tarfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.command import alearn
from tests.conftest import SMALL, save, shapes

pytest.importorskip("s3fs", reason="needs the extra: pip install 'alearn[s3]'")
s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server", reason="needs moto")

TRIAL = (*SMALL, "data=folder", "data.size=20", "data.channels=1", "data.augment=none", "trial=t2", "oracle=truth",
         "policy.init=random", "policy.init_fraction=0.1", "policy.hand_fraction=0.1", "policy.threshold=0.5",
         "policy.stop_rounds=1")  # fmt: skip


@pytest.fixture(scope="module")
def server():
    """A server without anything in it: its URL."""
    running = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """A bucket, and the environment in which alearn finds it."""
    for name, value in {
        "AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    if not files.exists("pictures"):
        files.mkdir("pictures")
    yield files
    s3fs.S3FileSystem.clear_instance_cache()


def labels(folder, *words: object) -> list[str]:
    """Run a trial; return its labels in order of the images' own names."""
    code, _, err = alearn(*TRIAL, *words, f"data.cache='{folder}-cache'", f"hydra.run.dir='{folder}'")
    assert code == 0, err
    lines = (folder / "labels.csv").read_text().splitlines()[1:]
    return [line.split(",", 1)[1].rpartition("/")[2] for line in lines]


@pytest.mark.slow
def test_a_trial_on_a_bucket_has_the_labels_of_one_on_files(bucket, tmp_path):
    pool = shapes(120)
    assert pool.truth is not None
    save(pool, tmp_path / "files")
    expected = labels(tmp_path / "local", f"data.root='{tmp_path}/files'")

    bucket.put(str(tmp_path / "files"), "pictures/files", recursive=True)
    assert labels(tmp_path / "far", "data.root=s3://pictures/files") == expected

    images = sorted((tmp_path / "files").rglob("*.png"))
    for shard in range(2):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path in images[shard * 60 : shard * 60 + 60]:
                for name, content in ((path.name, path.read_bytes()), (f"{path.stem}.cls", path.parent.name.encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        bucket.pipe_file(f"pictures/tars/{shard}.tar", out.getvalue())
    assert labels(tmp_path / "tars", "data.root=s3://pictures/tars") == expected

    table = pa.table({
        "image": [path.read_bytes() for path in images], "label": [path.parent.name for path in images],
        "id": [path.name for path in images],
    })  # fmt: skip
    out = io.BytesIO()
    parquet.write_table(table, out, row_group_size=50)
    bucket.pipe_file("pictures/rows/0.parquet", out.getvalue())
    assert labels(tmp_path / "rows", "data.root=s3://pictures/rows") == expected
    code, _, err = alearn(f"resume={tmp_path / 'rows'}")
    assert code == 0, err


@pytest.mark.parametrize(
    ("change", "root", "message"),
    [
        ({}, "s3://nowhere/x", "data.root=s3://nowhere/x: "),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3://pictures/x", "data.root=s3://pictures/x: cannot be read ("),
        (
            {},
            "s3://pictures/empty",
            "data.root=s3://pictures/empty: there are no files; give the folder of your images",
        ),
    ],
)
def test_a_bucket_that_cannot_be_read_is_one_message(bucket, monkeypatch, tmp_path, change, root, message):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    code, _, err = alearn(*TRIAL, f"data.root={root}", f"hydra.run.dir='{tmp_path}/out'")
    assert code == 1
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "labels.csv").exists()


def test_blocks_in_a_bucket_have_the_features_of_those_in_a_folder(bucket, tmp_path):
    """The images are files of a bucket, and shards; one part is computed by another process."""
    from tests.cli.test_block_commands import MODEL, images

    images(tmp_path / "images")
    bucket.put(str(tmp_path / "images"), "pictures/blocks/images", recursive=True)
    words = (f"data.cache='{tmp_path}/cache'", "data.size=48", "data.layout=classes", "data.channels=3",
             "data.augment=none", *MODEL, "device=cpu", "precision=fp32", "--block=5")  # fmt: skip
    assert alearn("features", "--out", tmp_path / "out", f"data.root='{tmp_path}/images'", *words).code == 0
    far = ("features", "--out", "s3://pictures/blocks/out", "data.root=s3://pictures/blocks/images", *words)
    for part in ("2/2", "1/2"):
        code, _, err = alearn(*far, "--shard", part)
        assert code == 0, err
    code, out, err = alearn(*far, "--merge")
    assert (code, "21 images in 5 blocks; 2 files skipped" in out) == (0, True), err
    there = {path.rpartition("/")[2]: path for path in bucket.find("pictures/blocks/out")}
    for path in sorted((tmp_path / "out").glob("*.parquet")):
        assert parquet.read_table(io.BytesIO(bucket.cat(there[path.name]))) == parquet.read_table(path)
    assert bucket.cat(there["skipped.csv"]) == (tmp_path / "out" / "skipped.csv").read_bytes()
    assert alearn(*far).out.splitlines()[0] == "5 blocks: 0 computed, the others were there already"
    bucket.pipe_file("pictures/blocks/images/up/01.png", b"other")
    code, _, err = alearn(*far)
    assert (code, "the images of block-00003-of-00005.parquet have changed" in err) == (1, True)


@pytest.mark.parametrize(
    ("change", "out"),
    [({}, "s3://nowhere/out"), ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3://pictures/out")],
)
def test_blocks_that_cannot_be_written_are_one_message(bucket, monkeypatch, tmp_path, change, out):
    from tests.cli.test_block_commands import MODEL, images

    images(tmp_path / "images", 2)
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    words = (f"data.root='{tmp_path}/images'", f"data.cache='{tmp_path}/cache'", "data.size=48", *MODEL, "device=cpu")
    code, _, err = alearn("features", "--out", out, *words)
    assert code == 1
    assert err.startswith(f"error: --out={out}: ")
    assert err.count("\n") == 1
