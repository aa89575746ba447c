"""Batched inference over the pool.

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
"""Forward passes whose logits are judged, and reported, at once: judging is many small operations."""

SAMPLES = 20
"""Dropout masks an image for "information". Of MNIST after 600 labels the hundredth that 20 masks want most has 92 % of
the information that the best hundredth has; 10 find 86 %, 50 find 96 %. Only the layers from the dropout on pay for it.
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
    """Score the images `index` (int64 [n], n > 0) of a data set that lies on runtime.device, with a `Classifier`.

    want: which of "probs", "features" and "information" to fill in (see `Scores`); what is not wanted is not computed.
    labeled: int64 [m], the images of `labeled_features`, if features are wanted. seed: the dropout masks behind
    "information" follow from it. Raises AlearnError if that is wanted of a model without dropout.
    """
    assert isinstance(model, Classifier)
    on = runtime.device
    made = infer(runtime, model, images_nchw, torch.from_numpy(index).to(on), want, seed, on_progress)
    guess, doubt, margin = (made[name].cpu().numpy() for name in ("guess", "doubt", "margin"))
    known = None
    if "features" in want and labeled is not None:
        known = features(runtime, model, images_nchw, torch.from_numpy(labeled).to(on))
    information = made["information"].cpu().numpy() if "information" in want else None
    return Scores(index, guess, doubt, margin, made.get("probs"), made.get("features"), known, information)


def infer(
    runtime: Runtime,
    model: Classifier,
    images_nchw: Images,
    index_n: Tensor,
    want: frozenset[str] = frozenset(),
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> dict[str, Tensor]:
    """Return guess, doubt, margin and what is wanted, by name, each [n, ...], on the device.

    Nothing waits for the device before the caller reads them.
    """
    if "information" in want and not dropouts(model.body):
        raise AlearnError(
            "policy.query.strategy=bald: the model has no dropout; set model.dropout=0.25, or use model=source_cnn, "
            "which has it"
        )
    total, made = len(index_n), dict[str, Tensor]()
    model.eval()
    block = runtime.chunk * CHUNKS_A_BLOCK
    for start in range(0, total, block):
        if "information" in want:
            device.seed(rng.derive(seed, "score", start))  # whatever a listener drew since the last one
        here = slice(start, start + block)
        with torch.inference_mode(), runtime.autocast():
            chunks = [_look(model, images_nchw[i], want) for i in torch.split(index_n[here], runtime.chunk)]
            found = {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}
            logits_bk = found.pop("logits")
            found["guess"], found["doubt"], found["margin"] = judge(logits_bk)
            if "probs" in want:
                found["probs"] = logits_bk.softmax(1)
        for name, value in found.items():
            if name not in made:
                made[name] = torch.empty((total, *value.shape[1:]), dtype=value.dtype, device=value.device)
            made[name][here] = value
        on_progress(ScoreProgress(min(start + block, total), total))
    return made


def features(runtime: Runtime, model: Classifier, images_nchw: Images, index_n: Tensor) -> Tensor:
    """What enters the head for the images `index_n`: float32 [n, F], on the device."""
    model.eval()
    with torch.inference_mode(), runtime.autocast():
        chunks = [model.body(to_float(images_nchw[i])).float() for i in torch.split(index_n, runtime.chunk)]
    return torch.cat(chunks)


def _look(model: Classifier, images_bchw: Tensor, want: frozenset[str]) -> dict[str, Tensor]:
    """The logits of a forward pass and, of what is wanted, what only it can give; each [B, ...]."""
    prefix, rest = model.split()
    fixed_b = prefix(to_float(images_bchw))
    found = {}
    if "information" in want:  # before the last use of fixed_b, which may be in place
        found["information"] = information(model, rest, fixed_b)
    features_bf = rest(fixed_b)
    if "features" in want:
        found["features"] = features_bf.float()
    return found | {"logits": model.logits(features_bf)}


def information(model: Classifier, rest: nn.Module, fixed_b: Tensor) -> Tensor:
    """Mutual information of prediction and weights [B], in nats: the entropy of the mean prediction less the mean
    entropy of the predictions, H[E p] - E H[p], over SAMPLES dropout masks (torch's global generator).

    rest: the model's part from the first dropout on; fixed_b: [B, ...], what the part before it made. BALD: Houlsby et
    al. 2011; with dropout for the weights: Gal, Islam and Ghahramani 2017. Only dropout is in training mode.
    """
    total_bk, entropy_b = torch.zeros((), device=fixed_b.device), torch.zeros((), device=fixed_b.device)
    layers = dropouts(rest)
    for layer in layers:
        layer.train()
    for _ in range(SAMPLES):
        log_bk = model.logits(rest(fixed_b.clone())).log_softmax(1)
        p_bk = log_bk.exp()
        total_bk, entropy_b = total_bk + p_bk, entropy_b - (p_bk * log_bk).sum(1)
    for layer in layers:
        layer.eval()
    information_b: Tensor = torch.special.entr(total_bk / SAMPLES).sum(1) - entropy_b / SAMPLES
    return information_b.clamp_(min=0)  # it cannot be less but by rounding


def judge(logits_bk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Guess, doubt and margin (see `Scores`), each [B], of fp32 logits.

    1 - p_max is the sum of the other classes' probabilities; as a log-sum-exp it keeps its digits where 1 - p_max
    itself is 0.
    """
    top_b2, order_b2 = logits_bk.topk(2, dim=1)
    guess_b = order_b2[:, 0]
    all_b = logits_bk.logsumexp(1)
    others_b = logits_bk.scatter(1, guess_b[:, None], -torch.inf).logsumexp(1)
    p_b2 = (top_b2 - all_b[:, None]).exp()
    return guess_b, others_b - all_b, p_b2[:, 0] - p_b2[:, 1]


def judge_probs(probs_bk: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same of fp32 probabilities, a mean of several models' say. Here, too, 1 - p_max is the sum of the others, so
    it keeps its digits down to 1e-38; below that it is 0 and doubt minus infinity.
    """
    top_b2, order_b2 = probs_bk.topk(2, dim=1)
    guess_b = order_b2[:, 0]
    others_b = probs_bk.scatter(1, guess_b[:, None], 0.0).sum(1)
    return guess_b, others_b.log(), top_b2[:, 0] - top_b2[:, 1]


def accuracy(scores: Scores, truth: Array) -> float:
    """Share of right guesses; truth: int64 [N]."""
    return float(np.mean(scores.guess == truth[scores.index]))
