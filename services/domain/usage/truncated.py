"""A response, whole or of which only the beginning and the end were stored -> ParsedResponse.

Providers report usage at the end. It counts when it was stored, and when nothing that was cut off can have cost
something in addition. Otherwise the parsed response is `truncated`, and its cost unknown.
"""

import re
from typing import Final

import msgspec

from schemas.event import ExchangeEvent, Outcome
from schemas.usage import ParsedResponse
from services.domain.exchange.body import Body
from services.domain.exchange.sse import looks_like_events
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.formats.google import hides_media
from services.domain.usage.parse import parse_response
from services.domain.usage.request.hints import Hints
from services.domain.usage.response.envelope import parse_part
from services.domain.usage.response.tool_calls import may_have_fees

_ENDED: Final = (Outcome.COMPLETED, Outcome.PROVIDER_ERROR, Outcome.CACHED)
_MEDIA: Final = re.compile(r"(?:audio|image|video)/")  # these never report usage
# Between two members of an object. Inside of a string a backslash would precede the quote.
_MEMBER: Final = re.compile(
    rb'[,{]\s*("(?:model|modelVersion|service_tier|tools|tool_usage|usage|svg_usage|usage_info|usageMetadata|meta)"\s*:)',
)
_OPENING_MEMBER: Final = re.compile(rb'"(?:model|service_tier)"\s*:\s*"[^"\\]{1,512}"')
_OPENING_BYTES: Final = 4096  # the short members come first
_MAX_TRIES: Final = 16
_COUNTED_TOOLS: Final = '"tool_usage"'
_DRAWING: Final = b'"image_generation"'
_SVG: Final = re.compile(rb'"output_format"\s*:\s*"svg"')
_WRAPPINGS: Final = (b"{", b'{"response":{')  # OpenAI's last event of a response contains all of it


def parse_truncated(event: ExchangeEvent, hints: Hints, body: Body) -> ParsedResponse:
    """What `body`, the response of `event`, reports, to a request with `hints`."""
    provider = event.request.provider
    if body.whole or _MEDIA.match(body.content_type):
        return parse_response(body.content, provider)
    joined = _joined(body.content, body.tail, ended=event.response.outcome in _ENDED)
    parsed = parse_response(joined or body.content, provider)
    if joined and parsed.final and _is_all(parsed, hints, body, provider):
        return parsed
    return msgspec.structs.replace(parsed, final=False, complete=True, truncated=True)


def _joined(beginning: bytes, end: bytes, *, ended: bool) -> bytes:
    """What can be parsed of both, as if nothing had been between them; b'' when one of them cannot be."""
    if not end:
        return b""
    if looks_like_events(beginning):
        return _joined_events(beginning.replace(b"\r\n", b"\n"), end.replace(b"\r\n", b"\n"), ended=ended)
    if parse_part(beginning.partition(b"\n")[0]) is not None:  # one object a line, as logged streams are
        return _whole(beginning, b"\n") + end.partition(b"\n")[2]
    if not ended or beginning.lstrip()[:1] != b"{" or len(beginning) < _OPENING_BYTES:
        return b""
    members = _last_members(end)
    opening = b",".join(_OPENING_MEMBER.findall(beginning[:_OPENING_BYTES])[::-1])
    return members.replace(b"{", b"{%b," % opening, 1) if members and opening else members


def _joined_events(beginning: bytes, end: bytes, *, ended: bool) -> bytes:
    """The whole events of both; and the last members of one that is larger than the stored end.

    Empty without the first event: it may report the input.
    """
    broken, _, rest = end.partition(b"\n\n")
    members = _last_members(broken) if ended else b""
    event = b"data: %b\n\n" % members if members else b""
    opening = _whole(beginning, b"\n\n")
    return opening and opening + event + rest


def _whole(beginning: bytes, separator: bytes) -> bytes:
    return beginning[: beginning.rfind(separator) + len(separator)] if separator in beginning else b""


def _last_members(end: bytes) -> bytes:
    """An object with the last members of the one that ends with `end`; b'' when it ends with none.

    The names may be those of inner objects too. But what follows a member of the outer one closes that, and no other.
    """
    for found in list(_MEMBER.finditer(end))[-_MAX_TRIES:]:
        for wrapping in _WRAPPINGS:
            members = wrapping + end[found.start(1) :]
            if parse_part(members) is not None:
                return members
    return b""


def _is_all(parsed: ParsedResponse, hints: Hints, body: Body, provider: str) -> bool:
    """Whether nothing that decides the cost can have been cut off. Embeddings and images name no service tier."""
    usage = parsed.usage
    if usage is None or (hints.may_run_paid_tools and not _counts_tools(parsed, hints, body)):
        return False
    stored = (body.content, body.tail)
    if may_have_fees(stored, provider, usage.web_searches) or hides_media(parsed.usage_block, stored, parsed.model):
        return False
    generated = usage.completion_tokens or usage.reasoning_tokens
    return parsed.names_tier or not has_quirk(provider, Quirk.TIER_IN_EVERY_RESPONSE) or not generated


def _counts_tools(parsed: ParsedResponse, hints: Hints, body: Body) -> bool:
    """Whether all that the tools used is in the stored end: images are large, and what was drawn stands behind them.

    Of a drawn image whose tokens were not recorded, or that is an SVG, only the item shows it, which was cut off.
    """
    if hints.may_run_uncounted_tools or _COUNTED_TOOLS not in parsed.usage_block:
        return False
    return _DRAWING not in body.tail or (bool(parsed.other_models) and _SVG.search(body.tail) is None)
