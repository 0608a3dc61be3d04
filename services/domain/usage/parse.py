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
from services.domain.usage.formats.openai import as_images, reports_output
from services.domain.usage.formats.registry import OPENAI, WRAPPED, family_of, wrapped_in
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
from services.domain.usage.response.reported_cost import reported_cost_usd
from services.domain.usage.response.tool_calls import with_fees
from services.domain.usage.service_tier import BATCH, names_tier, service_tier_of

_MAX_BLOCK_CHARACTERS: Final = 16_384
_OPENING_CHUNKS: Final = 3  # a stream names its model in the first that is not a ping or a filter's result
_SECOND_CHOICE: Final = (b'"index":1', b'"index": 1')
_NO_USAGE: Final = Usage()

_chunks = msgspec.json.Decoder(list[msgspec.Raw])


def parse_response(body: bytes, provider: str) -> ParsedResponse:
    """What `body`, decompressed, says. Any bytes have a reading; those that say nothing have an empty one."""
    if looks_like_events(body):
        return _read_stream(events_of(body), provider)
    if looks_like_frames(body):
        return _read_stream(frames_of(body), provider)
    answer = parse_part(body)
    if answer is not None and is_chunk(answer):
        return _read_stream([body.strip()], provider)  # of a stream that broke off after it, as its client logged it
    if answer is not None:
        return _read_whole(answer, body, provider)
    chunks = _array(body) if body.lstrip()[:1] == b"[" else json_lines(body)
    return _read_stream(chunks, provider) if chunks and parse_part(chunks[0]) is not None else ParsedResponse()


def _read_whole(answer: Part, body: bytes, provider: str) -> ParsedResponse:
    found = usage_in(answer)
    if found is None and (line := response_in_line(body)):
        return _read_batched(line, provider)
    if found is None and (block := block_of(body)) is not None:
        found = Found(part=answer, block=block, raw=msgspec.json.encode(block))
    reading = _reading(found, [body], model_in(answer), provider)
    if found is not None or not (answer.choices or answer.candidates or answer.output):
        return reading
    passed, thought = whole_output_characters(body)
    return msgspec.structs.replace(reading, passed_characters=passed, thought_characters=thought)


def _read_batched(body: bytes, provider: str) -> ParsedResponse:
    """A response that was given in a batch, and is billed as one even if it names the standard tier."""
    answer = parse_part(body)
    if answer is None:
        return ParsedResponse()
    reading = _reading(usage_in(answer), [body], model_in(answer), provider)
    return msgspec.structs.replace(reading, tier=reading.tier or BATCH, names_tier=True)


def _array(body: bytes) -> list[bytes]:
    """The chunks of Google's streams when nobody asked for server-sent events."""
    try:
        return [bytes(chunk) for chunk in _chunks.decode(body)]
    except UNDECODABLE:
        return []


def _read_stream(events: Sequence[bytes], provider: str) -> ParsedResponse:
    chunks = [event for event in events if event.startswith(b"{")]
    last, position = _last_usage(chunks)
    found = last and _with_opening_usage(last, chunks)
    model = (model_in(found.part) if found else "") or _first_model(chunks)
    reading = _reading(found, chunks, model, provider)
    final = reading.usage is not None and last is not None and _is_final(last, chunks[: position + 1])
    passed, thought = (0, 0) if final else output_characters(chunks)
    return msgspec.structs.replace(
        reading,
        final=final,
        streamed=True,
        failed=bool(chunks) and is_error(chunks[-1]),
        passed_characters=passed,
        thought_characters=thought,
    )


def _first_model(chunks: Sequence[bytes]) -> str:
    parts = map(parse_part, chunks[:_OPENING_CHUNKS])
    return next((model for part in parts if part is not None and (model := model_in(part))), "")


def _last_usage(chunks: Sequence[bytes]) -> tuple[Found | None, int]:
    """The last block, and the position of its chunk: -1 when there is none."""
    for position in range(len(chunks) - 1, -1, -1):
        chunk = chunks[position]
        if b'"usage' in chunk or b"billed_units" in chunk:
            part = parse_part(chunk)
            if part is not None and (found := usage_in(part)) is not None:
                return found, position
    return None, -1


def _with_opening_usage(last: Found, chunks: Sequence[bytes]) -> Found:
    """Anthropic says what was put in at the start and what was put out at the end."""
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
    """Whether the figures in the last of `chunks` came with the end of every choice, or after it.

    Some providers put running figures into many chunks, and some put the final ones into a chunk that goes on.
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


def _reading(found: Found | None, chunks: Sequence[bytes], model: str, provider: str) -> ParsedResponse:
    if found is None:
        return ParsedResponse(model=model)
    own = _own(found) if WRAPPED in found.block else found
    counted = _counted(own, chunks, model, provider)
    if counted is not None and own is not found and not agrees_with(found.block, counted.usage):
        counted = ParsedUsage(counted.usage, consistent=False, complete=counted.complete)
    said = tier_in(found.part)
    told = names_tier(said, own.block)
    if not told and len(chunks) > 1:
        said = _last_tier(chunks)
        told = bool(said)
    raw = found.raw if len(found.raw) <= _MAX_BLOCK_CHARACTERS else b""
    return ParsedResponse(
        model=model,
        usage=None if counted is None else counted.usage,
        usage_block=raw.decode("utf-8", "replace"),
        consistent=counted is None or counted.consistent,
        complete=counted is None or counted.complete,
        tier=service_tier_of(said, own.block),
        names_tier=told,
        cost_usd=reported_cost_usd(own.raw),
    )


def _own(found: Found) -> Found:
    """What the provider itself said, where a library's block holds it."""
    block = wrapped_in(found.block)
    return found if block is None else Found(part=found.part, block=block, raw=msgspec.json.encode(block))


def _last_tier(chunks: Sequence[bytes]) -> str:
    """The tier named last beside the usage of a stream, which need not be in the chunk that has the usage."""
    for chunk in reversed(chunks):
        if b'"service_tier"' in chunk and (part := parse_part(chunk)) is not None:
            inner = parse_part(part.response)
            named = tier_in(part) or (tier_in(inner) if inner is not None else "")
            if names_tier(named, {}):
                return named
    return ""


def _counted(found: Found, chunks: Sequence[bytes], model: str, provider: str) -> ParsedUsage | None:
    """None for nonsense, for a block of no known family, and for one that says that nothing at all was used."""
    family = family_of(found.block)
    if family is None:
        return None
    try:
        counted = family.read(found.block, provider)
    except InvalidUsage:
        return None
    if counted.usage == _NO_USAGE:
        return None
    if found.opening:
        # The opening counts one token put out, as a placeholder.
        return ParsedUsage(msgspec.structs.replace(counted.usage, completion_tokens=0, reasoning_tokens=0))
    silent = not counted.usage.completion_tokens and family is OPENAI and not reports_output(found.block)
    if (silent and shows_output(found.part)) or counts_more(found.block, family.names):
        counted = ParsedUsage(counted.usage, counted.consistent, complete=False)
    if counted.usage.completion_tokens and holds_images(found.part, found.block):
        counted = as_images(counted, found.block, alone=value_of(found.part.svg_usage) is None)
    return with_fees(counted, found, chunks, model, provider)
