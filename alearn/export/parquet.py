"""A Parquet file with a row an image, its columns typed: those of the CSV file, and the certificate in the metadata."""

from collections.abc import Sequence
from datetime import datetime

from alearn import __version__
from alearn.errors import AlearnError
from alearn.export.records import Labeled
from alearn.registry import register_exporter


@register_exporter("parquet", "typed columns; needs pip install 'alearn[parquet]'", file="export.parquet")
def content(labeled: Labeled) -> bytes:
    """Return the whole file. Raises AlearnError if pyarrow is not installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise AlearnError("--format parquet: needs pyarrow; pip install 'alearn[parquet]'") from None

    records, word = labeled.records, pa.dictionary(pa.int32(), pa.string())
    proof = labeled.certificate

    def words(values: Sequence[str | None]) -> object:
        return pa.array(values, pa.string()).dictionary_encode()

    columns = {
        "path": (pa.string(), [one.id for one in records]),
        "label": (word, words([one.label for one in records])),
        "source": (word, words([one.source for one in records])),
        "purpose": (word, words([one.purpose for one in records])),
        "round": (pa.int32(), [one.round for one in records]),
        "confidence": (pa.float64(), [one.confidence for one in records]),
        "annotator": (word, words([one.annotator for one in records])),
        "time": (pa.timestamp("ms", "UTC"), [one.time and datetime.fromisoformat(one.time) for one in records]),
        "cannot_tell": (pa.bool_(), [one.cannot_tell for one in records]),
        "certificate": (word, words([proof.sha256 if proof and one.source else None for one in records])),
    }
    about = {"alearn": __version__} | ({"certificate": proof.statement} if proof else {})
    schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()], metadata=about)
    made = pa.table({name: values for name, (_, values) in columns.items()}, schema=schema)
    file = pa.BufferOutputStream()
    parquet.write_table(made, file)
    return bytes(file.getvalue().to_pybytes())
