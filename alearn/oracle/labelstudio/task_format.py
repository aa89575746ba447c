"""Label Studio's own formats, both ways: tasks, labeling configs, annotations, the files that it exports. All pure.

To write a labeled data set that Label Studio can import, one list of tasks:

    task(id, image, annotations=[annotation("cat")])                              # a human's label
    task(id, image, predictions=[prediction("cat", score, "alearn round 7")])     # a model's label

and `labeling_config(classes)` for the project that it goes into. image: a URL, or `data_uri(*encoded(...))`.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from alearn.errors import AlearnError
from alearn.files import csv_tables

Json = dict[str, Any]

ITEM, ASKED, IMAGE, LABEL = "item", "asked", "image", "label"
"""Keys of a task's data: the image's id, what it was asked for (none in exports of a data set), the picture. LABEL is
what the choice is called. None may be "id": in Label Studio's flat exports that is the task's number.
"""


@dataclass(frozen=True)
class Layout:
    """What a labeling config calls things. picture and label: names of its <Image> and <Choices>. key: where the task's
    data has the picture. choices: what an annotation may say.
    """

    picture: str = IMAGE
    label: str = LABEL
    key: str = IMAGE
    choices: tuple[str, ...] = ()


OURS = Layout()


def data_uri(content: bytes, mime: str) -> str:
    """A picture inside a task, so that the server needs no storage for it."""
    return f"data:{mime};base64,{b64encode(content).decode()}"


def task(
    item: str,
    image: str,
    annotations: Iterable[Json] = (),
    predictions: Iterable[Json] = (),
    data: Mapping[str, str] | None = None,
    layout: Layout = OURS,
) -> Json:
    """A task to import. item: the image's id. image: a URL of any kind. data: what it shall show besides."""
    return {
        "data": {layout.key: image, ITEM: item, **(data or {})},
        "annotations": list(annotations),
        "predictions": list(predictions),
    }


def annotation(label: str | None, layout: Layout = OURS) -> Json:
    """A human's label. None is "cannot tell": a task that was skipped. It names nobody, since Label Studio refuses
    people that it does not know; those who import become its author.
    """
    return {"result": [] if label is None else _result(label, layout), "was_cancelled": label is None}


def prediction(label: str, score: float | None, version: str, layout: Layout = OURS) -> Json:
    """A model's label. score: how probable it is, None where nobody knows. version: which model said so."""
    return {"result": _result(label, layout), "model_version": version} | ({} if score is None else {"score": score})


def _result(label: str, layout: Layout) -> list[Json]:
    value = {"choices": [label]}
    return [{"from_name": layout.label, "to_name": layout.picture, "type": "choices", "value": value}]


def cannot_tell(classes: Sequence[str]) -> str:
    """What an annotation says of an image that has no label."""
    return _beside("alearn:cannot-tell", classes)


def _beside(word: str, classes: Sequence[str]) -> str:
    while word in classes:
        word = f"({word})"
    return word


def labeling_config(classes: Sequence[str]) -> str:
    """A project's labeling config: the picture, a choice a class, and "cannot tell". Raises AlearnError for a class
    name that XML cannot hold.

    A class that is one letter or digit has that key, so 7 is pressed for a 7; otherwise the first nine have 1 to 9.
    """
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
    names = {"name": LABEL, "toName": IMAGE, "choice": "single", "required": "true", "showInline": "true"}
    choices = ElementTree.SubElement(view, "Choices", names)
    letters = all(re.fullmatch("[a-z0-9]", name) for name in classes)
    keys = list(classes) if letters else [str(i + 1) for i in range(min(9, len(classes)))]
    for i, name in enumerate(classes):
        choices.append(_choice(name, keys[i] if i < len(keys) else None))
    last = _choice(_beside("cannot tell", classes), next(key for key in "xy-" if key not in keys))
    last.set("alias", cannot_tell(classes))
    choices.append(last)
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode")


def _choice(name: str, key: str | None = None) -> ElementTree.Element:
    if not name or re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", name):
        raise AlearnError(f"the class {name!r} cannot be a choice in Label Studio; rename it")
    return ElementTree.Element("Choice", {"value": name} | ({"hotkey": key} if key else {}))


def layout(config: str) -> Layout | None:
    """What a labeling config has for images and one choice, None if it has no such thing (as a new project's)."""
    found = _choices(config)
    if found is None:
        return None
    _, choices, picture = found
    names = [choice.get("alias") or choice.get("value") or "" for choice in choices.iter("Choice")]
    return Layout(picture.get("name", ""), choices.get("name", ""), picture.get("value", "")[1:], tuple(names))


def grown(config: str, classes: Sequence[str]) -> str | None:
    """The same config with choices for the classes that it lacked, all else as it was; None if it lacks none."""
    found, known = _choices(config), layout(config)
    if found is None or known is None:
        raise ValueError("a config without choices cannot grow")
    view, choices, _ = found
    lacking = [name for name in classes if name not in known.choices]
    if not lacking:
        return None
    inside = list(choices)
    place = next((i for i, choice in enumerate(inside) if choice.get("alias") == cannot_tell(classes)), len(inside))
    for name in reversed(lacking):
        choices.insert(place, _choice(name))
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode")


