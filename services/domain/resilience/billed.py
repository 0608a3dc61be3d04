"""Which failed attempts may have been billed, and so have a row of their own."""

from datetime import datetime

from msgspec.structs import replace

from schemas.event import ExchangeEvent
from schemas.price import CostState, Price
from services.domain.parsed_bodies import read_request, read_response
from services.domain.pricing.cost import charge_of
from services.domain.usage.source import resolve_usage


class _NoPrices:
    """A PriceBook: whether something is free does not depend on what it costs otherwise."""

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:  # noqa: ARG002
        return None


def may_be_billed(event: ExchangeEvent) -> bool:
    """Whether the worker would not call it free, by the same rules and without the prices."""
    # The request's body decides how much is billed, and is large at times.
    event = replace(event, request=replace(event.request, body=b"", body_bytes=0))
    hints, _ = read_request(event.request)
    parsed, _ = read_response(event, hints)
    resolved = resolve_usage(event, parsed, hints)
    return charge_of(event, "", "", parsed, resolved, _NoPrices()).state is not CostState.FREE
