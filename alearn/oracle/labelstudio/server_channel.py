"""A channel to people through a Label Studio server."""

import secrets
import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path

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

SHORT, LONG = 1.0, 5.0
"""Seconds between two looks at the server: after news, and when there has been none for a while."""

TRIAL = "trial"
"""Key of a task's data that tells the trials in one project apart."""

TITLE = 50
"""Characters that Label Studio takes for a title; 3 is the least."""


class Server:
    """A channel. Everything that it does can be done again: a look at the server tells which tasks of a batch are
    there, and what people said of them. So no restart of either side and no request lost on its way asks anything
    twice.

    The first annotation of an image that says a class stands; later ones change nothing. A task that was skipped is
    "cannot tell". An annotation that says neither leaves its image open, with a warning, until someone corrects it.
    """

    def __init__(self, config: LabelStudioOracle, pool: ImageSet, store: Store, insight: Insight, folder: Path) -> None:
        """folder: the trial's. Raises AlearnError for what is no URL, and where there is no key. The server itself is
        first asked when people are.
        """
        self._api = Api(config.url or "")
        title = config.project or _title(folder.resolve())
        self._project = Project(self._api, title)
        self.where = self.link = f"{self._api.url}, project {title}"
        self._pool, self._store, self._insight = pool, store, insight
        self._index = {item: i for i, item in enumerate(pool.ids)}
        self._trial = _mark(folder / "labelstudio")
        self._layout = OURS
        self._warned: set[int] = set()

    def ask(self, batch: Batch, report: Callable[[int, int], None]) -> None:
        """Put the batch into the project, and wait for its annotations."""
        log, wait, away = getLogger(__name__), SHORT, False
        look = _Look(batch, dict.fromkeys(batch.index.tolist()), report)
        look.tell()
        while look.open:
            start, before = time.monotonic(), len(look.open)
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
                time.sleep(max(wait, time.monotonic() - start))  # no more than half of the time is spent asking

    def close(self) -> None:
        """Nothing is held."""

    def _once(self, look: "_Look") -> None:
        """Take the answers that are there; push the tasks that are not."""
        batch, mine = look.batch, {TRIAL: self._trial, ASKED: asked(look.batch)}
        if not look.ready:
            self._layout = self._project.prepared(list(self._store.classes))
        there = list(self._project.tasks(mine, "id,annotations,result,completed_by,was_cancelled,email,username"))
        if any(each["id"] not in look.tasks for each in there):  # of before a restart; this time with the pictures
            for each in self._project.tasks(mine, "id,data"):
                look.tasks[each["id"]] = self._index.get(str(each["data"].get(ITEM)))
        seen = {i: each for each in there if (i := look.tasks.get(each["id"])) is not None}
        look.sent.difference_update(seen)
        for one in sorted((one for each in there for one in self._said(look, each)), key=lambda one: one.number):
            self._take(look, one)
        lacking = [i for i in look.open if i not in seen and i not in look.sent]
        for start in range(0, len(lacking), CHUNK):
            index = lacking[start : start + CHUNK]
            body = tasks(batch, index, self._pool, self._store, self._insight, self._layout, {TRIAL: self._trial})
            numbers = self._project.push(list(body))
            look.tasks.update(zip(numbers, index, strict=False))
            look.sent.update([] if numbers else index)
        if not look.ready and guessed(batch, self._insight):
            self._project.show(version(batch))
        if not look.ready:
            getLogger(__name__).info("%d images to label at %s", len(look.open), self._project)
        look.ready = True

    def _said(self, look: "_Look", each: Json) -> list[Annotation]:
        """What people said of a task, if its image is open."""
        i = look.tasks.get(each["id"])
        if i is None or i not in look.open:
            return []
        data, where = {ITEM: self._pool.ids[i], ASKED: asked(look.batch)}, f"{self._project}, task {each['id']}"
        found = each.get("annotations") or []
        named = [one | {"completed_by": self._project.who(one.get("completed_by"))} for one in found]
        return [sent(one, data, where, self._layout.label) for one in named]

    def _take(self, look: "_Look", one: Annotation) -> None:
        """Keep an answer, unless its image has one or it is of no use."""
        i, batch = self._index[one.item], look.batch
        if i not in look.open:
            return
        found = label(one, self._store)
        if found is None and len(one.choices) == 1 and isinstance(self._store.classes, MutableSequence):
            self._layout = self._project.prepared(list(self._store.classes))
            if one.choices[0] in self._layout.choices:  # a class that the team has added
                found = self._store.add_class(one.choices[0])
        if found is not None:
            self._store.answer(i, found, batch.purpose, batch.round, one.person, batch.again)
            del look.open[i]
            look.tell()
        elif one.number not in self._warned:
            self._warned.add(one.number)
            why = fault(one, self._store.classes)
            getLogger(__name__).warning("%s (%s): %s; correct it there, it stays open", one.where, one.item, why)


@dataclass
class _Look:
    """A batch in the project. open: the images without an answer, in order. tasks: a task's image, None if it is none
    of ours. sent: what was pushed to a server that imports in the background, and has not turned up yet. ready: all
    of it has been pushed once.
    """

    batch: Batch
    open: dict[int, None]
    report: Callable[[int, int], None]
    tasks: dict[int, int | None] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    ready: bool = False

    def tell(self) -> None:
        """Report how far it is."""
        total = self.batch.answered + len(self.batch.index)
        self.report(total - len(self.open), total)


def _title(folder: Path) -> str:
    """The name of a trial's folder; of a sweep's, which is but a number, with the sweep's before it."""
    name = folder.name if len(folder.name) > 2 else f"{folder.parent.name} {folder.name}"
    return name[-TITLE:].strip().ljust(3, ".")


def _mark(folder: Path) -> str:
    """What the tasks of this trial are known by, for as long as its folder lives."""
    path = folder / "trial.txt"
    try:
        folder.mkdir(exist_ok=True, parents=True)
        if not path.exists():
            atomic.replace(path, secrets.token_hex(8))
        return path.read_text().strip()
    except (OSError, ValueError) as error:
        raise AlearnError(f"{path}: cannot be used to tell this trial's tasks from others ({error})") from None