def _choices(config: str) -> tuple[ElementTree.Element, ElementTree.Element, ElementTree.Element] | None:
    """The root, the first <Choices> that is about an <Image>, and that image."""
    try:
        view = ElementTree.fromstring(config)
    except ElementTree.ParseError:
        return None
    pictures = {picture.get("name"): picture for picture in view.iter("Image")}
    for choices in view.iter("Choices"):
        picture = pictures.get(choices.get("toName"))
        if picture is not None and picture.get("value", "").startswith("$"):
            return view, choices, picture
    return None


@dataclass(frozen=True)
class Said:
    """An annotation. choices: one where it is of use. skipped: the task was. who: see `who`. number: ascending in the
    order of submission. where: the task, in words.
    """

    item: str
    asked: str
    choices: tuple[str, ...]
    skipped: bool
    who: str
    number: int
    where: str


def who(value: object) -> str:
    """A person as in completed_by (a number or an object) or annotator (a number or an address)."""
    if isinstance(value, dict):
        known = [value.get(key) for key in ("email", "username", "id")]
        return next((who(name) for name in known if name and not isinstance(name, dict)), who(None))
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        return f"user {value}"
    return value.strip() if isinstance(value, str) and value.strip() else "label studio"


def said(of: Json, found: Json, where: str, label: str = LABEL) -> Said:
    """An annotation of a task with the data `of`. Raises AlearnError for what has another shape."""
    chosen: list[str] = []
    for part in _list(found.get("result"), where, "result"):
        if part.get("type") == "choices" and part.get("from_name") == label:
            value = part.get("value")
            choices = value.get("choices") if isinstance(value, dict) else None
            if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
                raise AlearnError(f"{where}: value.choices is {_short(choices)}, not a list of names")
            chosen += choices
    person, skipped = who(found.get("completed_by")), found.get("was_cancelled") is True
    return Said(str(of[ITEM]), str(of[ASKED]), tuple(chosen), skipped, person, _number(found.get("id")), where)


def fault(one: Said, known: Iterable[str]) -> str:
    """Why an annotation says no class."""
    if len(one.choices) == 1:
        return f"{_short(one.choices[0])} is none of {', '.join(known)}"
    return f"an annotation chooses {len(one.choices)} of the classes, not one"


def exported(name: str, content: bytes) -> list[Said]:
    """What a file says that Label Studio exported as JSON, JSON_MIN or CSV, in the order of submission; tasks that are
    not of our making are left out. Raises AlearnError that names file and task.
    """
    tasks = _table(name, content) if name.lower().endswith(".csv") else _tasks(name, content)
    found = [one for where, each in tasks for one in _of(where, each)]
    return sorted(found, key=lambda one: one.number)


def _of(where: str, each: Json) -> Iterator[Said]:
    data = each.get("data", each)
    if not isinstance(data, dict):
        raise AlearnError(f"{where}: data is {_short(data)}, not an object")
    if not (isinstance(data.get(ITEM), str) and isinstance(data.get(ASKED), str)):
        return
    if data is not each:
        for found in _list(each.get("annotations"), where, "annotations"):
            yield said(data, found, where)
    elif each.get("annotation_id") not in (None, ""):
        value = each.get(LABEL)
        if isinstance(value, dict):  # more than one was chosen
            value = value.get("choices")
        chosen = [value] if isinstance(value, str) and value else value or []
        if not isinstance(chosen, list) or not all(isinstance(choice, str) for choice in chosen):
            raise AlearnError(f"{where}: {LABEL} is {_short(value)}, not a name")
        person, number = who(each.get("annotator")), _number(each["annotation_id"])
        yield Said(data[ITEM], data[ASKED], tuple(chosen), False, person, number, where)


def _tasks(name: str, content: bytes) -> Iterator[tuple[str, Json]]:
    try:
        tasks = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise AlearnError(f"{name}: is not UTF-8 ({error.reason} at byte {error.start:,})") from None
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise AlearnError(f"{name}: is not JSON as Label Studio exports it ({why})") from None
    for i, each in enumerate(_list(tasks, name, "the file"), 1):
        number = each.get("id")
        yield f"{name}, task {number if isinstance(number, int) else f'at place {i:,}'}", each


def _table(name: str, content: bytes) -> Iterator[tuple[str, Json]]:
    if not content.strip():  # an export of no tasks
        return
    try:
        lines = csv_tables.parse(name, content, (ITEM, ASKED, LABEL, "annotation_id"))
    except AlearnError as error:
        raise AlearnError(f"{error}; give Label Studio's CSV export, unchanged") from None
    for number, row in lines.items():
        yield f"{name}: line {number}", row


def _list(value: object, where: str, what: str) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise AlearnError(f"{where}: {what} is {_short(value)}, not a list of objects as Label Studio exports it")
    return value


def _number(value: object) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else 0


def _short(value: object) -> str:
    if isinstance(value, (dict, list)):  # it may be of any size and depth
        return "an object" if isinstance(value, dict) else f"a list of {len(value):,}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
