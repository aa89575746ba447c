"""The `policy` group."""

from typing import Annotated, Any, Literal

from pydantic import Field

from alearn.config.section import Count, Section, Share

Query = Literal[
    "random", "least_confidence", "margin", "entropy", "bald", "coreset", "badge", "typiclust"
]  # the keys of alearn.policy.query.STRATEGIES


class Policy(Section):
    """Whom to ask about what, what to take from the model, and when it is over. conf/policy/ has the named ones."""

    name: str
    init: Literal["first", "random", "typical"]
    """The images that are hand labeled before the first round: the first ones in file order, a random draw, or typical
    and diverse ones."""
    init_fraction: Share | None
    """So large a share of the data set; null: ..."""
    init_count: Count | Literal["auto"] | None
    """... so many images; auto: a twentieth of them, but from 20 to 100."""
    query: Query
    """How a round chooses the images for the human: see alearn.policy.query."""
    query_pool: Annotated[float, Field(ge=1)]
    """Choose diverse ones among so many times as many; 1 takes the most wanted as they come."""
    hand_fraction: Share | None
    """A round hand labels so large a share of the whole data set; null: ..."""
    hand_per_round: Count | Literal["auto"] | None
    """... so many images; auto: a twentieth of them, but from 10 to 138."""
    hand_budget: Count | Literal["auto"] | None
    """Hand labels in all, the first ones included; what is left after them is auto labeled. null is no limit. auto: the
    first ones and four rounds; no limit with finish=audit, which ends the rounds when they do not pay any more."""
    auto: Literal["none", "threshold", "class_threshold", "entropy", "count"]
    """Which predictions become auto labels: see alearn.policy.auto."""
    threshold: Share
    """auto=threshold: what the model gives a probability strictly above this. class_threshold: lower for classes of
    which the model is less sure."""
    entropy: Annotated[float, Field(ge=0)]
    """auto=entropy: below so many nats ..."""
    entropy_decay: Annotated[float, Field(ge=0)]
    """... which is less by this every round."""
    auto_per_round: Count | None
    """auto=count: so many of the most certain."""
    permanent: bool
    """Whether auto labels stay; if not, each round decides all of them anew."""
    memory: Annotated[float, Field(ge=0, lt=1)]
    """Weight of the earlier rounds in the probabilities that decide: P <- memory P + (1 - memory) P_new."""
    memory_from: Count
    """The first round whose probabilities are worth remembering."""
    views: Annotated[int, Field(ge=0)]
    """Look at images of which the model is unsure in so many distorted copies (data.augment), and average."""
    stop_fraction: Annotated[float, Field(ge=0, le=1)]
    """Finish once less than this share of the data set is unlabeled."""
    stop_rounds: Count | None
    """Finish after so many rounds; null is no limit."""
    stop_yield: Share | None
    """Finish once less than this share of a round's hand labels differs from the model's guess; null goes on."""
    finish: Literal["hand", "auto", "audit"]
    """Who labels what is left at the end. audit: the model, as far as a sample that the human checks proves it right
    enough (alearn.audit.bounds), and the human what is beyond."""
    target_error: Share | None
    """finish=audit: at most so large a share of all labels is wrong ..."""
    risk: Annotated[float, Field(gt=0, lt=1)]
    """... but with this probability."""
    audit_scope: Literal["total", "auto", "class"]
    """finish=audit: what target_error is a share of. total: of all labels. auto: of those that stay the model's. class:
    for each class, of the images that the model put into it."""
    audit_kind: Literal["single", "staged", "sequential"]
    """finish=audit: when it may stop. single: at one size. staged: at a few. sequential: at any moment."""
    audit_cut: Share | None
    """finish=audit: only labels that the model gives a probability above this are audited, the human labels the others;
    null audits all of them."""
    audit_answers: Literal[1, 2]
    """finish=audit: 2 asks the human once more where the first answer is not the model's; the second one counts."""
    audit_seed: str | int | None
    """finish=audit: the draw's seed, any text that was fixed only after the labels were frozen. null takes fresh
    entropy, so that two runs draw differently. wait stops when labels and plan are frozen and says their SHA-256:
    publish it, let somebody else choose a seed, and resume with that."""
    max_rounds: Count
    """Give up after so many rounds."""

    def model_post_init(self, context: Any, /) -> None:
        """One way to say how many."""
        for share, count in (("init_fraction", "init_count"), ("hand_fraction", "hand_per_round")):
            if getattr(self, share) is None and getattr(self, count) is None:
                raise ValueError(f"{share} and {count} are both null; one of them must be set")
        if self.finish == "audit" and self.target_error is None:
            raise ValueError("finish=audit needs target_error, the largest share of wrong labels, e.g. 0.0041")
        if self.auto == "count" and self.auto_per_round is None:
            raise ValueError("auto=count needs auto_per_round")

    def init_size(self, total: int) -> int:
        """Hand labels before the first round, for a data set of `total` images."""
        if self.init_fraction is not None:
            return round(self.init_fraction * total)
        assert self.init_count is not None
        return min(total, max(20, min(100, total // 20))) if self.init_count == "auto" else self.init_count

    def round_size(self, total: int) -> int:
        """Hand labels a round."""
        if self.hand_fraction is not None:
            return round(self.hand_fraction * total)
        assert self.hand_per_round is not None
        return max(10, min(138, total // 20)) if self.hand_per_round == "auto" else self.hand_per_round

    def budget(self, total: int) -> int | None:
        """Hand labels in all, None for no limit."""
        if self.hand_budget != "auto":
            return self.hand_budget
        if self.finish == "audit":
            return None
        return min(total, self.init_size(total) + 4 * self.round_size(total))

    def words(self, total: int) -> str:
        """In words, for people who read a result of `total` images."""
        first = (
            f"{self.init_size(total)} images" if self.init_fraction is None else f"{self.init_fraction:g} of the images"
        )
        kind = {"first": "the first", "random": "random", "typical": "typical"}[self.init]
        asks = f"{self.round_size(total)}" if self.hand_fraction is None else f"{self.hand_fraction:g} of them"
        text = f"{first} by hand first ({kind}), then {asks} a round ({self.query})"
        text += "" if (budget := self.budget(total)) is None else f", {budget} in all"
        if self.finish == "audit":
            text += f"; audited until at most {self.target_error:.4g} is wrong, risk {self.risk:g}"
        rule = {"threshold": f" > {self.threshold}", "class_threshold": f" > {self.threshold} by class"}.get(self.auto)
        if self.auto == "none":
            return f"{text}; no auto labels before the end"
        rule = rule or (f" < {self.entropy} nats" if self.auto == "entropy" else f": {self.auto_per_round} a round")
        return f"{text}; auto labels{rule}{'' if self.permanent else ', decided anew every round'}"
