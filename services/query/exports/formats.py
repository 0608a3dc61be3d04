"""Rows as lines of text: CSV and JSON. Each writer returns the bytes of what it is given, and keeps nothing."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec

from schemas.api.exports import Checkpoint
from schemas.api.requests import digits, instant
from services.query.exports.columns import Value
from services.query.http.csv import csv_text

_encoder: Final = msgspec.json.Encoder()


class Writer(Protocol):
    """Of one response."""

    media_type: str
    extension: str

    def head(self) -> bytes:
        """What comes before the rows."""
        ...

    def rows(self, rows: Sequence[Sequence[Value]]) -> bytes: ...

    def checkpoint(self, checkpoint: Checkpoint) -> bytes:
        """Behind rows that are whole."""
        ...

    def end(self, checkpoint: Checkpoint) -> bytes:
        """What comes behind all rows."""
        ...


class CsvWriter:
    media_type = "text/csv; charset=utf-8; header=present"
    extension = "csv"

    def __init__(
        self, names: Sequence[str], block: Sequence[str] = (), *, checkpoints: bool, continues: bool = False
    ) -> None:
        """`block`: lines before the table. Where the file `continues` another one, it begins with its rows."""
        self._names = names
        self._block = block
        self._checkpoints = checkpoints
        self._continues = continues

    def head(self) -> bytes:
        if self._continues:
            return b""
        block = "".join(f"{line}\r\n" for line in self._block)
        return (block + "".join(csv_text([self._names]))).encode()

    def rows(self, rows: Sequence[Sequence[Value]]) -> bytes:
        return "".join(csv_text([_csv_value(value) for value in row] for row in rows)).encode()

    def checkpoint(self, checkpoint: Checkpoint) -> bytes:
        return b"# checkpoint: %b\r\n" % _encoder.encode(checkpoint.model_dump()) if self._checkpoints else b""

    def end(self, checkpoint: Checkpoint) -> bytes:
        return self.checkpoint(checkpoint)


class JsonLinesWriter:
    media_type = "application/x-ndjson"
    extension = "jsonl"

    def __init__(self, names: Sequence[str], *, checkpoints: bool) -> None:
        self._names = names
        self._checkpoints = checkpoints

    def head(self) -> bytes:
        return b""

    def rows(self, rows: Sequence[Sequence[Value]]) -> bytes:
        names = self._names
        return b"".join(
            _encoder.encode({name: _json_value(value) for name, value in zip(names, row, strict=True)}) + b"\n"
            for row in rows
        )

    def checkpoint(self, checkpoint: Checkpoint) -> bytes:
        line = {"farebox_checkpoint": checkpoint.model_dump()}
        return _encoder.encode(line) + b"\n" if self._checkpoints else b""

    def end(self, checkpoint: Checkpoint) -> bytes:
        return self.checkpoint(checkpoint)


def _csv_value(value: Value) -> Value:
    """Of an amount its digits and no more; a map is JSON in its cell."""
    return msgspec.Raw(_encoder.encode(value)) if isinstance(value, dict) else _json_value(value)


def _json_value(value: Value) -> Any:
    if isinstance(value, Decimal):
        return msgspec.Raw(digits(value).encode())
    if isinstance(value, msgspec.Raw):  # in one line: where JSON has a line's end, it is a space
        return msgspec.Raw(bytes(value).translate(None, b"\r\n"))
    return instant(value) if isinstance(value, datetime) else value
