"""Check whether a certificate follows from the files beside it.

This file needs Python's standard library and nothing else, so that a stranger can read it, copy it and run it alone:

    python verify.py DIR [--commitment SHA256] [--seed TEXT] [--after DIR]

It shares no arithmetic with the code that made the certificate. docs/reference/certificate.md specifies every file and
every check, and the proof is in alearn/audit/bounds.py.
"""

import argparse
import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

NAME, FROZEN, ANSWERS, LABELS = "certificate.json", "frozen.csv", "audit.csv", "labels.csv"
FROZEN_COLUMNS = ("item", "label")
ANSWERS_COLUMNS = ("item", "label", "answer", "again")
LABELS_COLUMNS = ("index", "id", "label", "source", "purpose", "round", "confidence")
CANNOT_TELL = "(cannot tell)"
PURPOSES = ("first", "query", "audit", "rest")
"""The purposes of hand labels that were asked for. `given` labels existed before."""
SCOPES = ("total", "auto", "class")

KEYS = (
    "statement", "alearn", "total", "scope", "target_error", "risk", "number", "after", "answers", "repeat",
    "hand", "given", "aside", "asked_twice", "repeated", "changed", "auto",
    "items", "groups", "seed", "commitment_sha256", "frozen_sha256", "audit_sha256", "labels_sha256",
)  # fmt: skip
GROUP_KEYS = ("name", "items", "stages", "audited", "errors", "errors_accepted", "wrong_at_most", "cut")
LAST = 64
"""Numbers of audits that share a risk are below this, because hardly any risk is left at risk / 2^64."""
SHOWN = 3
"""The most items or classes that a message names."""
VERSION = re.compile(r"[0-9]+(\.[0-9]+)*([a-z.+][a-z0-9.+]*)?")
HEX = re.compile("[0-9a-f]{64}")
NEEDS_QUOTES = re.compile('[,"\r\n]').search
TIE = 1e-7
"""Relative distance from the risk below which a single stage is computed again in whole numbers."""
INTERVAL = 0.05
"""One minus the confidence of the interval of the human's slips."""

Stage = tuple[int, int, int]
"""Labels checked so far, errors tolerated among them, and delivered labels that may be wrong."""


class NotValidError(Exception):
    """The first thing that does not fit, in a sentence."""


def verify(folder: Path) -> dict[str, Any]:
    """Return the certificate in a folder if every number in it follows from the files beside it.

    Otherwise raise NotValidError for the first number that does not, with its value and the right value.
    """
    certificate = _certificate(folder)
    try:
        _check(folder, certificate)
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError, AttributeError) as error:
        raise NotValidError(f"{folder / NAME}: cannot be checked ({type(error).__name__}: {error}); damaged") from error
    return certificate


def verdict(
    folder: Path, commitment: str | None = None, seed: str | None = None, after: Path | None = None
) -> tuple[bool, str]:
    """Return whether the certificate in a folder is valid, and in words what was checked, or why it is not valid.

    commitment, seed: what was published. after: the folder of the audit before this one.
    """
    try:
        certificate = verify(folder)
        for key, value in (("commitment_sha256", commitment), ("seed", seed)):
            if value is not None:
                _same(folder / NAME, f"{key}, compared with the published one", certificate[key], value)
        if after is not None:
            _check_series(folder, certificate, after)
    except NotValidError as error:
        return False, f"NOT VALID: {error}"
    return True, _report(certificate, after)


def _report(certificate: dict[str, Any], after: Path | None) -> str:
    groups = certificate["groups"]
    audited, errors, cut = (sum(group[key] for group in groups) for key in ("audited", "errors", "cut"))
    outside = sum(certificate["hand"].values()) + certificate["given"] - audited
    series = {0: "this audit took all of the risk", 1: "the first of a series, with half of the risk"}.get(
        certificate["number"], f"number {certificate['number']} of a series, after {certificate['after']}"
    )
    return "\n".join(
        [
            f"valid: {certificate['statement']}",
            f"terms: target_error {certificate['target_error']}, scope {certificate['scope']}, "
            f"risk {certificate['risk']}; {series}" + (", which is valid too" if after else ""),
            f"commitment: {certificate['commitment_sha256']}",
            f"seed: {certificate['seed']}",
            f"checked: {certificate['items']:,} frozen labels and the plan, the draw of {audited:,} by the seed, "
            f"{errors:,} of them wrong, {cut:,} accepted, {certificate['total']:,} delivered labels",
            f"on the word of the files alone: that the {audited:,} answers are the human's, {outside:,} hand labels "
            "outside of the audit, and that labels and plan were fixed before anybody could know the seed",
        ]
    )


