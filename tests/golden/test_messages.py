"""Messages as people get them, kept as files: a changed line is looked at like code.

`python -m tests.golden.test_messages` writes them anew.
"""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from schemas.notice import (
    GroupValue,
    Notice,
    NoticeKind,
    NoticeLevel,
    NoticeSource,
    NoticeUnit,
    ReportColumn,
    ReportTable,
)
from services.domain.messages.content import content_of
from services.domain.messages.html import html_of
from services.domain.messages.pagerduty import pagerduty_payload
from services.domain.messages.slack import slack_payload
from services.domain.messages.teams import teams_payload
from services.domain.messages.text import text_of
from services.domain.messages.webhook import encoded, webhook_payload
from tests.builders.notices import a_notice
from tests.builders.records import TIMESTAMP

FOLDER: Final = Path(__file__).parent / "messages"
PUBLIC_URL: Final = "https://farebox.example.com/"

_USERS: Final = ReportTable(
    title="Top users by cost",
    columns=(
        ReportColumn(name="user"),
        ReportColumn(name="cost", unit=NoticeUnit.USD),
        ReportColumn(name="requests", unit=NoticeUnit.COUNT),
        ReportColumn(name="hit rate", unit=NoticeUnit.SHARE),
    ),
    rows=(
        ("user-789", "42.501234", "3711", "0.23"),
        ("user-456", "0.000123", "12", None),
        (None, None, "1", "0"),
    ),
    remaining_rows=17,
)

NOTICES: Final = {
    "firing": a_notice(),
    "resolved": a_notice(kind=NoticeKind.RESOLVED, level=NoticeLevel.OK, value=Decimal("12.3"), drivers=(), changes=()),
    "escalated": a_notice(
        kind=NoticeKind.ESCALATED,
        level=NoticeLevel.CRITICAL,
        threshold=Decimal(500),
        threshold_label="100 % of $500",
        value=Decimal("512.007"),
        forecast_at=TIMESTAMP + timedelta(days=2),
    ),
    "no-data": a_notice(
        kind=NoticeKind.NO_DATA,
        level=NoticeLevel.NO_DATA,
        metric="time to first token (p95)",
        unit=NoticeUnit.MILLISECONDS,
        value=None,
        threshold=None,
        threshold_label="",
        group={},
        drivers=(),
        changes=(),
        complete_until=None,
        detail="No request matched the filter.",
    ),
    "summary": a_notice(
        kind=NoticeKind.SUMMARY,
        level=NoticeLevel.CRITICAL,
        group={},
        group_count=10_000,
        groups=(
            GroupValue(group={"user": "user-1"}, level=NoticeLevel.CRITICAL, value=Decimal("99.5")),
            GroupValue(group={"user": "<script>alert(1)</script>"}, level=NoticeLevel.WARNING, value=None),
        ),
        drivers=(),
        changes=(),
    ),
    "report": a_notice(
        source=NoticeSource.REPORT,
        kind=NoticeKind.REPORT,
        level=NoticeLevel.OK,
        name="Weekly costs",
        group={},
        threshold=None,
        threshold_label="",
        drivers=(),
        changes=(),
        tables=(_USERS,),
        link_path="/dashboard/",
    ),
}


def rendered(notice: Notice) -> dict[str, str]:
    """By the ending of a file's name."""
    content = content_of(notice, PUBLIC_URL)
    payloads = {
        "slack.json": slack_payload(content, "#alerts"),
        "teams.json": teams_payload(content),
        "pagerduty.json": pagerduty_payload(notice, content),
        "webhook.json": json.loads(encoded(webhook_payload(notice, content))),
    }
    texts = {ending: json.dumps(payload, indent=1, ensure_ascii=False) + "\n" for ending, payload in payloads.items()}
    return {"txt": text_of(content), "html": html_of(content), **texts}


@pytest.mark.parametrize("name", NOTICES)
def test_a_message_is_as_its_file_has_it(name: str) -> None:
    for ending, text in rendered(NOTICES[name]).items():
        assert text == (FOLDER / f"{name}.{ending}").read_text(), f"{name}.{ending}"


def _write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, notice in NOTICES.items():
        for ending, text in rendered(notice).items():
            (FOLDER / f"{name}.{ending}").write_text(text)


if __name__ == "__main__":
    _write()
