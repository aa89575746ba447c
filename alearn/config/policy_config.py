"""The `policy` group: what a human labels, what the model labels, and when labeling ends. conf/policy/ has presets."""

from typing import Annotated, Any, Literal

from pydantic import Field

from alearn.config.registered import RegisteredName
from alearn.config.section import Count, Section, Share
from alearn.registry import AUTO_RULES, QUERIES

FIRST, ROUND = 20, 25
"""First images and questions of a round that takes seconds: a head on pretrained features learns something from so few,
and new questions are better than old ones."""

CHECKS = 5
"""Questions of a round that check the auto-label rule. If every second auto label is wrong, five answers show
it at once in 4 of 5 cases."""


class Query(Section):
    """How a round chooses the images for the human."""

    strategy: Annotated[str, RegisteredName(QUERIES)] = "margin"
    """Which images to ask about: see alearn.policy.query."""
    pool: Annotated[float, Field(ge=1)] = 1
    """Size of the candidate set, as a multiple of the number of queries. Above 1, a round chooses diverse images among
    the candidates; 1 takes the images as the strategy ranks them."""
    cover: Annotated[int, Field(ge=0)] = 10
    """How many questions of the first round go to images that the auto-label rule takes, but that are unlike all images
    with a hand label (alearn.policy.cover); every later round asks half as many. They find kinds of images that the
    model takes for another class without doubt. 0 with train=head."""

    def covers(self, round: int) -> int:  # noqa: A002
        """Return how many questions of a round go to images that are unlike all images with a hand label."""
        return self.cover >> min(round - 1, 63)


