"""Check a certificate of audited labels, written from docs/reference/certificate.md alone.

Its author had not seen alearn's code, so that the two can disagree.

The probability to miss is computed by counting. A draw is a set of positions for the wrong labels; the draws that
lead to an accepting stage are counted exactly with whole numbers, and only the last division by the number of all
draws is done in logarithms if there are many labels.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import operator
import pathlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

CANNOT_TELL = "(cannot tell)"
SCOPES = ("total", "auto", "class")
COLUMNS = {
    "frozen": ["item", "label"],
    "audit": ["item", "label", "answer", "again"],
    "labels": ["index", "id", "label", "source", "purpose", "round", "confidence"],
}
HASHES = ("frozen_sha256", "audit_sha256", "labels_sha256")
COUNTS = ("total", "number", "given", "aside", "asked_twice", "repeated", "changed", "auto", "items")
SHARES = ("target_error", "risk", "repeat")
TEXTS = ("statement", "alearn", "scope", "after", "seed", "commitment_sha256", *HASHES)
KEYS = {*COUNTS, *SHARES, *TEXTS, "answers", "hand", "groups"}
HAND = ("first", "query", "audit", "rest")
GROUP_COUNTS = ("items", "audited", "errors", "errors_accepted", "wrong_at_most", "cut")
COMMITTED = ("frozen_sha256", "total", "scope", "target_error", "risk", "number", "after", "answers", "repeat")

FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))([,\n])')
SPECIAL = re.compile(r'[,"\r\n]')
SHA256 = re.compile(r"[0-9a-f]{64}")
VERSION = re.compile(r"[0-9.]+[a-z0-9.+]*")
WHOLE = re.compile(r"-?[0-9]+")

EXACT_UP_TO = 1000  # labels in a group; with more, the last division is done in logarithms
FIXED_POINT = 2.0**60

Stage = tuple[int, int, int]
Row = list[str]


class FlawError(Exception):
    """Carry the sentence that says what is wrong."""


def need(condition: bool, sentence: str) -> None:
    """Raise a flaw with the sentence unless the condition holds."""
    if not condition:
        raise FlawError(sentence)


def check(folder: pathlib.Path) -> str | None:
    """Return None if the certificate in the folder is valid, otherwise a sentence with its first flaw."""
    try:
        _check(pathlib.Path(folder))
    except FlawError as flaw:
        return str(flaw)
    except (OSError, ValueError, RecursionError, OverflowError, MemoryError) as error:
        return f"The certificate cannot be checked ({type(error).__name__}: {error})."
    return None


def _check(folder: pathlib.Path) -> None:
    """Raise a flaw unless the certificate in the folder is valid."""
    certificate = parse_json(read_bytes(folder / "certificate.json"))
    check_shape(certificate)
    tables: dict[str, list[Row]] = {}
    for name, columns in COLUMNS.items():
        data = read_bytes(folder / f"{name}.csv")
        digest = hashlib.sha256(data).hexdigest()
        need(digest == certificate[f"{name}_sha256"], f"The hash of {name}.csv is not {name}_sha256.")
        tables[name] = parse_table(data, name, columns)
    frozen = [(item, label) for item, label in tables["frozen"]]
    need(len({item for item, _ in frozen}) == len(frozen), "An item occurs twice in frozen.csv.")
    need(certificate["items"] == len(frozen), "The count items is not the number of lines of frozen.csv.")
    need(certificate["total"] == len(tables["labels"]), "The count total is not the number of lines of labels.csv.")
    groups = find_groups(certificate, frozen)
    for group in certificate["groups"]:
        check_bound(certificate, group)
    need(commitment(certificate) == certificate["commitment_sha256"], "The commitment is not that of the plan.")
    answers, wrong = check_audit(certificate, frozen, groups, tables["audit"])
    accepted: set[int] = set()
    for group in certificate["groups"]:
        accepted.update(check_outcome(certificate["scope"], group, groups[group["name"]], answers, wrong))
    check_labels(certificate, frozen, answers, accepted, tables["labels"])


# Files.


def read_bytes(path: pathlib.Path) -> bytes:
    """Read a file that must be there."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlawError(f"{path.name} cannot be read ({type(error).__name__}).") from error


