"""Some streams report usage only if `include_usage` is set: setting it in a body, and stripping the extra chunk.

The usage then comes in one more chunk at the end, without choices, and the other chunks have `"usage": null`. A client
that did not set the option gets neither.
Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options
and https://platform.openai.com/docs/api-reference/completions/create#completions-create-stream_options
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.exchange.headers import Pair

_MAX_EVENT_BYTES: Final = 2**16  # no chunk with usage is larger
_MAX_QUOTES: Final = 4096  # around names and texts, those of the long members aside

_OPENING: Final = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*")
_NAME: Final = re.compile(rb'("(?:[^"\\]|\\.){0,1024}")[ \t\r\n]*:[ \t\r\n]*')
_COMMA: Final = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")

_STREAM: Final = b'"stream"'
_TRUE: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*true")

_NOTHING: Final = msgspec.Raw(b"")


class _Long(msgspec.Struct):
    """The members that make requests long. The parser skips them fast, however many names they hold."""

    messages: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING
    tools: msgspec.Raw = _NOTHING
    functions: msgspec.Raw = _NOTHING
    response_format: msgspec.Raw = _NOTHING


_long = msgspec.json.Decoder(_Long)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_name = msgspec.json.Decoder(str)


def with_usage_requested(body: bytes) -> bytes | None:
    """`body` with `include_usage` set, and otherwise unchanged, to the byte.

    None when it requests no stream, sets the option itself, or is too ambiguous to edit: no JSON object, names that
    come twice, options that are none; and for one of thousands of names, which would take a second to parse.
    """
    if not _may_request_stream(body):
        return None
    places = _places(body)
    if places is None or "stream" not in places:
        return None
    start, end = places["stream"]
    if body[start:end] != b"true":
        return None
    if "stream_options" not in places:
        return b'%b,"stream_options":{"include_usage":true}%b' % (body[:end], body[end:])
    start, end = places["stream_options"]
    options = _with_option(body[start:end])
    return None if options is None else b"%b%b%b" % (body[:start], options, body[end:])


def _may_request_stream(body: bytes) -> bool:
    """Whether it is worth parsing: many clients say that they want no stream."""
    at = body.find(_STREAM)
    while at >= 0:
        at += len(_STREAM)
        if _TRUE.match(body, at) is not None:
            return True
        at = body.find(_STREAM, at)
    return False


def _with_option(options: bytes) -> bytes | None:
    """`options` with `include_usage` set; None when they set it already, or are no options."""
    if options == b"null":
        return b'{"include_usage":true}'
    places = _places(options)
    if places is None:
        return None
    if "include_usage" in places:
        start, end = places["include_usage"]
        is_off = options[start:end] in (b"false", b"null")
        return b"%btrue%b" % (options[:start], options[end:]) if is_off else None
    return b'{"include_usage":true%b%b' % (b"," if places else b"", options[1:])


def _places(text: bytes) -> Mapping[str, tuple[int, int]] | None:
    """The position of each value at the top level of an object, by name; None when a name comes twice."""
    try:
        if _has_many_names(text):
            return None
        values = _members.decode(text)
        opening = _OPENING.match(text)
        return None if opening is None else _walk(text, opening.end(), values)
    except UNDECODABLE:
        return None


def _has_many_names(text: bytes) -> bool:
    quotes = text.count(b'"')
    if quotes > _MAX_QUOTES:
        quotes -= sum(bytes(part).count(b'"') for part in msgspec.structs.astuple(_long.decode(text)))
    return quotes > _MAX_QUOTES


def _walk(text: bytes, position: int, values: Mapping[str, msgspec.Raw]) -> Mapping[str, tuple[int, int]] | None:
    """The parser keeps the last of two values of one name, so every member must be where it is expected."""
    places = {}
    for expected, raw in values.items():
        name, value = _NAME.match(text, position), bytes(raw)
        if name is None or _name.decode(name[1]) != expected or not text.startswith(value, name.end()):
            return None
        end = name.end() + len(value)
        places[expected] = (name.end(), end)
        comma = _COMMA.match(text, end)
        position = end if comma is None else comma.end()
    return places if text[position:].strip() == b"}" else None


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: dict[str, Any] | None


_chunk = msgspec.json.Decoder(_Chunk)

_EVENT_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r|\r\n\n|\n\r\n")
_PLAIN_END: Final = re.compile(rb"\n\n")  # the same for text without returns, found faster
_MAX_END_BYTES: Final = 4
_DATA: Final = re.compile(rb"^data:[^\r\n]*(?:\r\n|\n|\r|\Z)", re.MULTILINE)
_NULL: Final = re.compile(rb'"usage"[ \t]*:[ \t]*null')


class UsageRemoval:
    """Strips the usage that the client did not request from a stream of server-sent events, however it is split.

    Whole events pass at once; only an incomplete one is held back, up to the size of an event with usage. A chunk that
    has both choices and usage stays: such providers report it without the option.
    """

    __slots__ = ("_passing", "_pending")

    def __init__(self) -> None:
        self._pending = b""
        self._passing = False  # an event too large to hold usage, whose beginning has passed

    def feed(self, chunk: bytes) -> bytes:
        """What the client may get of the stream so far and has not got yet. Often nothing."""
        seen = max(0, len(self._pending) - _MAX_END_BYTES)
        text = self._pending + chunk if self._pending else chunk
        passed, position = [], 0
        for end in (_EVENT_END if b"\r" in text else _PLAIN_END).finditer(text, seen):
            passed.append(self._without_usage(text[position : end.end()]))
            position = end.end()
        self._pending = text[position:]
        if len(self._pending) > _MAX_EVENT_BYTES:
            passed.append(self._passed_on())
        return b"".join(passed)

    def close(self) -> bytes:
        """What was held back of an incomplete event when the stream ended or broke off."""
        rest, self._pending = self._pending, b""
        return self._without_usage(rest)

    def _passed_on(self) -> bytes:
        """All but the last bytes, which may belong to the event's end."""
        held = self._pending[-_MAX_END_BYTES:]
        passed, self._pending = self._pending[:-_MAX_END_BYTES], held
        self._passing = True
        return passed

    def _without_usage(self, event: bytes) -> bytes:
        """`event` as it would be without the option."""
        if self._passing:
            self._passing = False
            return event
        if b'"usage"' not in event or len(event) > _MAX_EVENT_BYTES:
            return event
        lines = [line for line in event.splitlines() if line.startswith(b"data:")]
        chunk = _parse(lines[0][5:]) if len(lines) == 1 else None
        if chunk is None or (chunk.usage is not None and chunk.choices):
            return event
        return _without_null(event) if chunk.usage is None else _without_data(event)


def _parse(data: bytes) -> _Chunk | None:
    """None when `data` is no chunk with a `usage`."""
    try:
        return _chunk.decode(data)
    except UNDECODABLE:
        return None


def _without_null(event: bytes) -> bytes:
    """Only where it is certain: the name occurs once, as a member behind another.

    A quote that follows a comma begins a name or a text; inside of a text it would follow a backslash.
    """
    null = _NULL.search(event)
    if null is None or event.count(b'"usage"') != 1:
        return event
    before = event[: null.start()].rstrip(b" \t")
    return before[:-1] + event[null.end() :] if before.endswith(b",") else event


def _without_data(event: bytes) -> bytes:
    """Comments before the data stay; without any, nothing does."""
    rest = _DATA.sub(b"", event)
    return rest if rest.strip(b"\r\n") else b""


def uncompressed(headers: Sequence[Pair]) -> list[Pair]:
    """`headers` that accept a response without compression only, so that it can be parsed on its way."""
    others = [pair for pair in headers if pair[0].lower() != b"accept-encoding"]
    return [*others, (b"Accept-Encoding", b"identity")]
