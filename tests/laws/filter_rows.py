"""Rows and filters that meet: both draw their values from the same few, so that conditions hold now and then."""

import functools
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from schemas.event import Outcome
from schemas.price import CostState, ModelCharge
from schemas.record import RequestBodies, RequestRecord
from schemas.tables import ATTRIBUTION, OPERATORS, REQUEST_RESPONSE, Kind
from schemas.usage import Usage, UsageSource
from services.domain.pricing.other_models import encode_parts
from tests.builders.records import TIMESTAMP, a_record, some_bodies

ORGANIZATION = f"org-{uuid.UUID(int=7)}-filters"
STRANGER = f"{ORGANIZATION}-stranger"

TEXTS = ("", "a", "A", "ab", "Ba%", "a_b", "é", "É", "a\\b", "null", "__empty__", "'", "chat", "premium", "line\nbreak")
KEYS = ("feature", "usertier", "x y", "é", "null", "Helicone-Session-Id", "helicone-prompt-id", "absent")
NUMBERS = (0, 1, 2, 100, 200, 4_294_967_295)
AMOUNTS = tuple(map(Decimal, ("0", "0.000000000001", "0.1", "0.3", "123456.123456789012")))
TIMESTAMPS = tuple(TIMESTAMP + timedelta(milliseconds=step) for step in (-1, 0, 1, 86_400_000))


@dataclass(frozen=True)
class Stored:
    """A request as it stands in the end."""

    record: RequestRecord
    bodies: RequestBodies | None


def stored_rows() -> list[Stored]:
    """Sixty requests, the same every time."""
    chance = random.Random(7)
    return [_stored(chance, number) for number in range(60)]


def _stored(chance: random.Random, number: int) -> Stored:
    unknown = chance.random() < 0.3
    cached = chance.random() < 0.3
    keys = [key for key in KEYS[:5] if chance.random() < 0.5]
    texts = ("provider", "model", "request_model", "user_id", "session_id", "session_name", "session_path", "prompt_id")
    counts = [name for name in RequestRecord.__struct_fields__ if name.endswith("_tokens")]
    record = a_record(
        organization_id=ORGANIZATION,
        request_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        request_created_at=chance.choice(TIMESTAMPS),
        response_created_at=chance.choice(TIMESTAMPS),
        status=chance.choice((-3, -2, 0, 1, 200)),
        latency_ms=chance.choice(NUMBERS),
        time_to_first_token_ms=chance.choice((*NUMBERS, None)),
        is_stream=chance.random() < 0.5,
        target_url=chance.choice(
            ("https://api.openai.com/v1/chat/completions", "https://x.example/a", "https://x.example")
        ),
        properties={key: chance.choice(TEXTS) for key in keys},
        property_spellings=keys,
        usage_source=chance.choice(list(UsageSource)),
        usage_mismatch=chance.random() < 0.5,
        usage_incomplete=chance.random() < 0.5,
        service_tier=chance.choice(TEXTS),
        cost_usd=None if unknown else chance.choice(AMOUNTS),
        provider_cost_usd=chance.choice((*AMOUNTS, None)),
        calculated_cost_usd=chance.choice((*AMOUNTS, None)),
        price_id=chance.choice(("bill/OPENROUTER", "test/price")),
        other_models=encode_parts(tuple(_part(chance.choice(TEXTS)) for _ in range(chance.choice((0, 0, 1, 2))))),
        cost_state=CostState.UNKNOWN_MODEL if unknown else CostState.PRICED,
        outcome=Outcome.CACHED
        if cached
        else chance.choice([outcome for outcome in Outcome if outcome is not Outcome.CACHED]),
        cache_enabled=chance.random() < 0.5,
        cache_reference_id=str(uuid.UUID(int=number + 1)) if cached else None,
        cache_saved_usd=chance.choice(AMOUNTS) if cached else None,
        budget_reserved_usd=chance.choice(AMOUNTS) if chance.random() < 0.3 else None,
        attempt_of=None if cached or chance.random() < 0.8 else str(uuid.UUID(int=number + 7)),
        key_id=chance.choice(TEXTS),
        first_logged_us=chance.choice((0, 1)),
        logged_us=0,
        replaced=chance.choice(("", "[]")),
        **{name: chance.choice(TEXTS) for name in (*texts, *ATTRIBUTION)},
        **{name: chance.choice(NUMBERS) for name in counts},
    )
    bodies = some_bodies(record, request_body=chance.choice(TEXTS), response_body=chance.choice(TEXTS))
    return Stored(record, bodies if chance.random() < 0.7 else None)


