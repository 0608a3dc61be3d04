"""Events of realtime sessions: what is read of each, and what stands in the rows of a session."""

import json
from typing import Any

import msgspec
import pytest

from services.domain.exchange.routes import Routes, origin_of
from services.domain.exchange.target import Target
from services.domain.providers.openai import REALTIME
from services.domain.realtime.events import (
    Models,
    error_status,
    leading_type,
    may_be_of,
    models_of,
    other_request,
    parse_event,
    response_id_in,
    response_request,
    response_status,
    text_of,
)
from services.domain.realtime.target import model_in_query, realtime_target

ROUTES = Routes({"OPENAI": origin_of("https://api.openai.com"), "ANTHROPIC": origin_of("https://api.anthropic.com/x")})
SOUND = b'{"type":"response.output_audio.delta","event_id":"e","response_id":"resp_1","delta":"' + b"A" * 9000 + b'"}'


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


LEADING: dict[str, tuple[bytes, str | None]] = {
    "first": (SOUND, "response.output_audio.delta"),
    "with spaces": (b' {\n "type" : "error" }', "error"),
    "behind the event's id": (b'{"event_id":"e_1", "type":"response.done"', "response.done"),
    "behind something else": (b'{"error":{"type":"server_error"},"type":"error"}', None),
    "cut": (b'{"type":"respon', None),
    "no object": (b'["type"]', None),
}


@pytest.mark.parametrize("name", LEADING)
def test_the_type_is_read_from_the_beginning_alone(name: str) -> None:
    start, expected = LEADING[name]
    assert leading_type(start) == expected


def test_an_event_whose_beginning_does_not_say_may_be_any() -> None:
    assert not may_be_of(SOUND[:512], REALTIME.meanings)
    assert may_be_of(b'{"error":{"type":"x"}', REALTIME.meanings)
    assert may_be_of(b'{"type":"response.done"', REALTIME.meanings)
    assert response_id_in(SOUND[:512]) == "resp_1"
    assert response_id_in(b'{"type":"x"}') == ""


@pytest.mark.parametrize("message", [b"", b"hello", b"[]", b'{"type":', b"\xff", b"[" * 100_000])
def test_what_is_no_event_is_none(message: bytes) -> None:
    assert parse_event(message) is None


def test_members_may_be_any_json() -> None:
    event = parse_event(b'{"type":7,"response":"x","session":[],"error":null}')
    assert event is not None
    assert text_of(event.type) == ""
    assert models_of(event.session, Models(model="a")) == Models(model="a")
    assert response_status(event.response, REALTIME) == 200
    assert error_status(event.error, REALTIME.error_statuses) == 500


SESSIONS: dict[str, tuple[Any, Models]] = {
    "today's": (
        {"model": "gpt-realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
        Models(model="gpt-realtime", transcription="whisper-1"),
    ),
    "the first version's": (
        {"model": "gpt-4o-realtime-preview", "input_audio_transcription": {"model": "whisper-1"}},
        Models(model="gpt-4o-realtime-preview", transcription="whisper-1"),
    ),
    "of transcriptions alone": (
        {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
        Models(model="asked", transcription="gpt-4o-transcribe"),
    ),
    "with nothing": ({"audio": {"input": {"transcription": None}}}, Models(model="asked", transcription="before")),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_names_its_models(name: str) -> None:
    session, expected = SESSIONS[name]
    assert models_of(raw(session), Models(model="asked", transcription="before")) == expected


def test_a_failed_response_has_the_status_of_its_error() -> None:
    def failed(**error: str) -> int:
        return response_status(raw({"status": "failed", "status_details": {"error": error}}), REALTIME)

    assert failed(type="insufficient_quota", code="insufficient_quota") == 429
    assert failed(type="server_error") == 500
    assert failed(type="invalid_request_error", code="anything") == 400
    assert response_status(raw({"status": "failed"}), REALTIME) == 500
    assert {
        response_status(raw({"status": status}), REALTIME) for status in ("completed", "cancelled", "incomplete")
    } == {200}


def test_requests_of_rows_are_json_with_the_model_and_what_the_client_sent() -> None:
    body = json.loads(response_request('a "model"', [b'{"type":"response.create"}', b'{"a":1}']))
    assert body == {"model": 'a "model"', "stream": True, "events": [{"type": "response.create"}, {"a": 1}]}
    assert json.loads(other_request("m")) == {"model": "m"}


TARGETS: dict[str, tuple[str, str | None, str]] = {
    "OpenAI's": ("/oai/v1/realtime?model=m", "https://api.openai.com/v1/realtime", "m"),
    "without a version": ("/oai/realtime?model=m", "https://api.openai.com/v1/realtime", "m"),
    "with the label of Azure": ("/oai/openai/realtime?deployment=d", "https://api.openai.com/openai/realtime", "d"),
    "without a model": ("/oai/v1/realtime?intent=transcription&model=", "https://api.openai.com/v1/realtime", ""),
    "another path": ("/oai/v1/realtime/calls", None, ""),
    "a provider without": ("/anthropic/v1/realtime", None, ""),
}


@pytest.mark.parametrize("name", TARGETS)
def test_targets_are_those_of_the_providers_record(name: str) -> None:
    path, url, model = TARGETS[name]
    found = realtime_target(target(path))
    assert (found and found[0].url) == url
    if found is not None:
        assert model_in_query(*found) == model
        assert found[0].url.endswith(found[0].path_and_query.partition(b"?")[0].decode())


def target(path: str) -> Target:
    resolved = ROUTES.resolve(path.encode())
    assert resolved is not None
    return resolved
