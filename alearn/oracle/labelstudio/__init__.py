"""People who label in Label Studio: on a server, or by files that are carried there and back.

`format` is Label Studio's JSON, both ways, and knows nothing else; `tasks` is a batch in it; `project` and `api` speak
to the server.
"""

from alearn.oracle.labelstudio.file_channel import Files
from alearn.oracle.labelstudio.server_channel import Server

__all__ = ["Files", "Server"]
