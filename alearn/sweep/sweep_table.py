"""The table of a sweep: a line a setting, mean and standard deviation over its seeds, the published row beside it."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alearn.config import free
from alearn.files import csv_tables

SETTINGS = ("init_fraction", "threshold", "hand_fraction")
COMPARED = {  # a column that was published: its name in our row, in the published row
    "rounds": ("rounds", "rounds"),
    "hand": ("hand", "hand"),
    "auto": ("auto", "auto"),
    "mislabeled": ("mislabeled_auto", "mislabeled"),
}
OURS = ("mislabeled_total", "worst_class_error", "test_accuracy")
UNBALANCED = 2.0
"""The worst class has a column if the largest class of some trial has more than so many times the smallest's images."""
FORMATS = {"rounds": "{:.1f}", "hand": "{:.0f}", "auto": "{:.0f}", "seconds": "{:.0f}"}
HEADINGS = {
    "init_fraction": "initial",
    "hand_fraction": "hand",
    "hand": "hand labeled",
    "auto": "auto labeled",
    "mislabeled": "mislabeled (of auto)",
    "mislabeled_total": "mislabeled (of all)",
    "worst_class_error": "mislabeled (worst class)",
    "test_accuracy": "test accuracy",
}


KNOWN = ("trial.name", *(f"policy.{name}" for name in SETTINGS))
"""Config keys that the table shows in any case."""


def relevant(key: str, configs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a key tells settings (flat configs) apart."""
    return key != "seed" and any(key not in free(config) for config in configs)


def varied(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The config keys in which the settings of some rows differ."""
    heads = list({one["setting"]: one["config"] for one in rows}.values())
    keys = {key: None for head in heads for key in head}  # a dict keeps their order
    return [key for key in keys if relevant(key, heads) and len({repr(head.get(key)) for head in heads}) > 1]


def names(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """A short name for each setting: the values of as few keys as tell them apart, the trial's name first."""
    leading = ("trial.name", *(f"policy.{key}" for key in SETTINGS))
    keys = dict.fromkeys([*leading, *(key for config in configs.values() for key in config)])
    chosen: list[str] = ["trial.name"]

    def told_apart(by: Sequence[str]) -> int:
        return len({repr([config.get(key) for key in by]) for config in configs.values()})

    for key in keys:
        if relevant(key, configs.values()) and told_apart(chosen) < told_apart([*chosen, key]):
            chosen.append(key)
    if len(chosen) > 1 and len({config.get("trial.name") for config in configs.values()}) == 1:
        chosen.remove("trial.name")
    return {
        setting: ", ".join(
            str(config.get(key)) if key == "trial.name" else f"{_short(key)}={config.get(key)}" for key in chosen
        )
        for setting, config in configs.items()
    }


def _short(key: str) -> str:
    return key.removeprefix("policy.").removesuffix(".name")


def aggregate(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for all rows that differ in their seed alone, in order of first appearance.

    Its keys: "trial", the settings, every other config key in which the lines differ, "seeds", and for a measured
    column x the numbers x_mean, x_sd (the sample's, None of one seed) and, where it was published, x_published. The
    worst class is a column where the classes are unbalanced.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        groups.setdefault(one["setting"], []).append(one)
    differ = [key for key in varied(rows) if key not in KNOWN]
    measured = [name for name in OURS if name != "worst_class_error" or any(map(unbalanced, rows))]
    lines = []
    for group in groups.values():
        first, published = group[0], group[0]["published"] or {}
        line: dict[str, Any] = {"trial": first["trial"]} | {key: first[key] for key in SETTINGS}
        line |= {key: first["config"].get(key) for key in differ} | {"seeds": len({one["seed"] for one in group})}
        for name, (ours, theirs) in COMPARED.items():
            line |= _statistics(name, [one[ours] for one in group]) | {f"{name}_published": published.get(theirs)}
        for name in measured:
            line |= _statistics(name, [one.get(name) for one in group])
        lines.append(line | _statistics("seconds", [one["seconds"]["total"] for one in group]))
    return lines


def unbalanced(row: Mapping[str, Any]) -> bool:
    """Whether some classes of a trial's images are much rarer than others."""
    images = [one["images"] for one in (row.get("per_class") or {}).values() if one["images"]]
    return bool(images) and max(images) > UNBALANCED * min(images)


def _statistics(name: str, values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        f"{name}_mean": statistics.fmean(known) if known else None,
        f"{name}_sd": statistics.stdev(known) if len(known) > 1 else None,
    }


def to_csv(lines: Sequence[dict[str, Any]]) -> str:
    """Return table.csv: all keys, all digits."""
    return csv_tables.to_text(lines[0], (line.values() for line in lines)) if lines else ""


def markdown(lines: Sequence[dict[str, Any]], failed: Mapping[str, str] | None = None) -> str:
    """For people: mean +- sd, and the published value in a column of its own. failed: why a job has no row."""
    cells: list[list[str]] = []
    for line in lines:
        shown: dict[str, str] = {}
        for key, value in line.items():
            name, _, kind = key.rpartition("_")
            if kind == "mean":
                shown[HEADINGS.get(name, name)] = _mean(name, value, line[f"{name}_sd"])
            elif kind == "published":
                shown[f"published {HEADINGS.get(name, name).split(' (')[0]}"] = "" if value is None else str(value)
            elif kind != "sd":
                shown[HEADINGS.get(key, key)] = str(value)
        cells = cells or [list(shown), ["---"] * len(shown)]
        cells.append(list(shown.values()))
    text = "".join(f"| {' | '.join(line)} |\n" for line in cells)
    if failed:
        text += "\nWithout a row:\n" + "".join(f"- {name}: {reason}\n" for name, reason in failed.items())
    return text


def _mean(name: str, mean: float | None, sd: float | None) -> str:
    form = FORMATS.get(name, "{:.4f}")
    if mean is None:
        return "-"
    return form.format(mean) + ("" if sd is None else " ± " + form.format(sd))
