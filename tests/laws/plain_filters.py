"""Filters read in the plainest way: JSON against one row, in Python, by the words of the documentation."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from schemas.event import Outcome
from schemas.usage import UsageSource
from services.domain.pricing.bill import calculated_usd_of, is_disputed
from services.domain.pricing.other_models import decode_parts
from tests.laws.filter_rows import Stored

NIL = "00000000-0000-0000-0000-000000000000"


def _field(name: str) -> Callable[[Stored], Any]:
    return lambda row: getattr(row.record, name)


def _sum(*names: str) -> Callable[[Stored], Any]:
    def value(row: Stored) -> int | None:
        unknown = row.record.usage_source is UsageSource.NONE
        return None if unknown else sum(getattr(row.record, name) for name in names)

    return value


def _always(value: object) -> Callable[[Stored], Any]:
    return lambda _: value


_PROMPT = ("prompt_tokens", "prompt_audio_tokens", "prompt_image_tokens", "prompt_video_tokens")
_COMPLETION = ("completion_tokens", "completion_audio_tokens", "completion_image_tokens", "completion_video_tokens")

_SAME = (
    "request_id organization_id request_created_at response_created_at provider model request_model target_url status "
    "outcome is_stream user_id session_id session_name session_path prompt_id properties usage_source cost_usd "
    "usage_mismatch usage_incomplete service_tier provider_cost_usd original_cost_usd reprice_id "
    "cost_state price_id cache_enabled cache_saved_usd budget_reserved_usd request_bytes response_bytes "
    "key_id provider_key_hash provider_organization provider_project provider_request_id provider_response_id "
    "request_fingerprint response_model proxy_id"
)

_COUNTED = (
    "reasoning_tokens citation_tokens prompt_audio_tokens prompt_image_tokens completion_audio_tokens "
    "completion_image_tokens prompt_cache_read_audio_tokens prompt_cache_write_5m_tokens prompt_cache_write_1h_tokens "
    "prompt_cache_read_image_tokens prompt_cache_write_12h_tokens prompt_video_tokens completion_video_tokens "
    "prompt_audio_ms prompt_characters web_searches file_searches document_pages annotated_pages"
)


def _calculated_usd(row: Stored) -> Decimal | None:
    record = row.record
    return calculated_usd_of(record.price_id, record.cost_usd, record.calculated_cost_usd)


VALUES: Mapping[str, Callable[[Stored], Any]] = {
    "calculated_cost_usd": _calculated_usd,
    "other_models": lambda row: ", ".join(sorted({part.model for part in decode_parts(row.record.other_models)})),
    "cost_disputed": lambda row: is_disputed(row.record.provider_cost_usd, _calculated_usd(row)),
    **{name: _field(name) for name in _SAME.split()},
    "latency": _field("latency_ms"),
    "time_to_first_token": _field("time_to_first_token_ms"),
    "search_properties": _field("properties"),
    "property_key": _field("properties"),
    "prompt_tokens": _sum(*_PROMPT),
    "completion_tokens": _sum(*_COMPLETION),
    **{name: _sum(name) for name in _COUNTED.split()},
    "prompt_cache_read_tokens": _sum(
        "prompt_cache_read_tokens", "prompt_cache_read_audio_tokens", "prompt_cache_read_image_tokens"
    ),
    "prompt_cache_write_tokens": _sum(
        "prompt_cache_write_5m_tokens", "prompt_cache_write_1h_tokens", "prompt_cache_write_12h_tokens"
    ),
    "total_tokens": _sum(*_PROMPT, *_COMPLETION, "reasoning_tokens", "citation_tokens"),
    "cost": _field("cost_usd"),
    "cached": lambda row: row.record.outcome is Outcome.CACHED,
    "is_logged": lambda row: row.record.first_logged_us > 0,
    "is_replaced": lambda row: row.record.replaced != "",
    "cache_reference_id": lambda row: row.record.cache_reference_id or NIL,
    "attempt_of": lambda row: row.record.attempt_of or NIL,
    "is_attempt": lambda row: row.record.attempt_of is not None,
    "request_body": lambda row: row.bodies and row.bodies.request_body,
    "response_body": lambda row: row.bodies and row.bodies.response_body,
    "country_code": _always(""),
    "request_referrer": _always(""),
    "prompt_version": _always(""),
    "assets": _always(""),
    "scores": _always({}),
    "scores_column": _always("{}"),
    "helicone-score-feedback": _always(None),
    "threat": _always(None),
    "is_passthrough_billing": _always(False),
}

_OLD_NAMES = {
    ("request", "id"): "request_id",
    ("request", "created_at"): "request_created_at",
    ("request", "user_id"): "user_id",
    ("request", "model"): "request_model",
    ("request", "prompt"): "request_body",
    ("response", "status"): "status",
    ("response", "body_tokens"): "total_tokens",
}

_AS_PROPERTIES = {
    "helicone-session-id": "session_id",
    "helicone-session-name": "session_name",
    "helicone-session-path": "session_path",
    "helicone-prompt-id": "prompt_id",
}

_MAPS = ("properties", "search_properties", "scores")


def holds(filter_json: Any, row: Stored) -> bool:
    if filter_json in ("all", {}):
        return True
    if "left" in filter_json:
        both = (holds(filter_json["left"], row), holds(filter_json["right"], row))
        return all(both) if filter_json["operator"] == "and" else any(both)
    return all(
        _leaf_holds({"properties": columns} if table == "properties" else columns, table, row)
        for table, columns in filter_json.items()
    )


def _leaf_holds(columns: Mapping[str, Any], table: str, row: Stored) -> bool:
    for given_name, conditions in columns.items():
        name = _OLD_NAMES.get((table, given_name), given_name)
        if (table, given_name) == ("request", "path"):
            path = urlsplit(row.record.target_url).path
            if not all(compare(path, operator, value) for operator, value in conditions.items()):
                return False
        elif name in _MAPS:
            for key, of_key in conditions.items():
                value = _of_key(name, key, row)
                if not all(compare(value, operator, given) for operator, given in of_key.items()):
                    return False
        elif not all(_column_holds(name, operator, value, row) for operator, value in conditions.items()):
            return False
    return True


def _of_key(name: str, key: str, row: Stored) -> object:
    if name != "scores" and key.lower() in _AS_PROPERTIES:
        return VALUES[_AS_PROPERTIES[key.lower()]](row)
    return VALUES[name](row).get(key if name == "scores" else key.lower())


def _column_holds(name: str, operator: str, given: Any, row: Stored) -> bool:
    if name == "property_key":
        there = _of_key(name, given, row)
        has = bool(there) if given.lower() in _AS_PROPERTIES else there is not None
        return has == (operator == "equals")
    value = VALUES[name](row)
    if operator == "equals" and name in ("request_id", "cache_reference_id", "attempt_of"):
        given = given.lower()
    if name in ("user_id", "model", "request_body", "response_body") or isinstance(value, str):
        return compare(value, operator, given, empty_is_none=True)
    return compare(value, operator, given)


def compare(value: Any, operator: str, given: Any, *, empty_is_none: bool = False) -> bool:
    """Whether the condition holds. A value that is not there fulfils nothing but the question for its absence."""
    if operator.startswith("not-"):
        return not compare(value, operator.removeprefix("not-"), given, empty_is_none=empty_is_none)
    is_text = isinstance(given, str) and not isinstance(value, datetime | int | Decimal)
    if given is None or (is_text and operator == "equals" and given == "null"):
        return value is None or (empty_is_none and value == "")
    if value is None:
        return False
    if isinstance(value, datetime):
        given = datetime.fromisoformat(given)
        given = given.replace(tzinfo=UTC) if given.tzinfo is None else given
    if isinstance(value, Decimal):
        given = Decimal(repr(given)) if isinstance(given, float) else Decimal(given)
    if is_text and operator == "equals" and given == "__empty__":
        given = ""
    return _OPERATIONS[operator](value, given)


def _matches(value: str, pattern: str) -> bool:
    tokens = re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    parts = (wild.get(token) or re.escape(token[-1:] if len(token) == 2 else token) for token in tokens)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


_OPERATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, given: bool(value == given),
    "gt": lambda value, given: bool(value > given),
    "gte": lambda value, given: bool(value >= given),
    "lt": lambda value, given: bool(value < given),
    "lte": lambda value, given: bool(value <= given),
    "contains": lambda value, given: given.lower() in value.lower(),
    "like": _matches,
    "ilike": lambda value, given: _matches(value.lower(), given.lower()),
}
