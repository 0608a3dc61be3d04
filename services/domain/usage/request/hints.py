"""What of a request's body decides a charge, whether the body is at hand or was omitted."""

from typing import Protocol

from schemas.usage import RequestHints, RequestInfo
from services.domain.exchange.body import Body
from services.domain.usage.request.billed import (
    annotates_pages,
    image_model,
    requested_cache_lifetime,
    spoken_characters,
)
from services.domain.usage.request.info import parse_request_body
from services.domain.usage.request.options import (
    may_request_caching,
    may_request_hour_cache,
    may_run_paid_tools,
    may_run_uncounted_tools,
    requested_search_depth,
)
from services.domain.usage.request.prompt_text import prompt_characters


class Hints(Protocol):
    """RequestHints, or the same computed from a body on access."""

    @property
    def info(self) -> RequestInfo: ...

    @property
    def may_use_hour_cache(self) -> bool: ...

    @property
    def may_use_cache(self) -> bool: ...

    @property
    def cache_lifetime(self) -> str: ...

    @property
    def search_depth(self) -> str: ...

    @property
    def may_run_paid_tools(self) -> bool: ...

    @property
    def may_run_uncounted_tools(self) -> bool: ...

    @property
    def spoken_characters(self) -> int: ...

    @property
    def annotates_pages(self) -> bool | None: ...

    @property
    def text_characters(self) -> int: ...

    @property
    def image_model(self) -> str: ...


class BodyHints:
    """Hints of a request to `provider`, each computed from its body on access: few charges need all of them."""

    def __init__(self, body: Body, provider: str) -> None:
        self._body = body
        self._provider = provider

    @property
    def info(self) -> RequestInfo:
        return parse_request_body(self._body)

    @property
    def may_use_hour_cache(self) -> bool:
        return may_request_hour_cache(self._body)

    @property
    def may_use_cache(self) -> bool:
        return may_request_caching(self._body)

    @property
    def cache_lifetime(self) -> str:
        return requested_cache_lifetime(self._body)

    @property
    def search_depth(self) -> str:
        return requested_search_depth(self._body.content)

    @property
    def may_run_paid_tools(self) -> bool:
        return may_run_paid_tools(self._body.content, self._provider)

    @property
    def may_run_uncounted_tools(self) -> bool:
        return may_run_uncounted_tools(self._body.content, self._provider)

    @property
    def spoken_characters(self) -> int:
        return spoken_characters(self._body)

    @property
    def annotates_pages(self) -> bool | None:
        return annotates_pages(self._body)

    @property
    def text_characters(self) -> int:
        return prompt_characters(self._body.content)

    @property
    def image_model(self) -> str:
        return image_model(self._body)


def stored_hints(hints: Hints, *, counts_text: bool) -> RequestHints:
    """`hints` that need no body any more. Text is only counted for an estimate: it takes longer than all the rest."""
    return RequestHints(
        info=hints.info,
        may_use_hour_cache=hints.may_use_hour_cache,
        may_use_cache=hints.may_use_cache,
        cache_lifetime=hints.cache_lifetime,
        search_depth=hints.search_depth,
        may_run_paid_tools=hints.may_run_paid_tools,
        may_run_uncounted_tools=hints.may_run_uncounted_tools,
        spoken_characters=hints.spoken_characters,
        annotates_pages=hints.annotates_pages,
        text_characters=hints.text_characters if counts_text else 0,
        image_model=hints.image_model,
    )
