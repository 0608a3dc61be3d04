"""Values that are valid by default, so that a test sets only what matters to it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from schemas.event import ExchangeEvent, Outcome, RequestEvent, RequestTags, ResponseEvent
from schemas.price import CostState, OperatorPrice, Rate
from schemas.record import RequestBodies, RequestRecord
from schemas.usage import UsageSource

ORGANIZATION = "org-1"
TIMESTAMP = datetime(2026, 11, 1, 12, 0, 0, 123000, tzinfo=UTC)
REQUEST_ID = "01932c07-2a00-7000-8000-000000000001"


def chat_response(
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
    created_at: datetime = TIMESTAMP,
    provider: str = "OPENAI",
    target_url: str = "https://api.openai.com/v1/chat/completions",
    tags: RequestTags | None = None,
    request_body: bytes = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello!"}]}',
    response_body: bytes | None = None,
    outcome: Outcome = Outcome.COMPLETED,
    status: int | None = 200,
    recorded_at: datetime | None = None,
    key_id: str = "",
    logged: bool = False,
    **response: Any,
) -> ExchangeEvent:
    """A completed, plain OpenAI chat exchange unless reported otherwise."""
    body = chat_response() if response_body is None else response_body
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
            key_id=key_id,
            logged=logged,
        ),
        response=ResponseEvent(
            outcome=outcome,
            status=status,
            latency_ms=response.pop("latency_ms", 850),
            content_type=response.pop("content_type", "application/json"),
            body=body,
            body_bytes=len(body),
            **response,
        ),
        recorded_at=recorded_at,
    )


def a_record(**changes: Any) -> RequestRecord:
    """The row of `an_event()`, priced, with two properties."""
    values: dict[str, Any] = {
        "organization_id": ORGANIZATION,
        "request_created_at": TIMESTAMP,
        "request_id": REQUEST_ID,
        "version": 1_793_534_400_973_000 << 12,
        "response_created_at": TIMESTAMP + timedelta(milliseconds=850),
        "provider": "OPENAI",
        "model": "gpt-4o-mini-2024-07-18",
        "request_model": "gpt-4o-mini",
        "target_url": "https://api.openai.com/v1/chat/completions",
        "status": 200,
        "outcome": Outcome.COMPLETED,
        "is_stream": False,
        "latency_ms": 850,
        "time_to_first_token_ms": None,
        "user_id": "user-123",
        "session_id": "",
        "session_name": "",
        "session_path": "",
        "prompt_id": "",
        "properties": {"feature": "chat", "usertier": "premium"},
        "property_spellings": ["Feature", "UserTier"],
        "prompt_tokens": 600,
        "prompt_cache_read_tokens": 400,
        "prompt_cache_read_audio_tokens": 0,
        "prompt_cache_read_image_tokens": 0,
        "prompt_cache_write_5m_tokens": 0,
        "prompt_cache_write_1h_tokens": 0,
        "prompt_cache_write_12h_tokens": 0,
        "prompt_audio_tokens": 0,
        "prompt_image_tokens": 0,
        "prompt_video_tokens": 0,
        "prompt_audio_ms": 0,
        "prompt_characters": 0,
        "completion_tokens": 200,
        "reasoning_tokens": 0,
        "completion_audio_tokens": 0,
        "completion_image_tokens": 0,
        "completion_video_tokens": 0,
        "citation_tokens": 0,
        "web_searches": 0,
        "file_searches": 0,
        "document_pages": 0,
        "annotated_pages": 0,
        "usage_source": UsageSource.PROVIDER,
        "usage_mismatch": False,
        "usage_incomplete": False,
        "service_tier": "",
        "provider_usage": '{"prompt_tokens":1000,"completion_tokens":200}',
        "cost_usd": Decimal("0.00024"),
        "cost_state": CostState.PRICED,
        "price_id": "test/openai/gpt-4o-mini/2024-07-18",
        "provider_cost_usd": None,
        "calculated_cost_usd": None,
        "calculated_price_id": "",
        "other_models": "",
        "reprice_id": "",
        "original_cost_usd": None,
        "cache_enabled": False,
        "cache_reference_id": None,
        "cache_saved_usd": None,
        "budget_reserved_usd": None,
        "attempt_of": None,
        "request_bytes": 71,
        "response_bytes": 300,
        "key_id": "",
        "provider_key_hash": "",
        "provider_organization": "",
        "provider_project": "",
        "provider_request_id": "chatcmpl-1",
        "provider_response_id": "chatcmpl-1",
        "request_fingerprint": "",
        "response_model": "gpt-4o-mini-2024-07-18",
        "proxy_id": "",
        "first_logged_us": 0,
        "logged_us": 0,
        "replaced": "",
    }
    return RequestRecord(**(values | changes))


def some_bodies(record: RequestRecord, *, request_body: str = "{}", response_body: str = "{}") -> RequestBodies:
    """The bodies of `record`."""
    return RequestBodies(
        organization_id=record.organization_id,
        request_created_at=record.request_created_at,
        request_id=record.request_id,
        version=record.version,
        request_body=request_body,
        response_body=response_body,
    )


def an_operator_price(**changes: Any) -> OperatorPrice:
    """A price row of any provider's llama-3-70b, from a week before `MOMENT` on."""
    values: dict[str, Any] = {
        "id": "7b0f3c1e-0000-4000-8000-000000000001",
        "organization_id": ORGANIZATION,
        "model": "llama-3-70b",
        "rates": {
            "prompt_tokens": Rate(usd=Decimal("0.0000006")),
            "completion_tokens": Rate(usd=Decimal("0.0000018")),
        },
        "valid_from": TIMESTAMP - timedelta(days=7),
        "effective_for_events_since": TIMESTAMP - timedelta(days=7),
    }
    return OperatorPrice(**(values | changes))
