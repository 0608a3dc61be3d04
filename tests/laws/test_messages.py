"""Messages hold for whatever text clients send: it is shown as text, and does nothing."""

import json
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from schemas.channel import Channel, ChannelConfig, ChannelKind
from schemas.message import JsonMessage, MailMessage
from schemas.notice import Change, Driver, GroupValue, Notice, NoticeKind, NoticeLevel, ReportColumn, ReportTable
from services.domain.messages.amounts import shown
from services.domain.messages.render import message_of
from services.domain.messages.texts import one_line
from services.domain.messages.webhook import encoded
from tests.builders.notices import a_notice
from tests.builders.records import TIMESTAMP

HOSTILE = [
    "<script>alert(1)</script>",
    "<!channel> <@U0123> @channel @here",
    "*bold* _it_ ~no~ `code` [a](https://evil.example)",
    "a\r\nBcc: everybody@example.com",
    "\u202eevil\u2066",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "<at>everybody</at>",
    "</td></tr></table>",
    "&lt;script&gt;",
    "",
    "x" * 5000,
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=80))


def notice_with(text: str) -> Notice:
    return a_notice(
        kind=NoticeKind.SUMMARY,
        name=text,
        group={text or "x": text},
        metric=text,
        threshold_label=text,
        zone=text,
        drivers=(Driver(dimension=text, value=text, amount=Decimal(1), share=Decimal("0.5")),),
        changes=(Change(cause=text, amount=None),),
        detail=text,
        groups=(GroupValue(group={text or "y": text}, level=NoticeLevel.OK, value=None),),
        group_count=1,
        tables=(ReportTable(title=text, columns=(ReportColumn(name=text),), rows=((text,),)),),
    )


def rendered(notice: Notice, kind: ChannelKind) -> MailMessage | JsonMessage:
    channel = Channel(id="c", organization_id="acme", name="c", kind=kind, config=ChannelConfig(), created_at=TIMESTAMP)
    return message_of(notice, channel, "https://farebox.example.com")


def mail(text: str) -> MailMessage:
    message = rendered(notice_with(text), ChannelKind.EMAIL)
    assert isinstance(message, MailMessage)
    return message


def payload(text: str, kind: ChannelKind) -> object:
    message = rendered(notice_with(text), kind)
    assert isinstance(message, JsonMessage)
    return json.loads(encoded(message.payload))


class Tags(HTMLParser):
    """The structure of a document, without its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *attrs))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)


def tags(html: str) -> list[object]:
    parser = Tags()
    parser.feed(html)
    return parser.found


def nodes(value: object) -> Iterator[dict[str, object]]:
    """Each object in `value`."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(part)


ORDINARY = mail("ordinary")


@given(texts)
def test_the_html_of_a_mail_has_the_same_structure_whatever_clients_send(text: str) -> None:
    assert tags(mail(text).html) == tags(ORDINARY.html)


@given(texts)
def test_the_text_of_a_mail_has_the_same_lines_whatever_clients_send(text: str) -> None:
    message = mail(text)
    assert len(message.text.splitlines()) == len(ORDINARY.text.splitlines())
    assert message.subject == one_line(message.subject, 200)


@given(texts)
def test_slack_is_sent_no_markup_of_clients(text: str) -> None:
    found = payload(text, ChannelKind.SLACK)
    kinds = {node["type"] for node in nodes(found) if "type" in node}
    literal = {"plain_text", "text", "rich_text", "rich_text_section", "rich_text_preformatted"}
    assert kinds <= literal | {"header", "actions", "button"}
    assert isinstance(found, dict)
    assert not {"<", ">"} & set(str(found["text"]))
    header = next(node for node in nodes(found) if node.get("type") == "header")
    assert isinstance(header["text"], dict)
    assert len(header["text"]["text"]) <= 150


@given(texts)
def test_a_card_of_teams_has_texts_that_are_no_markdown(text: str) -> None:
    kinds = {node["type"] for node in nodes(payload(text, ChannelKind.TEAMS)) if "type" in node}
    blocks = {"AdaptiveCard", "ColumnSet", "Column", "RichTextBlock", "TextRun"}
    assert kinds <= blocks | {"message", "Action.OpenUrl"}


def test_a_wide_and_long_table_fits_into_every_message() -> None:
    columns = tuple(ReportColumn(name=f"column {number}") for number in range(36))
    rows = tuple(tuple("x" * 40 for _ in columns) for _ in range(1000))
    notice = a_notice(tables=(ReportTable(title="t", columns=columns, rows=rows),))
    for kind, limit in ((ChannelKind.TEAMS, 28 * 1024), (ChannelKind.SLACK, 40_000), (ChannelKind.PAGERDUTY, 512_000)):
        message = rendered(notice, kind)
        assert isinstance(message, JsonMessage)
        assert len(encoded(message.payload)) < limit


@given(texts)
def test_an_event_of_pagerduty_is_within_its_limits(text: str) -> None:
    found = payload(text, ChannelKind.PAGERDUTY)
    assert isinstance(found, dict)
    assert len(found["payload"]["summary"]) <= 1024
    assert len(encoded(found)) < 512 * 1024


@given(texts)
def test_a_webhook_has_the_text_unchanged(text: str) -> None:
    found = payload(text, ChannelKind.WEBHOOK)
    assert isinstance(found, dict)
    assert found["data"]["name"] == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_a_number_that_is_shown_as_zero_is_zero(amount: Decimal) -> None:
    unit = notice_with("x").unit
    assert (shown(amount, unit) == "$0.00") == (amount == 0)
    assert shown(None, unit) == "unknown"
