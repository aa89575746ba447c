"""Check who may talk to the page, and from where.

Everybody at this machine may use a page that only this machine can reach. But other sites that are open in the same
browser must not reach it, neither with their own requests (the check of the origin) nor through a name of theirs that
resolves to this machine (the check of the host). A page that other machines can reach asks for a token. The token is in
the fragment of the link, which browsers do not send. The page sends the token once, in a body, and gets a cookie that
proves it. The cookie does not contain the token.
"""

import hmac
import os
import re
import secrets
import socket
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from alearn.errors import AlearnError
from alearn.oracle.people import TOKEN
from alearn.oracle.web.form import Refused

DAYS = 30 * 24 * 3600
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Headers of every reply. Only images replace the last one."""


def token(folder: Path) -> str:
    """Return the token of the trial in this folder. The first call creates it, in a file that only its owner can read.

    Raises:
        AlearnError: the file cannot be read or written.
    """
    path = folder / TOKEN
    try:
        if path.exists():
            path.chmod(0o600)
            if re.fullmatch("[A-Za-z0-9_-]{32,}", known := path.read_text("ascii", "replace").strip()):
                return known
            path.unlink()  # it is truncated or not from alearn: links with it would not protect the page
        new = secrets.token_urlsafe(24)
        with open(path, "x", encoding="ascii", opener=_private) as file:
            file.write(new)
    except OSError as error:
        raise AlearnError(f"{path}: the token of the page cannot be kept there ({error})") from error
    return new


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def derived(secret: str, purpose: str) -> str:
    """Return a secret that follows from the token but does not reveal it."""
    return hmac.new(secret.encode(), purpose.encode(), sha256).hexdigest()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(errors="replace"), right.encode(errors="replace"))


class Guard:
    """The checks of each request: where it comes from, and whether its sender has shown the token."""

    def __init__(self, host: str, address: str, port: int, names: tuple[str, ...], secret: str) -> None:
        """Set up the checks.

        Args:
            host: the host as configured.
            address: the IP address of this host.
            port: the port of the page.
            names: further names of this machine.
            secret: the token.
        """
        self._local = ip_address(address).is_loopback
        self._names = {"localhost", host.lower(), *(name.lower() for name in names)}
        if not self._local:
            self._names.add(socket.gethostname().lower())
        self.closed = not self._local or bool(names)  # further names mean that other machines reach the page
        self._secret = secret
        self._cookie = f"alearn-{port}"
        self._pass = derived(secret, "cookie")

    def check(self, request: Request, page: bool) -> None:
        """Raise Refused for a request from another site. page: it asks for the page itself; any site may link there."""
        host = request.environ.get("HTTP_HOST", "")
        if not self._ours(host):
            raise Refused(421, "this page does not know that host name; add it to oracle.names")
        if page:
            return
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refused(403, "another site sent this request")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            raise Refused(403, "another site sent this request")

    def admit(self, request: Request) -> None:
        """Raise Refused if the page needs the token and this browser has not shown it."""
        shown = request.cookies.get(self._cookie, "")
        if self.closed and not _same(shown, self._pass):
            raise Refused(401, "open the complete link from the terminal in which the trial runs")

    def login(self, shown: str) -> Response:
        """Return a reply that sets the cookie. Raise Refused if the token is wrong."""
        if self.closed and not _same(shown, self._secret):
            raise Refused(401, "this link belongs to another trial; the terminal in which this one runs shows its link")
        reply = Response(status=204)
        reply.set_cookie(self._cookie, self._pass, max_age=DAYS, path="/", httponly=True, samesite="Strict")
        return reply

    def _ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name = parts.hostname or ""
            _ = parts.port  # raises ValueError if it is not a port
        except ValueError:
            return False
        if re.search(r"[@/?#\\\s]", host):
            return False
        try:
            return ip_address(name).is_loopback or not self._local
        except ValueError:
            return name.rstrip(".") in self._names