def decode(data: bytes, name: str) -> str:
    """Decode UTF-8 without a byte order mark."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FlawError(f"{name} is not UTF-8.") from error
    need(not text.startswith("\ufeff"), f"{name} begins with a byte order mark.")
    return text


def parse_table(data: bytes, name: str, columns: list[str]) -> list[Row]:
    """Parse a table with exactly these columns, and nothing that the format rules out."""
    text = decode(data, f"{name}.csv")
    rows: list[Row] = []
    row: Row = []
    position = 0
    while position < len(text):
        match = FIELD.match(text, position)
        if match is None:
            raise FlawError(f"Line {len(rows) + 1} of {name}.csv is not CSV with a line feed at its end.")
        quoted, plain, end = match.groups()
        if quoted is not None:
            need(SPECIAL.search(quoted) is not None, f"Line {len(rows) + 1} of {name}.csv has a needless quote.")
            plain = quoted.replace('""', '"')
        row.append(plain)
        if end == "\n":
            need(len(row) == len(columns), f"Line {len(rows) + 1} of {name}.csv has not {len(columns)} fields.")
            rows.append(row)
            row = []
        position = match.end()
    need(not row, f"The last line of {name}.csv does not end with a line feed.")
    need(bool(rows) and rows[0] == columns, f"The columns of {name}.csv are not {','.join(columns)}.")
    return rows[1:]


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of pairs, and refuse a key that occurs twice."""
    found = dict(pairs)
    need(len(found) == len(pairs), "A key occurs twice in certificate.json.")
    return found


def no_constant(text: str) -> None:
    """Refuse NaN and infinities, which are not JSON."""
    raise FlawError(f"certificate.json holds {text}, which is not JSON.")


