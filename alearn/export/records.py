"""Read the labels in a folder, of a trial or an audit, as records. Every format is written from these records."""

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

LABELS = "labels.csv"
CONFIG = "config.yaml"
AUDIT = "audit.json"
CERTIFICATE = "certificate.json"
MODEL = "model.pt"
SOURCES = ("", "hand", "auto")


@dataclass(frozen=True)
class Record:
    """An image and its label.

    id: the name of the image in the data set.
    label: its class, or None if it has none.
    source: hand, auto, or None if nobody has been asked.
    purpose: of a hand label: first, query, rest, audit, or given for a label that existed before the trial.
    round: the round of the label.
    confidence: 1 for a hand label, None if it is not known.
    annotator: the person, `oracle=truth` for a simulated human, or the model of an auto label.
    time: ISO 8601, UTC. For the answer of a person, the time of the answer. For other labels, the time when labels.csv
        was written, so the label is not newer. None without a label, and for a given label.
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
        """Whether a human could not tell the class."""
        return self.source == "hand" and self.label is None


@dataclass(frozen=True)
class Certificate:
    """The statement of a certificate about the labels, and the SHA-256 of its file."""

    statement: str
    sha256: str


@dataclass(frozen=True)
class Labeled:
    """A labeled data set.

    folder: the folder of the trial or the audit.
    name: the name of the data set.
    records: the images in the order of the data set.
    root: the folder of the image files, None if the images are not files.
    certificate: the certificate of the labels, None if there is none.
    early: the number of answers of people that labels.csv does not have yet.
    """

    folder: Path
    name: str
    records: tuple[Record, ...]
    root: Path | None
    certificate: Certificate | None
    early: int

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes by number: first those of the model, if there is one, then the others by name."""
        known: tuple[str, ...] = ()
        if (self.folder / MODEL).exists():
            from alearn.trial import model_file  # here, because it imports torch

            known = model_file.load(self.folder).classes
        others = {record.label for record in self.records if record.label is not None} - set(known)
        return (*known, *sorted(others))

    def summary(self) -> str:
        """Summarize the labels in up to three lines."""
        counts = {
            "labels by hand": sum(record.source == "hand" and not record.cannot_tell for record in self.records),
            "by the model": sum(record.source == "auto" for record in self.records),
            "that a human cannot tell": sum(record.cannot_tell for record in self.records),
            "without a label yet": sum(record.source is None for record in self.records),
        }
        parts = [f"{count:,} {what}" for what, count in counts.items() if count or what == "labels by hand"]
        lines = [f"{len(self.records):,} images: {', '.join(parts)}"]
        if self.early:
            lines.append(f"answers of the current round among these: {self.early:,}")
        if self.certificate is not None:
            lines.append(f"certified: {self.certificate.statement}")
        return "\n".join(lines)


def read(folder: Path, root: Path | None = None) -> Labeled:
    """Read the labels in the folder of a trial, finished or not, or of an audit.

    Args:
        folder: the folder.
        root: the folder of the images, if they have moved.

    Raises:
        AlearnError: there are no labels, or they cannot be read.
    """
    path = folder / LABELS
    if not folder.is_dir():
        raise AlearnError(f"{folder}: there is no such folder; give the folder of a trial or an audit")
    if not path.exists():
        raise AlearnError(f"{path}: there is no such file; the first round of a trial writes it, or an audit")
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
        if answer and record.source != "hand" and certificate is None:  # certified labels must not change
            records[i] = _answered(record, answer)
            early += 1
        else:
            records[i] = _signed(record, answer, about, written)
    return Labeled(folder, about.name, tuple(records), root or about.root, certificate, early)


@dataclass(frozen=True)
class _About:
    """Where labels come from.

    name: the name of the data set.
    human: the annotator of hand labels, None for people, whose names the store has.
    version: the version of alearn that trained the model, None if the labels come from another tool.
    root: see `Labeled`.
    """

    name: str
    human: str | None
    version: str | None
    root: Path | None

    def model(self, number: int | None) -> str:
        """Return the annotator of the auto labels of a round."""
        return self.name if self.version is None else f"alearn {self.version} round {number}"


