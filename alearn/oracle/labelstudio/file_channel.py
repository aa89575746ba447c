"""A channel to people through files: people import the tasks into Label Studio and export the annotations from it."""

import json
from collections.abc import Callable, MutableSequence
from itertools import chain
from pathlib import Path

from alearn.data.ids import positions
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError, WaitingError
from alearn.files import atomic
from alearn.oracle.labelstudio import LabelStudioOracle
from alearn.oracle.labelstudio.annotations import Annotation, exported, fault
from alearn.oracle.labelstudio.labeling_config import labeling_config
from alearn.oracle.labelstudio.tasks import asked, label, tasks
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store

FOLDER = "labelstudio"
TASKS = "tasks.json"
CONFIG = "labeling_config.xml"
BYTES = 2_000_000_000
"""The largest file of annotations. No export of one batch is that large."""


class Files:
    """A channel that never waits. If answers are missing, it writes the tasks to import and ends the trial for now.

    The first annotation of an image stands, in the order of the names of the files and then in the order of submission.
    A skipped task means "cannot tell"; only the JSON export of Label Studio has skipped tasks.
    """

    def __init__(self, config: LabelStudioOracle, pool: ImageSet, store: Store, insight: Insight, folder: Path) -> None:
        """folder: the trial's folder. config: not used; it is here because `Server` takes it."""
        self._pool = pool
        self._store = store
        self._insight = insight
        self._index = positions(pool.ids)
        self._trial = folder
        self._folder = folder / FOLDER
        self.where = self.link = str(self._folder)

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Read the exported annotations into the store.

        Raises:
            WaitingError: some images have no answer yet.
            AlearnError: a file cannot be read, or an annotation names no class.
        """
        missing = dict.fromkeys(batch.index.tolist())
        total = batch.answered + len(batch.index)
        for path in sorted(chain(self._folder.glob("annotations*.json"), self._folder.glob("annotations*.csv"))):
            for annotation in exported(str(path), _content(path)):
                i = self._index.get(annotation.item)
                if i is None or i not in missing or annotation.asked != asked(batch):
                    continue
                chosen = self._label(annotation)
                self._store.answer(i, chosen, batch.purpose, batch.round, annotation.person, batch.again)
                del missing[i]
                report(total - len(missing), total)
        if missing:
            self._write(batch, list(missing))
            raise WaitingError(
                f"{len(missing):,} images wait for labels in Label Studio. Import {self._folder / TASKS} into a "
                f"project with the labeling config {CONFIG} from the same folder, label them, and export them as JSON "
                f"to {self._folder / 'annotations.json'}; then: alearn resume={self._trial}"
            )

    def close(self) -> None:
        """Do nothing: this channel keeps nothing open."""

    def _label(self, annotation: Annotation) -> int:
        number = label(annotation, self._store)
        if number is None and len(annotation.choices) == 1 and isinstance(self._store.classes, MutableSequence):
            number = self._store.add_class(annotation.choices[0])  # people have added it to the labeling config
        if number is None:
            raise AlearnError(f"{annotation.where} ({annotation.item}): {fault(annotation, self._store.classes)}")
        return number

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
            raise AlearnError(f"{path}: this file has {size / 1e9:.1f} GB; alearn reads at most {BYTES / 1e9:.0f}")
        return path.read_bytes()
    except OSError as error:
        raise AlearnError(f"{path}: cannot be read ({error.strerror or error})") from None
