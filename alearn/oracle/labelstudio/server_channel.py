"""A channel to people through a Label Studio server."""

import secrets
import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path

from alearn.data.ids import positions
from alearn.data.imageset import ImageSet
from alearn.errors import AlearnError
from alearn.files import atomic
from alearn.oracle.labelstudio import LabelStudioOracle
from alearn.oracle.labelstudio.annotations import Annotation, fault, sent
from alearn.oracle.labelstudio.labeling_config import OURS
from alearn.oracle.labelstudio.project import CHUNK, Project
from alearn.oracle.labelstudio.rest_client import Api, AwayError
from alearn.oracle.labelstudio.task_format import ASKED, ITEM, Json
from alearn.oracle.labelstudio.tasks import asked, guessed, label, tasks, version
from alearn.oracle.people import Batch, Insight
from alearn.oracle.store import Store

SHORT = 1.0
"""Seconds between two requests after new answers."""
LONG = 5.0
"""The most seconds between two requests, when there have been no new answers for a while."""

TRIAL = "trial"
"""The key of a task's data that tells apart the trials in one project."""

TITLE = 50
"""The most characters of a title in Label Studio. The least are 3."""


class Server:
    """A channel through a server. It can repeat every step, because the server tells which tasks of a batch it has and
    how people answered them. So neither a restart of either side nor a lost request makes people answer twice.

    The first annotation that names a class stands; later ones change nothing. A skipped task means "cannot tell". Any
    other annotation leaves its image open, with a warning, until someone corrects it.
    """

    def __init__(self, config: LabelStudioOracle, pool: ImageSet, store: Store, insight: Insight, folder: Path) -> None:
        """Read the URL and the key. `ask` contacts the server for the first time.

        Args:
            config: the URL of the server and the title of the project.
            pool: the images.
            store: where the answers go.
            insight: what people may know about the trial.
            folder: the trial's folder.

        Raises:
            AlearnError: the URL is not valid, or there is no key.
        """
        self._api = Api(config.url or "")
        title = config.project or _title(folder.resolve())
        self._project = Project(self._api, title)
        self.where = self.link = f"{self._api.url}, project {title}"
        self._pool = pool
        self._store = store
        self._insight = insight
        self._index = positions(pool.ids)
        self._trial = _mark(folder / "labelstudio")
        self._layout = OURS
        self._warned: set[int] = set()

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Put the batch into the project, and wait for its annotations."""
        log = getLogger(__name__)
        wait = SHORT
        away = False
        look = _Look(batch, dict.fromkeys(batch.index.tolist()), report)
        look.tell()
        while look.open:
            start = time.monotonic()
            before = len(look.open)
            try:
                self._once(look)
                if away:
                    log.warning("Label Studio at %s is back", self._api.url)
                away = False
            except AwayError as error:
                if not away:
                    log.warning("Label Studio at %s is away (%s); waiting for it", self._api.url, error)
                away = True
            wait = SHORT if len(look.open) < before else min(wait * 1.5, LONG)
            if look.open:
                time.sleep(max(wait, time.monotonic() - start))  # requests take at most half of the time

    def close(self) -> None:
        """Do nothing: this channel keeps nothing open."""

    def _once(self, look: "_Look") -> None:
        """Read the answers that the server has, and push the tasks that it does not have."""
        batch = look.batch
        mine = {TRIAL: self._trial, ASKED: asked(look.batch)}
        if not look.ready:
            self._layout = self._project.prepared(list(self._store.classes))
        there = list(self._project.tasks(mine, "id,annotations,result,completed_by,was_cancelled,email,username"))
        if any(each["id"] not in look.tasks for each in there):  # from before a restart: read their data, too
            for each in self._project.tasks(mine, "id,data"):
                look.tasks[each["id"]] = self._index.get(str(each["data"].get(ITEM)))
        seen = {i: each for each in there if (i := look.tasks.get(each["id"])) is not None}
        look.sent.difference_update(seen)
        annotations = [annotation for each in there for annotation in self._annotations(look, each)]
        for annotation in sorted(annotations, key=lambda annotation: annotation.number):
            self._take(look, annotation)
        missing = [i for i in look.open if i not in seen and i not in look.sent]
        for start in range(0, len(missing), CHUNK):
            index = missing[start : start + CHUNK]
            body = tasks(batch, index, self._pool, self._store, self._insight, self._layout, {TRIAL: self._trial})
            numbers = self._project.push(list(body))
            look.tasks.update(zip(numbers, index, strict=False))
            look.sent.update([] if numbers else index)
        if not look.ready and guessed(batch, self._insight):
            self._project.show(version(batch))
        if not look.ready:
            getLogger(__name__).info("%d images to label at %s", len(look.open), self._project)
        look.ready = True

    def _annotations(self, look: "_Look", task: Json) -> list[Annotation]:
        """Return the annotations of a task, none if its image is not open."""
        i = look.tasks.get(task["id"])
        if i is None or i not in look.open:
            return []
        data = {ITEM: self._pool.ids[i], ASKED: asked(look.batch)}
        where = f"{self._project}, task {task['id']}"
        raw = task.get("annotations") or []
        named = [each | {"completed_by": self._project.who(each.get("completed_by"))} for each in raw]
        return [sent(each, data, where, self._layout.label) for each in named]

    def _take(self, look: "_Look", annotation: Annotation) -> None:
        """Keep an answer, unless its image already has one. Warn about an annotation without a usable answer."""
        i = self._index[annotation.item]
        batch = look.batch
        if i not in look.open:
            return
        number = label(annotation, self._store)
        if number is None and len(annotation.choices) == 1 and isinstance(self._store.classes, MutableSequence):
            self._layout = self._project.prepared(list(self._store.classes))
            if annotation.choices[0] in self._layout.choices:  # people have added a class
                number = self._store.add_class(annotation.choices[0])
        if number is not None:
            self._store.answer(i, number, batch.purpose, batch.round, annotation.person, batch.again)
            del look.open[i]
            look.tell()
        elif annotation.number not in self._warned:
            self._warned.add(annotation.number)
            why = fault(annotation, self._store.classes)
            getLogger(__name__).warning(
                "%s (%s): %s; correct it there, the image stays open", annotation.where, annotation.item, why
            )


@dataclass
class _Look:
    """The state of a batch in the project.

    open: the images without an answer, in order.
    report: see `Channel.ask`.
    tasks: the image of each task by the task's number; None if the pool has no such image.
    sent: images that the server imports in the background and does not list yet.
    ready: whether all tasks have been pushed once.
    """

    batch: Batch
    open: dict[int, None]
    report: Callable[[int, int], None]
    tasks: dict[int, int | None] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    ready: bool = False

    def tell(self) -> None:
        """Report how many images of the batch have an answer."""
        total = self.batch.answered + len(self.batch.index)
        self.report(total - len(self.open), total)


def _title(folder: Path) -> str:
    """Return a title made of the name of the trial's folder. The parent's name precedes a short one, as in a sweep."""
    name = folder.name if len(folder.name) > 2 else f"{folder.parent.name} {folder.name}"
    return name[-TITLE:].strip().ljust(3, ".")


def _mark(folder: Path) -> str:
    """Return the name that marks this trial's tasks. The trial's folder keeps it."""
    path = folder / "trial.txt"
    try:
        folder.mkdir(exist_ok=True, parents=True)
        if not path.exists():
            atomic.replace(path, secrets.token_hex(8))
        return path.read_text().strip()
    except (OSError, ValueError) as error:
        raise AlearnError(f"{path}: cannot be read or written, but it identifies the trial's tasks ({error})") from None
