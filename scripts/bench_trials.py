"""Measure how much sooner the default labels MNIST as well as the published training does.

Both label the 60,000 images, one after the other, each in a fresh process on the same device with the same threads. The
published training (train=source) runs to its end. The default is followed until finishing there would leave no greater
share of wrong labels. The seconds are those of all rounds up to there: training, scoring, questions and measuring. They
leave out imports and loading, which take the same time for both.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Run both trials and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", default="t2", choices=["t1", "t2", "t3", "t4"], help="row of the published table")
    parser.add_argument("--seed", default="0")
    parser.add_argument("more", nargs="*", metavar="KEY=VALUE", help="for both trials, such as threads=1")
    options = parser.parse_args()
    both = [f"seed={options.seed}", *options.more]
    with tempfile.TemporaryDirectory() as folder:
        published = run(Path(folder, "published"), f"trial={options.trial}", "model=source_cnn", "train=source", *both)
        default = run(Path(folder, "default"), *both)
    bar = published[-1]["mislabeled_if_finished"]
    reached = next((i for i, entry in enumerate(default) if entry["mislabeled_if_finished"] <= bar), None)
    print("| | seconds | rounds | hand labels | wrong labels, of all |\n| --- | ---: | ---: | ---: | ---: |")
    print(line(f"published: trial={options.trial} model=source_cnn train=source", published))
    if reached is None:
        print(line("default, to its end: it does not get as good", default))
        return
    print(line("default, until it is as good", default[: reached + 1]))
    print(line("default, to its end", default))
    print(f"\nratio of seconds: {seconds(published) / seconds(default[: reached + 1]):.1f}")


def run(folder: Path, *overrides: str) -> list[dict[str, Any]]:
    """Run a trial in a folder, and return the metrics of each round."""
    words = [*overrides, f"hydra.run.dir={folder}"]
    subprocess.run([sys.executable, "-m", "alearn", *words], check=True, stdout=sys.stderr)
    return [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]


def seconds(rounds: list[dict[str, Any]]) -> float:
    """Return the seconds of some rounds."""
    return sum(value for entry in rounds for key, value in entry.items() if key.startswith("seconds_"))


def line(name: str, rounds: list[dict[str, Any]]) -> str:
    """Return a row of the table."""
    last = rounds[-1]
    share = f"{last['mislabeled_if_finished']:.2%}"
    return f"| {name} | {seconds(rounds):,.0f} | {len(rounds)} | {last['hand']:,} | {share} |"


if __name__ == "__main__":
    main()