def parse_json(data: bytes) -> Any:
    """Parse certificate.json strictly."""
    text = decode(data, "certificate.json")
    try:
        return json.loads(text, object_pairs_hook=unique_keys, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise FlawError("certificate.json is not JSON that can be read.") from error


# The keys of certificate.json.


def is_count(value: Any) -> bool:
    """Tell whether the value is a whole number, 0 or more."""
    return type(value) is int and value >= 0


def check_keys(value: Any, keys: set[str], what: str) -> None:
    """Raise a flaw unless the value is an object with exactly these keys."""
    need(isinstance(value, dict) and value.keys() == keys, f"{what} is not an object with exactly its keys.")


def check_shape(certificate: Any) -> None:
    """Raise a flaw unless keys, types and ranges are right."""
    check_keys(certificate, KEYS, "certificate.json")
    for key in TEXTS:
        need(isinstance(certificate[key], str), f"{key} is not a text.")
    for key in COUNTS:
        need(is_count(certificate[key]), f"{key} is not a count.")
    for key in SHARES:
        share = certificate[key]
        need(type(share) is float and 0 <= share < 1, f"{key} is not a share.")
        need(share > 0 or key == "repeat", f"{key} is not above 0.")
    for key in ("commitment_sha256", *HASHES):
        need(SHA256.fullmatch(certificate[key]) is not None, f"{key} is not a hash in lower-case hexadecimal.")
    need(VERSION.fullmatch(certificate["alearn"]) is not None, "alearn is not a version.")
    need(certificate["scope"] in SCOPES, "scope is none of total, auto and class.")
    need(certificate["number"] < 64, "number is not below 64.")
    pattern = SHA256 if certificate["number"] >= 2 else re.compile("")
    need(pattern.fullmatch(certificate["after"]) is not None, "after does not fit to the number of the audit.")
    need(type(certificate["answers"]) is int and certificate["answers"] in (1, 2), "answers is neither 1 nor 2.")
    need(certificate["seed"].strip() != "" and certificate["seed"].isprintable(), "seed is blank or not printable.")
    check_keys(certificate["hand"], set(HAND), "hand")
    need(all(map(is_count, certificate["hand"].values())), "hand holds something that is not a count.")
    need(isinstance(certificate["groups"], list), "groups is not a list.")
    for group in certificate["groups"]:
        check_keys(group, {"name", "stages", *GROUP_COUNTS}, "A group")
        need(isinstance(group["name"], str), "The name of a group is not a text.")
        need(all(is_count(group[key]) for key in GROUP_COUNTS), "A group holds something that is not a count.")
        stages = group["stages"]
        need(isinstance(stages, list) and len(stages) > 0, "The stages of a group are not a list of at least one.")
        for stage in stages:
            fine = isinstance(stage, list) and len(stage) == 3 and all(map(is_count, stage))
            need(fine, "A stage is not a list of three counts.")


def find_groups(certificate: dict[str, Any], frozen: list[tuple[str, str]]) -> dict[str, list[int]]:
    """Find the places of each group, and raise a flaw unless the certificate has these groups."""
    groups: dict[str, list[int]] = {}
    for place, (_, label) in enumerate(frozen):
        groups.setdefault(label if certificate["scope"] == "class" else "", []).append(place)
    names = [group["name"] for group in certificate["groups"]]
    need(names == sorted(groups), "The groups are not those of frozen.csv, sorted by name.")
    for group in certificate["groups"]:
        need(group["items"] == len(groups[group["name"]]), f"The items of group {group['name']!r} are miscounted.")
    return groups


# The bound.


def decimal(share: float) -> Fraction:
    """Return the shortest decimal number that gives this double, exactly."""
    return Fraction(repr(share))


def check_bound(certificate: dict[str, Any], group: dict[str, Any]) -> None:
    """Raise a flaw unless the stages of the group keep the rules and the risk."""
    scope, size, name = certificate["scope"], group["items"], repr(group["name"])
    stages: list[Stage] = [(m, k, wrong) for m, k, wrong in group["stages"]]
    for m, _, wrong in stages:
        need(m <= size, f"A stage of group {name} checks more labels than there are.")
        base = {"total": certificate["total"], "class": size, "auto": size - m}[scope]
        allowed = math.floor(decimal(certificate["target_error"]) * base)
        need(wrong <= allowed, f"A stage of group {name} allows more wrong labels than target_error does.")
    for (m, k, wrong), (next_m, next_k, next_wrong) in itertools.pairwise(stages):
        need(m < next_m and k < next_k, f"The stages of group {name} do not increase.")
        need(scope == "auto" or wrong == next_wrong, f"The stages of group {name} allow different wrong labels.")
    if stages[-1][2] >= size:
        return
    need(all(wrong + 1 + k <= size for _, k, wrong in stages), f"A stage of group {name} tolerates too many errors.")
    risk = decimal(certificate["risk"] / (2 ** certificate["number"] * len(certificate["groups"])))
    need(miss(size, stages, scope) <= risk, f"The probability to miss in group {name} is above its share of the risk.")


def miss(size: int, stages: list[Stage], scope: str) -> Fraction | float:
    """Compute the probability to miss: exactly for one stage or few labels, otherwise to about 1e-10."""
    if len(stages) == 1:
        return tail(size, *stages[0])
    if scope != "auto":
        return chance(size, [(m, wrong + 1 + k, k) for m, k, wrong in stages])
    # At any other W, all tolerances are those at W - 1, so that the probability is no larger than there.
    worst = sorted({wrong + 1 + found for _, k, wrong in stages for found in range(k + 1)})
    steps = [[(m, w, min(k, w - wrong - 1)) for m, k, wrong in stages if w > wrong] for w in worst if w <= size]
    return max(chance(size, accepting) for accepting in steps)


def tail(size: int, m: int, k: int, wrong: int) -> Fraction:
    """Compute P[Hypergeometric(size, wrong + 1 + k, m) <= k] exactly."""
    marked = wrong + 1 + k
    found = max(0, m - (size - marked))
    ways = math.comb(marked, found) * math.comb(size - marked, m - found)
    total = 0
    while found <= k and ways:
        total += ways
        ways = ways * (marked - found) * (m - found) // ((found + 1) * (size - marked - m + found + 1))
        found += 1
    return Fraction(total, math.comb(size, m))


def chance(size: int, steps: list[tuple[int, int, int]]) -> Fraction | float:
    """Compute the probability that at most c of the first w wrong labels are in the first m draws, for any (m, w, c).

    Count the ways to place the wrong labels. Only the outside of the draws so far has too many ways to be written out
    at each step, and its count cancels between steps. States that can never accept any more are dropped.
    """
    top = max(c for _, _, c in steps)
    ways = [1] + [0] * top  # by the number of wrong labels found
    drawn, placed = 0, steps[0][1]
    choices = [(size, placed)]  # the number of all ways is the product of these binomial coefficients
    result: Fraction | float = Fraction(0)
    for m, w, c in steps:
        if w > placed:
            choices.append((size - placed, w - placed))
            ways = add_labels(ways, drawn, w, w - placed)
        row = reversed_binomials(m - drawn, top)
        low = next((found for found, count in enumerate(ways) if count), top)
        ways = [sum(map(operator.mul, ways[low : found + 1], row[top - found + low :])) for found in range(top + 1)]
        drawn, placed = m, w
        for found, count in enumerate(ways):
            possible = 0 <= w - found <= size - m
            if count and possible and found <= c:
                result += divide(count, (size - m, w - found), choices)
            if not possible or found <= c:
                ways[found] = 0
    return result


def add_labels(ways: list[int], drawn: int, w: int, more: int) -> list[int]:
    """Add some wrong labels, to make w, at positions that may be inside or outside of the labels drawn."""
    result = [0] * len(ways)
    for found, count in enumerate(ways):
        if count:
            for inside in range(min(more, drawn - found, w - found, len(ways) - 1 - found) + 1):
                splits = math.comb(w - found - inside, more - inside)
                result[found + inside] += count * math.comb(drawn - found, inside) * splits
    return result


@functools.lru_cache(maxsize=4096)
def reversed_binomials(n: int, top: int) -> list[int]:
    """Return n over top, ..., n over 0."""
    return [math.comb(n, chosen) for chosen in range(top, -1, -1)]


def divide(count: int, outside: tuple[int, int], choices: list[tuple[int, int]]) -> Fraction | float:
    """Divide the ways that lead to a state by all ways."""
    size = choices[0][0]
    if size <= EXACT_UP_TO:
        return Fraction(count * math.comb(*outside), math.prod(math.comb(*choice) for choice in choices))
    table = log_factorials(size)

    def log_binomial(n: int, chosen: int) -> int:
        return table[n] - table[chosen] - table[n - chosen]

    logarithm = log_binomial(*outside) - sum(log_binomial(*choice) for choice in choices)
    return math.exp(logarithm / FIXED_POINT + math.log(count))


@functools.lru_cache(maxsize=2)
def log_factorials(size: int) -> list[int]:
    """Return the logarithms of 0!, ..., size! in fixed point, so that their differences lose nothing."""
    logarithms = (int(math.log(n) * FIXED_POINT) for n in range(1, size + 1))
    return list(itertools.accumulate(logarithms, initial=0))


# The draw, the answers and the outcome.


def commitment(certificate: dict[str, Any]) -> str:
    """Compute the commitment to the labels and the plan."""
    plan: dict[str, Any] = {key: certificate[key] for key in COMMITTED}
    plan["groups"] = [{"name": group["name"], "stages": group["stages"]} for group in certificate["groups"]]
    return sha256(json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=True)).hex()


