"""People who label in Label Studio: on a server, or by files that are carried there and back.

`task_format` and `labeling_config` write what Label Studio takes, `annotations` reads what it gives, and know nothing
else; `tasks` is a batch in these; `project` and `rest_client` speak to the server.
"""

from alearn.oracle.labelstudio.file_channel import Files
from alearn.oracle.labelstudio.server_channel import Server

__all__ = ["Files", "Server"]
