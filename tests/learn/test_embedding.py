import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from alearn.learn import embedding
from alearn.learn.embedding import Embedding, neighbours, smoothed


def blobs(count: int, width: int = 40, classes: int = 4, spread: float = 1.0) -> tuple[torch.Tensor, np.ndarray]:
    """Return features, float16 [count, width], around one centre for each class, and their classes."""
    random = np.random.default_rng(0)
    kind = random.integers(classes, size=count)
    x = random.normal(size=(classes, width))[kind] + spread * random.normal(size=(count, width))
    return torch.from_numpy(x).half(), kind


def test_the_components_are_the_principal_ones(monkeypatch):
    monkeypatch.setattr(embedding, "DIMS", 3)  # of four classes; the others are noise
    x, _ = blobs(300)
    ours = Embedding.of(x)(x).double().numpy()
    theirs = PCA(3).fit_transform(x.double().numpy())
    assert ours.shape == (300, 3)
    np.testing.assert_allclose(ours * np.sign((ours * theirs).sum(0)), theirs, atol=0.03)


def test_the_same_features_give_the_same_components_whatever_was_drawn_before():
    x, _ = blobs(50)
    first = Embedding.of(x)
    torch.rand(3)
    again = Embedding.of(x)
    assert torch.equal(first.axes_fd, again.axes_fd)
    assert torch.equal(first(x), again(x))


def test_few_features_are_only_turned():
    x, _ = blobs(60, width=8)
    made = Embedding.of(x)(x).float()
    assert made.shape == (60, 8)
    torch.testing.assert_close(torch.cdist(made, made), torch.cdist(x.float(), x.float()), atol=0.03, rtol=0.01)
    assert Embedding.of(x)(x[:0]).shape == (0, 8)


def test_a_head_on_components_is_unfolded_into_one_on_features():
    x, _ = blobs(100)
    made = Embedding.of(x)
    weight_kd = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    bias_k = torch.tensor([1.0, -2.0, 0.5])
    weight_kf, bias = made.unfolded(weight_kd, bias_k)
    expected = (x.float() - made.mean_f) @ made.axes_fd @ weight_kd.T + bias_k
    torch.testing.assert_close(x.float() @ weight_kf.T + bias, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("chunk", [7, 1000])
def test_neighbours_are_the_nearest_by_cosine(chunk, monkeypatch):
    monkeypatch.setattr(embedding, "CHUNK", chunk)
    x, _ = blobs(80)
    index, weight = neighbours(x)
    distance, near = NearestNeighbors(n_neighbors=6, metric="cosine").fit(x.double().numpy()).kneighbors()
    near, distance = near[:, :5], distance[:, :5]
    assert (np.sort(index.numpy(), 1) == np.sort(near, 1)).all()
    expected = np.exp(10 * (1 - distance))
    np.testing.assert_allclose(
        weight.sort(1, descending=True).values, expected / expected.sum(1, keepdims=True), atol=1e-4
    )


def test_smoothing_is_two_steps_of_the_formula():
    x, _ = blobs(30)
    index, weight = neighbours(x)
    graph = torch.zeros(30, 30).scatter_(1, index, weight)
    once = x.float() / 2 + graph @ x.float() / 2
    expected = x.float() / 2 + graph @ once / 2
    torch.testing.assert_close(smoothed(x).float(), expected, atol=0.01, rtol=0.01)


def test_smoothing_brings_the_images_of_a_class_together():
    x, kind = blobs(400, spread=2.0)
    same = torch.from_numpy(kind[:, None] == kind)

    def ratio(z: torch.Tensor) -> float:
        apart = torch.cdist(z.float(), z.float())
        return float(apart[~same].mean() / apart[same].mean())

    assert ratio(smoothed(x)) > 1.15 * ratio(x)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_fewer_images_than_neighbours(count):
    x, _ = blobs(count)
    made = smoothed(x)
    assert made.shape == x.shape
    assert made.isfinite().all()
