"""A notice as the JSON of a webhook: every field, for programs. Numbers have all their digits; null is unknown."""

from typing import Final

import msgspec

from schemas.notice import Notice
from services.domain.messages.content import Content

_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def webhook_payload(notice: Notice, content: Content) -> dict[str, object]:
    """`type` and `timestamp` are those of https://www.standardwebhooks.com; `data` is the notice."""
    data: dict[str, object] = {
        **msgspec.structs.asdict(notice),
        "incident_id": notice.incident_id,
        "title": content.title,
        "sentence": content.sentence,
        "link": content.link or None,
    }
    data.pop("link_path")
    return {"type": f"{notice.source}.{notice.kind}", "timestamp": notice.created_at, "data": data}


def encoded(payload: object) -> bytes:
    """As JSON."""
    return _encoder.encode(payload)
