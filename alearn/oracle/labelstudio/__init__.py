"""oracle=labelstudio: people label in Label Studio, on a server or through files that a person imports and exports.

`task_format` and `labeling_config` write what Label Studio imports, and `annotations` reads what it exports. These
three know nothing about batches. `tasks` turns a batch into tasks. `project` and `rest_client` talk to the server.
"""

from functools import partial
from typing import Literal

from alearn.config.oracle_config import Oracle
from alearn.oracle.context import Context, ask_people
from alearn.oracle.people import People
from alearn.registry import register_oracle


class LabelStudioOracle(Oracle):
    """People answer in Label Studio."""

    name: Literal["labelstudio"] = "labelstudio"
    url: str | None = None
    """Address of the server, whose key is read from the variable LABEL_STUDIO_API_KEY. null exchanges files instead."""
    project: str | None = None
    """Title of the project, which is created if there is none. null takes the name of the trial's folder."""


@register_oracle("labelstudio", LabelStudioOracle, simulated=False, free=("url", "project"))
def labelstudio(config: LabelStudioOracle, context: Context) -> People:
    """Ask people on a server, or through files if the config names no server."""
    from alearn.oracle.labelstudio.file_channel import Files
    from alearn.oracle.labelstudio.server_channel import Server

    return ask_people(context, partial(Files if config.url is None else Server, config))
