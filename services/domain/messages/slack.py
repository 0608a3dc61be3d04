"""Content as blocks of Slack.

Texts stand in `plain_text` and `rich_text` elements only, in which nothing is markup and nobody is mentioned.
Source: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from collections.abc import Iterator
from typing import Final

from schemas.notice import NoticeLevel
from services.domain.messages.content import Content, Table
from services.domain.messages.text import table_lines

_MARKS: Final = {
    NoticeLevel.OK: "✅",
    NoticeLevel.WARNING: "⚠️",
    NoticeLevel.CRITICAL: "🚨",
    NoticeLevel.NO_DATA: "❔",
}
_HEADER: Final = 150  # characters that Slack takes
_TABLES: Final = 10
_CHARACTERS: Final = 2500  # of one table

Block = dict[str, object]


def slack_payload(content: Content, slack_channel: str) -> Block:
    """Of an incoming webhook, and of chat.postMessage where `slack_channel` says where."""
    payload: Block = {
        # Shown in notifications. Slack reads markup in it unless these characters are escaped.
        "text": _escaped(f"{content.title}. {content.sentence}"),
        "mrkdwn": False,
        "blocks": list(_blocks(content)),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if slack_channel:
        metadata = {"event_type": "farebox_notice", "event_payload": {"notice_id": content.notice_id}}
        payload |= {"channel": slack_channel, "parse": "none", "link_names": False, "metadata": metadata}
    return payload


def _blocks(content: Content) -> Iterator[Block]:
    title = f"{_MARKS[content.level]} {content.title}"
    yield {"type": "header", "text": _plain(title if len(title) <= _HEADER else f"{title[: _HEADER - 1]}…")}
    yield {"type": "rich_text", "elements": list(_rich(content))}
    if content.link:
        button = {"type": "button", "text": _plain("Open in Farebox"), "url": content.link, "action_id": "open"}
        yield {"type": "actions", "elements": [button]}


def _rich(content: Content) -> Iterator[Block]:
    facts = [part for fact in content.facts for part in (_text(f"\n{fact.label}: ", bold=True), _text(fact.value))]
    yield _section(_text(f"{content.sentence}\n"), *facts)
    for table in content.tables[:_TABLES]:
        yield _section(_text(f"\n{table.title}", bold=True))
        yield {"type": "rich_text_preformatted", "elements": [_text(_lines(table))]}


def _lines(table: Table) -> str:
    """As many as fit."""
    lines, shown, size = list(table_lines(table)), 0, 0
    while shown < len(lines) and size + len(lines[shown]) < _CHARACTERS:
        size += len(lines[shown]) + 1
        shown += 1
    left = len(lines) - shown
    return "\n".join([*lines[:shown], *([f"and {left:,} more lines"] if left else [])])


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _text(text: str, *, bold: bool = False) -> Block:
    return {"type": "text", "text": text} | ({"style": {"bold": True}} if bold else {})


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
