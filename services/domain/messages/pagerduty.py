"""Content as an event of PagerDuty: one incident for all that is said of an alert and a group.

Source: https://developer.pagerduty.com/docs/send-alert-event
"""

from typing import Final

from schemas.notice import Notice, NoticeKind, NoticeLevel
from services.domain.messages.content import Content

_ROWS: Final = 10  # of one table
_SUMMARY: Final = 1024  # characters that PagerDuty takes
_SEVERITIES: Final = {
    NoticeLevel.OK: "info",
    NoticeLevel.WARNING: "warning",
    NoticeLevel.CRITICAL: "critical",
    NoticeLevel.NO_DATA: "error",
}

Payload = dict[str, object]


def pagerduty_payload(notice: Notice, content: Content) -> Payload:
    """Without the routing key. A repetition changes nothing, since the incident has the same key."""
    payload: Payload = {
        "event_action": "resolve" if _is_over(notice) else "trigger",
        "dedup_key": notice.incident_id,
        "client": "Farebox",
        "payload": {
            "summary": f"{content.title}. {content.sentence}"[:_SUMMARY],
            "source": "farebox",
            "severity": _SEVERITIES[notice.level],
            "timestamp": notice.created_at.isoformat(),
            "component": notice.source.value,
            "group": content.group,
            "custom_details": {
                "notice_id": notice.notice_id,
                **{fact.label: fact.value for fact in content.facts},
                **{table.title: [" ".join(row).strip() for row in table.rows[:_ROWS]] for table in content.tables},
            },
        },
    }
    if content.link:
        payload |= {"client_url": content.link, "links": [{"href": content.link, "text": "Open in Farebox"}]}
    return payload


def _is_over(notice: Notice) -> bool:
    """A summary whose level is OK says so of all groups."""
    is_summary = notice.kind is NoticeKind.SUMMARY and notice.level is NoticeLevel.OK
    return notice.kind is NoticeKind.RESOLVED or is_summary
