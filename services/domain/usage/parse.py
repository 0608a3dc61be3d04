"""A provider's response, plain or streamed -> ParsedResponse: model, usage by disjoint class, reported figures."""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse, Usage
from services.domain.exchange.sse import events_of, frames_of, json_lines, looks_like_events, looks_like_frames
from services.domain.usage.estimate import output_characters, whole_output_characters
from services.domain.usage.formats.anthropic import merged_stream_usage
from services.domain.usage.formats.fields import InvalidUsage, ParsedUsage
from services.domain.usage.formats.iterations import bills_apart, largest_prompt, own_turns
from services.domain.usage.formats.openai import as_images, reports_output
from services.domain.usage.formats.registry import OPENAI, WRAPPED, format_of, wrapped_in
from services.domain.usage.formats.sdk_formats import agrees_with
from services.domain.usage.formats.top_level import block_of
from services.domain.usage.formats.unrecognized import counts_more
from services.domain.usage.response.batch_result import response_in_line
from services.domain.usage.response.chunks import (
    choices_finished,
    holds_images,
    is_chunk,
    is_error,
    is_intermediate,
    shows_output,
)
from services.domain.usage.response.envelope import Found, Part, model_in, parse_part, tier_in, usage_in, value_of
from services.domain.usage.response.other_models import with_other_models
from services.domain.usage.response.reported_cost import reported_cost
from services.domain.usage.response.tool_calls import with_fees
from services.domain.usage.service_tier import BATCH, names_tier, service_tier_of

_MAX_BLOCK_CHARACTERS: Final = 16_384
_OPENING_CHUNKS: Final = 3  # a stream names its model in the first that is not a ping or a filter's result
_SECOND_CHOICE: Final = (b'"index":1', b'"index": 1')
_NO_USAGE: Final = Usage()

_chunks = msgspec.json.Decoder(list[msgspec.Raw])


def parse_response(body: bytes, provider: str) -> ParsedResponse:
    """What `body`, decompressed, reports. Any bytes can be parsed; those that report nothing give an empty response."""
    if looks_like_events(body):
        return _parse_stream(events_of(body), provider)
    if looks_like_frames(body):
        return _parse_stream(frames_of(body), provider)
    part = parse_part(body)
    if part is not None and is_chunk(part):  # the only one of a stream that broke off, as its client logged it
        return _parse_stream([body.strip()], provider)
    if part is not None:
        return _parse_whole(part, body, provider)
    chunks = _array(body) if body.lstrip()[:1] == b"[" else json_lines(body)
    return _parse_stream(chunks, provider) if chunks and parse_part(chunks[0]) is not None else ParsedResponse()


def _parse_whole(part: Part, body: bytes, provider: str) -> ParsedResponse:
    found = usage_in(part)
    if found is None and (line := response_in_line(body)):
        return _parse_batched(line, provider)
    if found is None and (block := block_of(body, provider)) is not None:
        found = Found(part=part, block=block, raw=msgspec.json.encode(block))
    parsed = _parsed_response(found, [body], model_in(part), provider)
    if found is not None or not (part.choices or part.candidates or part.output):
        return parsed
    output, reasoning = whole_output_characters(body)
    return msgspec.structs.replace(parsed, output_characters=output, reasoning_characters=reasoning)


def _parse_batched(body: bytes, provider: str) -> ParsedResponse:
    """A response of a batch, which is billed as one even if it names the standard tier."""
    part = parse_part(body)
    if part is None:
        return ParsedResponse()
    parsed = _parsed_response(usage_in(part), [body], model_in(part), provider)
    return msgspec.structs.replace(parsed, tier=parsed.tier or BATCH, names_tier=True)


def _array(body: bytes) -> list[bytes]:
    """The chunks of Google's streams if server-sent events were not requested."""
    try:
        return [bytes(chunk) for chunk in _chunks.decode(body)]
    except UNDECODABLE:
        return []


def _parse_stream(events: Sequence[bytes], provider: str) -> ParsedResponse:
    chunks = [event for event in events if event.startswith(b"{")]
    last, position = _last_usage(chunks)
    found = last and _with_opening_usage(last, chunks)
    model = (model_in(found.part) if found else "") or _first_model(chunks)
    parsed = _parsed_response(found, chunks, model, provider)
    is_last = last is not None and _is_final(last, chunks[: position + 1])
    final = parsed.usage is not None and is_last
    output, reasoning = (0, 0) if final else output_characters(chunks)
    return msgspec.structs.replace(
        parsed,
        final=final,
        cost_is_whole=parsed.cost_is_whole and is_last,
        streamed=True,
        failed=bool(chunks) and is_error(chunks[-1]),
        output_characters=output,
        reasoning_characters=reasoning,
    )


def _first_model(chunks: Sequence[bytes]) -> str:
    parts = map(parse_part, chunks[:_OPENING_CHUNKS])
    return next((model for part in parts if part is not None and (model := model_in(part))), "")


def _last_usage(chunks: Sequence[bytes]) -> tuple[Found | None, int]:
    """The last usage object, and the position of its chunk: -1 when there is none."""
    for position in range(len(chunks) - 1, -1, -1):
        chunk = chunks[position]
        if b'"usage' in chunk or b"billed_units" in chunk:
            part = parse_part(chunk)
            if part is not None and (found := usage_in(part)) is not None:
                return found, position
    return None, -1


