"""Average probabilities over rounds. The models of all rounds form an ensemble at no extra cost."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from alearn.config import Policy
from alearn.learn.score import judge_probs
from alearn.ledger import Ledger
from alearn.values import Scores


def averaged(policy: Policy, scores: Scores, ledger: Ledger) -> Scores:
    """Return the scores of averaged probabilities: P <- memory P + (1 - memory) P_new.

    The average starts in round policy.memory_from. The models of earlier rounds were trained on a handful of labels and
    are not worth remembering.

    Args:
        policy: Holds `memory`; 0 turns averaging off.
        scores: The scores of this round, with probabilities.
        ledger: Holds the averaged probabilities of the rounds before.
    """
    if not policy.memory or scores.probs is None or ledger.probs is None or ledger.rounds < policy.memory_from:
        return scores
    before = torch.from_numpy(ledger.probs[scores.index]).to(scores.probs.device)
    before = F.pad(before, (0, scores.probs.shape[1] - before.shape[1]))  # classes that people have added since
    probs = torch.lerp(before, scores.probs, 1 - policy.memory)
    guess, doubt, margin = (t.cpu().numpy() for t in judge_probs(probs))
    return replace(scores, guess=guess, doubt=doubt, margin=margin, probs=probs)
