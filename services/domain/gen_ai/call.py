"""What a row is by OpenTelemetry's names: which operation, at whom, with which model, and how it failed.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from schemas.event import Outcome
from schemas.record import RequestRecord
from schemas.usage import UsageSource
from services.domain.gen_ai.protobuf import Attribute
from services.domain.providers.catalog import PROVIDERS, provider_named

CHAT: Final = "chat"
_OPERATIONS: Final = tuple((name, re.compile(paths)) for provider in PROVIDERS for name, paths in provider.operations)
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_UNREPORTED: Final = frozenset({UsageSource.NONE, UsageSource.ESTIMATED})  # an estimate is no usage


class ModelCall(NamedTuple):
    """By what metrics keep calls apart."""

    operation: str
    provider: str
    request_model: str
    response_model: str
    server_address: str
    server_port: int  # 0: unknown
    error: str  # '' where there was none


def model_call(record: RequestRecord) -> ModelCall | None:
    """None for what names no model, what Farebox refused, and calls that their client logged: it could have sent them
    itself, and those that came as spans would come again."""
    if record.outcome is Outcome.REFUSED or record.logged_us or not (record.model or record.request_model):
        return None
    operation, address, port = _place(record.target_url)
    return ModelCall(
        operation=operation,
        provider=provider_named(record.provider).otel_name or record.provider.lower(),
        request_model=record.request_model or record.model,
        response_model=record.response_model or record.model,
        server_address=address,
        server_port=port,
        error=_error(record),
    )


def call_attributes(call: ModelCall) -> dict[str, Attribute]:
    """Those that spans and metrics share, of `call.error` too."""
    found: dict[str, Attribute] = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.request_model,
    }
    if not call.error or call.response_model != call.request_model:
        found["gen_ai.response.model"] = call.response_model
    if call.server_address:
        found["server.address"] = call.server_address
    if call.server_port:
        found["server.port"] = call.server_port
    if call.error:
        found["error.type"] = call.error
    return found


def has_usage(record: RequestRecord) -> bool:
    """Whether its tokens are what was reported."""
    return record.outcome is not Outcome.CACHED and record.usage_source not in _UNREPORTED


def _error(record: RequestRecord) -> str:
    """The status that a provider refused with; else how the call ended."""
    if record.outcome in (Outcome.COMPLETED, Outcome.CACHED) and record.status < 400:
        return ""
    if record.outcome in (Outcome.PROVIDER_ERROR, Outcome.COMPLETED):
        return str(record.status)
    return record.outcome.value


@lru_cache(maxsize=1024)
def _place(target_url: str) -> tuple[str, str, int]:
    """The operation, and the server's name and port."""
    try:
        parts = urlsplit(target_url)
        address, port = parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return CHAT, "", 0
    operation = next((name for name, paths in _OPERATIONS if paths.search(target_url)), CHAT)
    return operation, address, port
