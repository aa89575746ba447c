"""The table of a sweep: a line a setting, mean and standard deviation over its seeds, the published row beside it.

`alearn-table DIR` rebuilds it by hand from whatever `row.json` files lie below a folder; a sweep does so after each
job.
"""

import argparse
import csv
import io
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alearn.record import files, row

SETTINGS = ("init_fraction", "threshold", "hand_fraction")
COMPARED = {  # a column that was published: its name in our row, in the published row
    "rounds": ("rounds", "rounds"),
    "hand": ("hand", "hand"),
    "auto": ("auto", "auto"),
    "mislabeled": ("mislabeled_auto", "mislabeled"),
}
OURS = ("mislabeled_total", "test_accuracy")
FORMATS = {"rounds": "{:.1f}", "hand": "{:.0f}", "auto": "{:.0f}", "seconds": "{:.0f}"}
HEADINGS = {
    "init_fraction": "initial",
    "hand_fraction": "hand",
    "hand": "hand labeled",
    "auto": "auto labeled",
    "mislabeled": "mislabeled (of auto)",
    "mislabeled_total": "mislabeled (of all)",
    "test_accuracy": "test accuracy",
}


def rebuild(*folders: Path) -> list[dict[str, Any]]:
    """Write table.md and table.csv of all rows below the folders into the first of them, if there are any; returns its
    lines.
    """
    rows, broken = collect(folders)
    lines = aggregate(rows)
    if lines or broken:
        files.replace(folders[0] / "table.md", markdown(lines, broken))
        files.replace(folders[0] / "table.csv", to_csv(lines))
    return lines


def collect(folders: Sequence[Path]) -> tuple[list[dict[str, Any]], list[Path]]:
    """The rows below the folders, in the order of their paths, and the files that hold none."""
    rows, broken = [], []
    for path in sorted({path for folder in folders for path in folder.rglob(row.NAME)}, key=natural):
        found = row.load(path.parent)
        rows.append(found) if found is not None else broken.append(path)
    return rows, broken


def aggregate(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for all rows that differ in their seed alone, in order of first appearance.

    Its keys: "trial", the settings, every other config key in which the lines differ, "seeds", and for a measured
    column x the numbers x_mean, x_sd (the sample's, None of one seed) and, where it was published, x_published.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        groups.setdefault(one["setting"], []).append(one)
    heads = [group[0]["config"] for group in groups.values()]
    keys = {key: None for head in heads for key in head}  # a dict keeps their order
    known = {"trial.name", *(f"policy.{name}" for name in SETTINGS)}
    hidden = {"seed", "data.root", "resume"}
    varied = [
        key
        for key in keys
        if key not in known | hidden
        and not key.startswith("trial.published")
        and len({repr(head.get(key)) for head in heads}) > 1
    ]
    lines = []
    for group in groups.values():
        first, published = group[0], group[0]["published"] or {}
        line: dict[str, Any] = {"trial": first["trial"]} | {key: first[key] for key in SETTINGS}
        line |= {key: first["config"].get(key) for key in varied} | {"seeds": len({one["seed"] for one in group})}
        for name, (ours, theirs) in COMPARED.items():
            line |= _statistics(name, [one[ours] for one in group]) | {f"{name}_published": published.get(theirs)}
        for name in OURS:
            line |= _statistics(name, [one[name] for one in group])
        lines.append(line | _statistics("seconds", [one["seconds"]["total"] for one in group]))
    return lines


def _statistics(name: str, values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        f"{name}_mean": statistics.fmean(known) if known else None,
        f"{name}_sd": statistics.stdev(known) if len(known) > 1 else None,
    }


def to_csv(lines: Sequence[dict[str, Any]]) -> str:
    """All keys, all digits."""
    text = io.StringIO()
    if lines:
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return text.getvalue()


def markdown(lines: Sequence[dict[str, Any]], broken: Sequence[Path] = ()) -> str:
    """For people: mean +- sd, and the published value in a column of its own."""
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
    if broken:
        text += "\nNot in the table, because they cannot be read: " + ", ".join(map(str, broken)) + "\n"
    return text


def _mean(name: str, mean: float | None, sd: float | None) -> str:
    form = FORMATS.get(name, "{:.4f}")
    if mean is None:
        return "-"
    return form.format(mean) + ("" if sd is None else " ± " + form.format(sd))


def natural(path: Path) -> list[tuple[int, str]]:
    """Job 10 comes after job 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in path.parts]


def main() -> None:
    """The command `alearn-table`."""
    parser = argparse.ArgumentParser(
        "alearn-table", description="Rebuild and print the table of all trials below some folders."
    )
    parser.add_argument(
        "folder", nargs="+", type=Path, help="a sweep's folder; table.md and table.csv go into the first"
    )
    folders = parser.parse_args().folder
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f"error: {folder}: there is no such folder")
    rows, broken = collect(folders)
    for path in broken:
        print(f"{path} cannot be read: left out", file=sys.stderr)
    if not rows:
        raise SystemExit(f"error: no finished trial (a {row.NAME}) lies below {', '.join(map(str, folders))}")
    try:
        lines = rebuild(*folders)
    except OSError as error:
        raise SystemExit(f"error: {folders[0]} cannot be written: {error.strerror}") from None
    print(markdown(lines), end="")


if __name__ == "__main__":
    main()