def in_words(certificate: dict[str, Any]) -> str:
    """Return what a certificate promises and what it cost, in a sentence or two."""
    hand = certificate["hand"]
    groups = certificate["groups"]
    total = certificate["total"]
    auto = certificate["auto"]
    wrong = sum(group["wrong_at_most"] for group in groups)
    percent = (100 - 100 * Decimal(repr(certificate["risk"]))).normalize()  # exact, never rounded up
    confidence = f"with {percent:f} % confidence"
    twice = certificate["answers"] == 2
    if not groups:
        promise = f"All {total:,} labels are a human's"
    elif certificate["scope"] == "class":
        each = [f"{group['wrong_at_most']:,} of {group['items']:,} for {group['name']}" for group in groups]
        shown = "; ".join(each[:SHOWN]) + (f"; ... ({len(each)} classes)" if len(each) > SHOWN else "")
        promise = (
            f"Of the images that the model put into a class, at most a share of {certificate['target_error']:.4g} has "
            f"a wrong label, for all {len(groups)} classes at once {confidence}: {shown}"
        )
    elif not auto:
        promise = f"All {total:,} labels are a human's now"
    elif certificate["scope"] == "auto" or twice:
        promise = f"At most {wrong:,} of the {auto:,} labels that are the model's are wrong, {confidence}"
    else:
        promise = f"At most {wrong:,} of {total:,} labels are wrong, {confidence}"
    if twice and groups:
        promise += "; the human's labels count as right"
    train = sum(count for name, count in hand.items() if name not in ("audit", "rest"))
    cost = f"{train:,} to train, {hand['audit']:,} to audit, {hand['rest']:,} beyond the cut"
    if certificate["asked_twice"]:
        cost += f"; {certificate['asked_twice']:,} of them asked twice"
    if certificate["given"]:
        cost += f"; {certificate['given']:,} labels were there before"
    if certificate["aside"]:
        cost += f"; {certificate['aside']:,} images have no label, for the human could not tell"
    return f"{promise}; {sum(hand.values()):,} labels by hand: {cost}.{_slips(certificate)}"


def _slips(certificate: dict[str, Any]) -> str:
    """Return how often the human errs, and what it means, as a sentence; empty if nothing was asked for that.

    Two answers differ if one of them is a slip. So the share of slips is about half the share of changed answers.
    """
    asked = certificate["repeated"]
    changed = certificate["changed"]
    if not asked:
        return ""
    low, high = (bound / 2 for bound in interval(changed, asked))
    hand = sum(certificate["hand"].values())
    return (
        f" Asked again at random, {changed:,} of {asked:,} answers changed, so about {changed / asked / 2:.1%} of the "
        f"human's answers are slips ({low:.1%} to {high:.1%}, with {1 - INTERVAL:.0%} confidence). Measured by the "
        f"truth, about {hand * changed / asked / 2:,.0f} of the {hand:,} hand labels are wrong besides, hardly more "
        f"than {math.ceil(hand * high):,}; errors that this human repeats are not seen."
    )


