"""What an exchange used, and who says so."""

import msgspec

from schemas.event import Ending, ExchangeEvent, ResponseEvent
from schemas.usage import Reading, Usage, UsageSource
from services.domain.estimate import estimated_usage


class Consumption(msgspec.Struct, frozen=True):
    """`usage` is None exactly when nothing can be said."""

    usage: Usage | None
    source: UsageSource


_UNTOLD = Consumption(None, UsageSource.NONE)


def consumption_of(event: ExchangeEvent, reading: Reading, request_body: bytes) -> Consumption:
    """From the answer's final figures; without them, for a stream, an estimate from what passed."""
    response = event.response
    if reading.final:
        drained = response.drained and response.ending is Ending.CLIENT_GONE
        source = UsageSource.DRAINED if drained else UsageSource.PROVIDER
        return Consumption(reading.usage, source) if reading.usage is not None else _UNTOLD
    if reading.usage is None and refused_by_provider(response, reading):
        return _UNTOLD
    usage = estimated_usage(reading, request_body)
    return Consumption(usage, UsageSource.ESTIMATED) if usage is not None else _UNTOLD


def refused_by_provider(response: ResponseEvent, reading: Reading) -> bool:
    """Callers that log a stream which broke off call it an error, but what came before the error was generated."""
    if (response.status or 0) < 400 or reading.passed_characters or reading.thought_characters:
        return False
    return reading.failed or not reading.streamed
