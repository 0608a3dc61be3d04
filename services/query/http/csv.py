"""CSV out, for spreadsheets. What is unknown is an empty cell and not a zero, and no cell is a formula."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from schemas.api.reports import ReportView
from schemas.api.requests import RequestView

CSV_RESPONSE: Final[dict[int | str, dict[str, Any]]] = {
    "2XX": {"description": "With `Accept: text/csv`", "content": {"text/csv": {"schema": {"type": "string"}}}}
}

_FIRST: Final = "request_id"
_AGAIN: Final = frozenset({"cost", "costUSD", "request_properties"})  # other names of columns that are there
_FLEETING: Final = "signed_body_url"  # good for minutes, and without a key: nothing for a file
# What makes a spreadsheet program take a cell for a formula, in Japanese ones too. Plain numbers are none.
_FORMULA: Final = re.compile(r"[\s\x00-\x20]*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)

_encoder = msgspec.json.Encoder()


async def _wants_csv(request: Request) -> bool:
    kinds = (kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "").split(","))
    return "text/csv" in kinds


WantsCsv = Annotated[bool, Depends(_wants_csv)]


def requests_csv(views: Sequence[RequestView]) -> Response:
    """A line for each request under the names of the JSON, each value once, its id first; properties are JSON."""
    names = [field.serialization_alias or name for name, field in RequestView.model_fields.items()]
    head = [_FIRST, *(name for name in names if name not in {*_AGAIN, _FIRST, _FLEETING})]
    lines = (view.model_dump(by_alias=True) for view in views)
    return _csv_response("requests", head, ([line[name] for name in head] for line in lines), 201)


def report_csv(view: ReportView, dimensions: Sequence[str]) -> Response:
    """A line `group` for each group, `rest` for those beyond the limit, and the last line, `total`, for all of them."""
    content = view.model_dump()
    measures = list(content["total"])
    head = ["line", *dimensions, *measures]
    groups = (["group", *row["by"], *_figures(row["measures"], measures)] for row in content["rows"])
    ends = (
        [line, *(None for _ in dimensions), *_figures(content[line], measures)]
        for line in ("rest", "total")
        if content[line] is not None
    )
    return _csv_response("report", head, (*groups, *ends), 200)


def _figures(figures: Mapping[str, object], measures: Iterable[str]) -> list[object]:
    return [figures[name] for name in measures]


def _csv_response(name: str, head: Sequence[str], lines: Iterable[Sequence[object]], status: int) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(
        _text((head, *lines)), status, headers, media_type="text/csv; charset=utf-8; header=present"
    )


def _text(lines: Iterable[Sequence[object]]) -> Iterator[str]:
    for line in lines:
        out = io.StringIO()
        csv.writer(out).writerow([cell(value) for value in line])
        yield out.getvalue()


def cell(value: object) -> str:
    """`value` as text; with a leading apostrophe where a spreadsheet program would run it."""
    text = "" if value is None else value if isinstance(value, str) else _encoder.encode(value).decode()
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
