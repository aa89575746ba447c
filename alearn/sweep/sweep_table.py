"""The table of a sweep: a line a setting, mean and standard deviation over its seeds, the published row beside it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alearn.config import free
from alearn.files import csv_tables
from alearn.sweep import seeds
from alearn.trial.metric import Metric, Unit
from alearn.trial.metrics import METRICS

SETTINGS = ("init_fraction", "threshold", "hand_fraction")
KNOWN = ("trial.name", *(f"policy.{name}" for name in SETTINGS))
"""Config keys that the table shows in any case."""
UNBALANCED = 2.0
"""The worst class has a column if the largest class of some trial has more than so many times the smallest's images."""
MEASURED = [metric for metric in METRICS if metric.table]
NUMBERS = {f"{metric.table}_{kind}" for metric in MEASURED for kind in ("mean", "sd", "published")}
"""Keys of a line that do not say which setting it is."""
FORMS = {Unit.COUNT: "{:.0f}", Unit.FEW: "{:.1f}", Unit.SECONDS: "{:.0f}"}
"""How table.md writes a unit; all others have four decimals."""
HEADINGS = {"init_fraction": "initial", "hand_fraction": "hand"}


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


def aggregate(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a line for each setting, that is, for all rows that differ in their seed alone.

    Its keys: "trial", the settings, every other config key in which the lines differ, "seeds", and for a measured
    column x the numbers x_mean, x_sd (the sample's, None of one seed) and, where it was published, x_published. The
    worst class is a column where the classes are unbalanced.
    """
    differ = [key for key in varied(rows) if key not in KNOWN]
    measured = [metric for metric in MEASURED if metric.key != "worst_class_error" or any(map(unbalanced, rows))]
    lines: dict[str, dict[str, Any]] = {}
    for setting, group in seeds.by_setting(rows).items():
        first, published = group[0], group[0]["published"] or {}
        line: dict[str, Any] = {"trial": first["trial"]} | {key: first[key] for key in SETTINGS}
        line |= {key: first["config"].get(key) for key in differ} | {"seeds": len({row["seed"] for row in group})}
        for metric in measured:
            name, (mean, sd) = metric.table, seeds.spread(metric.of(row) for row in group)
            line |= {f"{name}_mean": mean, f"{name}_sd": sd}
            line |= {f"{name}_published": published.get(name)} if metric.published else {}
        lines[setting] = line
    return lines


def unbalanced(row: Mapping[str, Any]) -> bool:
    """Whether some classes of a trial's images are much rarer than others."""
    images = [one["images"] for one in (row.get("per_class") or {}).values() if one["images"]]
    return bool(images) and max(images) > UNBALANCED * min(images)


def heads(line: Mapping[str, Any]) -> list[str]:
    """Return the keys of a line that say which setting it is."""
    return [key for key in line if key not in NUMBERS]


def measured(line: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics that a line has."""
    return [metric for metric in MEASURED if f"{metric.table}_mean" in line]


def to_csv(lines: Sequence[dict[str, Any]]) -> str:
    """Return table.csv: all keys, all digits."""
    return csv_tables.to_text(lines[0], (line.values() for line in lines)) if lines else ""


def markdown(lines: Sequence[dict[str, Any]], failed: Mapping[str, str] | None = None) -> str:
    """Return table.md, for people: mean ± sd, and the published value in a column of its own.

    failed: Why a job has no row, by its name.
    """
    cells: list[list[str]] = []
    for line in lines:
        shown = {HEADINGS.get(key, key): str(line[key]) for key in heads(line)}
        for metric in measured(line):
            shown[metric.title] = _mean(metric, line)
            if metric.published:
                theirs = line[f"{metric.table}_published"]
                shown[f"published {metric.title.split(' (')[0]}"] = "" if theirs is None else str(theirs)
        cells = cells or [list(shown), ["---"] * len(shown)]
        cells.append(list(shown.values()))
    text = "".join(f"| {' | '.join(line)} |\n" for line in cells)
    if failed:
        text += "\nWithout a row:\n" + "".join(f"- {name}: {reason}\n" for name, reason in failed.items())
    return text


def _mean(metric: Metric, line: Mapping[str, Any]) -> str:
    form, mean, sd = FORMS.get(metric.unit, "{:.4f}"), line[f"{metric.table}_mean"], line[f"{metric.table}_sd"]
    if mean is None:
        return "-"
    return form.format(mean) + ("" if sd is None else f" ± {form.format(sd)}")
