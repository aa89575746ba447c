"""What a folder says of its labels, whoever gave them: records that every format is written from."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from alearn import __version__
from alearn.errors import AlearnError
from alearn.files import csv_tables
from alearn.files.csv_tables import Lines
from alearn.files.labels_csv import HEADER
from alearn.oracle import store
from alearn.oracle.store import Answer
from alearn.trial import row

LABELS, CONFIG, AUDIT, CERTIFICATE, MODEL = "labels.csv", "config.yaml", "audit.json", "certificate.json", "model.pt"
SOURCES = ("", "hand", "auto")


@dataclass(frozen=True)
class Record:
    """An image and its label. id: its name in the data set. label: None where there is none. source: hand, auto, or
    None where nobody was asked. purpose: of a hand label: first, query, rest, audit, or given for one that was there
    before. confidence: 1 for a human's, None where it is not known. annotator: the person; `oracle=truth` for a
    simulated one; for an auto label the model. time: ISO 8601, UTC: when a person answered; for others when labels.csv
    was written, which is not before they were given; None without a label, and for a given one.
    """

    id: str
    label: str | None = None
    source: str | None = None
    purpose: str | None = None
    round: int | None = None
    confidence: float | None = None
    annotator: str | None = None
    time: str | None = None

    @property
    def cannot_tell(self) -> bool:
        """A human set it aside."""
        return self.source == "hand" and self.label is None


@dataclass(frozen=True)
class Certificate:
    """What was certified of the labels, in words, and the SHA-256 of the file that says so."""

    statement: str
    sha256: str


@dataclass(frozen=True)
class Labeled:
    """A whole data set. folder: of the trial or the audit. name: of the data set. records: in data set order. root: the
    folder that the ids are files in, None if they are none. early: answers of people that labels.csv does not have yet.
    """

    folder: Path
    name: str
    records: tuple[Record, ...]
    root: Path | None
    certificate: Certificate | None
    early: int

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """By number: the model's own where there is one, then the others by name."""
        found: tuple[str, ...] = ()
        if (self.folder / MODEL).exists():
            from alearn.trial import model_file  # torch comes with it

            found = model_file.load(self.folder).classes
        rest = {one.label for one in self.records if one.label is not None} - set(found)
        return (*found, *sorted(rest))

    def summary(self) -> str:
        """What there is, in a line or two."""
        counts = {
            "labels by hand": sum(one.source == "hand" and not one.cannot_tell for one in self.records),
            "by the model": sum(one.source == "auto" for one in self.records),
            "that a human cannot tell": sum(one.cannot_tell for one in self.records),
            "without a label yet": sum(one.source is None for one in self.records),
        }
        parts = [f"{count:,} {what}" for what, count in counts.items() if count or what == "labels by hand"]
        lines = [f"{len(self.records):,} images: {', '.join(parts)}"]
        if self.early:
            lines.append(f"answers of the round under way that are among them: {self.early:,}")
        if self.certificate is not None:
            lines.append(f"certified: {self.certificate.statement}")
        return "\n".join(lines)


def read(folder: Path, root: Path | None = None) -> Labeled:
    """The labels in the folder of a trial, finished or not, or of an audit. root: where the images are, if not where
    the folder says. Raises AlearnError if there are none, or if they cannot be read.
    """
    path = folder / LABELS
    if not folder.is_dir():
        raise AlearnError(f"{folder}: there is no such folder; give that of a trial or an audit")
    if not path.exists():
        raise AlearnError(f"{path}: there is no such file; the first round of a trial leaves it, or the first audit")
    about = _trial(folder) if (folder / CONFIG).exists() else _audit(folder)
    certificate = _certificate(folder)
    standing = _answers(folder)
    written = _utc(path.stat().st_mtime)
    lines = csv_tables.read(path, HEADER)
    _unique(path, lines)
    records = [_record(path, number, line) for number, line in lines.items()]
    early = 0
    for i, record in enumerate(records):
        answer = standing.get(record.id)
        if answer and record.source != "hand" and certificate is None:  # nothing may differ from what was certified
            records[i], early = _answered(record, answer), early + 1
        else:
            records[i] = _signed(record, answer, about, written)
    return Labeled(folder, about.name, tuple(records), root or about.root, certificate, early)


@dataclass(frozen=True)
class _About:
    """name: of the data set. human: who answers, None for people. version: of the alearn that trained the model, None
    where the labels are another tool's. root: as in Labeled.
    """

    name: str
    human: str | None
    version: str | None
    root: Path | None

    def model(self, number: int | None) -> str:
        """Whose the auto labels of a round are."""
        return self.name if self.version is None else f"alearn {self.version} round {number}"


