"""Stored rows into what callers are shown."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.api import ReplacedView, RequestView
from schemas.moments import from_unix_us
from schemas.usage import COUNTS, UsageSource
from schemas.versions import written_us
from services.domain.logged_again import replaced_of

Row = Mapping[str, Any]

# Columns that Helicone shows as properties.
_AS_PROPERTIES = {
    "session_id": "Helicone-Session-Id",
    "session_name": "Helicone-Session-Name",
    "session_path": "Helicone-Session-Path",
    "prompt_id": "Helicone-Prompt-Id",
}

_AS_STORED = (
    *("usage_mismatch", "usage_incomplete", "service_tier"),
    *("provider_cost_usd", "reprice_id", "as_charged_usd"),
)


def view_of(row: Row, spellings: Mapping[str, str], bodies: Row | None) -> RequestView:
    properties = _properties(row, spellings)
    return RequestView(
        response_body=_body(bodies, "response_body"),
        response_created_at=row["response_created_at"],
        response_status=row["status"],
        request_id=str(row["request_id"]),
        request_body=_body(bodies, "request_body"),
        request_created_at=row["request_created_at"],
        request_user_id=row["user_id"],
        request_properties=properties,
        provider=row["provider"],
        delay_ms=row["latency_ms"],
        request_model=row["request_model"],
        time_to_first_token=row["time_to_first_token_ms"],
        **_counts(row),
        properties=properties,
        target_url=row["target_url"],
        cache_reference_id=str(row["cache_reference_id"]),
        cache_enabled=row["cache_enabled"],
        cost=row["cost_usd"],
        cost_alias=row["cost_usd"],
        cost_usd=row["cost_usd"],
        cost_state=row["cost_state"],
        cache_saved_usd=row["cache_saved_usd"],
        usage_source=row["usage_source"],
        ending=row["ending"],
        is_stream=row["is_stream"],
        price_id=row["price_id"],
        **{name: row[name] for name in _AS_STORED},
        prompt_id=row["prompt_id"],
        updated_at=from_unix_us(written_us(row["version"])),
        size_bytes=row["request_bytes"] + row["response_bytes"],
        model=row["model"],
        key_id=row["key_id"],
        is_logged=row["first_logged_us"] > 0,
        replaced=_replaced(row["replaced"]),
    )


def _replaced(text: str) -> list[ReplacedView]:
    return [ReplacedView(**msgspec.structs.asdict(one)) for one in replaced_of(text)]


def _counts(row: Row) -> dict[str, Any]:
    """None for each where nobody told: unknown is not zero."""
    untold = row["usage_source"] == UsageSource.NONE
    return {name: None if untold else sum(row[part] for part in parts) for name, parts in COUNTS.items()}


def _properties(row: Row, spellings: Mapping[str, str]) -> dict[str, str]:
    """As the organization spells them; a name too new to be known there, as spelled in the request."""
    own = {spelling.lower(): spelling for spelling in row["property_spellings"]}
    properties = {spellings.get(key, own.get(key, key)): value for key, value in row["properties"].items()}
    return properties | {name: row[column] for column, name in _AS_PROPERTIES.items() if row[column]}


def _body(bodies: Row | None, name: str) -> msgspec.Raw | str | None:
    return json_or_text(bodies[name]) if bodies else None


def json_or_text(text: str) -> msgspec.Raw | str | None:
    """JSON as it stands, digit for digit; text that is not JSON as text; None when there is none."""
    if not text:
        return None
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return msgspec.Raw(text.encode())
