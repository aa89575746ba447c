import pytest
import torch

from alearn.errors import AlearnError
from alearn.learn import device


def test_cpu_and_precision_as_asked():
    for precision, bf16 in (("fp32", False), ("bf16", True)):
        runtime = device.choose("cpu", precision)
        assert (runtime.device.type, runtime.bf16) == ("cpu", bf16)
        assert precision in runtime.describe()


def test_autocast_is_on_with_bf16_only():
    x = torch.ones(2, 2)
    for bf16, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        with device.Runtime(torch.device("cpu"), bf16).autocast():
            assert (x @ x).dtype == dtype


def test_auto_takes_what_is_there():
    runtime = device.choose("auto", "auto")
    assert runtime.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_an_error_that_names_the_key():
    with pytest.raises(AlearnError, match=r"device=cuda: .* device=cpu or device=auto"):
        device.choose("cuda", "auto")


def test_seeding_repeats():
    device.seed(5)
    first = torch.rand(3)
    device.seed(5)
    assert torch.equal(first, torch.rand(3))


def test_threads_are_as_asked():
    before = torch.get_num_threads()
    try:
        device.choose("cpu", "fp32", threads=3)
        assert torch.get_num_threads() == 3
        device.choose("cpu", "fp32")
        assert torch.get_num_threads() == 3, "auto leaves them"
    finally:
        torch.set_num_threads(before)


def test_jobs_take_the_gpus_in_turn(monkeypatch):
    taken = []
    for name, value in {"is_available": True, "device_count": 4, "is_bf16_supported": True}.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    chosen = [device.choose("auto", "auto", job=job).device for job in (0, 1, 6)]
    assert chosen == taken == [torch.device("cuda", index) for index in (0, 1, 2)]
    assert device.choose("cpu", "auto", job=1).device.type == "cpu"


def test_cuda_graphs_need_a_gpu():
    with pytest.raises(AlearnError, match=r"cuda_graphs=true: this needs a GPU"):
        device.choose("cpu", "auto", cuda_graphs=True)
    assert not device.choose("cpu", "auto").cuda_graphs


def test_a_forward_pass_takes_as_many_images_as_memory_allows():
    cpu, gpu = (device.Runtime(torch.device(name), bf16=False) for name in ("cpu", "cuda"))
    assert [cpu.chunk(shape) for shape in ((1, 28, 28), (3, 64, 64), (3, 224, 224), (512,))] == [256, 256, 27, 256]
    assert [gpu.chunk(shape) for shape in ((1, 28, 28), (3, 64, 64), (3, 224, 224), (512,))] == [4096, 4096, 445, 4096]
    assert cpu.chunk((3, 2048, 2048)) == 1
