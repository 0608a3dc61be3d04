"""CSV out, for spreadsheets. What is unknown is an empty cell and not a zero, and no cell is a formula."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from schemas.api.changes import ChangesView, CostOfPeriod, CostReasons
from schemas.api.reports import ReportView
from schemas.api.requests import RequestView
from schemas.api.seal import SealView
from services.domain.spreadsheets import disarmed

_CSV: Final[dict[str, Any]] = {
    "description": "CSV with `Accept: text/csv`",
    "content": {"text/csv": {"schema": {"type": "string"}}},
}
CSV_RESPONSE: Final[dict[int | str, dict[str, Any]]] = {200: _CSV}  # beside the JSON of the same status
CSV_RESPONSE_201: Final[dict[int | str, dict[str, Any]]] = {201: _CSV}

_FIRST: Final = "request_id"
_AGAIN: Final = frozenset({"cost", "costUSD", "request_properties"})  # other names of columns that are there
_FLEETING: Final = "signed_body_url"  # good for minutes, and without a key: nothing for a file
_QUOTED: Final = re.compile(r'[,"\r\n#]')
_MAX_HEADER_CHARACTERS: Final = 4000

_encoder = msgspec.json.Encoder()


async def _wants_csv(request: Request) -> bool:
    kinds = (kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "").split(","))
    return "text/csv" in kinds


WantsCsv = Annotated[bool, Depends(_wants_csv)]


def header_block(
    kind: str, bounds: tuple[datetime | None, datetime | None], zone: str, rows: str, release: str, seal: SealView
) -> Sequence[str]:
    """The `block_lines` of the `file_facts` of these."""
    return block_lines(file_facts(kind, bounds, zone, rows, release, seal))


def block_lines(facts: Mapping[str, object]) -> Sequence[str]:
    """What a file says of itself before its table: always as many lines, each `# name: value`."""
    return [f"# {name}: {'unknown' if value is None else value}" for name, value in facts.items()]


def file_facts(
    kind: str, bounds: tuple[datetime | None, datetime | None], zone: str, rows: str, release: str, seal: SealView
) -> Mapping[str, object]:
    """What a file says of itself.

    `bounds` are the start and the end of its period, None where it has none; `rows` is which of all it holds;
    `release` is that of the prices.
    """
    start, end = (None if bound is None else bound.astimezone(ZoneInfo(zone)).isoformat() for bound in bounds)
    return {
        "farebox": kind,
        "period": f"{start or 'the first request'} to {end or 'now'}",
        "zone": zone,
        "rows": rows,
        "prices": release,
        **seal.model_dump(),
    }


def requests_csv(views: Sequence[RequestView], block: Iterable[str], **beside: object) -> Response:
    """A line for each request under the names of the JSON, each value once, its id first; properties are JSON.

    The `block` comes first. What else stands `beside` the data in JSON is in headers.
    """
    names = [field.serialization_alias or name for name, field in RequestView.model_fields.items()]
    head = [_FIRST, *(name for name in names if name not in {*_AGAIN, _FIRST, _FLEETING})]
    lines = (view.model_dump(by_alias=True) for view in views)
    return _csv_response("requests", head, ([line[name] for name in head] for line in lines), 201, block, beside)


def report_csv(view: ReportView, dimensions: Sequence[str], block: Iterable[str], **beside: object) -> Response:
    """The `report_table`. The `block` comes first. What else stands `beside` the data in JSON is in headers."""
    head, lines = report_table(view, dimensions)
    return _csv_response("report", head, lines, 200, block, beside)


def report_table(view: ReportView, dimensions: Sequence[str]) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    """A line `group` for each group, `rest` for those beyond the limit, and the last line, `total`, for all of them.

    Before them the names of its columns. Values are as in JSON.
    """
    content = view.model_dump()
    measures = list(content["total"])
    head = ["line", *dimensions, *measures]
    groups = (["group", *row["by"], *_figures(row["measures"], measures)] for row in content["rows"])
    ends = (
        [line, *(None for _ in dimensions), *_figures(content[line], measures)]
        for line in ("rest", "total")
        if content[line] is not None
    )
    lines: Iterable[Sequence[object]] = (*groups, *ends)
    if content["compared"] is not None:
        return _with_comparison(content, head, measures, lines)
    return head, lines


def changes_csv(view: ChangesView, dimensions: Sequence[str], block: Iterable[str], **beside: object) -> Response:
    """Lines as those of a report, each with the cost of both periods, their difference and its reasons."""
    content = view.model_dump()
    costs, reasons = list(CostOfPeriod.model_fields), list(CostReasons.model_fields)
    figures = [f"{period}.{name}" for period in ("before", "after") for name in costs]
    head = ["line", *dimensions, "presence", *figures, "difference_usd", "relative", *reasons]
    groups = (["group", *row["by"], row["presence"], *_difference(row)] for row in content["rows"])
    ends = (
        [line, *(None for _ in dimensions), None, *_difference(content[line])]
        for line in ("rest", "total")
        if content[line] is not None
    )
    return _csv_response("changes", head, (*groups, *ends), 200, block, beside)


def _difference(figures: Mapping[str, Any]) -> Iterator[object]:
    yield from (*figures["before"].values(), *figures["after"].values())
    yield from (figures["difference_usd"], figures["relative"], *figures["reasons"].values())


def table_csv(
    name: str,
    head: Sequence[str],
    lines: Iterable[Sequence[object]],
    *,
    block: Iterable[str] = (),
    **beside: object,
) -> Response:
    """`lines` under `head`, behind the `block`. What else stands `beside` the data in JSON is in headers."""
    return _csv_response(name, head, lines, 200, block, beside)


def _figures(figures: Mapping[str, object], measures: Iterable[str]) -> list[object]:
    return [figures[name] for name in measures]


def _with_comparison(
    content: Mapping[str, Any], head: Sequence[str], measures: Sequence[str], lines: Iterable[Sequence[object]]
) -> tuple[list[str], Iterable[Sequence[object]]]:
    """Behind each line whether its group is new or gone, and of each measure what it was and how it has changed."""
    columns = [f"{name}.{part}" for name in measures for part in ("previous", "change", "relative_change")]
    compared = [row["compared"] for row in content["rows"]]
    compared += [content["compared"][line] for line in ("rest", "total") if content[line] is not None]
    both = zip(lines, compared, strict=True)
    return [*head, "presence", *columns], ([*line, *_comparison(beside, measures)] for line, beside in both)


def _comparison(compared: Mapping[str, Any], measures: Iterable[str]) -> Iterator[object]:
    yield compared.get("presence")
    for name in measures:
        change = compared["change"][name] or {}
        yield from (compared["measures"][name], change.get("absolute"), change.get("relative"))


def _csv_response(
    name: str,
    head: Sequence[str],
    lines: Iterable[Sequence[object]],
    status: int,
    block: Iterable[str],
    beside: Mapping[str, object],
) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    headers |= {f"Farebox-{part.replace('_', '-').title()}": header_text(value) for part, value in beside.items()}
    return StreamingResponse(
        chain((f"{line}\r\n" for line in block), csv_text((head, *lines))),
        status,
        headers,
        media_type="text/csv; charset=utf-8; header=present",
    )


def header_text(value: object) -> str:
    """Of a figure its JSON; of warnings a JSON list of the messages, as many as fit, in ASCII."""
    if not isinstance(value, list):
        return _encoder.encode(value).decode()
    messages = [warning.message for warning in value]
    while len(text := json.dumps(messages)) > _MAX_HEADER_CHARACTERS:
        messages.pop()
    return text


def csv_text(lines: Iterable[Sequence[object]]) -> Iterator[str]:
    """Each of `lines` as it stands in a file, its end with it."""
    return (",".join(_quoted(cell(value)) for value in line) + "\r\n" for line in lines)


def _quoted(text: str) -> str:
    """In quotes where they are needed; around a # too, which would begin a comment for who skips the block so."""
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def cell(value: object) -> str:
    """`value` as text; with a leading apostrophe where a spreadsheet program would run it."""
    return disarmed("" if value is None else value if isinstance(value, str) else _encoder.encode(value).decode())