def _trial(folder: Path) -> _About:
    """Of a trial. Its config is read as plain keys: one that another version wrote will do."""
    path = folder / CONFIG
    try:
        config = OmegaConf.load(path)
        name, root, oracle = (OmegaConf.select(config, key) for key in ("data.name", "data.root", "oracle.name"))
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(name, str) or not isinstance(root, str):
        raise AlearnError(f"{path}: is no trial's: data.name={name}, data.root={root}; both must be text")
    own = name == "folder"
    done = row.load(folder)
    return _About(
        name=Path(root).name if own else name,
        human=None if (folder / store.NAME).exists() else f"oracle={oracle}",
        version=__version__ if done is None else done["versions"]["alearn"],
        root=Path(root).expanduser() if own else None,
    )


def _audit(folder: Path) -> _About:
    """Of an audit of labels from elsewhere."""
    path = folder / AUDIT
    try:
        source = Path(json.loads(path.read_text())["source"])
    except FileNotFoundError:
        raise AlearnError(f"{folder}: has neither {CONFIG} nor {AUDIT}: it is neither a trial nor an audit") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AlearnError(f"{path}: holds no audit that can be read ({type(error).__name__})") from error
    return _About(source.name, human=None, version=None, root=source if source.is_dir() else source.parent)


def _certificate(folder: Path) -> Certificate | None:
    """Raises AlearnError for one that is of other labels: they would seem certified, and are not."""
    path = folder / CERTIFICATE
    try:
        content = path.read_bytes()
        made: Any = json.loads(content)
        statement, of = str(made["statement"]), made["labels_sha256"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AlearnError(f"{path}: cannot be read ({type(error).__name__}); see alearn verify {folder}") from error
    if of != sha256((folder / LABELS).read_bytes()).hexdigest():
        raise AlearnError(
            f"{path}: is of other labels than {folder / LABELS}, which was changed since; bring the file back, or move "
            "the certificate away to export labels without one"
        )
    return Certificate(statement, sha256(content).hexdigest())


def _answers(folder: Path) -> dict[str, Answer]:
    """What people answered, by image; the second answer where there are two."""
    path = folder / store.NAME
    answers = store.read(path) if path.exists() else []
    return {one.item: one for one in sorted(answers, key=lambda one: one.again)}


def _record(path: Path, number: int, line: dict[str, str]) -> Record:
    """From a line of labels.csv; annotator and time are not known yet."""

    def bad(column: str, allowed: str) -> AlearnError:
        return AlearnError(f"{path}: line {number}: {column}={line[column]}: must be {allowed}")

    if line["source"] not in SOURCES:
        raise bad("source", "hand, auto, or empty")
    if bool(line["label"]) != bool(line["source"]) and line["source"] != "hand":
        raise bad("label", "a class if it has a source, else empty")
    try:
        given_in = int(line["round"]) if line["round"] else None
    except ValueError:
        raise bad("round", "a whole number, or empty") from None
    try:
        confidence = float(line["confidence"]) if line["confidence"] else None
    except ValueError:
        raise bad("confidence", "a number from 0 to 1, or empty") from None
    if confidence is not None and not 0 <= confidence <= 1:
        raise bad("confidence", "a number from 0 to 1, or empty")
    label, source, purpose = (line[key] or None for key in ("label", "source", "purpose"))
    return Record(line["id"], label, source, purpose, given_in, confidence)


def _unique(path: Path, lines: Lines) -> None:
    """Raise AlearnError if an image is there twice."""
    seen: set[str] = set()
    for number, line in lines.items():
        if line["id"] in seen:
            raise AlearnError(f"{path}: line {number}: id={line['id']} is there twice; must be unique")
        seen.add(line["id"])


def _answered(record: Record, answer: Answer) -> Record:
    """With the answer to a round that is not over: the trial has it as soon as it is."""
    sure = None if answer.label is None else 1.0
    return Record(record.id, answer.label, "hand", answer.purpose, answer.round, sure, answer.who, answer.at)


def _signed(record: Record, answer: Answer | None, about: _About, written: str) -> Record:
    """With who gave the label, and when."""
    if record.source is None or record.purpose == "given":
        return record
    if record.source == "auto":
        return replace(record, annotator=about.model(record.round), time=written)
    if answer is not None and answer.label == record.label:  # else it was withdrawn after it had been taken
        return replace(record, annotator=answer.who, time=answer.at)
    return replace(record, annotator=about.human, time=written)


def _utc(seconds: float) -> str:
    """As answers.db writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
