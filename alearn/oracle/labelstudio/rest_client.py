"""Requests to a Label Studio server. They are few and exchange only JSON, so the standard library is sufficient."""

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
"""A server that sends no byte for this many seconds counts as away."""


class AwayError(Exception):
    """The server does not answer now. The message says what happened. The caller may try the same request again."""


class RefusedError(AlearnError):
    """The server answers with an error. status: the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirect(HTTPRedirectHandler):
    """Follow no redirect, so that the key goes only to the server in the config."""

    def redirect_request(self, *_: object) -> None:
        return None


class Api:
    """A server, identified by its URL. The key comes from the environment and goes only into the header of requests.

    The key is of one of Label Studio's two kinds: a legacy token, which each request contains, or a personal access
    token, which the server exchanges for short-lived tokens.
    """

    def __init__(self, url: str) -> None:
        """Read the key. Raise AlearnError if the URL is not valid or there is no key. This contacts no server yet."""
        self.url = url.rstrip("/")
        if any(c in url for c in "@?#"):
            raise AlearnError("oracle.url: give only the address of the server; leave out user, password, ? and #")
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or not url.isascii() or not url.isprintable() or " " in url:
            raise AlearnError(f"oracle.url={url}: this is not the address of a server, such as http://localhost:8080")
        self._key = os.environ.get(KEY, "").strip()
        if not self._key or not self._key.isascii() or not self._key.isprintable():
            raise AlearnError(
                f"{KEY}: the environment has {'an unusable' if self._key else 'no'} key for {self.url}; "
                "copy an access token from Account & Settings in Label Studio"
            )
        self._open = build_opener(_NoRedirect).open
        self._short_lived: str | None = None
        self._checked = False

    def get(self, path: str) -> Any:
        """Send a GET request, and return the JSON of the answer.

        Raises:
            AwayError: the server does not answer now.
            RefusedError: the server answers with a status of 4xx.
            AlearnError: the key or the address is wrong.
        """
        return self._call("GET", path)

    def post(self, path: str, body: object) -> Any:
        """Send a POST request; otherwise like `get`."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Send a PATCH request; otherwise like `get`."""
        return self._call("PATCH", path, body)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        if not self._checked:
            version = self._send("GET", "/api/version", None, None)
            if not (isinstance(version, dict) and any(str(key).startswith("label-studio") for key in version)):
                raise AlearnError(f"oracle.url={self.url}: this is not Label Studio; check the address")
            self._checked = True
        try:
            return self._send(method, path, body, self._authorization())
        except RefusedError as error:
            if error.status != 401 or self._short_lived is None:
                raise
        self._short_lived = None  # it has expired; get a new one
        return self._send(method, path, body, self._authorization())

    def _authorization(self) -> str:
        """Return the value of the Authorization header."""
        if self._key.count(".") != 2:  # a JSON web token has three parts
            return f"Token {self._key}"
        if self._short_lived is None:
            reply = self._send("POST", "/api/token/refresh/", {"refresh": self._key}, None)
            self._short_lived = str(reply["access"]) if isinstance(reply, dict) and "access" in reply else ""
        return f"Bearer {self._short_lived}"

    def _send(self, method: str, path: str, body: object, authorization: str | None) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers |= {"Authorization": authorization} if authorization else {}
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
            raise AlearnError(f"oracle.url={self.url}: this is not Label Studio; {path} does not answer JSON") from None

    def _refusal(self, error: HTTPError, path: str) -> Exception:
        """Return the exception to raise for an HTTP error."""
        status = error.code
        why = _reason(error)
        if status == 429 or status >= 500:
            return AwayError(f"it answers {status}: {why}")
        if 300 <= status < 400:
            return AlearnError(
                f"oracle.url={self.url}: the server redirects to {error.headers.get('Location')}; give that address"
            )
        if status == 401:
            return RefusedError(f"{KEY}: {self.url} does not accept this key ({why})", status)
        if status == 403:
            return RefusedError(
                f"{KEY}: the owner of this key lacks the permission for {self.url}{_bare(path)} ({why})", status
            )
        if path == "/api/version":
            return AlearnError(
                f"oracle.url={self.url}: this is not Label Studio (it answers {status}); check the address"
            )
        return RefusedError(f"{self.url}{_bare(path)} answers {status}: {why}", status)


def _bare(path: str) -> str:
    return path.partition("?")[0]


def _reason(error: HTTPError) -> str:
    """Return the server's reason for an error in one line."""
    try:
        body = json.loads(error.read(100_000))
        reason = body.get("validation_errors") or body.get("detail") or body
    except (OSError, http.client.HTTPException, ValueError, AttributeError, RecursionError):
        return str(error.reason) or "no reason given"
    text = reason if isinstance(reason, str) else json.dumps(reason, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."
