"""What is free because nothing is generated, and what only looks like it."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import ExchangeEvent, Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event, chat_response

PRICES = ShippedPrices()
CHAT_USD = Decimal("0.00024")  # of the builders' response

RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "background": True, "status": "completed", "model": "gpt-5",
    "output": [], "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
}  # fmt: skip
BATCH_LINE: dict[str, Any] = {
    "custom_id": "1", "response": {"status_code": 200, "body": json.loads(chat_response())}, "error": None,
}  # fmt: skip


def a_row(
    url: str, body: bytes = b'{"object":"list"}', method: str = "POST", provider: str = "OPENAI"
) -> RequestRecord:
    event = an_event(target_url=url, response_body=body, provider=provider)
    request = msgspec.structs.replace(event.request, method=method)
    return to_record(ExchangeEvent(request=request, response=event.response), PRICES)[0]


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("OPENAI", "https://api.openai.com/v1/files"),
        ("OPENAI", "https://api.openai.com/v1/uploads/upload_1/parts"),
        ("OPENAI", "https://api.openai.com/v1/moderations"),
        ("OPENAI", "https://api.openai.com/v1/vector_stores/vs_1/files"),
        ("OPENAI", "https://api.openai.com/v1/vector_stores/vs_1/file_batches/vsfb_1/cancel"),
        ("OPENAI", "https://api.openai.com/v1/responses/input_tokens"),
        ("OPENAI", "https://api.openai.com/v1/responses/resp_1/cancel"),
        ("OPENAI", "https://gateway.example.org/models/v1/files"),
        ("OPENAI", "https://api.openai.com/v1/threads"),
        ("OPENAI", "https://api.openai.com/v1/assistants"),
        ("OPENAI", "https://api.openai.com/v1/conversations"),
        ("OPENAI", "https://api.openai.com/v1/realtime/client_secrets"),
        ("AZURE", "https://x.openai.azure.com/openai/threads"),
        ("AZURE", "https://x.openai.azure.com/openai/files"),
        ("ANTHROPIC", "https://api.anthropic.com/v1/messages/count_tokens"),
        ("ANTHROPIC", "https://api.anthropic.com/v1/messages/batches/msgbatch_1/cancel"),
        ("GOOGLE", "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:countTokens"),
        ("AWS", "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2/count-tokens"),
        ("LOCAL", "http://127.0.0.1:8000/tokenize"),
    ],
)
def test_what_a_provider_keeps_counts_or_judges_is_free(provider: str, url: str) -> None:
    row = a_row(url, provider=provider)
    assert (row.cost_state, row.cost_usd) == (CostState.FREE, Decimal(0))


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("OPENAI", "https://gateway.example.org/files/v1/chat/completions"),
        ("OPENAI", "https://gateway.example.org/v1/files/openai/v1/chat/completions"),
        ("OPENAI", "https://example.org/v1/files/summarize"),
        ("OPENAI", "https://example.org/moderations/v1/responses"),
        ("OPENAI", "https://example.org/v1/vector_stores/chat/completions"),
        ("OPENAI", "https://example.org/cancel/orders"),
        ("OPENAI", "https://example.org/files"),
        ("OPENAI", "https://api.openai.com/v1/threads/runs"),
        ("OPENAI", "https://api.openai.com/v1/threads/thread_1/runs"),
        ("OPENAI", "https://api.openai.com/v1/responses"),
        ("OPENAI", "https://api.openai.com/v1/realtime/calls"),
        ("MISTRAL", "https://api.mistral.ai/v1/conversations"),
        ("MISTRAL", "https://api.mistral.ai/v1/moderations"),
        ("CUSTOM", "https://example.org/v1/files"),
        ("CUSTOM", "/uploads/report"),
    ],
)
def test_a_path_that_only_holds_such_a_name_is_not_free(provider: str, url: str) -> None:
    silent, speaking = a_row(url, provider=provider), a_row(url, chat_response())
    assert (silent.cost_state, silent.cost_usd) == (CostState.NO_USAGE, None)
    assert (speaking.cost_usd, speaking.prompt_tokens) == (CHAT_USD, 600)


@pytest.mark.parametrize("path", ["files", "moderations", "uploads", "messages/count_tokens", "responses/input_tokens"])
def test_a_response_that_reports_usage_is_never_free(path: str) -> None:
    row = a_row(f"https://api.openai.com/v1/{path}", chat_response())
    assert (row.cost_state, row.cost_usd, row.prompt_tokens) == (CostState.PRICED, CHAT_USD, 600)


@pytest.mark.parametrize(
    "path",
    [
        "chat/completions",
        "chat/completions/batch",
        "threads/runs",
        "threads/thread_1/runs",
        "threads/thread_1/runs/run_1/submit_tool_outputs",
        "interactions",
        "chat/completions/chatcmpl-1/regenerate",
    ],
)
def test_what_makes_a_provider_go_on_is_billed(path: str) -> None:
    row = a_row(f"https://api.openai.com/v1/{path}", chat_response())
    assert (row.cost_state, row.cost_usd) == (CostState.PRICED, CHAT_USD)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_the_request_that_begins_a_background_response_is_unknown(status: str) -> None:
    begun = json.dumps(RESPONSE | {"status": status, "usage": None}).encode()
    row = a_row("https://api.openai.com/v1/responses", begun)
    assert (row.cost_state, row.cost_usd, row.usage_source) == (CostState.NO_USAGE, None, "none")


@pytest.mark.parametrize("url", ["https://api.openai.com/v1/batches", "https://api.anthropic.com/v1/messages/batches"])
def test_the_request_that_begins_a_batch_is_unknown(url: str) -> None:
    row = a_row(url, b'{"id":"batch_1","object":"batch","status":"validating"}')
    assert (row.cost_state, row.cost_usd) == (CostState.NO_USAGE, None)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "responses/resp_1", json.dumps(RESPONSE).encode()),
        ("GET", "files/file-1/content", json.dumps(BATCH_LINE).encode() + b"\n"),
        ("GET", "batches/batch_1", json.dumps({"id": "batch_1", "usage": RESPONSE["usage"]}).encode()),
        ("GET", "chat/completions/chatcmpl-1", chat_response()),
        ("POST", "responses/resp_1/cancel", json.dumps(RESPONSE).encode()),
        ("POST", "interactions/v1_1/cancel", json.dumps(RESPONSE).encode()),
        ("POST", "chat/completions/chatcmpl-1", chat_response()),
        ("POST", "chat/completions/chat_abc123/", chat_response()),
        ("POST", "threads/thread_1/runs/run_1", json.dumps(RESPONSE).encode()),
        ("POST", "threads/thread_1/runs/run_1/cancel", json.dumps(RESPONSE).encode()),
    ],
)
def test_fetching_what_was_made_is_free_however_often_and_shows_what_was_seen(
    method: str, path: str, body: bytes
) -> None:
    row = a_row(f"https://api.openai.com/v1/{path}", body, method)
    assert (row.cost_state, row.cost_usd) == (CostState.FREE, Decimal(0))
    assert (row.prompt_tokens, row.completion_tokens, row.provider_cost_usd) == (0, 0, None)
    assert row.provider_usage


OPENING = {"type": "message_start", "message": {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 9}}}


@pytest.mark.parametrize(
    "chunk",
    [
        {"id": "1", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"id": "1", "model": "gpt-4o", "choices": [{"delta": {"content": "Hi"}, "finish_reason": None}], "usage": None},
        {"object": "text_completion", "choices": [{"index": 0, "text": "Hi", "finish_reason": None}]},
        {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}], "usageMetadata": {"promptTokenCount": 9}},
        OPENING,
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "response.created", "response": {"model": "gpt-5", "usage": None}},
        {"type": "message-start", "delta": {"message": {"role": "assistant"}}},
        {"type": "image_generation.partial_image", "b64_json": "AAAA"},
    ],
)
@pytest.mark.parametrize("status", [500, 200, None])
def test_a_logged_stream_that_broke_after_its_first_chunk_is_unknown(chunk: dict[str, Any], status: int | None) -> None:
    outcome = Outcome.UPSTREAM_ERROR if status is None else Outcome.COMPLETED
    event = an_event(
        provider="CUSTOM",
        response_body=json.dumps(chunk).encode() + b"\n",
        content_type="text/plain",
        status=status,
        outcome=Outcome.PROVIDER_ERROR if status == 500 else outcome,
    )
    row = to_record(event, PRICES)[0]
    assert row.cost_usd is None
    assert row.cost_state in (CostState.NO_USAGE, CostState.PARTIAL)
    assert row.is_stream


@pytest.mark.parametrize(
    "reply",
    [
        {"error": {"message": "overloaded", "type": "server_error"}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"type": "message", "content": []},
        {"choices": []},
        {"choices": [{"message": {"role": "assistant", "content": ""}}]},
        {"status": "failed", "output": [], "error": {"code": "server_error", "message": "no"}},
        {"choices": ["text"]},
        {"candidates": [{"finishReason": "SAFETY"}]},
    ],
)
def test_an_error_that_is_no_chunk_is_free_as_ever(reply: dict[str, Any]) -> None:
    event = an_event(response_body=json.dumps(reply).encode(), status=500, outcome=Outcome.PROVIDER_ERROR)
    row = to_record(event, PRICES)[0]
    assert (row.cost_state, row.is_stream) == (CostState.FREE, False)


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": [{"message": {"content": [{"type": "text", "text": "no"}]}, "delta": None}]},
        {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]},
        {"choices": [{"text": "no", "finish_reason": "stop"}]},
        {"choices": [{"text": "no"}]},
        {"choices": [{"message": {"content": "no"}}], "error": {"message": "overloaded"}},
        {"candidates": [{"content": {"parts": [{"text": "no"}]}, "finishReason": "STOP"}]},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "no"}]}]},
    ],
)
def test_an_error_that_holds_what_was_generated_is_unknown(reply: dict[str, Any]) -> None:
    event = an_event(response_body=json.dumps(reply).encode(), status=500, outcome=Outcome.PROVIDER_ERROR)
    row = to_record(event, PRICES)[0]
    assert (row.cost_state, row.cost_usd, row.is_stream) == (CostState.NO_USAGE, None, False)


FAILURE = {"error": {"message": "The server had an error", "type": "server_error"}}
SAID = [
    {"model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]},
    {"model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": " there"}, "finish_reason": None}]},
]
SILENT = [{"model": "gpt-4o", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
GOOGLES = [{"modelVersion": "gemini-2.5-flash", "candidates": [{"content": {"parts": [{"text": "Hello"}]}}]}]
AS_LOGGED: dict[str, Any] = {
    "events": lambda chunks: "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks),
    "lines": lambda chunks: "".join(f"{json.dumps(chunk)}\n" for chunk in chunks),
    "an array": json.dumps,
}


def _failed_row(written: str, chunks: list[dict[str, Any]]) -> RequestRecord:
    body = AS_LOGGED[written]([*chunks, FAILURE]).encode()
    event = an_event(response_body=body, status=500, outcome=Outcome.PROVIDER_ERROR, content_type="text/plain")
    return to_record(event, PRICES)[0]


@pytest.mark.parametrize("written", AS_LOGGED)
@pytest.mark.parametrize("chunks", [SAID, GOOGLES])
def test_a_logged_stream_that_ended_in_an_error_is_no_gift_once_it_had_generated(
    written: str, chunks: list[dict[str, Any]]
) -> None:
    row = _failed_row(written, chunks)
    assert (row.cost_state, row.cost_usd, row.usage_source) == (CostState.PARTIAL, None, "estimated")
    assert row.completion_tokens > 0


@pytest.mark.parametrize("written", AS_LOGGED)
@pytest.mark.parametrize("chunks", [SILENT, []])
def test_a_logged_stream_that_ended_in_an_error_before_it_said_anything_is_free(
    written: str, chunks: list[dict[str, Any]]
) -> None:
    row = _failed_row(written, chunks)
    assert (row.cost_state, row.cost_usd) == (CostState.FREE, Decimal(0))


def test_a_stream_of_one_chunk_that_ends_is_priced() -> None:
    reply = json.loads(chat_response())
    reply["choices"] = [{"index": 0, "delta": {"content": "Hello!"}, "finish_reason": "stop"}]
    row = to_record(an_event(response_body=json.dumps(reply).encode()), PRICES)[0]
    assert (row.cost_usd, row.is_stream) == (CHAT_USD, True)
