"""How a process records calls, as its settings say."""

import msgspec

from schemas.key import MissingTags
from schemas.omission import Omission


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a call, and what becomes of one without the tags that its key requires."""

    capture_bytes: int
    omission: Omission
    missing_tags: MissingTags
