"""A notice as the message that one channel takes."""

import csv
from io import StringIO
from typing import Final, assert_never

from schemas.channel import Channel, ChannelKind
from schemas.message import Attachment, JsonMessage, MailMessage, Message
from schemas.notice import Notice, ReportTable
from services.domain.messages.content import Content, content_of
from services.domain.messages.html import html_of
from services.domain.messages.pagerduty import pagerduty_payload
from services.domain.messages.slack import slack_payload
from services.domain.messages.teams import teams_payload
from services.domain.messages.text import text_of
from services.domain.messages.webhook import webhook_payload
from services.domain.spreadsheets import disarmed

_SUBJECT: Final = 160


def message_of(notice: Notice, channel: Channel, public_url: str) -> Message:
    """`public_url` is where people reach the dashboard; '' when not known."""
    content = content_of(notice, public_url)
    kind = channel.kind
    match kind:
        case ChannelKind.EMAIL:
            return mail_of(notice, content)
        case ChannelKind.SLACK:
            payload: dict[str, object] = slack_payload(content, channel.config.slack_channel)
        case ChannelKind.TEAMS:
            payload = teams_payload(content)
        case ChannelKind.PAGERDUTY:
            payload = pagerduty_payload(notice, content)
        case ChannelKind.WEBHOOK:
            payload = webhook_payload(notice, content)
        case _:
            assert_never(kind)
    return JsonMessage(message_id=notice.notice_id, payload=payload)


def mail_of(notice: Notice, content: Content) -> MailMessage:
    return MailMessage(
        message_id=notice.notice_id,
        thread_id=notice.incident_id,
        subject=content.title[:_SUBJECT],
        text=text_of(content),
        html=html_of(content),
        attachments=tuple(_csv(table, number) for number, table in enumerate(notice.tables, 1)),
    )


def _csv(table: ReportTable, number: int) -> Attachment:
    """All digits, and empty where unknown. Texts that a spreadsheet program would run are disarmed."""
    file = StringIO()
    lines = csv.writer(file, lineterminator="\r\n")
    lines.writerow(disarmed(column.name) for column in table.columns)
    for row in table.rows:
        lines.writerow(disarmed(cell or "") for cell in row)
    return Attachment(name=f"report-{number}.csv", content_type="text/csv", content=file.getvalue().encode())
