"""The events of a realtime session: what type one has, and what it says of models, responses and errors."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.providers.realtime import RealtimeApi

MAX_NAME_CHARACTERS: Final = 512
_FAILED: Final = "failed"
_FAILURE: Final = 500
_NOT_THERE: Final = msgspec.Raw(b"")
# Where clients and providers put it: first, or behind the event's id.
_LEADING_TYPE: Final = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([^"\\]*)"')
_ID_WITHIN: Final = re.compile(rb'"response"\s*:\s*\{\s*(?:"object"\s*:\s*"[^"\\]*"\s*,\s*)?"id"\s*:\s*"([^"\\]*)"')
_RESPONSE_ID: Final = re.compile(rb'"response_id"\s*:\s*"([^"\\]*)"')


class Event(msgspec.Struct, frozen=True):
    """Its members that matter, undecoded: they may be any JSON."""

    type: msgspec.Raw = _NOT_THERE
    event_id: msgspec.Raw = _NOT_THERE
    session: msgspec.Raw = _NOT_THERE
    response: msgspec.Raw = _NOT_THERE
    error: msgspec.Raw = _NOT_THERE


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Of a session. '' where it is not known."""

    model: str = ""
    transcription: str = ""  # which writes down what the user says


class _Named(msgspec.Struct, frozen=True):
    """An object with a model, a response, or an error."""

    model: msgspec.Raw = _NOT_THERE
    id: msgspec.Raw = _NOT_THERE
    status: msgspec.Raw = _NOT_THERE
    status_details: msgspec.Raw = _NOT_THERE
    error: msgspec.Raw = _NOT_THERE
    type: msgspec.Raw = _NOT_THERE
    code: msgspec.Raw = _NOT_THERE


class _Session(msgspec.Struct, frozen=True):
    model: msgspec.Raw = _NOT_THERE
    audio: msgspec.Raw = _NOT_THERE
    input: msgspec.Raw = _NOT_THERE  # of `audio`
    transcription: msgspec.Raw = _NOT_THERE  # of that
    input_audio_transcription: msgspec.Raw = _NOT_THERE  # in its place, in the API's first version


_events = msgspec.json.Decoder(Event)
_named = msgspec.json.Decoder(_Named)
_sessions = msgspec.json.Decoder(_Session)
_any = msgspec.json.Decoder(msgspec.Raw)
_text = msgspec.json.Decoder(str)


def leading_type(start: bytes) -> str | None:
    """The type of the event that begins with `start`; None where it does not stand at its beginning."""
    found = _LEADING_TYPE.match(start)
    return None if found is None else found[1].decode("utf-8", "replace")


def may_be_of(start: bytes, types: Collection[str]) -> bool:
    """Whether the event that begins with `start` may be one of `types`."""
    name = leading_type(start)
    return name is None or name in types


def response_id_in(start: bytes) -> str:
    """Of the response that the event which begins with `start` is a piece of; '' where it does not stand there."""
    found = _RESPONSE_ID.search(start)
    return "" if found is None else found[1].decode("utf-8", "replace")


def response_id_within(start: bytes) -> str:
    """Of the response that the event which begins with `start` holds; '' where it does not stand there."""
    found = _ID_WITHIN.search(start)
    return "" if found is None else found[1].decode("utf-8", "replace")


def parse_event(message: bytes) -> Event | None:
    """None for what is no JSON object."""
    try:
        return _events.decode(message)
    except UNDECODABLE:
        return None


def text_of(raw: msgspec.Raw) -> str:
    """The beginning of a JSON string; '' for other JSON."""
    if not raw or not bytes(raw).startswith(b'"'):
        return ""
    try:
        return _text.decode(raw)[:MAX_NAME_CHARACTERS]
    except UNDECODABLE:
        return ""


def models_of(session: msgspec.Raw, before: Models) -> Models:
    """Those of a session as the provider describes it; what it leaves out is as `before`."""
    try:
        found = _sessions.decode(session)
        heard = _sessions.decode(found.audio).input if found.audio else _NOT_THERE
        transcription = (_sessions.decode(heard).transcription if heard else _NOT_THERE) or (
            found.input_audio_transcription
        )
    except UNDECODABLE:
        return before
    return Models(
        model=text_of(found.model) or before.model,
        transcription=text_of(_named_in(transcription).model) or before.transcription,
    )


def response_id_of(response: msgspec.Raw) -> str:
    return text_of(_named_in(response).id)


def response_status(response: msgspec.Raw, api: RealtimeApi) -> int:
    """As of HTTP: 200, or that of the error for which a response failed."""
    found = _named_in(response)
    if text_of(found.status) != _FAILED:
        return 200
    return error_status(_named_in(found.status_details).error, api.error_statuses)


def error_status(error: msgspec.Raw, statuses: Mapping[str, int]) -> int:
    """The status by the code or the type of an error."""
    found = _named_in(error)
    return statuses.get(text_of(found.code)) or statuses.get(text_of(found.type)) or _FAILURE


def response_request(model: str, events: Sequence[bytes]) -> bytes:
    """What asked for a response, as JSON: the model of the session, and the client's `events` since the last one."""
    return b'{"model":%b,"stream":true,"events":[%b]}' % (msgspec.json.encode(model), b",".join(events))


def other_request(model: str) -> bytes:
    """The same of what the client has not asked for by itself."""
    return b'{"model":%b}' % msgspec.json.encode(model)


def is_json(message: bytes) -> bool:
    try:
        _any.decode(message)
    except UNDECODABLE:
        return False
    return True


def _named_in(raw: msgspec.Raw) -> _Named:
    try:
        return _named.decode(raw) if raw else _Named()
    except UNDECODABLE:
        return _Named()
