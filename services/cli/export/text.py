"""An export of lines into a file, over as many connections as it takes."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from schemas.api.exports import ExportFormat, ExportState
from services.cli.client import Interrupted, QueryApi
from services.cli.export.checkpoints import CheckpointReader
from services.cli.export.partial import Partial

Progress = Callable[[int, Mapping[str, str]], None]  # rows so far, and the response's headers


def fetch_lines(api: QueryApi, body: Mapping[str, Any], partial: Partial, progress: Progress) -> None:
    """Until the last checkpoint. Raises: NoResponse; what was whole by then stays in the file."""
    if not partial.path.exists() or partial.path.stat().st_size < partial.size:
        partial.restart()
    with partial.path.open("r+b" if partial.cursor else "wb") as file:
        file.truncate(partial.size)
        file.seek(partial.size)
        reader = CheckpointReader(ExportFormat(body["format"]))
        state = ExportState.MORE
        with api.stream("/v1/export", {**body, "checkpoints": True, "cursor": partial.cursor}) as (headers, chunks):
            for line in chain.from_iterable(map(reader.feed, chunks)):
                if isinstance(line, bytes):
                    file.write(line)
                    continue
                file.flush()
                partial.keep(line, file.tell())
                progress(partial.rows, headers)
                state = line.state
    if state is not ExportState.END:
        raise Interrupted("the response ended before the export did")
    partial.finish()
