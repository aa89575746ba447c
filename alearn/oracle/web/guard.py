"""Who may talk to the page, and from where.

A page on this machine alone is for whoever sits at it; still, other sites that are open in the same browser must not
reach it: neither by their own requests (origin) nor under a name of theirs that leads here (host). A page that others
can reach asks for a token. It comes in the part of a link that browsers keep to themselves, and is sent once, in a
body; from then on a cookie vouches for it, which is not the token.
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
"""Of every reply; only images replace the last one."""


def token(folder: Path) -> str:
    """The trial's own, made when it is first asked for; only the owner of the folder can read it. Raises AlearnError if
    it cannot be kept there.
    """
    path = folder / TOKEN
    try:
        if path.exists():
            path.chmod(0o600)
            if re.fullmatch("[A-Za-z0-9_-]{32,}", known := path.read_text("ascii", "replace").strip()):
                return known
            path.unlink()  # cut off or not ours: links made from it would be worth nothing
        made = secrets.token_urlsafe(24)
        with open(path, "x", encoding="ascii", opener=_private) as file:
            file.write(made)
    except OSError as error:
        raise AlearnError(f"{path}: the token of the page cannot be kept there ({error})") from error
    return made


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def derived(secret: str, purpose: str) -> str:
    """What follows from the token and does not give it away."""
    return hmac.new(secret.encode(), purpose.encode(), sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


class Guard:
    """Turns away who may not talk to the page."""

    def __init__(self, host: str, address: str, port: int, names: tuple[str, ...], secret: str) -> None:
        """host: as configured. address: the IP address that it is. names: further ones of this machine."""
        self._local = ip_address(address).is_loopback
        self._names = {"localhost", host.lower(), *(name.lower() for name in names)}
        if not self._local:
            self._names.add(socket.gethostname().lower())
        self.closed = not self._local or bool(names)  # further names are for others
        self._secret, self._cookie, self._pass = secret, f"alearn-{port}", derived(secret, "cookie")

    def check(self, request: Request, page: bool) -> None:
        """Raises Refused for a request that comes from elsewhere. page: of the page itself, to which links may lead."""
        host = request.environ.get("HTTP_HOST", "")
        if not self._ours(host):
            raise Refused(421, "this page is not known by that name; oracle.names may have it")
        if page:
            return
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refused(403, "another site has sent this")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            raise Refused(403, "another site has sent this")

    def admit(self, request: Request) -> None:
        """Raises Refused for who has not shown the token, if one is needed."""
        shown = request.cookies.get(self._cookie, "")
        if self.closed and not _same(shown, self._pass):
            raise Refused(401, "open the whole link that the terminal shows where the trial runs")

    def login(self, shown: str) -> Response:
        """A cookie for who shows the token."""
        if self.closed and not _same(shown, self._secret):
            raise Refused(401, "this link is not of this trial; the terminal where it runs shows the right one")
        reply = Response(status=204)
        reply.set_cookie(self._cookie, self._pass, max_age=DAYS, path="/", httponly=True, samesite="Strict")
        return reply

    def _ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if re.search(r"[@/?#\\\s]", host):
            return False
        try:
            return ip_address(name).is_loopback or not self._local
        except ValueError:
            return name.rstrip(".") in self._names
