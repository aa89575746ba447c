"""Audits that share a risk: each leaves half of what it could take to its only successor."""

from pathlib import Path

from alearn.audit.audit_folder import alone
from alearn.errors import AlearnError
from alearn.files import atomic

NEXT = "next.txt"


def require_last(after: Path, folder: Path | None = None) -> None:
    """Raise AlearnError if the audit in `after` has a successor that has drawn, other than the audit in `folder`."""
    if (after / NEXT).exists():
        successor = (after / NEXT).read_text().strip()
        if folder is None or successor != str(folder.resolve()):
            raise AlearnError(f"--after {after}: it has a successor, {successor}; give the successor instead")


def take_risk(after: Path, folder: Path) -> None:
    """Record that the audit in a folder is about to draw, with the risk that the one in `after` has left.

    Raise AlearnError if another audit has drawn with it.
    """
    if not after.is_dir():
        raise AlearnError(f"{after}: is not there any more; this audit follows it, so bring it back until the draw")
    with alone(after):
        require_last(after, folder)
        atomic.replace(after / NEXT, f"{folder.resolve()}\n")
