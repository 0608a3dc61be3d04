"""The notice by which somebody tries a channel."""

from datetime import datetime

from schemas.channel import Channel
from schemas.notice import Notice, NoticeKind, NoticeLevel, NoticeSource


def trial_notice(channel: Channel, draw: str, now: datetime) -> Notice:
    """`draw` is an id that nothing else has."""
    return Notice(
        notice_id=f"test-{draw}"[:64],
        organization_id=channel.organization_id,
        source=NoticeSource.TEST,
        source_id=channel.id,
        name=channel.name,
        kind=NoticeKind.TEST,
        level=NoticeLevel.OK,
        created_at=now,
        group={"test": draw},  # each is an incident of its own
    )