def interval(found: int, asked: int) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson (1934) for a share, of which `found` of `asked` were found."""

    def at_most(share: float, most: int) -> float:
        terms = (
            math.lgamma(asked + 1) - math.lgamma(n + 1) - math.lgamma(asked - n + 1)
            + n * math.log(share) + (asked - n) * math.log1p(-share)
            for n in range(most + 1)
        )  # fmt: skip
        return math.fsum(map(math.exp, terms))

    def bound(fits: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return high

    lower = bound(lambda share: 1 - at_most(share, found - 1) < INTERVAL / 2) if found else 0.0
    upper = bound(lambda share: at_most(share, found) > INTERVAL / 2) if found < asked else 1.0
    return lower, upper


# ---- what must be fixed before the draw, and the draw


def commitment(certificate: dict[str, Any]) -> str:
    """Return the SHA-256 of the frozen labels, the promise and the plan: a JSON object, sorted keys, no spaces."""
    fixed = {key: certificate[key] for key in ("frozen_sha256", "total", "scope", "target_error", "risk", "number")}
    fixed |= {key: certificate[key] for key in ("after", "answers", "repeat")}
    fixed["groups"] = [{"name": group["name"], "stages": group["stages"]} for group in certificate["groups"]]
    return sha256(json.dumps(fixed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def draw(committed: str, seed: str, items: int) -> list[int]:
    """Return all places in the order in which they are drawn: sorted by the SHA-256 of `commitment:seed:place`."""
    prefix = sha256(f"{committed}:{seed}:".encode())
    keys = []
    for place in range(items):
        key = prefix.copy()
        key.update(b"%d" % place)
        keys.append((key.digest(), place))
    keys.sort()
    return [place for _, place in keys]


def is_repeated(committed: str, seed: str, place: int, share: float) -> bool:
    """Return whether the label at a place is asked again in any case, to measure slips."""
    key = sha256(f"{committed}:{seed}:again:{place}".encode()).digest()
    return int.from_bytes(key[:8], "big") < Decimal(repr(share)) * 2**64


# ---- the bound


def allowed(total: int, target: float) -> int:
    """Return the largest number of wrong labels that is at most the share `target` of `total`, exactly as written."""
    return int(Decimal(repr(target)) * total)


def missed(items: int, stages: Sequence[Stage], whole: bool) -> float:
    """Return the probability that too many wrong labels are delivered, in the worst case.

    With a cut, stage (m, k, A) delivers more than A wrong labels only if at most k of the first A + 1 + k wrong labels
    were drawn. If all labels are accepted or none, W wrong labels are too many if at most min(k, W - A - 1) were drawn.
    """
    drawn = [m for m, _, _ in stages]
    if not whole:
        return _crossing(items, drawn, [a + 1 + k for _, k, a in stages], [k for _, k, _ in stages])
    least = min(a for _, _, a in stages) + 1
    most = min(items, max(a + 1 + k for _, k, a in stages))
    return max(
        _crossing(items, drawn, [w] * len(stages), [min(k, w - a - 1) for _, k, a in stages])
        for w in range(least, most + 1)
    )


def _crossing(items: int, drawn: Sequence[int], wrong: Sequence[int], tolerated: Sequence[int]) -> float:
    """Return the probability that some stage finds at most `tolerated` of the first `wrong` labels among those drawn.

    The number found is a Markov chain. A label that joins those counted is at each of the other places of the draw with
    the same probability.
    """
    last = max(0, *tolerated)
    chance = [1.0] + [0.0] * last  # by the number found, up to `last`; more of them never matter again
    crossed = 0.0
    before = 0
    counted = wrong[0]
    for now, count, most in zip(drawn, wrong, tolerated, strict=True):
        grown = [0.0] * (last + 1)
        for found, share in enumerate(chance):
            if share > 1e-30:
                for more, arrives in enumerate(_pmf(items - before, counted - found, now - before, last - found)):
                    grown[found + more] += share * arrives
        while counted < count:
            joins = [share * min(1.0, max(0.0, (now - found) / (items - counted))) for found, share in enumerate(grown)]
            grown = [stays - leaves + comes for stays, leaves, comes in zip(grown, joins, [0.0, *joins], strict=False)]
            counted += 1
        crossed += math.fsum(grown[: max(0, most + 1)])
        chance = [0.0 if found <= most else share for found, share in enumerate(grown)]
        before = now
    return crossed


def _pmf(items: int, wrong: int, audited: int, most: int) -> list[float]:
    """Return P[Hypergeometric(items, wrong, audited) = e] for e = 0 .. most."""
    least = max(0, audited - (items - wrong))
    result = [0.0] * (most + 1)
    if wrong < 0 or least > min(wrong, audited, most):
        return result
    if least == 0:
        fewer, more = sorted((wrong, audited))
        log = math.fsum(math.log1p(-more / (items - i)) for i in range(fewer))
    else:
        log = math.fsum(math.log1p(-(items - audited) / (items - i)) for i in range(items - wrong))
    for e in range(least, min(wrong, audited, most) + 1):
        result[e] = math.exp(log)
        ratio = (wrong - e) / (e + 1) * ((audited - e) / (items - wrong - audited + e + 1))
        log += math.log(ratio) if ratio > 0 else 0.0
    return result


def _single(items: int, wrong: int, audited: int, errors: int, risk: float) -> bool:
    """Return whether P[Hypergeometric(items, wrong, audited) <= errors] <= risk, exactly."""
    probability = math.fsum(_pmf(items, wrong, audited, errors))
    if abs(probability - risk) > TIE * risk:
        return probability <= risk
    least = max(0, audited - (items - wrong))
    ways = sum(math.comb(wrong, i) * math.comb(items - wrong, audited - i) for i in range(least, errors + 1))
    limit = Fraction(Decimal(repr(risk)))
    return ways * limit.denominator <= limit.numerator * math.comb(items, audited)


def sound(items: int, stages: Sequence[Stage], whole: bool, risk: float) -> bool:
    """Return whether stages that are in order deliver too many wrong labels with a probability of at most `risk`."""
    if stages[-1][2] >= items:
        return True
    if any(a + 1 + k > items for _, k, a in stages):
        return False
    if len(stages) == 1:
        ((audited, errors, most),) = stages
        return _single(items, most + 1 + errors, audited, errors, risk)
    return missed(items, stages, whole) <= risk


# ---- the checks, in the order of docs/reference/certificate.md


def _check(folder: Path, certificate: dict[str, Any]) -> None:
    _check_terms(folder, certificate)
    for name, key in ((FROZEN, "frozen_sha256"), (ANSWERS, "audit_sha256"), (LABELS, "labels_sha256")):
        _same(folder / name, "its SHA-256", sha256(_read(folder / name)).hexdigest(), certificate[key])
    item = list[str]()
    label = list[str]()
    for _, (name, frozen) in _table(folder / FROZEN, FROZEN_COLUMNS):
        item.append(name)
        label.append(sys.intern(frozen))
    if len(set(item)) != len(item):
        raise NotValidError(f"{folder / FROZEN}: an item occurs twice")
    if not {"", CANNOT_TELL}.isdisjoint(label):
        raise NotValidError(f"{folder / FROZEN}: a label is empty or {CANNOT_TELL}")
    _same(folder / NAME, "items", certificate["items"], len(item))
    groups = _check_plan(folder, certificate, label)
    committed = commitment(certificate)
    _same(folder / NAME, "commitment_sha256", certificate["commitment_sha256"], committed)
    order = draw(committed, certificate["seed"], len(item))
    rank = [0] * len(item)
    for position, place in enumerate(order):
        rank[place] = position

    drawn = set[int]()
    for stated, places in zip(certificate["groups"], groups, strict=True):
        drawn.update(sorted(places, key=rank.__getitem__)[: stated["audited"]])
    asked = sorted(drawn, key=rank.__getitem__)
    answers = _answers(folder, certificate, item, label, asked, committed)
    model = _outcome(folder, certificate, groups, label, rank, answers)
    _check_delivered(folder, certificate, item, label, answers, model)
    _same(folder / NAME, "statement", certificate["statement"], in_words(certificate))


def _check_terms(folder: Path, certificate: dict[str, Any]) -> None:
    path = folder / NAME
    _same(path, "its keys", sorted(certificate), sorted(KEYS))
    for key in ("target_error", "risk"):
        if type(certificate[key]) is not float or not 0 < certificate[key] < 1:
            raise NotValidError(f"{path}: {key}={certificate[key]}: must lie between 0 and 1")
    if (
        type(certificate["repeat"]) is not float
        or not 0 <= certificate["repeat"] < 1
        or str(certificate["repeat"])[0] == "-"
    ):
        raise NotValidError(f"{path}: repeat={certificate['repeat']}: must be at least 0 and below 1")
    if certificate["scope"] not in SCOPES:
        raise NotValidError(f"{path}: scope={certificate['scope']}: must be one of {', '.join(SCOPES)}")
    for key in ("total", "number", "answers", "given", "aside", "asked_twice", "repeated", "changed", "auto", "items"):
        _count(path, key, certificate[key])
    if certificate["answers"] not in (1, 2):
        raise NotValidError(f"{path}: answers={certificate['answers']}: must be 1 or 2")
    number, after = certificate["number"], certificate["after"]
    if number >= LAST:
        raise NotValidError(f"{path}: number={number}: must be below {LAST}")
    if not isinstance(after, str) or bool(HEX.fullmatch(after)) != (number > 1) or (number <= 1 and after):
        raise NotValidError(f"{path}: after={after}: must be a SHA-256 if number is above 1, and otherwise empty")
    if not isinstance(certificate["alearn"], str) or not VERSION.fullmatch(certificate["alearn"]):
        raise NotValidError(f"{path}: alearn={certificate['alearn']!r}: must be a version")
    seed = certificate["seed"]
    if not isinstance(seed, str) or not seed.strip() or not seed.isprintable():
        raise NotValidError(f"{path}: seed={seed!r}: must be printable text")
    _same(path, "the purposes of hand labels", sorted(certificate["hand"]), sorted(PURPOSES))
    for name, count in certificate["hand"].items():
        _count(path, f"hand labels to {name}", count)


def _check_plan(folder: Path, certificate: dict[str, Any], label: list[str]) -> list[list[int]]:
    """Return the places of each group, ascending. Raise NotValidError if the stages of one do not keep the promise."""
    path = folder / NAME
    places: dict[str, list[int]] = {}
    for place, name in enumerate(label):
        places.setdefault(name if certificate["scope"] == "class" else "", []).append(place)
    names = sorted(places)
    _same(path, "the names of the groups", [stated["name"] for stated in certificate["groups"]], names)
    risk = certificate["risk"] / (2 ** certificate["number"] * max(1, len(names)))
    whole = certificate["scope"] == "auto"
    for stated in certificate["groups"]:
        _same(path, "the keys of a group", sorted(stated), sorted(GROUP_KEYS))
        items = len(places[stated["name"]])
        _same(path, "items of a group", stated["items"], items)
        for key in GROUP_KEYS[3:]:
            _count(path, key, stated[key])
        stages = [_stage(path, stage) for stage in stated["stages"]]
        for before, after in pairwise(stages):
            if before[0] >= after[0] or before[1] >= after[1] or (before[2] != after[2] and not whole):
                raise NotValidError(f"{path}: stages={stated['stages']}: {list(after)} cannot follow {list(before)}")
        base = {"total": certificate["total"], "class": items}
        for checked, _, wrong in stages:
            most = allowed(base.get(certificate["scope"], items - checked), certificate["target_error"])
            if checked > items or wrong > most:
                at_most = f"at most {items} can be checked, and {most} may be wrong after {checked}"
                raise NotValidError(f"{path}: stages={stated['stages']}: {at_most}")
        if not stages or not sound(items, stages, whole, risk):
            raise NotValidError(f"{path}: stages={stated['stages']}: accept too much for a risk of {risk}")
        if stated["audited"] not in [stage[0] for stage in stages]:
            raise NotValidError(
                f"{path}: audited={stated['audited']}: must be the size of a stage of {stated['stages']}"
            )
    return [places[name] for name in names]


def _answers(
    folder: Path, certificate: dict[str, Any], item: list[str], label: list[str], asked: list[int], committed: str
) -> dict[int, str]:
    """Return the answer that counts at each checked place. asked: these places, in the order of the draw."""
    path = folder / ANSWERS
    answers = dict[int, str]()
    twice = repeated = changed = 0
    for number, (name, frozen, first, second) in _table(path, ANSWERS_COLUMNS):
        where = f"{path}: line {number}"
        if len(answers) == len(asked):
            raise NotValidError(f"{where}: item {name}: is not among the {len(asked):,} that the seed draws")
        place = asked[len(answers)]
        _same(where, "the item that the seed draws", name, item[place])
        _same(where, f"the frozen label of item {name}", frozen, label[place])
        corrects = certificate["answers"] == 2 and first != frozen
        repeats = is_repeated(committed, certificate["seed"], place, certificate["repeat"])
        if not first or bool(second) != (corrects or repeats):
            few = not first or not second
            raise NotValidError(f"{where}: item {name}: has too {'few' if few else 'many'} answers")
        answers[place] = second if corrects else first
        twice += bool(second)
        repeated += repeats
        changed += repeats and first != second
    if len(answers) < len(asked):
        raise NotValidError(f"{path}: item {item[asked[len(answers)]]}, which the seed draws, has no answer")
    for key, value in (("asked_twice", twice), ("repeated", repeated), ("changed", changed)):
        _same(folder / NAME, key, certificate[key], value)
    return answers


def _outcome(
    folder: Path,
    certificate: dict[str, Any],
    groups: list[list[int]],
    label: list[str],
    rank: list[int],
    answers: dict[int, str],
) -> set[int]:
    """Return the places of the accepted labels that were not checked."""
    model = set[int]()
    for stated, places in zip(certificate["groups"], groups, strict=True):
        (stage,) = [stage for stage in stated["stages"] if stage[0] == stated["audited"]]
        mine = sorted(places, key=rank.__getitem__)[: stage[0]]
        wrong = sorted(place for place in mine if answers[place] != label[place])
        if len(wrong) <= stage[1]:
            cut = len(places)
        else:
            cut = 0 if certificate["scope"] == "auto" else places.index(wrong[stage[1]])
        accepted = places[:cut]
        inside = set(accepted)
        computed = {
            "errors": len(wrong),
            "errors_accepted": sum(place in inside for place in wrong),
            "wrong_at_most": stage[2],
            "cut": cut,
        }
        of = f" of {stated['name']}" if stated["name"] else ""
        for key, value in computed.items():
            _same(folder / NAME, f"{key}{of}", stated[key], value)
        model.update(place for place in accepted if place not in answers)
    return model


def _check_delivered(
    folder: Path,
    certificate: dict[str, Any],
    item: list[str],
    label: list[str],
    answers: dict[int, str],
    model: set[int],
) -> None:
    """Check labels.csv: it has the answers of the audit, the accepted labels of the model, and otherwise hand labels.

    A frozen label that was not accepted is replaced by the human's, with the purpose `rest`.
    """
    path = folder / LABELS
    place_of = {name: place for place, name in enumerate(item)}
    seen = set[str]()
    purposes = dict.fromkeys((*PURPOSES, "given"), 0)
    frozen = auto = aside = 0
    for number, (index, name, given, source, purpose, round_, confidence) in _table(path, LABELS_COLUMNS):
        where = f"{path}: line {number}"
        _same(where, "its index", index, str(len(seen)))
        if name in seen:
            raise NotValidError(f"{where}: item {name}: occurs twice")
        seen.add(name)
        if not round_.isdecimal():
            raise NotValidError(f"{where}: round={round_}: must be a whole number")
        place = place_of.get(name)
        if place in model:
            _same(
                where, f"label, source and purpose of item {name}", [given, source, purpose], [label[place], "auto", ""]
            )
        elif place is not None:
            answer = answers.get(place, given or CANNOT_TELL)
            expected = ["" if answer == CANNOT_TELL else answer, "hand", "audit" if place in answers else "rest"]
            _same(where, f"label, source and purpose of item {name}", [given, source, purpose], expected)
        elif source != "hand" or purpose not in (*PURPOSES[:2], "rest", "given"):
            raise NotValidError(
                f"{where}: item {name}: source={source}, purpose={purpose}: it was not frozen, so it needs a human's "
                "label: source=hand with the purpose first, query, rest or given"
            )
        frozen += place is not None
        if source == "hand":
            purposes[purpose] += 1
            aside += not given
            _same(where, f"confidence of item {name}", confidence, "1" if given else "")
        auto += source == "auto"
    _same(path, "lines", len(seen), certificate["total"])
    _same(path, "frozen items", frozen, len(item))
    given_before = purposes.pop("given")
    for what, value in (("hand", purposes), ("given", given_before), ("auto", auto), ("aside", aside)):
        _same(folder / NAME, what, certificate[what], value)


def _check_series(folder: Path, certificate: dict[str, Any], after: Path) -> None:
    before = verify(after)
    _same(
        folder / NAME,
        f"after, compared with the commitment of {after}",
        certificate["after"],
        before["commitment_sha256"],
    )
    _same(folder / NAME, f"number, after that of {after}", certificate["number"], before["number"] + 1)
    _same(folder / NAME, f"risk, compared with that of {after}", certificate["risk"], before["risk"])


# ---- reading


def _stage(path: Path, stage: Any) -> Stage:
    if not isinstance(stage, list) or len(stage) != 3:
        raise NotValidError(f"{path}: stages: {stage}: must be three numbers")
    checked, tolerated, wrong = (_count(path, "stages", number) for number in stage)
    return checked, tolerated, wrong


def _count(path: Path, what: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise NotValidError(f"{path}: {what}={value}: must be a whole number, and not below 0")
    return value


def _same(where: Path | str, what: str, actual: object, expected: object) -> None:
    """Raise NotValidError if two values differ. where, what: the file and what is compared, for the message."""
    if type(actual) is type(expected) and actual == expected:
        return
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) > SHOWN:
        at = next((i for i, (a, b) in enumerate(zip(actual, expected, strict=False)) if a != b), None)
        if at is None:
            actual, expected = f"{len(actual)} of them", len(expected)
        else:
            actual, expected = f"{actual[at]} as number {at + 1}", expected[at]
    raise NotValidError(f"{where}: {what}: found {actual}, must be {expected}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotValidError(f"{path}: cannot be read ({error.strerror})") from error


def _text(path: Path) -> str:
    try:
        text = _read(path).decode()
    except UnicodeDecodeError as error:
        raise NotValidError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start:,})") from None
    if text.startswith("\ufeff"):
        raise NotValidError(f"{path}: begins with a byte order mark")
    return text


def _table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line. The file must have exactly these columns, and no blank lines."""
    text = _text(path)
    csv.field_size_limit(len(text) + 1)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    length = 0
    try:
        for row in reader:
            length += sum(map(_width, row)) + len(row)
            if number == 1:
                _same(path, "its columns", ",".join(row), ",".join(columns))
            elif len(row) != len(columns):
                raise NotValidError(f"{path}: line {number}: must have {len(columns)} fields, has {len(row)}")
            else:
                yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        raise NotValidError(f"{path}: line {number}: is not CSV ({error})") from None
    if number == 1:
        raise NotValidError(f"{path}: is empty")
    if length != len(text):
        raise NotValidError(f"{path}: has quotes that are not needed, other line ends than line feeds, or no last one")