def _trial(folder: Path) -> _About:
    """Describe a trial. This reads only a few keys of its config, so the config may come from another version."""
    path = folder / CONFIG
    try:
        config = OmegaConf.load(path)
        name, root, oracle = (OmegaConf.select(config, key) for key in ("data.name", "data.root", "oracle.name"))
    except Exception as error:  # a damaged file can fail in any way
        raise AlearnError(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(name, str) or not isinstance(root, str):
        raise AlearnError(
            f"{path}: is not the config of a trial: data.name={name}, data.root={root}; both must be text"
        )
    own = name == "folder"
    done = row.load(folder)
    return _About(
        name=Path(root).name if own else name,
        human=None if (folder / store.NAME).exists() else f"oracle={oracle}",
        version=__version__ if done is None else done["versions"]["alearn"],
        root=Path(root).expanduser() if own else None,
    )


def _audit(folder: Path) -> _About:
    """Describe an audit of labels from another tool."""
    path = folder / AUDIT
    try:
        source = Path(json.loads(path.read_text())["source"])
    except FileNotFoundError:
        raise AlearnError(f"{folder}: has neither {CONFIG} nor {AUDIT}: it is neither a trial nor an audit") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AlearnError(f"{path}: is not a readable audit ({type(error).__name__})") from error
    return _About(source.name, human=None, version=None, root=source if source.is_dir() else source.parent)


def _certificate(folder: Path) -> Certificate | None:
    """Read the certificate, if there is one. Raise AlearnError if it is about other labels than labels.csv."""
    path = folder / CERTIFICATE
    try:
        content = path.read_bytes()
        fields: Any = json.loads(content)
        statement = str(fields["statement"])
        labels_sha256 = fields["labels_sha256"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AlearnError(f"{path}: cannot be read ({type(error).__name__}); see alearn verify {folder}") from error
    if labels_sha256 != sha256((folder / LABELS).read_bytes()).hexdigest():
        raise AlearnError(
            f"{path}: {folder / LABELS} has changed since this certificate; bring the file back, or move the "
            "certificate away to export the labels without it"
        )
    return Certificate(statement, sha256(content).hexdigest())


def _answers(folder: Path) -> dict[str, Answer]:
    """Return the answers of people by image. If there are two for an image, return the second."""
    path = folder / store.NAME
    answers = store.read(path) if path.exists() else []
    return {answer.item: answer for answer in sorted(answers, key=lambda answer: answer.again)}


def _record(path: Path, number: int, line: dict[str, str]) -> Record:
    """Read a line of labels.csv. The record has no annotator and no time yet."""

    def bad(column: str, allowed: str) -> AlearnError:
        return AlearnError(f"{path}: line {number}: {column}={line[column]}: must be {allowed}")

    if line["source"] not in SOURCES:
        raise bad("source", "hand, auto, or empty")
    if bool(line["label"]) != bool(line["source"]) and line["source"] != "hand":
        raise bad("label", "a class if there is a source, and empty otherwise")
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
    """Raise AlearnError if an image occurs twice."""
    seen: set[str] = set()
    for number, line in lines.items():
        if line["id"] in seen:
            raise AlearnError(f"{path}: line {number}: id={line['id']} occurs twice; must be unique")
        seen.add(line["id"])


def _answered(record: Record, answer: Answer) -> Record:
    """Return the record with an answer of the current round, which labels.csv does not have before the round ends."""
    confidence = None if answer.label is None else 1.0
    return Record(record.id, answer.label, "hand", answer.purpose, answer.round, confidence, answer.who, answer.at)


def _signed(record: Record, answer: Answer | None, about: _About, written: str) -> Record:
    """Return the record with its annotator and its time."""
    if record.source is None or record.purpose == "given":
        return record
    if record.source == "auto":
        return replace(record, annotator=about.model(record.round), time=written)
    if answer is not None and answer.label == record.label:  # otherwise it was withdrawn after the trial had used it
        return replace(record, annotator=answer.who, time=answer.at)
    return replace(record, annotator=about.human, time=written)


def _utc(seconds: float) -> str:
    """Return a time in the form of answers.db."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
