"""A list of audits beside the labels: from which labels, in which folder. It only serves to warn.

Each audit holds with its confidence. Whoever audits the same labels several times and keeps the certificate that
pleases has no such promise.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from alearn.files import csv_tables

COLUMNS = ("sha256", "folder")


def enter(labels: Path, sha256: str, folder: Path, series: Collection[str]) -> list[str]:
    """Record that an audit draws from labels. Return a warning for each other draw from the same labels.

    Args:
        labels: The file or folder of the labels.
        sha256: The SHA-256 of its content.
        folder: The folder of the audit.
        series: The folders of the audits before this one with which it shares the risk.
    """
    path = labels.with_name(f"{labels.name}.audits")
    lines = csv_tables.read(path, COLUMNS).values() if path.is_file() else ()
    drawn = dict.fromkeys(line["folder"] for line in lines if line["sha256"] == sha256)
    with suppress(OSError):  # labels may lie where nobody may write
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:  # at once, so that no line of another call is lost
            file.write((csv_tables.line(COLUMNS) if new else "") + csv_tables.line((sha256, folder.resolve())))
    return [
        f"an audit of these labels has drawn before, in {other}. Each certificate alone holds with its confidence; "
        "choosing between them breaks the promise, so keep the first"
        for other in drawn
        if other not in series
    ]
