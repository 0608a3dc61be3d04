"""The id in a response's body: that of the response, of no part of it, and nothing that may be prose."""

import json
from typing import Any

import pytest

from services.domain.usage.response.response_id import response_id_in
from tests.builders.logged_calls import CHAT, CHUNKS, GENERATED, MESSAGE, MESSAGE_EVENTS, as_events, as_lines

LONG = "x" * 100_000
CREATED = {"type": "response.created", "response": {"id": "resp_9", "output": []}}
TOOL = {"choices": [{"message": {"tool_calls": [{"id": "call_1"}]}}]}
BODIES: dict[str, tuple[Any, str]] = {
    "OpenAI's": (CHAT, "chatcmpl-1"),
    "Anthropic's": (MESSAGE, "msg_1"),
    "Google's": (GENERATED | {"responseId": "Ab-9"}, "Ab-9"),
    "Cohere's": ({"response_id": "2a-4", "text": "Hello!"}, "2a-4"),
    "OpenAI's stream": (as_events(CHUNKS), "chatcmpl-1"),
    "OpenAI's stream of a response": (as_events([CREATED]), "resp_9"),
    "Anthropic's stream": (as_events(MESSAGE_EVENTS), "msg_1"),
    "a stream as lines": (as_lines(CHUNKS), "chatcmpl-1"),
    "a stream cut in its first event": ('data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"H', ""),
    "a truncated response": (
        '{"id":"chatcmpl-1", "object":"chat", "choices":[{"message":{"content":"' + LONG,
        "chatcmpl-1",
    ),
    "a truncated one with its id behind short members": (
        '{"model":"m","type":"message","id":"msg_1","content":[',
        "msg_1",
    ),
    "a truncated one with an id of a part only": ('{"choices":[{"message":{"tool_calls":[{"id":"call_1"', ""),
    "an id of a part only": (TOOL, ""),
    "no id": (GENERATED, ""),
    "an id that is prose": (CHAT | {"id": "our secret number 7"}, ""),
    "an id that is a word": (CHAT | {"id": "canary"}, ""),
    "an id that is too long": (CHAT | {"id": "1" * 129}, ""),
    "an id that is a number": (CHAT | {"id": 7}, ""),
    "a message that is a text": ({"message": "not found", "code": 5}, ""),
    "no JSON": ("<html>", ""),
    "a list": ([CHAT], ""),
    "nothing": ("", ""),
    "nesting": ('{"message":' * 5000, ""),
}


@pytest.mark.parametrize("case", BODIES)
def test_the_id_of_a_response_is_found_wherever_its_provider_puts_it(case: str) -> None:
    body, expected = BODIES[case]
    content = body if isinstance(body, str) else json.dumps(body)
    assert response_id_in(content.encode()) == expected
