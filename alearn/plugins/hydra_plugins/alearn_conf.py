"""Hydra's side of the configs of other packages: see `alearn.config.packaged_conf`. Hydra takes plug-ins from the
namespace `hydra_plugins` alone, and imports all that is in it whenever any program starts it.
"""

from importlib.metadata import entry_points

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class PackagedConfigs(SearchPathPlugin):
    """Puts the config folders of other packages behind alearn's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folders, if it is alearn that Hydra was started for."""
        if not entry_points(group="alearn.conf"):
            return
        from alearn.config.packaged_conf import packages
        from alearn.config.presets import CONF

        if any(part.path.removeprefix("file://") == str(CONF) for part in search_path.get_path()):
            for point, folders in packages():
                for folder in folders:
                    search_path.append(provider=point.name, path=f"file://{folder}")
