"""What clearing the response cache responds with."""

from pydantic import Field

from schemas.api.requests import View


class ClearedCache(View):
    entries: int = Field(description="How many responses were deleted")
    size_bytes: int = Field(description="Bytes of these")
