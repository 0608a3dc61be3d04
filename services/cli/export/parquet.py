"""An export as Parquet: parts of so many rows, each a file that is whole or fetched again, made into one at the end."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from schemas.api.exports import Checkpoint, ExportState
from services.cli.client import QueryApi
from services.cli.export.partial import Partial
from services.cli.export.text import Progress
from services.query.exports.parquet import CHECKPOINT

PART_ROWS: Final = 250_000


def fetch_parquet(api: QueryApi, body: Mapping[str, Any], partial: Partial, progress: Progress) -> None:
    """Raises: NoResponse; parts that were whole by then stay."""
    if not all(_path(partial, place).exists() for place in range(partial.size)):
        partial.restart()
    place, state = partial.size, ExportState.MORE
    while state is not ExportState.END:
        path = _path(partial, place)
        with (
            api.stream("/v1/export", {**body, "limit": PART_ROWS, "cursor": partial.cursor}) as (headers, chunks),
            path.open("wb") as file,
        ):
            file.writelines(chunks)
        checkpoint = _checkpoint_of(path)
        place, state = place + 1, checkpoint.state
        partial.keep(checkpoint, place)
        progress(partial.rows, headers)
    parts = [_path(partial, number) for number in range(place)]
    _merge(parts, partial.path)
    partial.finish()
    for part in parts:
        part.unlink(missing_ok=True)


def _path(partial: Partial, place: int) -> Path:
    return partial.path.with_name(f"{partial.path.name}{place}")


def _checkpoint_of(path: Path) -> Checkpoint:
    from pyarrow import parquet

    return Checkpoint.model_validate_json(parquet.read_metadata(path).metadata[CHECKPOINT.encode()])


def _merge(parts: Sequence[Path], out: Path) -> None:
    """Row group by row group, so that no more than one is in memory."""
    from pyarrow import parquet

    if len(parts) == 1:
        os.replace(parts[0], out)
        return
    with parquet.ParquetWriter(out, parquet.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            file = parquet.ParquetFile(part)
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group))
        last = parquet.read_metadata(parts[-1]).metadata[CHECKPOINT.encode()]
        writer.add_key_value_metadata({CHECKPOINT: last.decode()})
