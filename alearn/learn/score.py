"""Score the pool, batch by batch.

Shape letters: B batch, C channels, H height, W width, F features, K classes, n images to score, N data set.
"""

import numpy as np
import torch
from torch import Tensor, nn

from alearn import rng
from alearn.errors import AlearnError
from alearn.journal import OnProgress, ScoreProgress, ignore
from alearn.learn import device
from alearn.learn.device import Runtime
from alearn.models.classifier import Classifier, dropouts, to_float
from alearn.values import Array, Images, Scores

CHUNKS_A_BLOCK = 16
"""Forward passes whose logits are judged and reported together, because judging consists of many small operations."""

SAMPLES = 20
"""Dropout masks per image for "information". Measured on MNIST after 600 labels: the hundredth of the images that 20
masks rank highest has 92 % of the information of the best hundredth; with 10 masks it has 86 %, with 50 masks 96 %.
Only the layers from the first dropout on are computed for each mask.
"""


def score(
    runtime: Runtime,
    model: nn.Module,
    images_nchw: Images,
    index: Array,
    want: frozenset[str] = frozenset(),
    labeled: Array | None = None,
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> Scores:
    """Score some images with a `Classifier`.

    Args:
        runtime: The device and the precision.
        model: A `Classifier`.
        images_nchw: The whole data set, uint8, on runtime.device.
        index: int64 [n], the images to score; at least one.
        want: Which of "probs", "features" and "information" to fill in (see `Scores`). The others are not computed.
        labeled: int64 [m], the images of `labeled_features`. They are only used if features are wanted.
        seed: The dropout masks for "information" follow from it.
        on_progress: Called with a `ScoreProgress` after every block of images.

    Raises:
        AlearnError: "information" is wanted, and the model has no dropout.
    """
    assert isinstance(model, Classifier)
    on = runtime.device
    columns = infer(runtime, model, images_nchw, torch.from_numpy(index).to(on), want, seed, on_progress)
    guess, doubt, margin = (columns[name].cpu().numpy() for name in ("guess", "doubt", "margin"))
    labeled_features = None
    if "features" in want and labeled is not None:
        labeled_features = features(runtime, model, images_nchw, torch.from_numpy(labeled).to(on))
    information = columns["information"].cpu().numpy() if "information" in want else None
    return Scores(
        index, guess, doubt, margin, columns.get("probs"), columns.get("features"), labeled_features, information
    )


def infer(
    runtime: Runtime,
    model: Classifier,
    images_nchw: Images,
    index_n: Tensor,
    want: frozenset[str] = frozenset(),
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> dict[str, Tensor]:
    """Return guess, doubt, margin and the wanted fields, by name, each [n, ...], on the device.

    This does not wait for the device. The arguments are those of `score`.
    """
    if "information" in want and not dropouts(model.body):
        raise AlearnError(
            "policy.query.strategy: it needs a network with dropout, and this one has none; set model.dropout=0.25, or "
            "use model=source_cnn, which has it"
        )
    total = len(index_n)
    columns = dict[str, Tensor]()
    model.eval()
    chunk = runtime.chunk(images_nchw.shape[1:])
    block = chunk * CHUNKS_A_BLOCK
    for start in range(0, total, block):
        if "information" in want:
            device.seed(rng.derive(seed, "score", start))  # listeners may have drawn numbers meanwhile
        here = slice(start, start + block)
        with torch.inference_mode(), runtime.autocast():
            chunks = [_look(model, images_nchw[i], want) for i in torch.split(index_n[here], chunk)]
            values = {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}
            logits_bk = values.pop("logits")
            values["guess"], values["doubt"], values["margin"] = judge(logits_bk)
            if "probs" in want:
                values["probs"] = logits_bk.softmax(1)
        for name, value in values.items():
            if name not in columns:
                columns[name] = torch.empty((total, *value.shape[1:]), dtype=value.dtype, device=value.device)
            columns[name][here] = value
        on_progress(ScoreProgress(min(start + block, total), total))
    return columns


def features(runtime: Runtime, model: Classifier, images_nchw: Images, index_n: Tensor) -> Tensor:
    """Return the input of the model's head for the images `index_n`: float32 [n, F], on the device."""
    model.eval()
    chunk = runtime.chunk(images_nchw.shape[1:])
    with torch.inference_mode(), runtime.autocast():
        chunks = [model.body(to_float(images_nchw[i])).float() for i in torch.split(index_n, chunk)]
    return torch.cat(chunks)


def _look(model: Classifier, images_bchw: Tensor, want: frozenset[str]) -> dict[str, Tensor]:
    """Return the logits of a forward pass and, if wanted, its information and features, by name, each [B, ...]."""
    prefix, rest = model.split()
    fixed_b = prefix(to_float(images_bchw))
    values = {}
    if "information" in want:  # first, because the layers of `rest` may overwrite fixed_b
        values["information"] = information(model, rest, fixed_b)
    features_bf = rest(fixed_b)
    if "features" in want:
        values["features"] = features_bf.float()
    return values | {"logits": model.logits(features_bf)}


def information(model: Classifier, rest: nn.Module, fixed_b: Tensor) -> Tensor:
    """Return the mutual information of prediction and weights in nats, float [B].

    It is the entropy of the mean prediction minus the mean entropy of the predictions, H[E p] - E H[p], over SAMPLES
    dropout masks, which torch's global generator draws. This is BALD (Houlsby et al. 2011) with dropout in place of
    random weights (Gal, Islam and Ghahramani 2017). Only the dropout layers are in training mode.

    Args:
        model: The model.
        rest: The part of the model from the first dropout on.
        fixed_b: [B, ...], the output of the part before it.
    """
    total_bk = torch.zeros((), device=fixed_b.device)
    entropy_b = torch.zeros((), device=fixed_b.device)
    layers = dropouts(rest)
    for layer in layers:
        layer.train()
    for _ in range(SAMPLES):
        log_bk = model.logits(rest(fixed_b.clone())).log_softmax(1)
        p_bk = log_bk.exp()
        total_bk = total_bk + p_bk
        entropy_b = entropy_b - (p_bk * log_bk).sum(1)
    for layer in layers:
        layer.eval()
    information_b: Tensor = torch.special.entr(total_bk / SAMPLES).sum(1) - entropy_b / SAMPLES
    return information_b.clamp_(min=0)  # only rounding can make it negative


def judge(logits_bk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return guess, doubt and margin (see `Scores`), each [B], of fp32 logits.

    1 - p_max is computed as the sum of the probabilities of the other classes. As a log-sum-exp, this sum keeps its
    digits even where 1 - p_max would be rounded to 0.
    """
    top_b2, order_b2 = logits_bk.topk(2, dim=1)
    guess_b = order_b2[:, 0]
    all_b = logits_bk.logsumexp(1)
    others_b = logits_bk.scatter(1, guess_b[:, None], -torch.inf).logsumexp(1)
    p_b2 = (top_b2 - all_b[:, None]).exp()
    return guess_b, others_b - all_b, p_b2[:, 0] - p_b2[:, 1]


def judge_probs(probs_bk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return guess, doubt and margin, each [B], of fp32 probabilities, for example the mean of several models.

    Here too, 1 - p_max is the sum of the other probabilities, so it keeps its digits down to 1e-38. Below that it is 0,
    and doubt is minus infinity.
    """
    top_b2, order_b2 = probs_bk.topk(2, dim=1)
    guess_b = order_b2[:, 0]
    others_b = probs_bk.scatter(1, guess_b[:, None], 0.0).sum(1)
    return guess_b, others_b.log(), top_b2[:, 0] - top_b2[:, 1]


def accuracy(scores: Scores, truth: Array) -> float:
    """Return the share of correct guesses. truth: int64 [N], the true classes of the whole data set."""
    return float(np.mean(scores.guess == truth[scores.index]))
