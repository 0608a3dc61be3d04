"""Reports as files: what each says of itself, and the same lines as JSON lines or Parquet, as the client accepts."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from io import BytesIO
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request, Response

from schemas.api.reports import ReportView
from schemas.api.seal import SealView
from services.query.dependencies import Service
from services.query.exports.parquet import METADATA
from services.query.http.csv import file_facts, header_text, report_table
from services.query.reports.question import Question


class FileKind(StrEnum):
    """By their media types."""

    CSV = "text/csv"
    JSONL = "application/x-ndjson"
    PARQUET = "application/vnd.apache.parquet"


FILE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": f"A file with `Accept: {FileKind.CSV}`, or `{FileKind.JSONL}`, or `{FileKind.PARQUET}`",
        "content": {kind.value: {"schema": {"type": "string"}} for kind in FileKind},
    }
}

_encoder: Final = msgspec.json.Encoder()


async def _wanted_file(request: Request) -> FileKind | None:
    kinds = {kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "").split(",")}
    return next((kind for kind in FileKind if kind in kinds), None)


WantedFile = Annotated[FileKind | None, Depends(_wanted_file)]


def facts_of(kind: str, question: Question, rows: str, seal: SealView, service: Service) -> Mapping[str, object]:
    """The `file_facts` of a file that shows what `question` found. `rows` is which of all it holds."""
    bounds = question.period.start, question.period.end
    return file_facts(kind, bounds, question.time_zone, rows, service.shipped.release, seal)


def report_file(
    view: ReportView, dimensions: Sequence[str], kind: FileKind, facts: Mapping[str, object], **beside: object
) -> Response:
    """The `report_table` as JSON lines or Parquet. `facts` is what the file says of itself."""
    head, lines = report_table(view, dimensions)
    headers = {f"Farebox-{part.title()}": header_text(value) for part, value in beside.items()}
    if kind is FileKind.JSONL:
        rows = (_encoder.encode(dict(zip(head, line, strict=True))) for line in lines)
        headers |= {"Content-Disposition": 'attachment; filename="report.jsonl"'}
        return Response(b"".join(row + b"\n" for row in rows), headers=headers, media_type=kind)
    headers |= {"Content-Disposition": 'attachment; filename="report.parquet"'}
    return Response(_parquet(head, list(lines), facts), headers=headers, media_type=kind)


def _parquet(head: Sequence[str], lines: Sequence[Sequence[object]], facts: Mapping[str, object]) -> bytes:
    """Amounts as decimals; a column without a value is text, or of amounts by its name."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = [[_exact(value) for value in column] for column in zip(*lines, strict=True)]
    types = [_type_of(pa, name, column) for name, column in zip(head, columns, strict=True)]
    schema = pa.schema(list(zip(head, types, strict=True)), metadata={METADATA: _encoder.encode(facts)})
    arrays = [pa.array(column, type=type_) for column, type_ in zip(columns, types, strict=True)]
    file = BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), file, compression="zstd")
    return file.getvalue()


def _exact(value: object) -> object:
    return Decimal(bytes(value).decode()) if isinstance(value, msgspec.Raw) else value


def _type_of(pa: Any, name: str, column: Sequence[object]) -> Any:
    kinds = {type(value) for value in column if value is not None}
    if Decimal in kinds or (not kinds and "_usd" in name):
        return pa.decimal128(38, 12)
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds and kinds <= {int, float} else pa.string()
