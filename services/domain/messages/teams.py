"""Content as an Adaptive Card for a workflow of Microsoft Teams.

Texts stand in `TextRun` only: unlike a `TextBlock` it knows no Markdown.
Source: https://adaptivecards.io/explorer/TextRun.html
"""

from collections.abc import Iterator
from typing import Final

from schemas.notice import NoticeLevel
from services.domain.messages.content import Content, Table

_COLORS: Final = {
    NoticeLevel.OK: "good",
    NoticeLevel.WARNING: "warning",
    NoticeLevel.CRITICAL: "attention",
    NoticeLevel.NO_DATA: "default",
}
# Of one table: a card has 28 KB at most, and is not wide.
_ROWS: Final = 12
_COLUMNS: Final = 6
_TABLES: Final = 5

Element = dict[str, object]


def teams_payload(content: Content) -> Element:
    card: Element = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "fallbackText": content.title,
        "msteams": {"width": "Full"},
        "body": list(_body(content)),
    }
    if content.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Farebox", "url": content.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "id": content.notice_id, "attachments": [attachment]}


def _body(content: Content) -> Iterator[Element]:
    yield _line(_run(content.status, weight="bolder", color=_COLORS[content.level]))
    yield _line(_run(content.name, weight="bolder", size="large")) | {"spacing": "none"}
    if content.group:
        yield _line(_run(content.group, isSubtle=True)) | {"spacing": "none"}
    yield _line(_run(content.sentence))
    for fact in content.facts:
        yield _line(_run(f"{fact.label}: ", weight="bolder"), _run(fact.value)) | {"spacing": "small"}
    for table in content.tables[:_TABLES]:
        yield _line(_run(table.title, weight="bolder"))
        yield from _rows(table)


def _rows(table: Table) -> Iterator[Element]:
    rows = [table.header, *table.rows] if table.header else list(table.rows)
    for row in rows[:_ROWS]:
        columns = [_column(cell, is_number=place in table.numbers) for place, cell in enumerate(row[:_COLUMNS])]
        yield {"type": "ColumnSet", "spacing": "small", "columns": columns}
    left = len(rows) - _ROWS
    if left > 0 or table.note:
        yield _line(_run(f"and {left:,} more rows" if left > 0 else table.note, isSubtle=True))


def _column(text: str, *, is_number: bool) -> Element:
    cell = _line(_run(text or " ")) | ({"horizontalAlignment": "right"} if is_number else {})
    return {"type": "Column", "width": "auto" if is_number else "stretch", "items": [cell]}


def _line(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: object) -> Element:
    return {"type": "TextRun", "text": text, **style}
