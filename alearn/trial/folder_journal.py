"""The journal of a trial in a folder. It measures each entry, writes the files in order, then tells the reporters."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from alearn.audit import certificate_file, protocol
from alearn.audit.protocol import Names
from alearn.config import Config
from alearn.data.imageset import ImageSet
from alearn.files import labels_csv
from alearn.journal import AuditDrawn, AuditFrozen, AuditStage, Entry, Finished, Progress, Round
from alearn.learn.device import Runtime
from alearn.learn.embedding import Embedding, on_features, on_pixels
from alearn.models.backbone import Backbone
from alearn.models.linear import Linear
from alearn.trial import checkpoint, measure, metrics_jsonl, model_file, row
from alearn.trial.checkpoint import State
from alearn.trial.row import Origin


@dataclass(frozen=True)
class Setting:
    """The parts of a trial in a folder, for its journal and its reporters.

    Attributes:
        folder: The folder of the trial.
        config: The config of the trial, in which nothing is left to choose.
        origin: What started the trial.
        pool: The images to label, on runtime.device.
        test: The test set, on runtime.device. It may be empty.
        names: The names of images and classes that the loop uses.
        state: The state of the trial. The journal keeps it up to date.
        runtime: Where and how to compute.
        notes: Sentences to show before the first round.
        backbone: The network that computed the features of pool and test; None if a network is trained on pixels.
        embedding: What was done to the features then; None if nothing was.
    """

    folder: Path
    config: Config
    origin: Origin
    pool: ImageSet
    test: ImageSet
    names: Names
    state: State
    runtime: Runtime
    notes: Sequence[str] = ()
    backbone: Backbone | None = None
    embedding: Embedding | None = None


class Reporter(Protocol):
    """What shows a trial to people. Reporters do not depend on each other, and no label depends on them."""

    def progress(self, step: Progress) -> None:
        """Show how far the work is."""

    def committed(self, entry: Entry) -> None:
        """Show an entry that is on disk, with its metrics. Its arrays are valid only during the call."""

    def close(self) -> None:
        """Stop reporting. The trial has finished, has failed or was interrupted."""


class FolderJournal:
    """The journal that keeps the files of a trial's folder.

    `commit` writes labels.csv and metrics.jsonl first, then the files of an audit, then checkpoint.pt. So the other
    files always contain what the checkpoint contains. A trial that is killed between two of these files starts again
    from the last checkpoint and writes the same files. The reporters hear of an entry only after all files are
    written, so a bug in a reporter costs no label.

    Attributes:
        row: The trial's row. It is empty until the trial has finished.
    """

    def __init__(self, setting: Setting, reporters: Sequence[Reporter]) -> None:
        self._setting = setting
        self._reporters = reporters
        self.row: dict[str, Any] = {}
        metrics_jsonl.write(setting.folder, setting.state.history)

    def progress(self, step: Progress) -> None:
        """Pass the progress on to the reporters."""
        for reporter in self._reporters:
            reporter.progress(step)

    def commit(self, entry: Entry) -> None:
        """Write the entry to disk, then tell the reporters."""
        if isinstance(entry, Round):
            entry = replace(entry, metrics=self._measured(entry))
            self._keep(entry)
        elif isinstance(entry, Finished):
            self.row = self._row(entry)
            entry = replace(entry, metrics=self.row)
        self._write(entry)
        for reporter in self._reporters:
            reporter.committed(entry)

    def close(self) -> None:
        """Close every reporter, even if one of them fails."""
        with ExitStack() as stack:
            for reporter in self._reporters:
                stack.callback(reporter.close)

    def _measured(self, entry: Round) -> dict[str, Any]:
        setting = self._setting
        return measure.of_round(entry, setting.pool.truth, setting.test, setting.runtime)

    def _keep(self, entry: Round) -> None:
        state = self._setting.state
        state.history.append(entry.metrics)
        state.model = {key: value.cpu() for key, value in entry.fitted.model.state_dict().items()}

    def _row(self, entry: Finished) -> dict[str, Any]:
        setting = self._setting
        ledger = entry.ledger
        final = measure.of_labels(ledger, setting.pool.truth, setting.pool.classes)
        if ledger.audit is not None:
            terms = protocol.terms(setting.config.policy)
            final["certificate"] = certificate_file.build(ledger, terms, self._setting.names)["statement"]
        return row.build(setting.config, setting.origin, setting.state.history, final, setting.runtime)

    def _write(self, entry: Entry) -> None:
        """Write every file that the entry changes. The checkpoint comes after the files that must match it."""
        setting = self._setting
        ledger = entry.ledger
        folder = setting.folder
        pool = setting.pool
        state = setting.state
        if isinstance(entry, Round):
            metrics_jsonl.append(folder, entry.metrics)
        if isinstance(entry, Round | AuditStage | Finished):
            labels_csv.write(folder, ledger, pool.ids, pool.classes)
        if ledger.audit is not None and not isinstance(entry, AuditDrawn):
            self._write_audit(entry)
        checkpoint.save(folder, setting.config.digest(), state)
        if isinstance(entry, Finished) and state.model is not None:
            self._save_model(state.model)

    def _save_model(self, weights: dict[str, Tensor]) -> None:
        """Write the last model. If it is a head on features, put the backbone in front of it."""
        setting = self._setting
        backbone = setting.backbone
        shape = tuple(setting.pool.images.shape[1:])
        if backbone is not None:
            weights = on_pixels(backbone, setting.embedding, weights)
            shape = (backbone.channels, backbone.size, backbone.size)
        elif isinstance(setting.config.model, Linear):
            weights = on_features(setting.embedding, weights)
            shape = (weights["head.weight"].shape[1], 1, 1)
        model_file.save(setting.folder, setting.config.model, weights, setting.pool.classes, shape)

    def _write_audit(self, entry: Entry) -> None:
        folder = self._setting.folder
        names = self._setting.names
        ledger = entry.ledger
        terms = protocol.terms(self._setting.config.policy)
        if isinstance(entry, AuditFrozen):
            certificate_file.write_frozen(folder, ledger, names)
        else:
            certificate_file.write_answers(folder, ledger, terms, names)
        if isinstance(entry, Finished):
            certificate_file.save(folder, certificate_file.build(ledger, terms, names))
