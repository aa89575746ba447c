"""What a page sends: a model for each request, every field with a type, a range and a length."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from werkzeug.exceptions import HTTPException

from alearn.errors import first_problem

LONGEST = 100
"""Characters of a name, of a person or of a class."""
MANY = 100
"""Images in one request."""
WANT = 60
"""Images that a page may hold at a time."""
NUMBER = 2**53
"""Whole numbers up to here are the same in a page and here."""


class Refused(HTTPException):
    """A request that is turned down. why: short, for the person."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


def _visible(name: str) -> str:
    if not all(character.isprintable() or character in "\u200c\u200d" for character in name):  # these join letters
        raise ValueError("must be of characters that can be seen")
    return name


def _distinct(index: list[int]) -> list[int]:
    if len(set(index)) != len(index):
        raise ValueError("must not name an image twice")
    return index


Number = Annotated[int, Field(ge=0, le=NUMBER)]
Text = Annotated[str, Field(max_length=LONGEST)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST), AfterValidator(_visible)
]
Session = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
"""A browser's own name for its tab."""
Images = Annotated[list[Number], Field(min_length=1, max_length=MANY), AfterValidator(_distinct)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Login(_Strict):
    """Show the token."""

    token: Text


class Form(_Strict):
    """What all other requests have. trial: which one the page means, "" whichever is here."""

    trial: Text = ""


class Leave(Form):
    """Close the page."""

    session: Session


class Guess(Form):
    """Ask what the model takes images for."""

    images: Images


class Sync(Form):
    """Say that the page is still there, and ask what to show.

    here: whether the person wants images. classes: how many classes the page knows. want: how many images it has room
    for. grid: whether it shows them all.
    """

    session: Session
    who: Name
    here: bool
    classes: Number
    want: Annotated[int, Field(ge=1, le=WANT)]
    grid: bool


class Undo(Sync):
    """Go back a step. number: the same when the request is sent again."""

    number: Number


class Skip(Undo):
    """Put images last."""

    images: Images


class Answer(_Strict):
    """The class of an image. label: None is "cannot tell"."""

    index: Number
    label: str | None


class Answers(Undo):
    """Answer images, for the second time if `again`."""

    answers: Annotated[list[Answer], Field(min_length=1, max_length=MANY)]
    again: bool

    @field_validator("answers")
    @classmethod
    def _of_distinct_images(cls, answers: list[Answer]) -> list[Answer]:
        _distinct([answer.index for answer in answers])
        return answers


class NewClass(Sync):
    """Add a class."""

    name: Name


F = TypeVar("F", bound=_Strict)


def parsed(form: type[F], body: bytes) -> F:
    """Read a request's body. Raises Refused, which names the first field that is missing or not of its kind."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise Refused(400, first_problem(error, values=False)) from None
