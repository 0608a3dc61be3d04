"""What an exchange used, and who says so."""

from typing import Final

import msgspec

from schemas.event import ExchangeEvent, Outcome, ResponseEvent
from schemas.usage import ParsedResponse, Usage, UsageSource
from services.domain.usage.estimate import estimated_usage
from services.domain.usage.request.hints import Hints


class ResolvedUsage(msgspec.Struct, frozen=True):
    """`usage` is None exactly when nothing can be said."""

    usage: Usage | None
    source: UsageSource


# Who sent these stopped waiting, and what stands behind goes on generating and is billed: the provider itself (408,
# 504), somebody before it (499), Cloudflare (522, 524); and a response that Cloudflare could not understand (520). All
# others came instead of a response: they refuse (other 4xx, 429, 503, 529), or say that it failed (500), broke off
# behind the gateway (502), or was never asked for (521, 523).
_MAY_HAVE_GENERATED: Final = frozenset({408, 499, 504, 520, 522, 524})
_UNTOLD = ResolvedUsage(None, UsageSource.NONE)


def resolve_usage(event: ExchangeEvent, reading: ParsedResponse, hints: Hints) -> ResolvedUsage:
    """From the response's final figures; without them, for a stream, an estimate from what passed."""
    response = event.response
    if reading.final:
        drained = response.drained and response.outcome is Outcome.CLIENT_DISCONNECTED
        source = UsageSource.DRAINED if drained else UsageSource.PROVIDER
        return ResolvedUsage(reading.usage, source) if reading.usage is not None else _UNTOLD
    if reading.usage is None and refused_by_provider(response, reading):
        return _UNTOLD
    usage = estimated_usage(reading, hints)
    return ResolvedUsage(usage, UsageSource.ESTIMATED) if usage is not None else _UNTOLD


def refused_by_provider(response: ResponseEvent, reading: ParsedResponse) -> bool:
    """Whether `response` is an error in whose place nothing was generated, so that nobody bills it.

    Clients that log a stream which broke off call it an error, but what came before the error was generated.
    """
    status = response.status or 0
    if status < 400 or status in _MAY_HAVE_GENERATED or reading.passed_characters or reading.thought_characters:
        return False
    return reading.failed or not reading.streamed
