"""Label Studio for the tests: a stand-in, or the real program if its command is installed.

The stand-in keeps everything in memory and answers as Label Studio 1.23 does. The tests use HTTP for both, even when
they act as people.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import numpy as np

from alearn.ledger import Ledger
from alearn.oracle.people import Insight

COMMAND = os.environ.get("ALEARN_LABEL_STUDIO") or shutil.which("label-studio")
EMAIL = "ada@example.org"
KEY = "0123456789abcdef0123456789abcdef01234567"


class Place:
    """A server, and a person who uses it. log: (method, path without query) of all requests; empty for the real one."""

    url: str
    key = KEY
    token = f"Token {KEY}"

    def call(self, method: str, path: str, body: object = None, raw: bool = False) -> object:
        headers = {"Authorization": self.token, "Content-Type": "application/json"}
        request = Request(self.url + path, None if body is None else json.dumps(body).encode(), headers, method=method)
        with urlopen(request) as answer:
            content = answer.read()
        return content if raw else json.loads(content) if content else None

    def project(self, title: str) -> dict:
        """Return the only project with this title."""
        projects = self.call("GET", "/api/projects/?page_size=100")["results"]
        (project,) = [each for each in projects if each["title"] == title]
        return project

    def tasks(self, title: str) -> list[dict]:
        number = self.project(title)["id"]
        return self.call("GET", f"/api/tasks/?project={number}&page_size=1000&fields=all")["tasks"]

    def count(self, title: str) -> int:
        try:
            return len(self.tasks(title))
        except (ValueError, OSError):
            return -1

    def say(self, task: dict, choice: str | None, names: tuple[str, str] = ("label", "image")) -> int:
        """Annotate a task, or skip it if `choice` is None. Return the number of the annotation."""
        value = {"from_name": names[0], "to_name": names[1], "type": "choices", "value": {"choices": [choice]}}
        body = {"result": [] if choice is None else [value], "was_cancelled": choice is None}
        return self.call("POST", f"/api/tasks/{task['id']}/annotations/", body)["id"]


class Fake(Place):
    """The stand-in.

    lives: the number of requests for which a short-lived token is valid.
    late: the number of listings before imported tasks appear, as on a server that imports in the background.
    drop: the number of answers to imports that are lost.
    refuse: the status with which requests with a key are refused.
    limit: the most tasks in one import.
    version: the answer that identifies Label Studio.
    """

    refresh = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2ln"

    def __init__(self) -> None:
        self.projects: dict[int, dict] = {}
        self.rows: dict[int, dict] = {}
        self.said: dict[int, dict] = {}
        self.log: list[tuple[str, str]] = []
        self.lives, self.late, self.drop, self.refuse, self.limit = 10**9, 0, 0, 0, 50
        self.bought, self._left, self._port = 0, 0, 0
        self.version = (200, {"release": "1.23.2", "label-studio-os-package": {"version": "1.23.2"}})
        self.start()

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def allowed(self, ticket: str | None) -> bool:
        if ticket == self.token:
            return True
        self._left -= 1
        return ticket == f"Bearer access{self.bought}" and self._left >= 0

    def buy(self, refresh: str) -> tuple[int, object]:
        if refresh != self.refresh:
            return 401, {"detail": "Token is invalid"}
        self.bought, self._left = self.bought + 1, self.lives
        return 200, {"access": f"access{self.bought}"}

    def answer(self, method: str, path: str, query: dict[str, str], body: object) -> tuple[int, object]:
        page = int(query.get("page", 1)) - 1
        match method, path.strip("/").split("/")[1:]:
            case "GET", ["projects"]:
                found = [
                    each for each in self.projects.values() if query.get("title", "").lower() in each["title"].lower()
                ]
                size = int(query["page_size"])
                more = "a link" if len(found) > (page + 1) * size else None
                return 200, {"count": len(found), "next": more, "results": found[::-1][page * size : (page + 1) * size]}
            case "POST", ["projects"]:
                if not 3 <= len(body["title"]) <= 50:
                    return 400, {"detail": "Validation error", "validation_errors": {"title": ["Ensure its length."]}}
                number = len(self.projects) + 1
                self.projects[number] = {"id": number, "label_config": "<View></View>", "model_version": ""} | body
                return 201, self.projects[number]
            case _, ["projects", number] if int(number) in self.projects:
                project = self.projects[int(number)]
                if method == "PATCH":
                    versions = {one["model_version"] for row in self.rows.values() for one in row["predictions"]}
                    if body.get("model_version", project["model_version"]) not in versions | {project["model_version"]}:
                        return 400, {"detail": "Validation error"}
                    project |= body
                return 200, project
            case "POST", ["projects", number, "import"]:
                return self._import(int(number), body)
            case "GET", ["tasks"]:
                return self._listed(int(query["project"]), query, page)
            case "DELETE", ["tasks", number]:
                del self.rows[int(number)]
                return 204, None
            case "POST", ["tasks", number, "annotations"]:
                annotation = len(self.said) + 1
                self.said[annotation] = {"id": annotation, "completed_by": 1, **body}
                self.rows[int(number)]["annotations"].append(self.said[annotation])
                return 201, self.said[annotation]
            case "PATCH", ["annotations", number]:
                self.said[int(number)] |= body
                return 200, self.said[int(number)]
            case "GET", ["users"]:
                return 200, [{"id": 1, "email": EMAIL, "username": ""}]
        return 404, {"detail": "Not found."}

    def _import(self, number: int, body: list[dict]) -> tuple[int, object]:
        if len(body) > self.limit:
            return 413, {"detail": "Request Entity Too Large"}
        first = max(self.rows, default=0) + 1
        for i, each in enumerate(body, first):
            assert each["data"]["image" if "image" in each["data"] else "pic"].startswith("data:image/")
            self.rows[i] = {"id": i, "project": number, "annotations": [], "late": self.late, **each}
        if self.late:
            return 201, {"import": 7}
        self.drop -= 1
        return (0 if self.drop >= 0 else 201), {
            "task_count": len(body),
            "task_ids": list(range(first, first + len(body))),
        }

    def _listed(self, project: int, query: dict[str, str], page: int) -> tuple[int, object]:
        wanted = json.loads(query.get("query", '{"filters": {"items": []}}'))["filters"]["items"]
        pairs = {each["filter"].removeprefix("filter:tasks:data."): each["value"] for each in wanted}
        found = []
        for row in self.rows.values():
            if row["project"] == project and pairs.items() <= row["data"].items():
                row["late"] -= 1
                found += [row] if row["late"] < 0 else []
        size, fields = int(query.get("page_size", 100)), query.get("include", "").split(",")
        if page and page * size >= len(found):
            return 404, {"detail": "Invalid page."}
        some = found[page * size : (page + 1) * size]
        kept = [{key: row[key] for key in row if fields == [""] or key in fields} for row in some]
        return 200, {"total": len(found), "tasks": kept}


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
            fake.log.append((self.command, url.path))
            if url.path == "/api/version":
                status, answer = fake.version
            elif url.path == "/api/token/refresh/":
                status, answer = fake.buy(body["refresh"])
            elif not fake.allowed(self.headers.get("Authorization")):
                status, answer = 401, {"detail": "Invalid token."}
            elif fake.refuse:
                status, answer = fake.refuse, {"detail": "You do not have permission to perform this action."}
            else:
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                status, answer = fake.answer(self.command, url.path, query, body)
            if not status:
                self.close_connection = True
                return
            content = json.dumps(answer).encode() if answer is not None else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Real(Place):
    """The real Label Studio, with its data in its own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.log = folder, []
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()
        self.refresh = self.call("POST", "/api/token/", {})["token"]

    def start(self) -> None:
        args = (
            f"start --no-browser --port {self._port} --internal-host 127.0.0.1 --username {EMAIL} --password secret-123"
        )
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
        env |= {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self._folder),
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "LATEST_VERSION_CHECK": "false",
            "COLLECT_ANALYTICS": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
        }
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, *args.split(), "--user-token", KEY],
                env=env,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._up)

    def _up(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log.txt").read_text()[-3000:]
        try:
            return bool(self.call("GET", "/api/version"))
        except HTTPError as error:
            error.close()
        except OSError:
            pass
        return False

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def until(there, seconds: float = 120) -> None:
    """Wait until a condition holds that another thread or process brings about. Fail after `seconds`."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


class KilledError(Exception):
    """The exception with which `Deadly` ends a channel."""


class Deadly(list):
    """A list of reports that raises KilledError at the first answer, as if the trial were killed."""

    def append(self, pair: tuple[int, int]) -> None:
        super().append(pair)
        if len(self) > 1:
            raise KilledError


@contextmanager
def asking(channel, batch, reports=None):
    """Ask in a background thread during the `with` block.

    The end of the block waits until the channel has its answers or was killed, and raises its other errors.
    """
    failed = []

    def ask() -> None:
        try:
            channel.ask(batch, lambda *pair: (reports if reports is not None else []).append(pair))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield
    thread.join(300)
    assert not thread.is_alive(), "it never ended"
    if failed and not isinstance(failed[0], KilledError):
        raise failed[0]


def insight(total: int, guesses: dict[int, tuple[int, float]] | None = None) -> Insight:
    """Return an insight with these guesses of the model: (class, probability) by index."""
    ledger = Ledger.empty(total)
    for i, (guess, probability) in (guesses or {}).items():
        ledger.guess[i], ledger.doubt[i] = guess, np.log1p(-probability)
    return Insight(ledger, lambda: None)
