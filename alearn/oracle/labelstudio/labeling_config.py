"""Write, read and extend the labeling config of a project, Label Studio's XML. All functions are pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from alearn.errors import AlearnError

IMAGE = "image"
LABEL = "label"
"""The names of <Image> and <Choices> in alearn's own config. A task's data has the picture under IMAGE too."""


@dataclass(frozen=True)
class Layout:
    """The names in a labeling config.

    picture, label: the names of its <Image> and <Choices>.
    key: the key of the picture in the task's data.
    choices: what an annotation may choose.
    """

    picture: str = IMAGE
    label: str = LABEL
    key: str = IMAGE
    choices: tuple[str, ...] = ()


OURS = Layout()


def cannot_tell(classes: Sequence[str]) -> str:
    """Return the choice for an image to which a person can give no class. It differs from all `classes`."""
    return _distinct("alearn:cannot-tell", classes)


def _distinct(name: str, classes: Sequence[str]) -> str:
    while name in classes:
        name = f"({name})"
    return name


def labeling_config(classes: Sequence[str]) -> str:
    """Return the labeling config of a project: the picture, one choice per class, and "cannot tell".

    If each name is one lowercase letter or digit, it is also the hotkey: press 7 for a 7. Otherwise the first nine
    classes have the hotkeys 1 to 9.

    Raises:
        AlearnError: XML cannot contain the name of a class.
    """
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
    names = {"name": LABEL, "toName": IMAGE, "choice": "single", "required": "true", "showInline": "true"}
    choices = ElementTree.SubElement(view, "Choices", names)
    letters = all(re.fullmatch("[a-z0-9]", name) for name in classes)
    keys = list(classes) if letters else [str(i + 1) for i in range(min(9, len(classes)))]
    for i, name in enumerate(classes):
        choices.append(_choice(name, keys[i] if i < len(keys) else None))
    last = _choice(_distinct("cannot tell", classes), next(key for key in "xy-" if key not in keys))
    last.set("alias", cannot_tell(classes))
    choices.append(last)
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode")


def _choice(name: str, key: str | None = None) -> ElementTree.Element:
    if not name or re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", name):
        raise AlearnError(f"the class {name!r} cannot be a choice in Label Studio; rename it")
    return ElementTree.Element("Choice", {"value": name} | ({"hotkey": key} if key else {}))


def layout(config: str) -> Layout | None:
    """Return the names in a labeling config, or None if it has no <Choices> about an <Image>, as in a new project."""
    elements = _choices(config)
    if elements is None:
        return None
    _, choices, picture = elements
    names = [choice.get("alias") or choice.get("value") or "" for choice in choices.iter("Choice")]
    return Layout(picture.get("name", ""), choices.get("name", ""), picture.get("value", "")[1:], tuple(names))


def grown(config: str, classes: Sequence[str]) -> str | None:
    """Add choices for the missing classes to a config, and change nothing else.

    Returns:
        The new config, or None if no class is missing.
    """
    elements = _choices(config)
    known = layout(config)
    if elements is None or known is None:
        raise ValueError("cannot add classes to a config without choices")
    view, choices, _ = elements
    missing = [name for name in classes if name not in known.choices]
    if not missing:
        return None
    inside = list(choices)
    place = next((i for i, choice in enumerate(inside) if choice.get("alias") == cannot_tell(classes)), len(inside))
    for name in reversed(missing):
        choices.insert(place, _choice(name))
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode")


def _choices(config: str) -> tuple[ElementTree.Element, ElementTree.Element, ElementTree.Element] | None:
    """Return the root, the first <Choices> about an <Image>, and that <Image>; None if there are none."""
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
