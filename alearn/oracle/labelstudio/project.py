"""A project on a Label Studio server: found or made, filled with tasks, read."""

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
"""Tasks in a request that imports them, each with its picture."""

PAGE = 500
"""Tasks in an answer that lists them without their pictures."""


class Project:
    """By its title. All methods raise what `Api` raises; each can be repeated after an AwayError."""

    def __init__(self, api: Api, title: str) -> None:
        self._api, self._title = api, title
        self._number: int | None = None
        self._people: dict[int, str] = {}

    def __str__(self) -> str:
        return f"{self._api.url}/projects/{self._number}"

    def prepared(self, classes: Sequence[str]) -> Layout:
        """Its layout, once it has all of the classes as choices. A project that the team has set up keeps the rest of
        its labeling config.
        """
        if self._number is None:
            self._number = self._found() or self._made(classes)
        try:
            found = self._api.get(self._path)
        except RefusedError as error:
            if error.status != 404:
                raise
            raise AlearnError(f"{self}: the project is gone; resume the trial, and it makes a new one") from None
        config = str(found.get("label_config") or "")
        layout = labeling_config.layout(config)
        if layout is not None:
            new = labeling_config.grown(config, classes)
        elif "name=" not in config:  # as Label Studio makes them
            new = labeling_config.labeling_config(classes)
        else:
            raise AlearnError(
                f"oracle.project={self._title}: its labeling config has no <Choices> about an <Image> with a value "
                "like $image; give it some, or name another project"
            )
        if new is not None:
            self._api.patch(self._path, {"label_config": new})
            layout = labeling_config.layout(new)
        assert layout is not None
        return layout

    @property
    def _path(self) -> str:
        return f"/api/projects/{self._number}/"

    def _found(self) -> int | None:
        for page in range(1, 1_000_000):
            path = f"/api/projects/?title={quote(self._title, safe='')}&include=id,title&page_size=100&page={page}"
            answer = self._api.get(path)
            same = [each["id"] for each in self._of(answer, "results", list) if each.get("title") == self._title]
            if same:
                return int(min(same))
            if not answer.get("next"):
                break
        return None

    def _made(self, classes: Sequence[str]) -> int:
        new = {
            "title": self._title,
            "label_config": labeling_config.labeling_config(classes),
            "sampling": "Uncertainty sampling",  # the least probable guess first
            "skip_queue": "IGNORE_SKIPPED",  # who skips has answered: nobody else is asked
        }
        return int(self._of(self._api.post("/api/projects/", new), "id", int))

    def tasks(self, data: dict[str, str], fields: str) -> Iterator[Json]:
        """Those with these values in their data, by number. fields: the ones that are told of them."""
        items = [
            {"filter": f"filter:tasks:data.{key}", "operator": "equal", "type": "String", "value": value}
            for key, value in data.items()
        ]
        query = json.dumps({"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]})
        common = f"/api/tasks/?project={self._number}&fields=all&include={fields}&query={quote(query)}"
        size = CHUNK if "data" in fields else PAGE
        page, seen, total = 1, 0, 1
        while seen < total:
            answer = self._api.get(f"{common}&page_size={size}&page={page}")
            found, total = self._of(answer, "tasks", list), self._of(answer, "total", int)
            yield from found
            page, seen = page + 1, seen + len(found) or total  # an empty page is the last

    def push(self, tasks: list[Json]) -> list[int]:
        """Import tasks. Their numbers; none where the server does not say."""
        try:
            answer = self._api.post(f"{self._path}import?return_task_ids=true", tasks)
        except RefusedError as error:
            if error.status != 413 or len(tasks) == 1:
                raise
            half = len(tasks) // 2  # a proxy before the server takes less at a time
            first, second = self.push(tasks[:half]), self.push(tasks[half:])
            return first + second if first and second else []
        numbers = answer.get("task_ids") if isinstance(answer, dict) else None
        return numbers if isinstance(numbers, list) and len(numbers) == len(tasks) else []

    def show(self, version: str) -> None:
        """Show people the guesses of this model; Label Studio shows those of one at a time."""
        with suppress(RefusedError):  # somebody has deleted them: people label without
            self._api.patch(self._path, {"model_version": version})

    def who(self, value: object) -> str:
        """The name of a person, in any way that annotations have it."""
        if isinstance(value, int) and value not in self._people:
            with suppress(RefusedError):  # not everybody may see everybody
                found = self._api.get("/api/users/?include=id,email,username")
                people = found.get("results", []) if isinstance(found, dict) else found
                self._people |= {each["id"]: person(each) for each in people}
            self._people.setdefault(value, person(value))
        return self._people[value] if isinstance(value, int) else person(value)

    def _of(self, answer: Any, key: str, kind: type) -> Any:
        """A part of an answer that must be there."""
        if not isinstance(answer, dict) or not isinstance(answer.get(key), kind):
            raise AlearnError(f"{self._api.url}: answers in a form that alearn does not know (no {key})")
        return answer[key]
