"""Content as the HTML of a mail: tables and inline styles, which all programs show alike; no images, no scripts."""

from collections.abc import Iterator
from html import escape
from typing import Final

from schemas.notice import NoticeLevel
from services.domain.messages.content import Content, Table

_COLORS: Final = {
    NoticeLevel.OK: "#1a7f37",
    NoticeLevel.WARNING: "#b45309",
    NoticeLevel.CRITICAL: "#b42318",
    NoticeLevel.NO_DATA: "#57606a",
}
_FONT: Final = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_CELL: Final = "padding:6px 12px 6px 0;border-bottom:1px solid #eaeef2;vertical-align:top"
_NUMBER: Final = "text-align:right;white-space:nowrap;padding-right:0;padding-left:12px;width:72px"
_QUIET: Final = "color:#57606a"
_LABEL: Final = f"{_QUIET};width:120px"
_BUTTON: Final = (
    "display:inline-block;padding:9px 16px;background:#1f2328;color:#ffffff;text-decoration:none;border-radius:6px"
)


def html_of(content: Content) -> str:
    """A whole document."""
    return "".join(_parts(content))


def _parts(content: Content) -> Iterator[str]:
    color = _COLORS[content.level]
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f'<meta name="viewport" content="width=device-width"><title>{escape(content.title)}</title></head>'
    yield f'<body style="margin:0;padding:24px 12px;background:#f6f8fa;{_FONT};font-size:15px;color:#1f2328">'
    yield '<table role="presentation" align="center" cellpadding="0" cellspacing="0" '
    yield 'style="width:100%;max-width:640px;margin:0 auto;background:#ffffff;border:1px solid #d1d9e0;'
    yield f'border-top:4px solid {color};border-radius:6px"><tr><td style="padding:24px">'
    yield f'<div style="font-size:12px;font-weight:600;color:{color}">{escape(content.status)}</div>'
    yield f'<h1 style="margin:4px 0 0;font-size:20px;line-height:1.3">{escape(content.name)}</h1>'
    if content.group:
        yield f'<div style="margin-top:4px;{_QUIET}">{escape(content.group)}</div>'
    yield f'<p style="margin:16px 0;font-size:16px;line-height:1.5">{escape(content.sentence)}</p>'
    if content.facts:
        yield _rows(Table("", tuple((fact.label, fact.value) for fact in content.facts)), first=_LABEL)
    for table in content.tables:
        yield f'<h2 style="margin:24px 0 4px;font-size:14px">{escape(table.title)}</h2>{_rows(table)}'
        if table.note:
            yield f'<div style="margin-top:6px;{_QUIET}">{escape(table.note)}</div>'
    if content.link:
        yield f'<p style="margin:24px 0 0"><a href="{escape(content.link)}" style="{_BUTTON}">Open in Farebox</a></p>'
    yield "</td></tr></table></body></html>\n"


def _rows(table: Table, first: str = "") -> str:
    header = "".join(_cell(name, place, table, f"{_QUIET};font-size:12px") for place, name in enumerate(table.header))
    lines = [f"<tr>{header}</tr>"] if header else []
    lines += [
        f"<tr>{''.join(_cell(cell, place, table, '' if place else first) for place, cell in enumerate(row))}</tr>"
        for row in table.rows
    ]
    return (
        '<table cellpadding="0" cellspacing="0" style="width:100%;border-collapse:collapse;font-size:14px">'
        f"{''.join(lines)}</table>"
    )


def _cell(text: str, place: int, table: Table, style: str) -> str:
    align = f";{_NUMBER}" if place in table.numbers else ""
    style = f";{style}" if style else ""
    return f'<td style="{_CELL}{align}{style}">{escape(text)}</td>'
