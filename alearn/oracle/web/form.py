"""What a page sends: one model per request. Each field has a type, a range and a largest length."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from werkzeug.exceptions import HTTPException

from alearn.errors import first_problem

LONGEST = 100
"""The most characters in the name of a person or a class."""
MANY = 100
"""The most images in one request."""
WANT = 60
"""The most images that a page may have at a time."""
NUMBER = 2**53
"""JavaScript represents whole numbers exactly up to this one."""


class Refused(HTTPException):
    """A request that the page refuses. why: a short reason for the person."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def _visible(name: str) -> str:
    if not all(character.isprintable() or character in "\u200c\u200d" for character in name):  # these two join letters
        raise ValueError("must have only visible characters")
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
"""The random name that a page gives its tab."""
Images = Annotated[list[Number], Field(min_length=1, max_length=MANY), AfterValidator(_distinct)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Login(_Strict):
    """Show the token."""

    token: Text


class Form(_Strict):
    """The fields of all other requests. trial: the trial that the page belongs to; "" means any trial."""

    trial: Text = ""


class Leave(Form):
    """Close the page. session, visit: as in `Sync`."""

    session: Session
    visit: Number


class Guess(Form):
    """Ask for the model's guesses."""

    images: Images


class Sync(Form):
    """Say that the page is still there, and ask what to show.

    session: the tab.
    visit: how often the tab has opened the page. A request may overtake the one that closes the page; this orders them.
    here: whether the person wants images.
    classes: how many classes the page knows.
    want: how many images it has room for.
    grid: whether it shows all of them.
    """

    session: Session
    visit: Number
    who: Name
    here: bool
    classes: Number
    want: Annotated[int, Field(ge=1, le=WANT)]
    grid: bool


class Undo(Sync):
    """Undo a step. number: identifies the change; a repeated request has the same number."""

    number: Number


class Skip(Undo):
    """Put images last."""

    images: Images


class Answer(_Strict):
    """The class of an image. label: the name of the class; None means "cannot tell"."""

    index: Number
    label: str | None


class Answers(Undo):
    """Answer images. again: whether these answer the second question."""

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
    """Read the body of a request. Raise Refused, which names the first field that is missing or invalid."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise Refused(400, first_problem(error, values=False)) from None
