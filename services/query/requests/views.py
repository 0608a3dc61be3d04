"""Stored rows into what clients are shown."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from schemas.amendment import FEEDBACK
from schemas.api.requests import ModelPartView, ReplacedView, RequestView
from schemas.tables import ATTRIBUTION
from schemas.timestamps import from_unix_us
from schemas.usage import COUNTS, UsageSource
from schemas.versions import written_us
from services.domain.logging_api.replacement import replaced_of
from services.domain.pricing.bill import calculated_usd_of, is_disputed
from services.domain.pricing.other_models import decode_parts
from services.ports.warehouse import Row
from services.sql.nodes import Key, key_of

_RESPONSES: Final = UUID("6f3f4d5e-6a51-5d6c-9c5e-0f1b7a2d9e40")  # any, and for ever this one


class ShownBodies(msgspec.Struct, frozen=True):
    """JSON where the text is JSON, else the text; None where nothing is stored, or nothing was requested."""

    request: msgspec.Raw | str | None = None
    response: msgspec.Raw | str | None = None


# Columns that Helicone shows as properties.
_AS_PROPERTIES = {
    "session_id": "Helicone-Session-Id",
    "session_name": "Helicone-Session-Name",
    "session_path": "Helicone-Session-Path",
    "prompt_id": "Helicone-Prompt-Id",
}

_AS_STORED = (
    *("usage_mismatch", "usage_incomplete", "service_tier"),
    *("provider_cost_usd", "reprice_id", "original_cost_usd"),
)


def view_of(
    row: Row, spellings: Mapping[str, str], bodies: ShownBodies, *, organization_id: str, body_url: str
) -> RequestView:
    calculated_usd = calculated_usd_of(row["price_id"], row["cost_usd"], row["calculated_cost_usd"])
    properties = _properties(row, spellings)
    return RequestView(
        response_id=response_id_of(organization_id, key_of(row)),
        response_body=bodies.response,
        response_created_at=row["response_created_at"],
        response_status=row["status"],
        request_id=str(row["request_id"]),
        request_body=bodies.request,
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
        attempt_of=str(row["attempt_of"]) if row["attempt_of"].int else None,
        usage_source=row["usage_source"],
        outcome=row["outcome"],
        is_stream=row["is_stream"],
        price_id=row["price_id"],
        calculated_cost_usd=calculated_usd,
        cost_disputed=is_disputed(row["provider_cost_usd"], calculated_usd),
        **{name: row[name] for name in _AS_STORED},
        other_models=_other_models(row["other_models"]),
        prompt_id=row["prompt_id"],
        updated_at=from_unix_us(max(written_us(row["version"]), row["amended_us"])),
        size_bytes=row["request_bytes"] + row["response_bytes"],
        model=row["model"],
        scores=row["scores"],
        feedback_created_at=from_unix_us(row["feedback_us"]) if row["feedback_us"] else None,
        feedback_rating=row["scores"][FEEDBACK] > 0 if FEEDBACK in row["scores"] else None,
        key_id=row["key_id"],
        **{name: row[name] for name in ATTRIBUTION},
        is_logged=row["first_logged_us"] > 0,
        replaced=_replaced(row["replaced"]),
        signed_body_url=body_url,
    )


def _replaced(text: str) -> list[ReplacedView]:
    return [ReplacedView(**msgspec.structs.asdict(one)) for one in replaced_of(text)]


def _other_models(text: str) -> list[ModelPartView]:
    return [
        ModelPartView(**msgspec.structs.asdict(part) | {"usage": msgspec.to_builtins(part.usage)})
        for part in decode_parts(text)
    ]


def response_id_of(organization_id: str, key: Key) -> str:
    """A UUID for the response of a request, as Helicone has one: always the same, and that of no other request.

    The provider's own id stands in the response's body; not every provider gives one, and few are UUIDs.
    """
    created_at = key.request_created_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return str(uuid5(_RESPONSES, f"{organization_id}\n{created_at}\n{key.request_id}"))


def _counts(row: Row) -> dict[str, Any]:
    """None for each where no usage was reported: unknown is not zero."""
    is_unknown = row["usage_source"] == UsageSource.NONE
    return {name: None if is_unknown else sum(row[part] for part in parts) for name, parts in COUNTS.items()}


def _properties(row: Row, spellings: Mapping[str, str]) -> dict[str, str]:
    """As the organization spells them; a name too new to be known there, as spelled in the request."""
    own = {spelling.lower(): spelling for spelling in row["property_spellings"]}
    properties = {spellings.get(key, own.get(key, key)): value for key, value in row["properties"].items()}
    return properties | {name: row[column] for column, name in _AS_PROPERTIES.items() if row[column]}


def json_or_text(text: str) -> msgspec.Raw | str | None:
    """JSON as it stands, digit for digit; text that is not JSON as text; None when there is none."""
    if not text:
        return None
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return msgspec.Raw(text.encode())
