"""Rows as Parquet: amounts are decimals, timestamps UTC, properties a map, and the metadata says what the file is.

The library is loaded when it is first needed: most services never export.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.api.exports import Checkpoint
from schemas.tables import Kind
from services.query.exports.columns import ExportColumn, Value

# Of one row group, which is held in memory until it has so many rows or bytes.
GROUP_ROWS: Final = 50_000
GROUP_BYTES: Final = 32 * 2**20
METADATA: Final = "farebox"  # what the file says of itself, as JSON
CHECKPOINT: Final = "farebox.checkpoint"  # how the export goes on behind it, as JSON

_encoder: Final = msgspec.json.Encoder()


class _Sink(io.RawIOBase):
    """Bytes that were written and not taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size_bytes

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._size_bytes += len(part)
        return len(part)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class ParquetWriter:
    """One file. Its last bytes say where everything is, so a file that was cut off cannot be taken for a whole one."""

    media_type = "application/vnd.apache.parquet"
    extension = "parquet"

    def __init__(self, columns: Sequence[ExportColumn], facts: Mapping[str, object]) -> None:
        """`facts`: what the file says of itself."""
        import pyarrow as pa
        from pyarrow import parquet

        self._arrow = pa
        types = _types(pa)
        metadata = {METADATA: _encoder.encode(facts)}
        self._schema = pa.schema([(column.name, types[column.kind]) for column in columns], metadata=metadata)
        self._sink = _Sink()
        self._file = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self._waiting_rows = self._waiting_bytes = 0

    def head(self) -> bytes:
        return self._sink.taken()

    def rows(self, rows: Sequence[Sequence[Value]]) -> bytes:
        columns = list(zip(*rows, strict=True)) if rows else [() for _ in self._schema]
        arrays = [
            self._arrow.array([_arrow_value(value) for value in column], type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        table = self._arrow.Table.from_arrays(arrays, schema=self._schema)
        self._waiting.append(table)
        self._waiting_rows += len(rows)
        self._waiting_bytes += table.nbytes
        if self._waiting_rows >= GROUP_ROWS or self._waiting_bytes >= GROUP_BYTES:
            self._write_group()
        return self._sink.taken()

    def checkpoint(self, _: Checkpoint) -> bytes:
        return b""

    def end(self, checkpoint: Checkpoint) -> bytes:
        if self._waiting_rows:
            self._write_group()
        self._file.add_key_value_metadata({CHECKPOINT: _encoder.encode(checkpoint.model_dump()).decode()})
        self._file.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        self._file.write_table(self._arrow.concat_tables(self._waiting), row_group_size=self._waiting_rows)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0


def _arrow_value(value: Value) -> Value:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return list(value.items()) if isinstance(value, dict) else value


def _types(pa: Any) -> Mapping[Kind, Any]:
    text: Callable[[], Any] = pa.string
    return {
        Kind.TEXT: text(),
        Kind.UUID: text(),
        Kind.BODY: text(),
        Kind.NUMBER: pa.int64(),
        Kind.MONEY: pa.decimal128(38, 12),
        Kind.TIMESTAMP: pa.timestamp("ms", tz="UTC"),
        Kind.FLAG: pa.bool_(),
        Kind.TEXT_MAP: pa.map_(text(), text()),
    }
