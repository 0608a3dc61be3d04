"""The lines of an export, told apart: those of the file, and checkpoints between them."""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.api.exports import Checkpoint, ExportFormat

_CSV: Final = b"# checkpoint: "
_JSON: Final = b'{"farebox_checkpoint":'


class CheckpointReader:
    """Reads one response, chunk by chunk."""

    def __init__(self, format_: ExportFormat) -> None:
        self._is_json = format_ is ExportFormat.JSONL
        self._line = b""  # that has not ended yet
        self._in_quotes = False  # a cell goes over several lines, and may hold anything

    def feed(self, chunk: bytes) -> Iterator[bytes | Checkpoint]:
        """Lines of the file, and checkpoints, in order. What has not ended comes with the next chunk."""
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            checkpoint = self._checkpoint(line)
            if checkpoint is not None:
                yield checkpoint
                continue
            if not self._is_json and line.count(b'"') % 2:
                self._in_quotes = not self._in_quotes
            yield line + b"\n"

    def _checkpoint(self, line: bytes) -> Checkpoint | None:
        if self._is_json and line.startswith(_JSON):
            return Checkpoint.model_validate(msgspec.json.decode(line)["farebox_checkpoint"])
        if not self._is_json and not self._in_quotes and line.startswith(_CSV):
            return Checkpoint.model_validate_json(line.removeprefix(_CSV))
        return None
