"""A response, whole or of which only the beginning and the end were kept -> ParsedResponse.

Providers say at the end what was used. It counts when it stands in what was kept, and when nothing that was cut away
can have cost something beside it. Otherwise the reading is `cut`, and the cost unknown.
"""

import re
from typing import Any, Final

import msgspec

from schemas.event import ExchangeEvent, Outcome
from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse
from services.domain.exchange.body import Body
from services.domain.exchange.sse import looks_like_events
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.envelope import part_of
from services.domain.usage.formats.google import hides_media
from services.domain.usage.hints import Hints
from services.domain.usage.parse import read_answer
from services.domain.usage.tool_calls import shows_fees

_ENDED: Final = (Outcome.COMPLETED, Outcome.PROVIDER_ERROR, Outcome.CACHED)
_MEDIA: Final = re.compile(r"(?:audio|image|video)/")  # no figures were cut away: these never hold any
# Between two members of an object. Inside of a text a backslash would stand before the quote.
_MEMBER: Final = re.compile(
    rb'[,{]\s*("(?:model|modelVersion|service_tier|tools|usage|svg_usage|usageMetadata|meta)"\s*:)',
)
_OPENING_MEMBER: Final = re.compile(rb'"(?:model|service_tier)"\s*:\s*"[^"\\]{1,512}"')
_OPENING_BYTES: Final = 4096  # in which the members stand that come before the long ones
_MAX_TRIES: Final = 16
_WRAPPINGS: Final = (b"{", b'{"response":{')  # OpenAI's last event of a response wraps all of it
# Models that search without being given a tool, and OpenRouter's kept settings, which may give them one.
_CHARGES_BY_THE_CALL: Final = re.compile(r":online|compound|@preset/")
_CALLERS_TOOLS: Final = (None, "function", "custom")  # no set: what is looked for may be anything
_DECLARED: Final = frozenset(("functionDeclarations", "function_declarations"))


class _Extras(msgspec.Struct):
    """What of a request can make a provider do what it charges beside the tokens."""

    model: Any = ""
    models: Any = None  # OpenRouter's, to be tried in turn
    preset: Any = None
    web_search_options: Any = None
    tools: list[dict[str, Any]] | None = None
    plugins: Any = None  # OpenRouter's
    prompt: Any = None  # a text; or OpenAI's kept prompt, which may have tools
    cached: Any = msgspec.field(default=None, name="cachedContent")  # Google's, which may have tools


_extras = msgspec.json.Decoder(_Extras)


def parse_truncated(event: ExchangeEvent, hints: Hints, answer: Body) -> ParsedResponse:
    """What `answer` says, which is that of `event`, to a request with `hints`."""
    provider = event.request.provider
    if answer.whole or _MEDIA.match(answer.content_type):
        return read_answer(answer.content, provider)
    joined = _joined(answer.content, answer.tail, ended=event.response.outcome in _ENDED)
    reading = read_answer(joined or answer.content, provider)
    if joined and reading.final and _is_all(reading, hints, answer, provider):
        return reading
    return msgspec.structs.replace(reading, final=False, complete=True, cut=True)


def _joined(beginning: bytes, end: bytes, *, ended: bool) -> bytes:
    """What can be read of both, as if nothing had stood between them; b'' when one of them cannot be read."""
    if not end:
        return b""
    if looks_like_events(beginning):
        return _joined_events(beginning.replace(b"\r\n", b"\n"), end.replace(b"\r\n", b"\n"), ended=ended)
    if part_of(beginning.partition(b"\n")[0]) is not None:  # one object a line, as logged streams are
        return _whole(beginning, b"\n") + end.partition(b"\n")[2]
    if not ended or beginning.lstrip()[:1] != b"{" or len(beginning) < _OPENING_BYTES:
        return b""
    members = _last_members(end)
    opening = b",".join(_OPENING_MEMBER.findall(beginning[:_OPENING_BYTES])[::-1])
    return members.replace(b"{", b"{%b," % opening, 1) if members and opening else members


def _joined_events(beginning: bytes, end: bytes, *, ended: bool) -> bytes:
    """The whole events of both; and the last members of one that is larger than what is kept of the end.

    Without the first event nothing is said: it may hold what was put in.
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

    The names may stand in inner objects too. But what follows a member of the outer one closes that, and no other.
    """
    for found in list(_MEMBER.finditer(end))[-_MAX_TRIES:]:
        for wrapping in _WRAPPINGS:
            members = wrapping + end[found.start(1) :]
            if part_of(members) is not None:
                return members
    return b""


def _is_all(reading: ParsedResponse, hints: Hints, answer: Body, provider: str) -> bool:
    """Whether nothing that decides the cost can have been cut away. Embeddings and images name no service tier."""
    usage = reading.usage
    if usage is None or hints.may_cost_more:
        return False
    kept = (answer.content, answer.tail)
    if shows_fees(kept, provider, usage.web_searches) or hides_media(reading.usage_block, kept):
        return False
    generated = usage.completion_tokens or usage.reasoning_tokens
    return reading.tells_tier or not has_quirk(provider, Quirk.TIER_IN_EVERY_RESPONSE) or not generated


def may_cost_more(request_body: bytes, provider: str) -> bool:
    """Whether calls that are charged one by one may stand in a response to a request, and in no usage."""
    try:
        request = _extras.decode(request_body)
    except UNDECODABLE:
        return True
    given = request.plugins or request.preset or request.cached or isinstance(request.prompt, dict)
    if request.web_search_options is not None and not has_quirk(provider, Quirk.ALL_FEES_REPORTED):
        return True
    searches = _CHARGES_BY_THE_CALL.search(f"{request.model} {request.models}") is not None
    return bool(given) or searches or not all(map(_is_callers, request.tools or ()))


def _is_callers(tool: dict[str, Any]) -> bool:
    """Whether a tool is run by the client, so that only tokens are charged."""
    if "type" in tool or "name" in tool:
        return tool.get("type") in _CALLERS_TOOLS
    return set(tool) <= _DECLARED
