"""A project's labeling config, Label Studio's XML: the choices for images, written, read and extended. All pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from alearn.errors import AlearnError

IMAGE, LABEL = "image", "label"
"""What our own config calls the picture, in a task's data too, and the choice."""


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
