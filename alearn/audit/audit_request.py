"""What a call of `alearn audit` asks for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from alearn.audit.rules import Terms
from alearn.errors import AlearnError


@dataclass(frozen=True)
class Request:
    """What a call asks for. Its fields are the options of `alearn audit`, so messages name the options.

    Attributes:
        labels: A CSV file, or a folder of class folders.
        out: The folder of the audit.
        terms: What is asked of the audit.
        columns: The names of the columns of the file for id, label, and perhaps confidence and source.
        classes: Labels that an answer may have besides those in the file or folder.
        repeatable: Whether to leave some of the risk for audits of later versions of the labels.
        after: The folder of the audit of the version before this one.
        expected_errors: How many of the labels are expected to be wrong. It decides only what the audit costs.
    """

    labels: Path
    out: Path
    terms: Terms
    columns: Mapping[str, str]
    classes: Collection[str] = ()
    repeatable: bool = False
    after: Path | None = None
    expected_errors: float | None = None

    @property
    def predecessor(self) -> str | None:
        """The absolute path of `after`."""
        return None if self.after is None else str(self.after.resolve())

    def check_same(self, number: int, after: str | None, columns: Mapping[str, str]) -> None:
        """Raise AlearnError if options differ from those of the call that began the audit. --after may be omitted.

        number: the number of the audit, see `alearn.audit.bounds.risk_of`. after, columns: `predecessor` and `columns`
        of that call.
        """
        if self.repeatable and not number:
            raise AlearnError(f"--repeatable: {self.out} began without it, with all of the risk; omit it")
        if self.after is not None and self.predecessor != after:
            other = "without --after" if after is None else f"with --after {after}"
            raise AlearnError(f"--after {self.after}: {self.out} began {other}; omit it")
        for key in sorted({*columns, *self.columns}):
            began, now = columns.get(key), self.columns.get(key)
            if began != now:
                given = f"--{key}-column {now}" if now else f"no --{key}-column"
                raise AlearnError(f"{given}: {self.out} began with {began or 'none'}; every call must give the same")
