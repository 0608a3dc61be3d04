"""Everything a client may name: tables, their columns, and the operators that each kind of column takes.

The names are those of Helicone's filters, plus our own. A column is an expression of ours over the stored row, so a
name may stand for a stored column, for a sum of several, or for a constant that no row departs from.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from schemas.amendment import FEEDBACK
from schemas.disputes import CALCULATED, DISPUTED
from schemas.usage import COUNTS, USAGE_CLASSES


class Operator(StrEnum):
    """What clients write. Negations become complements when a filter is parsed; ONE_OF is only ours."""

    EQUALS = "equals"
    NOT_EQUALS = "not-equals"
    LIKE = "like"
    ILIKE = "ilike"
    CONTAINS = "contains"
    NOT_CONTAINS = "not-contains"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    ONE_OF = "one-of"


class Kind(StrEnum):
    """Fixes the operators and the JSON values a column accepts."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    TIMESTAMP = "timestamp"
    FLAG = "flag"
    UUID = "uuid"
    TEXT_MAP = "text_map"  # by key, then as text
    NUMBER_MAP = "number_map"  # by key, then as a whole number, or as its text
    MAP_KEY = "map_key"  # equals: the map has that key
    BODY = "body"  # text of the bodies' table


class Column(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # what clients write
    sql: str  # what the table calls it
    kind: Kind
    param_type: str  # the ClickHouse type values are bound as; the client's JSON never chooses it
    nullable: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # what the warehouse calls it
    tenant: str  # the column that every statement compares with the client's organization
    identity: tuple[str, ...]  # the sort key: one row each, once versions are settled
    shown: tuple[str, ...]  # what is read of a row when it is shown
    columns: Mapping[str, Column]  # by the names that clients write


_TEXT = frozenset(
    {
        Operator.EQUALS,
        Operator.NOT_EQUALS,
        Operator.LIKE,
        Operator.ILIKE,
        Operator.CONTAINS,
        Operator.NOT_CONTAINS,
    }
)
_ORDERED = frozenset({Operator.EQUALS, Operator.NOT_EQUALS, Operator.GT, Operator.GTE, Operator.LT, Operator.LTE})

OPERATORS: Mapping[Kind, frozenset[Operator]] = {
    Kind.TEXT: _TEXT,
    Kind.NUMBER: _ORDERED,
    Kind.MONEY: _ORDERED,
    Kind.TIMESTAMP: _ORDERED,
    Kind.FLAG: frozenset({Operator.EQUALS, Operator.NOT_EQUALS}),
    Kind.UUID: _TEXT,
    Kind.TEXT_MAP: _TEXT,
    Kind.NUMBER_MAP: _ORDERED | _TEXT,
    Kind.MAP_KEY: frozenset({Operator.EQUALS, Operator.NOT_EQUALS}),
    Kind.BODY: _TEXT,
}

PARAM_TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "String",
    Kind.NUMBER: "Int64",
    Kind.MONEY: "Decimal(38, 12)",
    Kind.TIMESTAMP: "DateTime64(3, 'UTC')",
    Kind.FLAG: "Bool",
    Kind.UUID: "UUID",
    Kind.TEXT_MAP: "String",
    Kind.NUMBER_MAP: "Int64",
    Kind.MAP_KEY: "String",
    Kind.BODY: "String",
}


def _column(name: str, kind: Kind, sql: str = "", *, nullable: bool = False) -> Column:
    return Column(name=name, sql=sql or name, kind=kind, param_type=PARAM_TYPES[kind], nullable=nullable)


def _count(name: str, parts: Sequence[str]) -> Column:
    """A count that has no value without usage: unknown is not zero."""
    return _column(name, Kind.NUMBER, f"if(usage_source = 'none', NULL, {' + '.join(parts)})", nullable=True)


_ABSENT_FLAG = "CAST(NULL, 'Nullable(Bool)')"
_FEEDBACK = f"if(mapContains(scores, '{FEEDBACK}'), scores['{FEEDBACK}'] > 0, NULL)"

# Facts of a request that cannot be had later, beside the key that sent it. Empty where they are not known.
ATTRIBUTION = (
    *("provider_key_hash", "provider_organization", "provider_project", "provider_request_id"),
    *("provider_response_id", "request_fingerprint", "response_model", "proxy_id"),
)

