"""Row groups of Parquet: what is held in memory until it is written."""

import io

from pyarrow import parquet

from schemas.api.exports import Checkpoint, ExportState
from services.query.exports.columns import export_columns
from services.query.exports.parquet import GROUP_BYTES, ParquetWriter


def test_a_group_of_large_bodies_is_written_before_it_has_many_rows() -> None:
    writer = ParquetWriter(export_columns(["request_body"]), {})
    content = writer.head()
    for _ in range(3):
        content += writer.rows([["x" * (GROUP_BYTES // 2)]])
    content += writer.end(Checkpoint(rows=3, cursor=None, state=ExportState.END))
    metadata = parquet.ParquetFile(io.BytesIO(content)).metadata
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [2, 1]