class AutoLabels(Section):
    """Which predictions become labels before the end."""

    rule: Annotated[str, RegisteredName(AUTO_RULES)] = "threshold"
    """none takes no prediction. threshold takes those above policy.threshold. class_threshold lowers it for classes
    about which the model is less sure. entropy takes those of low entropy. count takes the most certain ones."""
    entropy: Annotated[float, Field(ge=0)] = 0.05
    """rule=entropy: take predictions whose entropy is below this, in nats."""
    entropy_decay: Annotated[float, Field(ge=0)] = 0.0
    """rule=entropy: lower that limit by this much every round."""
    per_round: Count | None = None
    """rule=count: take this many predictions per round."""
    permanent: bool = False
    """Whether auto labels stay. If not, every round decides all of them anew."""
    check: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """How many of a round's questions go to random images among those that the rule takes. If more of these guesses are
    wrong than 1 - policy.threshold allows, only surer predictions become labels, or none (alearn.policy.trust). auto: a
    tenth of the questions, at most 5; none with train=head, whose confidence held-out answers set."""

    def model_post_init(self, context: Any, /) -> None:
        """Check that rule=count has per_round."""
        if self.rule == "count" and self.per_round is None:
            raise ValueError("rule=count needs per_round")

    def checks(self, asks: int) -> int:
        """Return how many of a round's questions check the rule."""
        return min(asks // 10, CHECKS) if self.check == "auto" else min(asks, self.check)


class Audit(Section):
    """What finish=audit proves, and how. A human checks a sample of the model's labels (alearn.audit.bounds)."""

    target_error: Share | None = None
    """Largest share of wrong labels that the audit allows. finish=audit needs it."""
    risk: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Largest probability that the proof is wrong."""
    scope: Literal["total", "auto", "class"] = "total"
    """The labels to which target_error refers. total: all labels. auto: the final labels of the model. class: for each
    class, the images that the model assigned to it."""
    kind: Literal["auto", "single", "staged", "sequential"] = "auto"
    """When the audit may stop. single: at one sample size. staged: at a few sizes. sequential: after any answer. auto:
    staged or sequential, whichever is expected to be cheaper."""
    cut: Share | None = None
    """Audit only labels to which the model gives a probability above this, and let the human label the others. null
    audits all labels."""
    answers: Literal[1, 2] = 1
    """2 asks the human again if the first answer differs from the model's label. Then the second answer counts."""
    repeat: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the checked images that the human is asked about a second time, to measure how often the human errs. It
    changes nothing else. 0 asks nobody twice for that."""
    seed: str | int | None = None
    """Seed of the draw: a text that was chosen after the labels were frozen. null takes fresh entropy, so that two
    runs draw differently. wait stops once labels and plan are frozen, and prints their SHA-256: publish it, let
    somebody else choose a seed, and resume with that seed."""


class Policy(Section):
    """What a human labels, what the model labels, and when labeling ends."""

    name: str = "quick"
    """Name of the preset."""
    init: Literal["first", "random", "typical"] = "random"
    """Which images the human labels before the first round: the first ones in file order, a random draw, or typical and
    diverse ones."""
    init_fraction: Share | None = None
    """How many images the human labels before the first round, as a share of the data set. null takes init_count."""
    init_count: Count | Literal["auto"] | None = 100
    """How many images the human labels before the first round. auto: a twentieth of the data set, but 20 to 100; 20
    with pace=seconds."""
    query: Query = Query()
    """How a round chooses the images for the human."""
    hand_fraction: Share | None = None
    """How many images the human labels in a round, as a share of the data set. null takes hand_per_round."""
    hand_per_round: Count | Literal["auto"] | None = 138
    """How many images the human labels in a round. auto: a twentieth of the data set, but 10 to 138; 25 with
    pace=seconds."""
    hand_budget: Count | Literal["auto"] | None = 650
    """How many images the human labels in total; the model labels the others. null means no limit. auto: enough for the
    first images and four rounds, and with pace=seconds a tenth of the data set, but 100 to 1,000; no limit with
    finish=audit, which ends the rounds when they are not worth it."""
    pace: Literal["seconds", "minutes", "auto"] = "minutes"
    """How long a round takes, which decides the numbers that are auto. auto: seconds with train=head, else minutes."""
    auto: AutoLabels = AutoLabels()
    """Which predictions become labels before the end."""
    threshold: Share = 0.95
    """auto.rule=threshold takes predictions with a probability strictly above this; class_threshold scales it."""
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Weight of the earlier rounds in the probabilities for decisions: P = memory P + (1 - memory) P_new. With
    train=head there is nothing to average."""
    memory_from: Count = 2
    """First round whose probabilities later rounds use."""
    views: Annotated[int, Field(ge=0)] = 8
    """Average the probabilities of unsure images over this many distorted copies (data.augment). With train=head,
    model.views decides instead."""
    stop_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Finish once less than this share of the data set is unlabeled."""
    stop_rounds: Count | None = None
    """Finish after this many rounds; null means no limit."""
    stop_yield: Share | None = None
    """Finish once less than this share of a round's hand labels differs from the model's guess; null never does."""
    finish: Literal["hand", "auto", "audit"] = "auto"
    """Who labels the images that are left at the end. hand: the human. auto: the model. audit: the model, as far as an
    audit of a sample proves that its labels are good enough (policy.audit), and the human labels the rest."""
    audit: Audit = Audit()
    """What finish=audit proves, and how."""
    max_rounds: Count = 50
    """Give up after this many rounds."""

    def model_post_init(self, context: Any, /) -> None:
        """Check that keys that other keys need are set."""
        for share, count in (("init_fraction", "init_count"), ("hand_fraction", "hand_per_round")):
            if getattr(self, share) is None and getattr(self, count) is None:
                raise ValueError(f"{share} and {count} are both null; one of them must be set")
        if self.finish == "audit" and self.audit.target_error is None:
            raise ValueError("finish=audit needs audit.target_error, the largest share of wrong labels, e.g. 0.0041")

    def init_size(self, total: int) -> int:
        """Return the number of hand labels before the first round, for a data set of `total` images."""
        if self.init_fraction is not None:
            return round(self.init_fraction * total)
        assert self.init_count is not None
        if self.init_count != "auto":
            return self.init_count
        return min(total, FIRST if self.pace == "seconds" else max(20, min(100, total // 20)))

    def round_size(self, total: int) -> int:
        """Return the number of hand labels in a round."""
        if self.hand_fraction is not None:
            return round(self.hand_fraction * total)
        assert self.hand_per_round is not None
        if self.hand_per_round != "auto":
            return self.hand_per_round
        return ROUND if self.pace == "seconds" else max(10, min(138, total // 20))

    def budget(self, total: int) -> int | None:
        """Return the total number of hand labels, or None if there is no limit."""
        if self.hand_budget != "auto":
            return self.hand_budget
        if self.finish == "audit":
            return None
        if self.pace == "seconds":
            return min(total, max(100, min(1000, total // 10)))
        return min(total, self.init_size(total) + 4 * self.round_size(total))

    def describe(self, total: int) -> str:
        """Describe the policy in one line, for a result with `total` images."""
        first = (
            f"{self.init_size(total)} images" if self.init_fraction is None else f"{self.init_fraction:g} of the images"
        )
        kind = {"first": "the first", "random": "random", "typical": "typical"}[self.init]
        asks = f"{self.round_size(total)}" if self.hand_fraction is None else f"{self.hand_fraction:g} of them"
        text = f"{first} by hand first ({kind}), then {asks} a round ({self.query.strategy})"
        budget = self.budget(total)
        if budget is not None:
            text += f", {budget} in all"
        if self.finish == "audit":
            text += f"; audited until at most {self.audit.target_error:.4g} is wrong, risk {self.audit.risk:g}"
        rules = {
            "none": "no auto labels before the end",
            "threshold": f"auto labels > {self.threshold}",
            "class_threshold": f"auto labels > {self.threshold} by class",
            "entropy": f"auto labels < {self.auto.entropy} nats",
            "count": f"auto labels: {self.auto.per_round} a round",
        }
        text += f"; {rules.get(self.auto.rule, f'auto labels by {self.auto.rule}')}"
        if self.auto.rule != "none" and not self.auto.permanent:
            text += ", decided anew every round"
        if self.auto.rule != "none" and self.auto.check:
            text += ", and checked by answers"
        return text
