"""A project on a Label Studio server: find or create it, fill it with tasks, and read them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from alearn.errors import AlearnError
from alearn.oracle.labelstudio import labeling_config
from alearn.oracle.labelstudio.annotations import person
from alearn.oracle.labelstudio.labeling_config import Layout
from alearn.oracle.labelstudio.rest_client import Api, RefusedError
from alearn.oracle.labelstudio.task_format import Json

CHUNK = 50
"""The number of tasks in one request that imports them, each with its picture."""

PAGE = 500
"""The number of tasks in one reply that lists them without their pictures."""


class Project:
    """A project, identified by its title. All methods raise what `Api` raises. After an AwayError, call them again."""

    def __init__(self, api: Api, title: str) -> None:
        self._api = api
        self._title = title
        self._number: int | None = None
        self._people: dict[int, str] = {}

    def __str__(self) -> str:
        return f"{self._api.url}/projects/{self._number}"

    def prepared(self, classes: Sequence[str]) -> Layout:
        """Find or create the project, give it choices for all classes, and return the layout of its labeling config.

        The rest of the labeling config of an existing project stays as it is.
        """
        if self._number is None:
            self._number = self._find() or self._create(classes)
        try:
            project = self._api.get(self._path)
        except RefusedError as error:
            if error.status != 404:
                raise
            raise AlearnError(f"{self}: the project is gone; resume the trial to create a new one") from None
        config = str(project.get("label_config") or "")
        layout = labeling_config.layout(config)
        if layout is not None:
            new = labeling_config.grown(config, classes)
        elif "name=" not in config:  # the empty config of a new project
            new = labeling_config.labeling_config(classes)
        else:
            raise AlearnError(
                f"oracle.project={self._title}: its labeling config has no <Choices> about an <Image> with a value "
                "like $image; add them, or name another project"
            )
        if new is not None:
            self._api.patch(self._path, {"label_config": new})
            layout = labeling_config.layout(new)
        assert layout is not None
        return layout

    @property
    def _path(self) -> str:
        return f"/api/projects/{self._number}/"

    def _find(self) -> int | None:
        for page in range(1, 1_000_000):
            path = f"/api/projects/?title={quote(self._title, safe='')}&include=id,title&page_size=100&page={page}"
            answer = self._api.get(path)
            same = [each["id"] for each in self._of(answer, "results", list) if each.get("title") == self._title]
            if same:
                return int(min(same))
            if not answer.get("next"):
                break
        return None

    def _create(self, classes: Sequence[str]) -> int:
        new = {
            "title": self._title,
            "label_config": labeling_config.labeling_config(classes),
            "sampling": "Uncertainty sampling",  # the least probable guess first
            "skip_queue": "IGNORE_SKIPPED",  # skipping is an answer, so nobody else gets the task
        }
        return int(self._of(self._api.post("/api/projects/", new), "id", int))

    def tasks(self, data: dict[str, str], fields: str) -> Iterator[Json]:
        """Yield the tasks that have these values in their data, in the order of their numbers.

        fields: the names of the fields to read, separated by commas.
        """
        items = [
            {"filter": f"filter:tasks:data.{key}", "operator": "equal", "type": "String", "value": value}
            for key, value in data.items()
        ]
        query = json.dumps({"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]})
        common = f"/api/tasks/?project={self._number}&fields=all&include={fields}&query={quote(query)}"
        size = CHUNK if "data" in fields else PAGE
        page = 1
        seen = 0
        total = 1
        while seen < total:
            answer = self._api.get(f"{common}&page_size={size}&page={page}")
            tasks = self._of(answer, "tasks", list)
            total = self._of(answer, "total", int)
            yield from tasks
            page += 1
            seen = seen + len(tasks) or total  # an empty page is the last

    def push(self, tasks: list[Json]) -> list[int]:
        """Import tasks, and return their numbers, or an empty list if the server does not return them."""
        try:
            answer = self._api.post(f"{self._path}import?return_task_ids=true", tasks)
        except RefusedError as error:
            if error.status != 413 or len(tasks) == 1:
                raise
            half = len(tasks) // 2  # a proxy in front of the server accepts only smaller requests
            first = self.push(tasks[:half])
            second = self.push(tasks[half:])
            return first + second if first and second else []
        numbers = answer.get("task_ids") if isinstance(answer, dict) else None
        return numbers if isinstance(numbers, list) and len(numbers) == len(tasks) else []

    def show(self, version: str) -> None:
        """Show people the guesses of this model version. Label Studio shows those of one version at a time."""
        with suppress(RefusedError):  # somebody has deleted the guesses, so people label without them
            self._api.patch(self._path, {"model_version": version})

    def who(self, value: object) -> str:
        """Return the name of a person. value: as in an annotation; see `person`."""
        if isinstance(value, int) and value not in self._people:
            with suppress(RefusedError):  # this user may not list all users
                reply = self._api.get("/api/users/?include=id,email,username")
                people = reply.get("results", []) if isinstance(reply, dict) else reply
                self._people |= {each["id"]: person(each) for each in people}
            self._people.setdefault(value, person(value))
        return self._people[value] if isinstance(value, int) else person(value)

    def _of(self, answer: Any, key: str, kind: type) -> Any:
        """Return a part of an answer. Raise AlearnError if the answer lacks it."""
        if not isinstance(answer, dict) or not isinstance(answer.get(key), kind):
            raise AlearnError(f"{self._api.url}: the server answers in a form that alearn does not know (no {key})")
        return answer[key]
