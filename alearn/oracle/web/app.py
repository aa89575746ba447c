"""Answer HTTP requests. Two tables and the pattern for images in this module list everything that a browser can reach.

GET  /  /app.js  /style.css  /icon.svg     the page; the server reads it once, when it starts
GET  /image/INDEX?side=256|1024            an image that still needs an answer
POST /login {token}                        exchange the token for a cookie
POST /api/sync, answer, skip, undo, leave, guess, class     everything that a page sends or asks, as JSON
"""

import json
import logging
import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Request, Response

from alearn.oracle.web import form
from alearn.oracle.web.desk import Seat
from alearn.oracle.web.form import Form, Refused
from alearn.oracle.web.guard import HEADERS, Guard
from alearn.oracle.web.room import Room

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

BODY = 64 * 1024
"""The largest body of a request in bytes."""
SIDES = ("256", "1024")
"""The longer side of an image in pixels: in a grid, and alone."""
PAGES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class App:
    """The WSGI application that serves the page."""

    def __init__(self, room: Room, guard: Guard) -> None:
        self._room = room
        self._guard = guard
        folder = files(__package__) / "page"
        self._pages = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in PAGES.items()}
        self._calls: dict[str, tuple[type[Form], Callable[[Any], dict[str, Any]]]] = {
            "/api/sync": (form.Sync, self._sync),
            "/api/answer": (form.Answers, self._answer),
            "/api/skip": (form.Skip, self._skip),
            "/api/undo": (form.Undo, self._undo),
            "/api/leave": (form.Leave, self._leave),
            "/api/guess": (form.Guess, self._guess),
            "/api/class": (form.NewClass, self._class),
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request. This never raises: a bug goes to the log, and the browser gets a short error."""
        try:
            reply = self._reply(Request(environ))
        except HTTPException as error:
            reply = _json({"error": getattr(error, "why", None) or error.name}, error.code or 500)
        except Exception:
            log.exception("the page could not answer a request")
            reply = _json({"error": "the trial could not answer this; its log says why"}, 500)
        for name, value in HEADERS.items():
            reply.headers.setdefault(name, value)
        return reply(environ, start_response)

    def _reply(self, request: Request) -> Response:
        path = request.environ.get("PATH_INFO", "")
        self._guard.check(request, page=path == "/" and request.method == "GET")
        if request.method not in ("GET", "POST"):
            raise MethodNotAllowed(["GET", "POST"])
        if request.method == "POST":
            return self._posted(request, path)
        if path in self._pages:
            content, kind = self._pages[path]
            return Response(content, mimetype=kind)
        self._guard.admit(request)
        image = re.fullmatch("/image/([0-9]{1,15})", path, re.ASCII)
        side = request.args.get("side", SIDES[-1])
        if not image or side not in SIDES:
            raise Refused(404, "there is nothing here")
        content, kind = self._room.picture(int(image[1]), int(side))
        return Response(content, mimetype=kind, headers={"Cache-Control": "private, max-age=3600"})

    def _posted(self, request: Request, path: str) -> Response:
        if request.mimetype != "application/json":  # another site cannot send this type without permission
            raise Refused(415, "only application/json is accepted")
        request.max_content_length = BODY
        if (request.content_length or 0) > BODY:
            raise Refused(413, "the request is too large")
        body = request.get_data()
        if path == "/login":
            return self._guard.login(form.parsed(form.Login, body).token)
        self._guard.admit(request)
        if path not in self._calls:
            raise Refused(404, "there is nothing here")
        kind, call = self._calls[path]
        posted = form.parsed(kind, body)
        if posted.trial not in ("", self._room.trial):
            raise Refused(409, "another trial runs at this address now")
        return _json(call(posted))

    def _sync(self, sync: form.Sync, **more: Any) -> dict[str, Any]:
        """Return what the page shall show, and `more`. A page asks for it every few seconds and with every change."""
        seat = self._room.sit(sync.session, sync.visit, sync.who, sync.here)
        return self._room.view(seat, sync.classes, sync.want if sync.here else 0, sync.grid) | more

    def _answer(self, posted: form.Answers) -> dict[str, Any]:
        answers = [(answer.index, answer.label) for answer in posted.answers]
        late = self._room.answer(self._seat(posted), posted.number, answers, posted.again)
        return self._sync(posted, late=late)

    def _skip(self, posted: form.Skip) -> dict[str, Any]:
        self._room.skip(self._seat(posted), posted.number, posted.images)
        return self._sync(posted)

    def _undo(self, posted: form.Undo) -> dict[str, Any]:
        return self._sync(posted, back=self._room.undo(self._seat(posted), posted.number))

    def _class(self, posted: form.NewClass) -> dict[str, Any]:
        self._room.add_class(posted.name)
        return self._sync(posted)

    def _guess(self, posted: form.Guess) -> dict[str, Any]:
        return {"guesses": self._room.guesses(posted.images)}

    def _leave(self, posted: form.Leave) -> dict[str, Any]:
        self._room.leave(posted.session, posted.visit)
        return {}

    def _seat(self, posted: form.Sync) -> Seat:
        return self._room.sit(posted.session, posted.visit, posted.who)


def _json(content: dict[str, Any], code: int = 200) -> Response:
    return Response(json.dumps(content, allow_nan=False), code, mimetype="application/json")