def _part(model: str) -> ModelCharge:
    return ModelCharge(model=model, usage=Usage(), cost_usd=None, cost_state=CostState.UNKNOWN_MODEL)


ROWS = stored_rows()


def kept_rows(rows: Sequence[Stored]) -> Iterator[tuple[list[RequestRecord], list[RequestBodies]]]:
    """Batches that end with `rows`: an older version of each, the rows, late replays, and a stranger's copies."""
    records = [row.record for row in rows]
    bodies = [row.bodies for row in rows if row.bodies]
    older = [
        msgspec.structs.replace(record, version=1, cost_usd=Decimal(9), properties={"feature": "old"}, user_id="a")
        for record in records
    ]
    older_bodies = [msgspec.structs.replace(body, version=1, request_body="chat old") for body in bodies]
    yield records, bodies
    yield older, older_bodies
    yield records[::2], bodies[::2]
    yield [msgspec.structs.replace(record, organization_id=STRANGER) for record in records], []


def filters(mark: str = "") -> st.SearchStrategy[Any]:
    """Filters as clients write them, with values of the rows. `mark` is put into every text that is a client's own."""
    return st.recursive(
        st.sampled_from(["all", {}]) | _leaves(mark),
        lambda inner: st.fixed_dictionaries(
            {"left": inner, "operator": st.sampled_from(["and", "or"]), "right": inner}
        ),
        max_leaves=5,
    )


@st.composite
def _leaves(draw: st.DrawFn, mark: str) -> dict[str, Any]:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(_older_leaves(mark))
    if kind == 1:
        return draw(_lists(mark))
    names = draw(st.lists(st.sampled_from(sorted(REQUEST_RESPONSE.columns)), min_size=1, max_size=2, unique=True))
    columns = {name: draw(_column(name, mark)) for name in names}
    return {draw(st.sampled_from(["request_response_rmt", "request_response"])): columns}


@st.composite
def _lists(draw: st.DrawFn, mark: str) -> dict[str, Any]:
    """Values that one column or property is to equal one of, or none of, as clients have to write them."""
    name = draw(st.sampled_from(["user_id", "outcome", "request_id", "attempt_of", "time_to_first_token", "feature"]))
    column = REQUEST_RESPONSE.columns.get(name)
    values = _values(name, column.kind, mark) if column else _texts(mark)
    operator, join = draw(st.sampled_from([("equals", "or"), ("not-equals", "and"), ("equals", "and")]))
    leaves = [
        {"request_response_rmt": {name: {operator: value}}} if column else {"properties": {name: {operator: value}}}
        for value in draw(st.lists(values, min_size=2, max_size=4))
    ]
    return functools.reduce(lambda left, right: {"left": left, "operator": join, "right": right}, leaves)


@functools.cache
def _older_leaves(mark: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries({"properties": _by_key(mark)}),
        st.builds(
            lambda paths: {"request": {"path": paths}}, _conditions(Kind.TEXT, st.sampled_from(["/a", "", f"/{mark}"]))
        ),
        st.builds(lambda ids: {"request": {"id": ids}}, _column("request_id", mark)),
        st.builds(lambda prompts: {"request": {"prompt": prompts}}, _column("request_body", mark)),
        st.builds(lambda totals: {"response": {"body_tokens": totals}}, _column("total_tokens", mark)),
    )


@functools.cache
def _column(name: str, mark: str) -> st.SearchStrategy[Any]:
    column = REQUEST_RESPONSE.columns[name]
    if column.kind is Kind.TEXT_MAP:
        return _by_key(mark)
    if column.kind is Kind.NUMBER_MAP:
        return _by_score(mark)
    values = _values(name, column.kind, mark)
    if not column.nullable:
        return _conditions(column.kind, values)
    return _conditions(column.kind, values) | st.fixed_dictionaries({"equals": st.none()})


