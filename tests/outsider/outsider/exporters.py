"""alearn export --format tabbed."""

import alearn
from alearn.export.records import Labeled


@alearn.register_exporter("tabbed", "a line an image, with tabs", file="export.tsv", options=("prefix",))
def tabbed(labeled: Labeled, prefix: str = "") -> str:
    """Return path and label of each image."""
    return "".join(f"{prefix}{record.id}\t{record.label}\n" for record in labeled.records)
