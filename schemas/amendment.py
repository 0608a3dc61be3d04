"""What is set on a request after it finished: properties, scores and feedback, which is a score of its own name.

An amendment is an event of its own in the event log, beside the requests' (see `schemas/log_entry.py`), and is kept in
a table of its own. Rows are derived from both, so the order in which they come decides nothing.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from schemas.event import SCHEMA_VERSION

KIND: Final = "amendment"
SESSION_FEEDBACK: Final = "Helicone-Session-Feedback"  # the property of one request of a session: 1 or 0
SESSION_TAG: Final = "Helicone-Session-Tag"
FEEDBACK: Final = "helicone-score-feedback"  # the score that a rating becomes: 1 for a good one, 0 for a bad one
MAX_NAME: Final = 256  # characters of a property's or a score's name
MAX_NAMES: Final = 1000  # of properties, and of scores, of one request
MAX_SCORE: Final = 2**63 - 1

Score = Annotated[int, msgspec.Meta(ge=-MAX_SCORE - 1, le=MAX_SCORE)]


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """What one client set at once. Of what is set several times the latest counts."""

    organization_id: str
    request_id: str  # UUID
    amendment_id: str  # UUID; delivered again, it is the same amendment
    recorded_at: datetime  # when it was handed to the event log
    created_at: datetime | None = None  # of the request; None for every one with this id, also those still to come
    properties: dict[str, str] = {}  # names as the client spelled them
    scores: dict[str, Score] = {}
    key_id: str = ""  # of the Farebox key that set it
    kind: str = KIND
    schema_version: int = SCHEMA_VERSION


class StoredAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `amendment`. Field order is column order."""

    organization_id: str
    request_id: str
    amended_us: int  # unix microseconds
    amendment_id: str
    request_created_at: datetime  # the beginning of 1970 for every request with this id
    key_id: str
    properties: dict[str, str]  # names in lower case
    spellings: dict[str, str]  # by the names in lower case: as the client spelled them
    scores: dict[str, int]
