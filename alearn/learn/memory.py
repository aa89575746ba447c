"""Probabilities averaged over rounds: every round's model is a member of an ensemble that costs nothing extra."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from alearn.config import Policy
from alearn.learn.score import judge_probs
from alearn.ledger import Ledger
from alearn.values import Scores


def averaged(policy: Policy, scores: Scores, ledger: Ledger) -> Scores:
    """P <- memory P + (1 - memory) P_new, where P was scored in round policy.memory_from or later; the scores of that.

    Models of the first rounds, trained on a handful of labels, are not worth remembering.
    """
    if not policy.memory or scores.probs is None or ledger.probs is None or ledger.rounds < policy.memory_from:
        return scores
    before = torch.from_numpy(ledger.probs[scores.index]).to(scores.probs.device)
    before = F.pad(before, (0, scores.probs.shape[1] - before.shape[1]))  # classes that people have added since
    probs = torch.lerp(before, scores.probs, 1 - policy.memory)
    guess, doubt, margin = (t.cpu().numpy() for t in judge_probs(probs))
    return replace(scores, guess=guess, doubt=doubt, margin=margin, probs=probs)
