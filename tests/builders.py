"""Values that are valid by default, so that a test sets only what matters to it."""

import json
from datetime import UTC, datetime
from typing import Any

from schemas.event import Ending, ExchangeEvent, RequestEvent, RequestTags, ResponseEvent

ORGANIZATION = "org-1"
MOMENT = datetime(2026, 11, 1, 12, 0, 0, 123000, tzinfo=UTC)
REQUEST_ID = "01932c07-2a00-7000-8000-000000000001"


def chat_answer(
    *, model: str = "gpt-4o-mini-2024-07-18", prompt: int = 1000, cached: int = 400, completion: int = 200
) -> bytes:
    """An OpenAI chat completion with a usage block."""
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": cached},
            },
        }
    ).encode()


def an_event(
    *,
    request_id: str = REQUEST_ID,
    organization_id: str = ORGANIZATION,
    created_at: datetime = MOMENT,
    provider: str = "OPENAI",
    target_url: str = "https://api.openai.com/v1/chat/completions",
    tags: RequestTags | None = None,
    request_body: bytes = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello!"}]}',
    response_body: bytes | None = None,
    ending: Ending = Ending.COMPLETED,
    status: int | None = 200,
    **response: Any,
) -> ExchangeEvent:
    """A completed, plain OpenAI chat exchange unless told otherwise."""
    body = chat_answer() if response_body is None else response_body
    return ExchangeEvent(
        request=RequestEvent(
            organization_id=organization_id,
            request_id=request_id,
            created_at=created_at,
            provider=provider,
            method="POST",
            target_url=target_url,
            tags=tags or RequestTags(),
            content_type="application/json",
            body=request_body,
            body_bytes=len(request_body),
        ),
        response=ResponseEvent(
            ending=ending,
            status=status,
            latency_ms=response.pop("latency_ms", 850),
            content_type=response.pop("content_type", "application/json"),
            body=body,
            body_bytes=len(body),
            **response,
        ),
    )
