import gc
from pathlib import Path

import numpy as np
import pytest
import torch

from alearn.data import pixels
from alearn.data.imageset import ImageSet
from alearn.data.pixels import Mapped, Mapping

CPU = torch.device("cpu")


@pytest.fixture
def array(tmp_path) -> tuple[Path, np.ndarray]:
    there = np.random.default_rng(0).integers(256, size=(50, 3, 8, 10), dtype=np.uint8)
    (tmp_path / "images.u8").write_bytes(there.tobytes() + b"torn")
    return tmp_path / "images.u8", there


def test_batches_are_those_of_a_tensor(array):
    path, there = array
    rows = np.random.default_rng(1).permutation(50)[:40]
    tensor, mapped = torch.from_numpy(there[rows]), Mapped(Mapping(path, (3, 8, 10)), rows)
    assert (tuple(mapped.shape), mapped.dtype, mapped.device, len(mapped)) == ((40, 3, 8, 10), torch.uint8, CPU, 40)
    for index in ([3, 3, 0, 39], [-1, 5], [], list(range(40))):
        i = torch.tensor(index, dtype=torch.int64)
        assert torch.equal(mapped[i], tensor[i])
    with pytest.raises(IndexError):
        mapped[torch.tensor([40])]
    assert torch.equal(mapped.tensor(CPU), tensor)
    batch = mapped[torch.tensor([0])]
    batch += 1
    assert torch.equal(mapped[torch.tensor([0])], tensor[:1]), "a batch is its own"


def test_a_subset_is_not_copied(array):
    path, there = array
    mapped = Mapped(Mapping(path, (3, 8, 10)), np.arange(50))
    pool = ImageSet(mapped, tuple(map(str, range(50))), ("a",), np.zeros(50, np.int64))
    part = pool.subset(np.array([7, 2])).subset(np.array([1]))
    assert isinstance(part.images, Mapped)
    assert part.images._mapping is mapped._mapping
    assert part.ids == ("2",)
    np.testing.assert_array_equal(part.images[torch.tensor([0])][0].numpy(), there[2])
    assert isinstance(pool.to(CPU).images, Mapped)


def test_pages_are_forgotten_and_come_again(tmp_path, monkeypatch):
    there = np.random.default_rng(0).integers(256, size=(4000, 3, 64, 64), dtype=np.uint8)
    (tmp_path / "a").write_bytes(there.tobytes())
    monkeypatch.setattr(pixels, "KEPT", 1 << 20)
    mapped = Mapped(Mapping(tmp_path / "a", (3, 64, 64)), np.arange(4000))
    expected = there[::7].astype(np.int64).sum()
    del there
    gc.collect()

    def resident() -> int:
        """Return how many MiB of mapped files are in memory."""
        return next(
            int(line.split()[1]) >> 10
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("RssFile")
        )

    before, most, total = resident(), 0, 0
    for index in torch.split(torch.arange(4000), 50):
        batch = mapped[index]
        total += int(batch[(7 - index[0]) % 7 :: 7].long().sum())
        most = max(most, resident())
    assert total == expected
    assert most - before < 24, "of 47 MiB"


def test_a_gpu_that_has_room_gets_a_copy_and_one_that_has_not_gets_batches(array, monkeypatch):
    path, there = array
    mapped = Mapped(Mapping(path, (3, 8, 10)), np.arange(50))
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(Mapped, "tensor", lambda self, device: ("copied to", device))
    room = int(there.nbytes / 0.6)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (room + 1, 10 * room))
    assert mapped.to(cuda) == ("copied to", cuda)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (room - 1, 10 * room))
    kept = mapped.to(cuda)
    assert isinstance(kept, Mapped)
    assert kept.device == cuda
    assert kept.take(np.array([1])).device == cuda


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_on_a_gpu(array):
    path, there = array
    mapped = Mapped(Mapping(path, (3, 8, 10)), np.arange(50), torch.device("cuda"))
    index = torch.tensor([4, 9, 4], device="cuda")
    batches = [mapped[index + k] for k in range(20)]
    for k, batch in enumerate(batches):
        assert batch.device.type == "cuda"
        np.testing.assert_array_equal(batch.cpu().numpy(), there[[4 + k, 9 + k, 4 + k]])
    copied = mapped.to(torch.device("cuda"))
    assert isinstance(copied, torch.Tensor)
    np.testing.assert_array_equal(copied.cpu().numpy(), there)
