"""A request's body -> the hints in it, each worked out when it is wanted: few charges want all of them."""

from schemas.usage import RequestHints, RequestInfo
from services.domain.exchange.body import Body
from services.domain.usage.estimate import asked_characters
from services.domain.usage.folded_cache import asks_for_caching
from services.domain.usage.hints import Hints
from services.domain.usage.request import asked_in
from services.domain.usage.request_hints import asked_depth, asks_for_an_hour
from services.domain.usage.truncated import may_cost_more


class HintsInBody:
    """Hints of a request to `provider` whose body is at hand."""

    def __init__(self, body: Body, provider: str) -> None:
        self._body = body
        self._provider = provider

    @property
    def asked(self) -> RequestInfo:
        return asked_in(self._body)

    @property
    def may_last_an_hour(self) -> bool:
        return asks_for_an_hour(self._body)

    @property
    def may_be_cached(self) -> bool:
        return asks_for_caching(self._body)

    @property
    def search_depth(self) -> str:
        return asked_depth(self._body.content)

    @property
    def may_cost_more(self) -> bool:
        return may_cost_more(self._body.content, self._provider)

    @property
    def text_characters(self) -> int:
        return asked_characters(self._body.content)


def kept_hints(hints: Hints, *, counts_text: bool) -> RequestHints:
    """`hints` that need no body any more. Its text is counted for an estimate, which takes longer than all the rest."""
    return RequestHints(
        asked=hints.asked,
        may_last_an_hour=hints.may_last_an_hour,
        may_be_cached=hints.may_be_cached,
        search_depth=hints.search_depth,
        may_cost_more=hints.may_cost_more,
        text_characters=hints.text_characters if counts_text else 0,
    )
