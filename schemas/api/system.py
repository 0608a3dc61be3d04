"""What runs, for whoever may read: releases, what is kept, and what an operator should look at."""

from pydantic import Field

from schemas.api.requests import View
from schemas.key import MissingTags
from schemas.omission import Omission


class SystemView(View):
    version: str = Field(description="Of Farebox")
    pricing_release: str = Field(description="Of the rules and the prices that requests are charged by")
    warnings: list[str] = Field(description="What an operator should look at; empty when all is well")
    omit_bodies: Omission = Field(description="FAREBOX_OMIT_BODIES: bodies that are never stored")
    capture_bytes: int = Field(description="FAREBOX_CAPTURE_BYTES: of each body")
    missing_tags: MissingTags = Field(
        description="FAREBOX_MISSING_TAGS: what becomes of a request without a tag that its key requires"
    )
    bodies_kept_days: int = Field(description="Bodies are deleted so long after their request; figures stay for ever")
