"""Messages: notices as one kind of channel takes them, ready to be sent."""

from collections.abc import Mapping

import msgspec


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a mail."""

    name: str
    content_type: str  # such as "text/csv"
    content: bytes


class MailMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A mail without addresses. `thread_id` is the same for all that is said of one incident."""

    message_id: str
    thread_id: str
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


class JsonMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A body of JSON, to be posted."""

    message_id: str
    payload: Mapping[str, object]


Message = MailMessage | JsonMessage
