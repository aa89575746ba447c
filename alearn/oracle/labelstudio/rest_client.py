"""Requests to a Label Studio server. The standard library does for them: JSON there and back, now and then."""

import http.client
import json
import os
import ssl
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from alearn.errors import AlearnError

KEY = "LABEL_STUDIO_API_KEY"
TIMEOUT = 60.0
"""Seconds without a byte until a server counts as away."""


class AwayError(Exception):
    """The server does not answer, or not yet; the message says what happened. The same may be tried again."""


class RefusedError(AlearnError):
    """The server answers, with an error. status: of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirect(HTTPRedirectHandler):
    """The key goes to the server that was named, and to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


class Api:
    """A server, by its URL. The key comes from the environment and goes nowhere but into the header of a request.

    It is of either kind that Label Studio gives out: a legacy token, sent as it is, or a personal access token, which
    buys short-lived ones.
    """

    def __init__(self, url: str) -> None:
        """Raises AlearnError for what is no URL, and where there is no key. The server is not asked yet."""
        self.url = url.rstrip("/")
        if any(c in url for c in "@?#"):
            raise AlearnError("oracle.url: has more than a server's address; leave out user, password, ? and #")
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or not url.isascii() or not url.isprintable() or " " in url:
            raise AlearnError(f"oracle.url={url}: is no address of a server; it is like http://localhost:8080")
        self._key = os.environ.get(KEY, "").strip()
        if not self._key or not self._key.isascii() or not self._key.isprintable():
            raise AlearnError(
                f"{KEY}: the environment has {'an unusable' if self._key else 'no'} key for {self.url}; "
                "copy an access token from Account & Settings in Label Studio"
            )
        self._open = build_opener(_NoRedirect).open
        self._bought: str | None = None
        self._known = False

    def get(self, path: str) -> Any:
        """The answer's JSON. Raises AwayError, RefusedError for 4xx, and AlearnError for a wrong key or address."""
        return self._call("GET", path)

    def post(self, path: str, body: object) -> Any:
        """As `get`."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """As `get`."""
        return self._call("PATCH", path, body)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        if not self._known:
            version = self._send("GET", "/api/version", None, None)
            if not (isinstance(version, dict) and any(str(key).startswith("label-studio") for key in version)):
                raise AlearnError(f"oracle.url={self.url}: is no Label Studio; check the address")
            self._known = True
        try:
            return self._send(method, path, body, self._ticket())
        except RefusedError as error:
            if error.status != 401 or self._bought is None:
                raise
        self._bought = None  # it has run out: that is what they do
        return self._send(method, path, body, self._ticket())

    def _ticket(self) -> str:
        """The value of the header that lets us in."""
        if self._key.count(".") != 2:  # a JSON web token has three parts
            return f"Token {self._key}"
        if self._bought is None:
            found = self._send("POST", "/api/token/refresh/", {"refresh": self._key}, None)
            self._bought = str(found["access"]) if isinstance(found, dict) and "access" in found else ""
        return f"Bearer {self._bought}"

    def _send(self, method: str, path: str, body: object, ticket: str | None) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers |= {"Authorization": ticket} if ticket else {}
        data = None if body is None else json.dumps(body).encode()
        try:
            with self._open(Request(self.url + path, data, headers, method=method), timeout=TIMEOUT) as answer:
                content = answer.read()
        except HTTPError as error:
            with error:
                raise self._refusal(error, path) from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise AlearnError(f"oracle.url={self.url}: its certificate is not trusted ({reason})") from None
            raise AwayError(str(reason) or type(reason).__name__) from None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise AlearnError(f"oracle.url={self.url}: is no Label Studio, {path} answers no JSON") from None

    def _refusal(self, error: HTTPError, path: str) -> Exception:
        """What an error is to be told as."""
        status, why = error.code, _reason(error)
        if status == 429 or status >= 500:
            return AwayError(f"it answers {status}: {why}")
        if 300 <= status < 400:
            return AlearnError(
                f"oracle.url={self.url}: sends us on to {error.headers.get('Location')}; give that address"
            )
        if status == 401:
            return RefusedError(f"{KEY}: {self.url} does not take this key ({why})", status)
        if status == 403:
            return RefusedError(
                f"{KEY}: the owner of this key may not do that at {self.url}{_bare(path)} ({why})", status
            )
        if path == "/api/version":
            return AlearnError(f"oracle.url={self.url}: is no Label Studio (it answers {status}); check the address")
        return RefusedError(f"{self.url}{_bare(path)} answers {status}: {why}", status)


def _bare(path: str) -> str:
    return path.partition("?")[0]


def _reason(error: HTTPError) -> str:
    """What the server says of an error, in a line."""
    try:
        said = json.loads(error.read(100_000))
        found = said.get("validation_errors") or said.get("detail") or said
    except (OSError, http.client.HTTPException, ValueError, AttributeError, RecursionError):
        return str(error.reason) or "no reason given"
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."