def _with_opening_usage(last: Found, chunks: Sequence[bytes]) -> Found:
    """Anthropic reports input tokens in the first event and output tokens in the last."""
    if last.opening:
        return last
    for chunk in chunks[:_OPENING_CHUNKS]:
        part = parse_part(chunk) if b'"message_start"' in chunk else None
        start = usage_in(part) if part is not None else None
        if start is not None and start.opening:
            block = merged_stream_usage(start.block, last.block)
            return Found(part=start.part, block=block, raw=msgspec.json.encode(block))
    return last


def _is_final(found: Found, chunks: Sequence[bytes]) -> bool:
    """Whether the usage in the last of `chunks` came with the end of every choice, or after it.

    Some providers report running usage in many chunks, and some report the final one before the last choice has ended.
    """
    if found.opening or is_intermediate(found.part):
        return False
    ended = choices_finished(found.part)
    if not ended or (all(ended.values()) and not _has_second_choice(chunks)):
        return True
    ended = {}
    for part in filter(None, map(parse_part, chunks)):
        ended |= {index: finished or ended.get(index, False) for index, finished in choices_finished(part).items()}
    return all(ended.values())


def _has_second_choice(chunks: Sequence[bytes]) -> bool:
    return any(_SECOND_CHOICE[0] in chunk or _SECOND_CHOICE[1] in chunk for chunk in chunks)


def _parsed_response(found: Found | None, chunks: Sequence[bytes], model: str, provider: str) -> ParsedResponse:
    if found is None:
        return ParsedResponse(model=model)
    provider_found = _own(found) if WRAPPED in found.block else found
    parsed_usage = _parsed_usage(provider_found, chunks, model, provider)
    if parsed_usage is not None and provider_found is not found and not agrees_with(found.block, parsed_usage.usage):
        parsed_usage = ParsedUsage(parsed_usage.usage, consistent=False, complete=parsed_usage.complete)
    cost = reported_cost(provider_found.raw)
    tier = tier_in(found.part)
    has_tier = names_tier(tier, provider_found.block)
    if not has_tier and len(chunks) > 1:
        tier = _last_tier(chunks)
        has_tier = bool(tier)
    raw = _with_other_usage(found)
    return ParsedResponse(
        model=model,
        usage=None if parsed_usage is None else parsed_usage.usage,
        other_models=() if parsed_usage is None else parsed_usage.other_models,
        usage_block=raw.decode("utf-8", "replace") if len(raw) <= _MAX_BLOCK_CHARACTERS else "",
        largest_prompt_tokens=largest_prompt(own_turns(provider_found.block, model)),
        consistent=parsed_usage is None or parsed_usage.consistent,
        complete=parsed_usage is None or parsed_usage.complete,
        tier=service_tier_of(tier, provider_found.block),
        names_tier=has_tier,
        cost_usd=cost.usd,
        cost_is_whole=cost.is_whole,
    )


def _own(found: Found) -> Found:
    """The provider's own usage object, where a library's contains it."""
    block = wrapped_in(found.block)
    return found if block is None else Found(part=found.part, block=block, raw=msgspec.json.encode(block))


def _with_other_usage(found: Found) -> bytes:
    """The usage object, with what OpenAI reports beside it of tools and of the model that draws."""
    beside = {"tool_usage": found.part.tool_usage, "svg_usage": found.part.svg_usage}
    stated = {name: value for name, raw in beside.items() if raw and (value := value_of(raw)) is not None}
    return msgspec.json.encode({**found.block, **stated}) if stated else found.raw


def _last_tier(chunks: Sequence[bytes]) -> str:
    """The tier that a stream names last, which need not be in the chunk with the usage."""
    for chunk in reversed(chunks):
        if b'"service_tier"' in chunk and (part := parse_part(chunk)) is not None:
            inner = parse_part(part.response)
            named = tier_in(part) or (tier_in(inner) if inner is not None else "")
            if names_tier(named, {}):
                return named
    return ""


def _parsed_usage(found: Found, chunks: Sequence[bytes], model: str, provider: str) -> ParsedUsage | None:
    """None for invalid usage, for an object of no known format, and for one in which nothing was used."""
    usage_format = format_of(found.block)
    if usage_format is None:
        return None
    own_block = own_turns(found.block, model)
    try:
        parsed_usage = usage_format.parse(own_block, provider)
    except InvalidUsage:
        return None
    if parsed_usage.usage == _NO_USAGE:
        return None
    if found.opening:
        # The opening event counts one output token, as a placeholder.
        return ParsedUsage(msgspec.structs.replace(parsed_usage.usage, completion_tokens=0, reasoning_tokens=0))
    silent = not parsed_usage.usage.completion_tokens and usage_format is OPENAI and not reports_output(found.block)
    unknown = counts_more(found.block, usage_format.names) or bills_apart(own_block, model)
    if (silent and shows_output(found.part)) or unknown:
        parsed_usage = ParsedUsage(parsed_usage.usage, parsed_usage.consistent, complete=False)
    if parsed_usage.usage.completion_tokens and holds_images(found.part, found.block):
        parsed_usage = as_images(parsed_usage, found.block)
    return with_other_models(with_fees(parsed_usage, found, chunks, model, provider), found, model)
