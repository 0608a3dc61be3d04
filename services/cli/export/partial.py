"""A file that is not whole yet: beside it stands which export it is of, and from where it goes on."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.api.exports import Checkpoint
from schemas.errors import InvalidRequest


class _Progress(msgspec.Struct, frozen=True):
    request: Any
    cursor: str
    rows: int
    size: int  # how much of it is whole: bytes of a file, or files


class Partial:
    """`OUT.part` is the file, and `OUT.part.json` its progress, which is written whenever more is whole."""

    def __init__(self, out: Path, request: Mapping[str, Any]) -> None:
        """`request` is the body of the export. Raises: InvalidRequest when the file is of another one."""
        self.out = out
        self.path = out.with_name(f"{out.name}.part")
        self._note = out.with_name(f"{out.name}.part.json")
        self._request = msgspec.to_builtins(request)
        self.cursor: str | None = None
        self.rows = 0
        self.size = 0
        if self._note.exists():
            self._go_on()

    def _go_on(self) -> None:
        try:
            found = msgspec.json.decode(self._note.read_bytes(), type=_Progress)
        except msgspec.DecodeError:
            return  # it was not written to its end: from the beginning
        if found.request != self._request:
            raise InvalidRequest(
                f"{self.path} is a part of another export: give its options to go on with it, or delete {self._note}"
            )
        self.cursor, self.rows, self.size = found.cursor, found.rows, found.size

    def restart(self) -> None:
        """From the beginning: what was there is not."""
        self.cursor, self.rows, self.size = None, 0, 0

    def keep(self, checkpoint: Checkpoint, size: int) -> None:
        """What `checkpoint` stands behind is in the file, whose `size` that is."""
        self.rows = checkpoint.rows
        if checkpoint.cursor is None:
            return
        self.cursor, self.size = checkpoint.cursor, size
        progress = _Progress(self._request, checkpoint.cursor, checkpoint.rows, size)
        written = self._note.with_suffix(".new")
        written.write_bytes(msgspec.json.encode(progress))
        os.replace(written, self._note)

    def finish(self) -> None:
        """The file is whole."""
        os.replace(self.path, self.out)
        self._note.unlink(missing_ok=True)
