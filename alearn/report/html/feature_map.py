"""The map of a pool: its images as points, near each other if a pretrained network sees them as similar."""

import numpy as np
import torch

from alearn.data.imageset import ImageSet
from alearn.ledger import Ledger
from alearn.report.html.curves import Chart, Series, scatter
from alearn.values import Array

POINTS = 2_000
"""The most points of each kind, evenly spaced in the order of the images. They bound the size of the page."""


def feature_map(ledger: Ledger, pool: ImageSet, wrong: Array) -> Chart | None:
    """Draw the pool by the first two components of its features; return None if they are not in memory.

    Colours say who labeled an image: the human, the model, or nobody yet; and which auto labels are wrong, if that is
    known.

    Args:
        ledger: The labels.
        pool: The images.
        wrong: The images with a wrong auto label as far as that is known, int64 [n].
    """
    if not isinstance(pool.features, torch.Tensor) or pool.features.shape[1] < 2:
        return None
    x_n2 = pool.features[:, :2].float().cpu().numpy()
    auto = ledger.auto
    mistaken = np.isin(np.arange(len(ledger)), wrong)
    kinds = {
        "unlabeled": ("none", ~auto & ~ledger.hand),
        "auto": ("auto", auto & ~mistaken),
        "wrong auto": ("wrong", mistaken),
        "hand": ("first", ledger.hand),
    }
    series = []
    for label, (colour, where) in kinds.items():
        index = np.flatnonzero(where)
        if len(index):
            index = index[np.linspace(0, len(index) - 1, min(POINTS, len(index))).round().astype(int)]
            series.append(Series(label, colour, x_n2[index, 1].tolist(), x_n2[index, 0].tolist()))
    note = "Each point is an image. Near points look alike to the pretrained network."
    return scatter("Map of the images", series, note)