@functools.cache
def _by_key(mark: str) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([key + mark for key in KEYS] if mark else [*KEYS, "FEATURE", "UserTier"])
    return st.dictionaries(keys, _conditions(Kind.TEXT_MAP, _texts(mark)), min_size=1, max_size=2)


@functools.cache
def _by_score(mark: str) -> st.SearchStrategy[Any]:
    """Whole numbers, also as text, and texts to search for in those of numbers."""
    numbers = _conditions(Kind.NUMBER, st.sampled_from((*NUMBERS, -3, "80", "-1")))
    searches = st.sampled_from(("like", "ilike", "contains", "not-contains"))
    texts = st.dictionaries(searches, _texts(mark), min_size=1, max_size=2).filter(_is_allowed)
    keys = st.sampled_from([key + mark for key in KEYS])
    return st.dictionaries(keys, numbers | texts, min_size=1, max_size=2)


def _conditions(kind: Kind, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operators = st.sampled_from(sorted(str(operator) for operator in OPERATORS[kind]))
    return st.dictionaries(operators, values, min_size=1, max_size=2).filter(_is_allowed)


def _is_allowed(conditions: dict[str, Any]) -> bool:
    """A pattern cannot end in the middle of an escape, nor a timestamp be equal to one that no row can have."""
    texts = [(operator, value) for operator, value in conditions.items() if isinstance(value, str)]
    half = any(operator.endswith("like") and (len(text) - len(text.rstrip("\\"))) % 2 for operator, text in texts)
    return not half and not any(operator.endswith("equals") and text.endswith("001+00:00") for operator, text in texts)


def _texts(mark: str) -> st.SearchStrategy[str]:
    return st.sampled_from((*TEXTS, "%", "_%", "a%", "%b", "\\%", "\\\\", "a\\_b")).map(lambda text: text + mark)


def _values(name: str, kind: Kind, mark: str) -> st.SearchStrategy[Any]:
    match kind:
        case Kind.NUMBER:
            return st.sampled_from((*NUMBERS, -3, 2**63 - 1, -(2**63)))
        case Kind.MONEY:
            return st.sampled_from((0, 0.1, 0.3, -1, Decimal("123456.123456789012"), 10**25, 1e-12))
        case Kind.TIMESTAMP:
            finer = st.sampled_from([timestamp + timedelta(microseconds=1) for timestamp in TIMESTAMPS])
            return (st.sampled_from(TIMESTAMPS) | finer).map(lambda timestamp: timestamp.isoformat())
        case Kind.FLAG:
            return st.booleans()
        case Kind.UUID:
            return st.sampled_from(
                [row.record.request_id for row in ROWS] + [str(uuid.UUID(int=0)), str(uuid.UUID(int=3)).upper()]
            )
        case Kind.MAP_KEY:
            return st.sampled_from([*KEYS, "FEATURE"]).map(lambda key: key + mark)
        case _:
            own = st.sampled_from([ORGANIZATION + mark, STRANGER + mark]) if name == "organization_id" else st.nothing()
            known = st.sampled_from(["cached", "none", "provider", "priced", "unknown_model", "{}"]).map(
                lambda text: text + mark
            )
            return _texts(mark) | known | own


def leaf_conditions(filter_json: Any) -> int:
    """How many conditions the JSON says."""
    if filter_json in ("all", {}):
        return 0
    if "left" in filter_json:
        return leaf_conditions(filter_json["left"]) + leaf_conditions(filter_json["right"])
    return sum(_leaf_conditions(table, columns) for table, columns in filter_json.items())


def _leaf_conditions(table: str, columns: dict[str, Any]) -> int:
    if table == "properties":
        return sum(len(conditions) for conditions in columns.values())
    maps = ("properties", "search_properties", "scores")
    return sum(
        sum(len(of_key) for of_key in conditions.values()) if name in maps else len(conditions)
        for name, conditions in columns.items()
    )
