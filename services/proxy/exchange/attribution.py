"""What a process adds to the calls that it records: by which its hashes are keyed, and what its keys demand."""

import msgspec

from schemas.key import MissingTags
from services.hashing import KeyedHashes


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """One for the process."""

    hashes: KeyedHashes
    proxy_id: str  # of the process, in its rows
    missing_tags: MissingTags  # what becomes of a request without a tag that its key requires
