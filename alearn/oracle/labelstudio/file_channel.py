"""A channel to people by files: tasks that are imported into Label Studio by hand, annotations that it exports."""

import json
from collections.abc import Callable, MutableSequence
from itertools import chain
from pathlib import Path

from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic
from alearn.oracle.labelstudio import LabelStudioOracle
from alearn.oracle.labelstudio.annotations import Annotation, exported, fault
from alearn.oracle.labelstudio.labeling_config import labeling_config
from alearn.oracle.labelstudio.tasks import asked, label, tasks
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store

FOLDER, TASKS, CONFIG = "labelstudio", "tasks.json", "labeling_config.xml"
BYTES = 2_000_000_000
"""Of a file of annotations; more than any export of one batch."""


class Files:
    """A channel. It never waits: where answers are missing it writes what to import, and ends the trial until then.

    The first annotation of an image stands, in the order of the files' names and then of submission. A skipped task is
    "cannot tell"; only Label Studio's JSON export has those.
    """

    def __init__(self, config: LabelStudioOracle, pool: ImageSet, store: Store, insight: Insight, folder: Path) -> None:
        """folder: the trial's. config is as for a server; there is nothing in it to know."""
        self._pool, self._store, self._insight = pool, store, insight
        self._index = {item: i for i, item in enumerate(pool.ids)}
        self._trial, self._folder = folder, folder / FOLDER
        self.where = self.link = str(self._folder)

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Take the answers that are there. Raises WaitingError if some are missing, AlearnError for a file that cannot
        be read or says what no class is.
        """
        missing, total = dict.fromkeys(batch.index.tolist()), batch.answered + len(batch.index)
        for path in sorted(chain(self._folder.glob("annotations*.json"), self._folder.glob("annotations*.csv"))):
            for one in exported(str(path), _content(path)):
                i = self._index.get(one.item)
                if i is None or i not in missing or one.asked != asked(batch):
                    continue
                self._store.answer(i, self._label(one), batch.purpose, batch.round, one.person, batch.again)
                del missing[i]
                report(total - len(missing), total)
        if missing:
            self._write(batch, list(missing))
            raise WaitingError(
                f"{len(missing):,} images wait for labels in Label Studio. Import {self._folder / TASKS} into a "
                f"project with the labeling config {CONFIG} beside it, label them, export as JSON to "
                f"{self._folder / 'annotations.json'}; then: alearn resume={self._trial}"
            )

    def close(self) -> None:
        """Nothing is held."""

    def _label(self, one: Annotation) -> int:
        found = label(one, self._store)
        if found is None and len(one.choices) == 1 and isinstance(self._store.classes, MutableSequence):
            found = self._store.add_class(one.choices[0])  # the team has added it to the labeling config
        if found is None:
            raise AlearnError(f"{one.where} ({one.item}): {fault(one, self._store.classes)}")
        return found

    def _write(self, batch: Batch, index: list[int]) -> None:
        body = tasks(batch, index, self._pool, self._store, self._insight)
        try:
            self._folder.mkdir(exist_ok=True, parents=True)
            atomic.replace(self._folder / CONFIG, labeling_config(list(self._store.classes)))
            atomic.replace(self._folder / TASKS, "[\n" + ",\n".join(json.dumps(each) for each in body) + "\n]\n")
        except OSError as error:
            raise AlearnError(f"{self._folder}: cannot be written ({error.strerror or error})") from None


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > BYTES:
            raise AlearnError(f"{path}: has {size / 1e9:.1f} GB; at most {BYTES / 1e9:.0f} are read")
        return path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror or error})") from None