# The names of the other models in a row, as an array.
OTHER_MODEL_NAMES = "arrayMap(part -> part.1, JSONExtract(other_models, 'Array(Tuple(model String))'))"

_COLUMNS = (
    _column("request_id", Kind.UUID),
    _column("organization_id", Kind.TEXT),
    _column("request_created_at", Kind.TIMESTAMP),
    _column("response_created_at", Kind.TIMESTAMP),
    _column("provider", Kind.TEXT),
    _column("model", Kind.TEXT),
    _column("request_model", Kind.TEXT),
    _column("target_url", Kind.TEXT),
    _column("status", Kind.NUMBER),
    _column("outcome", Kind.TEXT, "toString(outcome)"),
    _column("is_stream", Kind.FLAG),
    _column("latency", Kind.NUMBER, "latency_ms"),
    _column("time_to_first_token", Kind.NUMBER, "time_to_first_token_ms", nullable=True),
    _column("user_id", Kind.TEXT),
    _column("session_id", Kind.TEXT),
    _column("session_name", Kind.TEXT),
    _column("session_path", Kind.TEXT),
    _column("prompt_id", Kind.TEXT),
    _column("properties", Kind.TEXT_MAP),
    _column("search_properties", Kind.TEXT_MAP, "properties"),
    _column("property_key", Kind.MAP_KEY, "properties"),
    *(_count(name, parts) for name, parts in COUNTS.items()),
    _column("usage_source", Kind.TEXT, "toString(usage_source)"),
    _column("usage_mismatch", Kind.FLAG),
    _column("usage_incomplete", Kind.FLAG),
    _column("service_tier", Kind.TEXT),
    _column("cost", Kind.MONEY, "cost_usd", nullable=True),
    _column("cost_usd", Kind.MONEY, nullable=True),
    _column("cost_state", Kind.TEXT, "toString(cost_state)"),
    _column("price_id", Kind.TEXT),
    _column("other_models", Kind.TEXT, f"arrayStringConcat(arraySort(arrayDistinct({OTHER_MODEL_NAMES})), ', ')"),
    _column("provider_cost_usd", Kind.MONEY, nullable=True),
    _column("calculated_cost_usd", Kind.MONEY, CALCULATED, nullable=True),
    _column("cost_disputed", Kind.FLAG, DISPUTED),
    _column("original_cost_usd", Kind.MONEY, nullable=True),
    _column("reprice_id", Kind.TEXT),
    _column("cached", Kind.FLAG, "(outcome = 'cached')"),
    _column("cache_enabled", Kind.FLAG),
    _column("cache_reference_id", Kind.UUID),
    *(_column(name, Kind.MONEY, nullable=True) for name in ("cache_saved_usd", "budget_reserved_usd")),
    _column("attempt_of", Kind.UUID),
    _column("is_attempt", Kind.FLAG, "(is_call = 0)"),
    _column("request_bytes", Kind.NUMBER),
    _column("response_bytes", Kind.NUMBER),
    _column("key_id", Kind.TEXT),
    *(_column(name, Kind.TEXT) for name in ATTRIBUTION),
    _column("is_logged", Kind.FLAG, "(first_logged_us > 0)"),
    _column("is_replaced", Kind.FLAG, "(replaced != '')"),
    _column("scores", Kind.NUMBER_MAP),
    _column("scores_column", Kind.TEXT, "toString(scores)"),
    _column(FEEDBACK, Kind.FLAG, _FEEDBACK, nullable=True),
    _column("request_body", Kind.BODY),
    _column("response_body", Kind.BODY),
    # What Helicone's rows may have and ours never do: the constants are true for every row.
    _column("country_code", Kind.TEXT, "''"),
    _column("request_referrer", Kind.TEXT, "''"),
    _column("prompt_version", Kind.TEXT, "''"),
    _column("assets", Kind.TEXT, "''"),
    _column("threat", Kind.FLAG, _ABSENT_FLAG, nullable=True),
    _column("is_passthrough_billing", Kind.FLAG, "false"),
)

# Columns that Helicone keeps as properties.
_PROPERTY_LIKE = ("session_id", "session_name", "session_path", "prompt_id")
_IDENTITY = ("organization_id", "request_created_at", "request_id")

