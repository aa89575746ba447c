"""Read Label Studio's annotations, as its server sends them and as it exports them. All functions are pure."""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from alearn.errors import AlearnError, first_problem
from alearn.files import csv_tables
from alearn.oracle.labelstudio.labeling_config import LABEL
from alearn.oracle.labelstudio.task_format import ASKED, ITEM, Json

NOBODY = "label studio"
"""The name of the annotator if nothing tells who it was."""


@dataclass(frozen=True)
class Annotation:
    """The answer of a person to a task.

    item, asked: these fields of the task's data.
    choices: the chosen names; a usable annotation has exactly one.
    skipped: whether the person skipped the task.
    person: see `person`.
    number: ascends in the order of submission.
    where: names the task in messages.
    """

    item: str
    asked: str
    choices: tuple[str, ...]
    skipped: bool
    person: str
    number: int
    where: str


def person(value: object) -> str:
    """Return the name of a person.

    value: of completed_by, a number or an object; or of annotator, a number or an e-mail address.
    """
    if isinstance(value, dict):
        names = [value.get(key) for key in ("email", "username", "id")]
        return next((person(name) for name in names if name and not isinstance(name, dict)), NOBODY)
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        return f"user {value}"
    return value.strip() if isinstance(value, str) and value.strip() else NOBODY


def _number(value: object) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else 0


Number = Annotated[int, BeforeValidator(_number)]
Person = Annotated[str, BeforeValidator(person)]


class _Exported(BaseModel):
    """A part of a Label Studio export. It has many more fields, which alearn ignores."""

    model_config = ConfigDict(frozen=True, strict=True)


class Choices(_Exported):
    """The chosen names."""

    choices: list[str]


class Result(_Exported):
    """The part of an annotation that belongs to one <Choices>. from_name: the name of this <Choices>."""

    from_name: str
    value: Choices


class Submission(_Exported):
    """An annotation as Label Studio writes it. result: only the parts of <Choices>, not those of other controls."""

    id: Number = 0
    completed_by: Person = NOBODY
    was_cancelled: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    result: list[Result]

    @field_validator("result", mode="before")
    @classmethod
    def _of_choices(cls, result: object) -> object:
        if not isinstance(result, list):
            return result
        return [part for part in result if not isinstance(part, dict) or part.get("type") == "choices"]

    def annotation(self, data: Json, where: str, label: str = LABEL) -> Annotation:
        """Return the annotation of a task with this data. label: the name of the <Choices> with the classes."""
        choices = tuple(name for part in self.result if part.from_name == label for name in part.value.choices)
        return Annotation(data[ITEM], data[ASKED], choices, self.was_cancelled, self.completed_by, self.id, where)


class Task(_Exported):
    """A task as in a JSON export. In JSON_MIN and CSV a task is flat: its data beside the fields of one annotation."""

    data: Json
    annotations: list[Submission]

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, task: Json) -> Json:
        if "data" in task:
            return task
        label = task.get(LABEL)
        chosen = label.get("choices") if isinstance(label, dict) else label  # several choices are an object
        value = {"choices": [chosen] if isinstance(chosen, str) and chosen else chosen or []}
        result = [{"type": "choices", "from_name": LABEL, "value": value}]
        submission = {"id": task.get("annotation_id"), "completed_by": task.get("annotator"), "result": result}
        return {"data": task, "annotations": [submission] if submission["id"] else []}


M = TypeVar("M", bound=BaseModel)
_OBJECTS = TypeAdapter(list[Json])


def _checked(kind: type[M], value: Json, where: str) -> M:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise AlearnError(f"{where}: {first_problem(error)}; export again and leave the file unchanged") from None


def sent(value: Json, data: Json, where: str, label: str) -> Annotation:
    """Read an annotation that the server sent.

    Args:
        value: the annotation.
        data: the data of its task.
        where: names the task in messages.
        label: the name of the <Choices> with the classes.

    Raises:
        AlearnError: the annotation has an unexpected form.
    """
    return _checked(Submission, value, where).annotation(data, where, label)


def fault(annotation: Annotation, known: Iterable[str]) -> str:
    """Return why an annotation names no class. known: the names of the classes."""
    if len(annotation.choices) == 1:
        name = repr(annotation.choices[0])
        return f"{name if len(name) <= 60 else f'{name[:57]}...'} is none of {', '.join(known)}"
    return f"an annotation chooses {len(annotation.choices)} classes, but must choose one"


def exported(name: str, content: bytes) -> list[Annotation]:
    """Read a file that Label Studio exported as JSON, JSON_MIN or CSV.

    Args:
        name: the name of the file.
        content: its bytes.

    Returns:
        Its annotations in the order of submission. Tasks that alearn did not create are left out.

    Raises:
        AlearnError: the file cannot be read; the message names the file and the task.
    """
    annotations: list[Annotation] = []
    for where, each in _lines(name, content) if name.lower().endswith(".csv") else _objects(name, content):
        data = each.get("data", each)
        if isinstance(data, dict) and not (isinstance(data.get(ITEM), str) and isinstance(data.get(ASKED), str)):
            continue
        task = _checked(Task, each, where)
        annotations += [submission.annotation(task.data, where) for submission in task.annotations]
    return sorted(annotations, key=lambda annotation: annotation.number)


def _objects(name: str, content: bytes) -> Iterator[tuple[str, Json]]:
    try:
        objects = _OBJECTS.validate_json(content.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        raise AlearnError(f"{name}: this is not a JSON export of Label Studio ({first_problem(error)})") from None
    for place, each in enumerate(objects, 1):
        number = each.get("id")
        yield f"{name}, task {number if isinstance(number, int) else f'at position {place:,}'}", each


def _lines(name: str, content: bytes) -> Iterator[tuple[str, Json]]:
    if not content.strip():  # an export of no tasks
        return
    try:
        lines = csv_tables.parse(name, content, (ITEM, ASKED, LABEL, "annotation_id"))
    except AlearnError as error:
        raise AlearnError(f"{error}; give an unchanged CSV export of Label Studio") from None
    for number, line in lines.items():
        yield f"{name}: line {number}", line
