"""HTTP: which request does what. Everything that a browser can reach is in two tables here and in a pattern for images.

GET  /  /app.js  /style.css  /icon.svg     the page; read once, when the server starts
GET  /image/INDEX?side=256|1024            an image that is being asked about
POST /login {token}                        a cookie for the token
POST /api/sync, answer, skip, undo, leave, guess, class     all that a page tells and asks, as JSON
"""

import json
import logging
import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Request, Response

from alearn.oracle.web.form import Form, Refused
from alearn.oracle.web.guard import HEADERS, Guard
from alearn.oracle.web.room import Room

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

BODY = 64 * 1024
"""Bytes of a request's body."""
SIDES = ("256", "1024")
"""Pixels of an image's longer side: in a grid, alone."""
WANT = 60
"""Images that a page may hold at a time."""
PAGES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class App:
    """A WSGI application."""

    def __init__(self, room: Room, guard: Guard) -> None:
        self._room, self._guard = room, guard
        folder = files(__package__) / "page"
        self._pages = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in PAGES.items()}
        self._calls: dict[str, Callable[[Form], dict[str, Any]]] = {
            "/api/sync": self._sync,
            "/api/answer": self._answer,
            "/api/skip": self._skip,
            "/api/undo": self._undo,
            "/api/leave": self._leave,
            "/api/guess": lambda form: {"guesses": room.guesses(form.images())},
            "/api/class": self._class,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Never raises: a bug goes to the log, and the browser hears that there was one."""
        try:
            reply = self._reply(Request(environ))
        except HTTPException as error:
            reply = _json({"error": getattr(error, "why", None) or error.name}, error.code or 500)
        except Exception:
            log.exception("the page failed at a request")
            reply = _json({"error": "this failed where the trial runs; its log says why"}, 500)
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
        found = re.fullmatch("/image/([0-9]{1,15})", path, re.ASCII)
        side = request.args.get("side", SIDES[-1])
        if not found or side not in SIDES:
            raise Refused(404, "there is nothing here")
        content, kind = self._room.picture(int(found[1]), int(side))
        return Response(content, mimetype=kind, headers={"Cache-Control": "private, max-age=3600"})

    def _posted(self, request: Request, path: str) -> Response:
        if request.mimetype != "application/json":  # which no other site can send unasked
            raise Refused(415, "only application/json is taken")
        request.max_content_length = BODY
        if (request.content_length or 0) > BODY:
            raise Refused(413, "this is too much at once")
        form = Form(request.get_data())
        if path == "/login":
            return self._guard.login(form.text("token"))
        self._guard.admit(request)
        if path not in self._calls:
            raise Refused(404, "there is nothing here")
        if form.text("trial") not in ("", self._room.trial):
            raise Refused(409, "another trial is here now")
        return _json(self._calls[path](form))

    def _sync(self, form: Form, **more: Any) -> dict[str, Any]:
        """The word that a page says every few seconds, and part of all others: what it shows."""
        seat = self._room.sit(form.session(), form.name("who"), form.flag("here"))
        known, want, grid = form.number("classes"), form.number("want", 1, WANT), form.flag("grid")
        return self._room.told(seat, known, want if form.flag("here") else 0, grid) | more

    def _answer(self, form: Form) -> dict[str, Any]:
        seat = self._room.sit(form.session(), form.name("who"))
        late = self._room.answer(seat, form.number("number"), form.answers(), form.flag("again"))
        return self._sync(form, late=late)

    def _skip(self, form: Form) -> dict[str, Any]:
        seat = self._room.sit(form.session(), form.name("who"))
        self._room.skip(seat, form.number("number"), form.images())
        return self._sync(form)

    def _undo(self, form: Form) -> dict[str, Any]:
        seat = self._room.sit(form.session(), form.name("who"))
        return self._sync(form, back=self._room.undo(seat, form.number("number")))

    def _class(self, form: Form) -> dict[str, Any]:
        self._room.add_class(form.name("name"))
        return self._sync(form)

    def _leave(self, form: Form) -> dict[str, Any]:
        self._room.leave(form.session())
        return {}


def _json(content: dict[str, Any], code: int = 200) -> Response:
    return Response(json.dumps(content, allow_nan=False), code, mimetype="application/json")
