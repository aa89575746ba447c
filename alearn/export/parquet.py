"""Export a Parquet file with one row per image. It has the columns of the CSV file, but typed, and metadata with the
certificate.
"""

from collections.abc import Sequence
from datetime import datetime

from alearn import __version__
from alearn.export.records import Labeled
from alearn.files.parquet_tables import pyarrow
from alearn.registry import register_exporter


@register_exporter("parquet", "typed columns; needs pip install 'alearn[parquet]'", file="export.parquet")
def content(labeled: Labeled) -> bytes:
    """Return the whole file. Raise AlearnError if pyarrow is not installed."""
    pa, parquet = pyarrow()
    records = labeled.records
    name_type = pa.dictionary(pa.int32(), pa.string())
    proof = labeled.certificate

    def names(values: Sequence[str | None]) -> object:
        return pa.array(values, pa.string()).dictionary_encode()

    times = [record.time and datetime.fromisoformat(record.time) for record in records]
    columns = {
        "path": (pa.string(), [record.id for record in records]),
        "label": (name_type, names([record.label for record in records])),
        "source": (name_type, names([record.source for record in records])),
        "purpose": (name_type, names([record.purpose for record in records])),
        "round": (pa.int32(), [record.round for record in records]),
        "confidence": (pa.float64(), [record.confidence for record in records]),
        "annotator": (name_type, names([record.annotator for record in records])),
        "time": (pa.timestamp("ms", "UTC"), times),
        "cannot_tell": (pa.bool_(), [record.cannot_tell for record in records]),
        "certificate": (name_type, names([proof.sha256 if proof and record.source else None for record in records])),
    }
    about = {"alearn": __version__} | ({"certificate": proof.statement} if proof else {})
    schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()], metadata=about)
    table = pa.table({name: values for name, (_, values) in columns.items()}, schema=schema)
    file = pa.BufferOutputStream()
    parquet.write_table(table, file)
    return bytes(file.getvalue().to_pybytes())
