"""The config folders of other packages, which announce them by entry points.

    [project.entry-points."alearn.conf"]
    mine = "mine.conf"

Then model=mine chooses mine/conf/model/mine.yaml. This module finds the folders without importing the packages, which
may be heavy or broken.
"""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path


def packages() -> Iterator[tuple[EntryPoint, list[Path]]]:
    """Yield each entry point with its folders. There are none if the package does not exist."""
    for point in entry_points(group="alearn.conf"):
        yield point, _folders(point.value)


def missing() -> list[str]:
    """Return one message for each package that announces configs but does not have them."""
    return [
        f"{point.dist.name if point.dist else point.name} announces configs in {point.value}, which does not exist"
        for point, folders in packages()
        if not folders
    ]


def _folders(package: str) -> list[Path]:
    top, *inside = package.split(".")
    spec = find_spec(top)  # for a name without dots, this imports nothing
    places = [] if spec is None else spec.submodule_search_locations or []
    return [folder for place in places if (folder := Path(place, *inside)).is_dir()]