def sha256(text: str) -> bytes:
    """Hash a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def checked_places(certificate: dict[str, Any], groups: dict[str, list[int]]) -> Iterator[int]:
    """Yield the places of the checked labels in the order of the draw."""
    prefix = f"{certificate['commitment_sha256']}:{certificate['seed']}:"
    hashes = [sha256(f"{prefix}{place}") for place in range(certificate["items"])]
    chosen: set[int] = set()
    for group in certificate["groups"]:
        chosen.update(sorted(groups[group["name"]], key=hashes.__getitem__)[: group["audited"]])
    yield from sorted(chosen, key=hashes.__getitem__)


def check_audit(
    certificate: dict[str, Any], frozen: list[tuple[str, str]], groups: dict[str, list[int]], rows: list[Row]
) -> tuple[dict[int, str], set[int]]:
    """Return the answers that count by place, and the places of wrong labels; raise a flaw if audit.csv is wrong."""
    for group in certificate["groups"]:
        need(group["audited"] in [m for m, _, _ in group["stages"]], f"Group {group['name']!r} stopped at no stage.")
    places = list(checked_places(certificate, groups))
    need(len(rows) == len(places), "audit.csv has not one line for each checked label.")
    prefix = f"{certificate['commitment_sha256']}:{certificate['seed']}:again:"
    limit = decimal(certificate["repeat"]) * 2**64
    counts: Counter[str] = Counter()
    answers: dict[int, str] = {}
    wrong: set[int] = set()
    for place, (item, label, answer, again) in zip(places, rows, strict=False):
        need((item, label) == frozen[place], f"audit.csv has another label than the draw, which has place {place}.")
        need(answer != "", f"audit.csv has no answer for place {place}.")
        corrects = certificate["answers"] == 2 and differs(answer, label)
        repeats = int.from_bytes(sha256(f"{prefix}{place}")[:8], "big") < limit
        need((again != "") == (corrects or repeats), f"A second answer for place {place} is missing or out of place.")
        answers[place] = again if corrects else answer
        if differs(answers[place], label):
            wrong.add(place)
        counts.update(asked_twice=again != "", repeated=repeats, changed=repeats and answer != again)
    for key in ("asked_twice", "repeated", "changed"):
        need(certificate[key] == counts[key], f"The count {key} is not that of audit.csv.")
    return answers, wrong


def differs(answer: str, label: str) -> bool:
    """Tell whether the answer makes the label wrong."""
    return answer == CANNOT_TELL or answer != label


def check_outcome(
    scope: str, group: dict[str, Any], places: list[int], answers: dict[int, str], wrong: set[int]
) -> list[int]:
    """Return the accepted places of a group; raise a flaw if its outcome is not that of the answers."""
    name = repr(group["name"])
    _, tolerated, at_most = next(stage for stage in group["stages"] if stage[0] == group["audited"])
    need(group["wrong_at_most"] == at_most, f"wrong_at_most of group {name} is not that of its stage.")
    positions = [position for position, place in enumerate(places) if place in wrong]
    cut = len(places)
    if len(positions) > tolerated:
        cut = 0 if scope == "auto" else positions[tolerated]
    need(group["errors"] == len(positions), f"The errors of group {name} are miscounted.")
    need(group["cut"] == cut, f"The cut of group {name} is not where the answers put it.")
    before = sum(position < cut for position in positions)
    need(group["errors_accepted"] == before, f"errors_accepted of group {name} is miscounted.")
    return places[:cut]


def check_labels(
    certificate: dict[str, Any],
    frozen: list[tuple[str, str]],
    answers: dict[int, str],
    accepted: set[int],
    rows: list[Row],
) -> None:
    """Raise a flaw unless labels.csv has the labels that the outcome asks for, and the counts are its counts."""
    place_of = {item: place for place, (item, _) in enumerate(frozen)}
    ids = {row[1] for row in rows}
    need(len(ids) == len(rows), "An id occurs twice in labels.csv.")
    need(place_of.keys() <= ids, "A frozen item is missing in labels.csv.")
    counts: Counter[str] = Counter()
    for number, (index, item, label, source, purpose, round_, confidence) in enumerate(rows):
        where = f"line {number + 2} of labels.csv"
        need(index == str(number), f"The index does not count from 0 in {where}.")
        need(WHOLE.fullmatch(round_) is not None, f"The round is not a whole number in {where}.")
        place = place_of.get(item)
        sources, purposes, labels = "hand", ("first", "query", "rest", "given"), {label}
        if place in answers:
            purposes, labels = ("audit",), {"" if answers[place] == CANNOT_TELL else answers[place]}
        elif place in accepted:
            sources, purposes, labels = "auto", ("",), {frozen[place][1]}
        elif place is not None:
            purposes = ("rest",)
        need(source == sources, f"The source is not {sources} in {where}.")
        need(purpose in purposes, f"The purpose does not fit in {where}.")
        need(label in labels, f"The label is not that of the audit in {where}.")
        if source == "hand":
            need(confidence == ("1" if label else ""), f"The confidence does not fit to a hand label in {where}.")
        counts.update({purpose: 1, "auto": source == "auto", "aside": source == "hand" and label == ""})
    for key in ("given", "auto", "aside"):
        need(certificate[key] == counts[key], f"The count {key} is not that of labels.csv.")
    for key in HAND:
        need(certificate["hand"][key] == counts[key], f"The count {key} of hand is not that of labels.csv.")


if __name__ == "__main__":
    flaws = [check(pathlib.Path(argument)) for argument in sys.argv[1:]]
    print("\n".join(flaw or "valid" for flaw in flaws))
    sys.exit(any(flaws))
