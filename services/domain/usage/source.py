"""What an exchange used, and where the figures come from: the provider, a drained stream, or an estimate."""

from typing import Final

import msgspec

from schemas.event import ExchangeEvent, Outcome, ResponseEvent
from schemas.usage import ModelUsage, ParsedResponse, Usage, UsageSource
from services.domain.usage.estimate import estimated_usage
from services.domain.usage.request.hints import Hints


class ResolvedUsage(msgspec.Struct, frozen=True):
    """`usage` is None exactly when it is unknown."""

    usage: Usage | None  # of the billed model
    source: UsageSource
    other_models: tuple[ModelUsage, ...] = ()


# Whoever sent these stopped waiting, while the server behind goes on generating and bills it: the provider itself (408,
# 504), a proxy before it (499), Cloudflare (522, 524); and a response that Cloudflare could not parse (520). All other
# statuses replace a response: the request was refused (other 4xx, 429, 503, 529), failed (500), broke off behind the
# gateway (502), or was never sent (521, 523).
_MAY_HAVE_GENERATED: Final = frozenset({408, 499, 504, 520, 522, 524})
_UNKNOWN = ResolvedUsage(None, UsageSource.NONE)


def resolve_usage(event: ExchangeEvent, parsed: ParsedResponse, hints: Hints) -> ResolvedUsage:
    """The response's final usage; for a stream without it, an estimate from its output."""
    response = event.response
    if parsed.final:
        drained = response.drained and response.outcome is Outcome.CLIENT_DISCONNECTED
        source = UsageSource.DRAINED if drained else UsageSource.PROVIDER
        if parsed.usage is not None and parsed.usage.prompt_characters:
            source = UsageSource.REQUEST
        return ResolvedUsage(parsed.usage, source, parsed.other_models) if parsed.usage is not None else _UNKNOWN
    if parsed.usage is None and refused_by_provider(response, parsed):
        return _UNKNOWN
    usage = estimated_usage(parsed, hints)
    return ResolvedUsage(usage, UsageSource.ESTIMATED) if usage is not None else _UNKNOWN


def refused_by_provider(response: ResponseEvent, parsed: ParsedResponse) -> bool:
    """Whether `response` is an error for which nothing was generated, so that it is not billed.

    Clients log a stream that broke off as an error, but the output before the error was generated.
    """
    status = response.status or 0
    if status < 400 or status in _MAY_HAVE_GENERATED or parsed.output_characters or parsed.reasoning_characters:
        return False
    return parsed.failed or not parsed.streamed
