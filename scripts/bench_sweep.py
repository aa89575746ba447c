"""Measure what a job of a sweep costs besides its trial, and whether that cost grows with the sweep.

The jobs label a hundred images by hand and train nothing. So all of their time is overhead: config, data, reports, and
the table and pictures of the sweep. The seconds of a job are the time from the end of the job before it to its own end.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

SHOWN = 20
"""The number of jobs in each median."""


def main() -> None:
    """Run a sweep and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--launcher", default="basic", help="a launcher of Hydra")
    options = parser.parse_args()

    from alearn.learn import device
    from alearn.trial.row import commit, versions

    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            "data.limit=100",
            "policy.init_fraction=1",
            f"seed=range({options.jobs})",
            f"hydra.sweep.dir={folder}",
        ]
        overrides += [f"hydra/launcher={options.launcher}", "device=cpu"]
        subprocess.run([sys.executable, "-m", "alearn", "-m", *overrides], check=True, stdout=subprocess.DEVNULL)
        ends = sorted(path.stat().st_mtime for path in Path(folder).glob("*/row.json"))
    gaps = [after - before for before, after in pairwise(ends)]
    middle = len(gaps) // 2
    parts = {"first": gaps[:SHOWN], "middle": gaps[middle - SHOWN // 2 : middle + SHOWN // 2], "last": gaps[-SHOWN:]}
    where = f"{device.choose('cpu', 'auto').describe()}; {versions()}; commit {commit()}"
    print(f"{where}; {options.launcher}; {len(ends)} jobs\n")
    print(f"| {SHOWN} jobs | seconds per job: median | mean |\n| --- | ---: | ---: |")
    for name, part in parts.items():
        print(f"| {name} | {statistics.median(part):.3f} | {statistics.fmean(part):.3f} |")
    print(f"\nall {len(gaps)}: {ends[-1] - ends[0]:.1f} s, {statistics.fmean(gaps):.3f} s per job")


if __name__ == "__main__":
    main()
