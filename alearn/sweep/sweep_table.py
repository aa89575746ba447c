"""The table of a sweep: each setting has a line with means and standard deviations over its seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alearn.config import free
from alearn.files import csv_tables
from alearn.sweep import averages
from alearn.trial.metric import Metric, Unit
from alearn.trial.metrics import METRICS

SETTINGS = ("init_fraction", "threshold", "hand_fraction")
KNOWN = ("trial.name", *(f"policy.{name}" for name in SETTINGS))
"""Config keys that the table shows in any case."""
UNBALANCED = 2.0
"""The worst class has a column if, in some trial, one class has more than this many times the images of another."""
MEASURED = [metric for metric in METRICS if metric.table]
NUMBERS = {f"{metric.table}_{kind}" for metric in MEASURED for kind in ("mean", "sd", "published")}
"""The keys of a line with numbers. All other keys say which setting it is."""
FORMS = {Unit.COUNT: "{:.0f}", Unit.FEW: "{:.1f}", Unit.SECONDS: "{:.0f}"}
"""The formats in table.md. Units that are not listed have four decimals."""
HEADINGS = {"init_fraction": "initial", "hand_fraction": "hand"}


def relevant(key: str, configs: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a key can distinguish settings, given their flat configs."""
    return key != "seed" and any(key not in free(config) for config in configs)


def varied(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the config keys in which the settings of the rows differ."""
    configs = list({row["setting"]: row["config"] for row in rows}.values())
    keys = {key: None for config in configs for key in config}  # a dict keeps their order
    return [key for key in keys if relevant(key, configs) and len({repr(config.get(key)) for config in configs}) > 1]


def names(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a short name for each setting: the values of keys that distinguish them, the trial's name first."""
    leading = ("trial.name", *(f"policy.{key}" for key in SETTINGS))
    keys = dict.fromkeys([*leading, *(key for config in configs.values() for key in config)])
    chosen: list[str] = ["trial.name"]

    def distinct(by: Sequence[str]) -> int:
        return len({repr([config.get(key) for key in by]) for config in configs.values()})

    for key in keys:
        if relevant(key, configs.values()) and distinct(chosen) < distinct([*chosen, key]):
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
    """Return a line for each setting, that is, for all rows that differ only in their seed.

    The keys of a line are "trial", SETTINGS, every other config key in which the lines differ, and "seeds". Then come
    x_mean and x_sd (of the sample; None for one seed) for each measured column x, and x_published if published results
    have x. The worst class has a column only if classes are unbalanced.
    """
    differ = [key for key in varied(rows) if key not in KNOWN]
    measured = [metric for metric in MEASURED if metric.key != "worst_class_error" or any(map(unbalanced, rows))]
    lines: dict[str, dict[str, Any]] = {}
    for setting, group in averages.by_setting(rows).items():
        first = group[0]
        published = first["published"] or {}
        line: dict[str, Any] = {"trial": first["trial"]} | {key: first[key] for key in SETTINGS}
        line |= {key: first["config"].get(key) for key in differ} | {"seeds": len({row["seed"] for row in group})}
        for metric in measured:
            name = metric.table
            mean, sd = averages.spread(metric.of(row) for row in group)
            line |= {f"{name}_mean": mean, f"{name}_sd": sd}
            line |= {f"{name}_published": published.get(name)} if metric.published else {}
        lines[setting] = line
    return lines


def unbalanced(row: Mapping[str, Any]) -> bool:
    """Return whether some classes of a trial's images are much rarer than others."""
    per_class = (row.get("per_class") or {}).values()
    images = [counted["images"] for counted in per_class if counted["images"]]
    return bool(images) and max(images) > UNBALANCED * min(images)


def heads(line: Mapping[str, Any]) -> list[str]:
    """Return the keys of a line that say which setting it is."""
    return [key for key in line if key not in NUMBERS]


def measured(line: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics that a line has."""
    return [metric for metric in MEASURED if f"{metric.table}_mean" in line]


def to_csv(lines: Sequence[dict[str, Any]]) -> str:
    """Return the text of table.csv, with all keys and all digits."""
    return csv_tables.to_text(lines[0], (line.values() for line in lines)) if lines else ""


def markdown(lines: Sequence[dict[str, Any]], failed: Mapping[str, str] | None = None) -> str:
    """Return the text of table.md, for people: mean ± sd, and the published value in a separate column.

    Args:
        lines: The lines, see `aggregate`.
        failed: Why a job has no row, by the name of the job.
    """
    cells: list[list[str]] = []
    for line in lines:
        shown = {HEADINGS.get(key, key): str(line[key]) for key in heads(line)}
        for metric in measured(line):
            shown[metric.title] = _mean(metric, line)
            if metric.published:
                value = line[f"{metric.table}_published"]
                shown[f"published {metric.title.split(' (')[0]}"] = "" if value is None else str(value)
        cells = cells or [list(shown), ["---"] * len(shown)]
        cells.append(list(shown.values()))
    text = "".join(f"| {' | '.join(line)} |\n" for line in cells)
    if failed:
        text += "\nWithout a row:\n" + "".join(f"- {name}: {reason}\n" for name, reason in failed.items())
    return text


def _mean(metric: Metric, line: Mapping[str, Any]) -> str:
    form = FORMS.get(metric.unit, "{:.4f}")
    mean = line[f"{metric.table}_mean"]
    sd = line[f"{metric.table}_sd"]
    if mean is None:
        return "-"
    return form.format(mean) + ("" if sd is None else f" ± {form.format(sd)}")