def _width(field: str) -> int:
    """Return the number of characters that a field takes in a table."""
    return len(field) + 2 + field.count('"') if NEEDS_QUOTES(field) else len(field)


def _certificate(folder: Path) -> dict[str, Any]:
    path = folder / NAME

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise NotValidError(f"{path}: has the key {twice[0]} twice")
        return dict(pairs)

    try:
        content = json.loads(_text(path), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise NotValidError(f"{path}: is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise NotValidError(f"{path}: is not a certificate")
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict and return the exit code: 0 if the certificate is valid, otherwise 1."""
    parser = argparse.ArgumentParser(description="Check whether a certificate follows from the files beside it.")
    add_arguments(parser)
    args = parser.parse_args(arguments)
    valid, text = verdict(args.folder, args.commitment, args.seed, args.after)
    print(text, file=sys.stdout if valid else sys.stderr)
    return 0 if valid else 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this program to a parser."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of a trial or of an audit")
    parser.add_argument("--commitment", metavar="SHA256", help="the commitment that was published before the draw")
    parser.add_argument("--seed", metavar="TEXT", help="the seed that was published")
    parser.add_argument("--after", type=Path, metavar="DIR", help="the audit before this one in a series, to check too")


if __name__ == "__main__":
    sys.exit(main())