REQUEST_RESPONSE = Table(
    name="request_response_rmt",
    tenant="organization_id",
    identity=_IDENTITY,
    shown=(
        *("request_id", "request_created_at", "response_created_at", "version", "provider", "model", "request_model"),
        *("target_url", "status", "outcome", "is_stream", "latency_ms", "time_to_first_token_ms", "user_id"),
        *_PROPERTY_LIKE,
        *("properties", "property_spellings", *USAGE_CLASSES, "usage_source", "usage_mismatch", "usage_incomplete"),
        *("service_tier", "cost_usd", "cost_state", "price_id", "provider_cost_usd"),
        *("calculated_cost_usd", "calculated_price_id", "other_models", "reprice_id", "original_cost_usd"),
        *("cache_enabled", "cache_reference_id", "cache_saved_usd", "attempt_of"),
        *("request_bytes", "response_bytes", "key_id", *ATTRIBUTION, "first_logged_us", "replaced"),
        *("scores", "feedback_us", "amended_us"),
    ),
    columns={column.name: column for column in _COLUMNS},
)
REQUEST_BODY = Table(
    name="request_response_body",
    tenant="organization_id",
    identity=_IDENTITY,
    shown=("request_created_at", "request_id", "request_body", "response_body"),
    columns={},
)
_BODY_BYTES = "length(request_body) + length(response_body) AS body_bytes"
REQUEST_BODY_SIZE = msgspec.structs.replace(REQUEST_BODY, shown=("request_created_at", "request_id", _BODY_BYTES))
PROPERTY_SPELLING = Table(
    name="property_spelling",
    tenant="organization_id",
    identity=("organization_id", "property_key", "spelling"),
    shown=(),
    columns={},
)
ROLLUP = Table(
    name="rollup",
    tenant="organization_id",
    identity=("organization_id", "grain", "starts_at", "is_whole"),
    shown=(),
    columns={},
)
AMENDMENT = Table(
    name="amendment",
    tenant="organization_id",
    identity=("organization_id", "request_id", "amended_us", "amendment_id"),
    shown=(),
    columns={},
)
COST_CORRECTION = Table(
    name="cost_correction",
    tenant="organization_id",
    identity=("organization_id", "reprice_id", "request_created_at", "request_id"),
    shown=(),
    columns={},
)
VALUE = Table(
    name="value",
    tenant="organization_id",
    identity=("organization_id", "value_id", "version"),
    shown=(
        *("value_id", "version", "is_deleted", "starts_at", "ends_at", "user_id", "properties", "value_usd"),
        *("source", "key_id"),
    ),
    columns={name: REQUEST_RESPONSE.columns[name] for name in ("user_id", "properties")},
)


def _renamed(**names: str) -> dict[str, Column]:
    return {name: REQUEST_RESPONSE.columns[column] for name, column in names.items()}


def _legacy(columns: Mapping[str, Column]) -> Table:
    """A table of older clients, whose columns are columns of the main table by another name."""
    return msgspec.structs.replace(REQUEST_RESPONSE, columns=columns)


TABLES: Mapping[str, Table] = {
    "request_response_rmt": REQUEST_RESPONSE,
    "request_response": REQUEST_RESPONSE,
    "request": _legacy(
        _renamed(
            id="request_id",
            org_id="organization_id",
            created_at="request_created_at",
            user_id="user_id",
            model="request_model",
            prompt_id="prompt_id",
            country_code="country_code",
            prompt="request_body",
        )
        | {"path": _column("path", Kind.TEXT, "path(target_url)")}
    ),
    "response": _legacy(
        _renamed(
            status="status",
            model="model",
            body_model="model",
            body_tokens="total_tokens",
            body_completion="response_body",
        )
    ),
    "sessions_request_response_rmt": _legacy(
        _renamed(session_session_id="session_id", session_session_name="session_name")
    ),
    "feedback": _legacy(_renamed(rating="helicone-score-feedback")),
}

# Names that clients use for properties, and that are columns here; both spellings of a property's name ignore case.
PROPERTY_COLUMNS: Mapping[str, Column] = {
    f"helicone-{name.replace('_', '-')}": REQUEST_RESPONSE.columns[name] for name in _PROPERTY_LIKE
}
