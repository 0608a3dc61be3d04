"""Other models within one request: each part at its own price, together one cost, and no cost where one is unknown."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import asdict

from schemas.event import ExchangeEvent, Outcome, RequestTags
from schemas.price import MAX_USD, Charge, CostState, ModelCharge, Price
from schemas.receipt import Charged, Receipt
from schemas.record import RequestRecord
from schemas.usage import USAGE_CLASSES, Usage
from services.domain.enrich import to_record
from services.domain.omission import without_bodies
from services.domain.pricing.other_models import decode_parts, encode_parts, own_of, with_parts
from services.domain.pricing.price_book import RecordingPriceBook
from services.domain.pricing.receipt import receipt_of
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event
from tests.golden.cases import GOLDEN_CASES

PRICES = ShippedPrices()
TIMESTAMP = datetime(2026, 11, 1, 12, tzinfo=UTC)
DRAWN = {"input_tokens": 40, "output_tokens": 1056, "total_tokens": 1096}
OWN = Decimal("0.001525")
IMAGE = Decimal("0.03188")
TOGETHER = [case for case in GOLDEN_CASES if case.other_models]


def response(
    image_gen: object = DRAWN, model: str | None = "gpt-image-2", status: str = "completed", **more: Any
) -> dict[str, Any]:
    """Of gpt-5, which had an image drawn."""
    return {
        "model": "gpt-5",
        "output": [{"type": "image_generation_call", "id": "ig_1", "status": status, "action": "generate"}],
        "tools": [{"type": "web_search"}, {"type": "image_generation", "model": model, "quality": "auto"}],
        "tool_usage": {"image_gen": image_gen, "web_search": {"num_requests": 0}},
        "usage": {"input_tokens": 500, "output_tokens": 90, "total_tokens": 590},
    } | more


def event(reply: dict[str, Any], requested: dict[str, Any] | None = None, **more: Any) -> ExchangeEvent:
    body, request = json.dumps(reply).encode(), json.dumps(requested or {"model": "gpt-5"}).encode()
    return an_event(provider="OPENAI", created_at=TIMESTAMP, request_body=request, response_body=body, **more)


def row(reply: dict[str, Any], requested: dict[str, Any] | None = None, **more: Any) -> RequestRecord:
    return to_record(event(reply, requested, **more), PRICES)[0]


def charged(record: RequestRecord) -> Charged:
    """What a receipt reads of a row."""
    names = set(Charged.__struct_fields__) - {"usage"}
    usage = Usage(**{name: getattr(record, name) for name in USAGE_CLASSES})
    return Charged(usage=usage, **{name: getattr(record, name) for name in names})


def receipt(of: ExchangeEvent) -> tuple[RequestRecord, Receipt]:
    used: dict[str, Price] = {}
    record = to_record(of, RecordingPriceBook(PRICES, used))[0]
    return record, receipt_of(charged(record), used.get(record.calculated_price_id or record.price_id), used)


def test_the_cost_is_that_of_all_models_and_each_keeps_its_own_price() -> None:
    found = row(response())
    (part,) = decode_parts(found.other_models)
    assert (found.model, found.cost_usd, found.cost_state) == ("gpt-5", OWN + IMAGE, CostState.PRICED)
    assert (part.model, part.cost_usd, part.usage) == (
        "gpt-image-2",
        IMAGE,
        Usage(prompt_tokens=40, completion_image_tokens=1056),
    )
    assert ":openai/gpt-5@" in found.price_id
    assert ":openai/gpt-image-2@" in part.price_id
    assert (found.prompt_tokens, found.completion_image_tokens) == (540, 1056), "classes are those of all models"
    assert own_of(charged(found)).usage == Usage(prompt_tokens=500, completion_tokens=90)


REQUESTED = {"tools": [{"type": "image_generation", "model": "gpt-image-2"}]}


@pytest.mark.parametrize(
    ("reply", "requested", "state", "model"),
    [
        (response(model=None), REQUESTED, "priced", "gpt-image-2"),
        (response(model=None), {"tools": [{"type": "image_generation"}]}, "partial", ""),
        (response(model=None), {"tools": "none"}, "partial", ""),
        (response(model="gpt-image-99"), {}, "partial", "gpt-image-99"),
        (response(tools=[{"type": "image_generation", "model": 7}]), {}, "partial", ""),
    ],
)
def test_the_model_that_draws_is_named_by_the_response_else_by_the_request(
    reply: dict[str, Any], requested: dict[str, Any], state: str, model: str
) -> None:
    for tags in (RequestTags(), RequestTags(omit_request=True, omit_response=True)):
        found = to_record(without_bodies(event(reply, {"model": "gpt-5"} | requested, tags=tags)), PRICES)[0]
        assert (found.cost_state, decode_parts(found.other_models)[0].model) == (state, model)
        assert (found.cost_usd is None) == (state == "partial")
        assert not found.usage_incomplete


NOTHING = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        (response(NOTHING, status="failed"), OWN),
        (response(NOTHING, output=[]), OWN),
        (response(None, output=[]), OWN),
        (response(NOTHING), None),  # calls whose usage was not recorded are left out
        (response(None, status="failed"), None),
        (response(tool_usage=None), None),
        (response(DRAWN | {"output_tokens": -1}), None),
        (response(DRAWN | {"output_tokens": 2**31 - 1, "total_tokens": 0, "input_tokens": 2**31 - 1}), None),
        (response(DRAWN | {"total_tokens": 7}), None),
        (response(DRAWN | {"frames_tokens": 7}), None),
    ],
)
def test_a_part_of_which_not_all_is_known_leaves_the_cost_unknown_and_a_failed_call_costs_nothing(
    reply: dict[str, Any], cost: Decimal | None
) -> None:
    assert row(reply).cost_usd == cost


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ({"input_tokens": 1023}, True),
        ({"input_tokens": 1024}, False),
        ({"input_tokens": 1024, "cached_tokens": None}, False),
        ({"input_tokens": 1024, "cached_tokens": 0}, True),
    ],
)
def test_where_nothing_is_said_of_a_cache_only_a_short_prompt_has_a_known_cost(
    counts: dict[str, Any], known: bool
) -> None:
    found = row(response({"output_tokens": 9} | counts))
    assert (found.cost_usd is not None, found.usage_incomplete) == (known, not known)


def test_a_response_from_the_cache_saves_what_all_models_cost() -> None:
    found = row(response(), outcome=Outcome.CACHED)
    assert (found.cost_usd, found.cache_saved_usd, found.other_models) == (Decimal(0), OWN + IMAGE, "")
    assert (found.prompt_tokens, found.completion_image_tokens) == (0, 0)


def test_a_models_turn_that_is_no_advisors_may_be_credited_and_stays_unknown() -> None:
    turns = [
        {"type": "message", "model": "claude-haiku-4-5", "input_tokens": 7, "output_tokens": 3},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 9, "output_tokens": 3},
    ]
    reply = {"model": "claude-opus-4-8", "usage": {"input_tokens": 9, "output_tokens": 3, "iterations": turns}}
    found = to_record(an_event(provider="ANTHROPIC", response_body=json.dumps(reply).encode()), PRICES)[0]
    assert (found.cost_usd, found.usage_incomplete, found.other_models) == (None, True, "")


def test_an_unsplit_cache_write_of_an_advisor_is_unknown_where_it_may_last_an_hour() -> None:
    turns = [
        {"type": "message", "input_tokens": 7, "output_tokens": 3},
        {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 9, "cache_creation_input_tokens": 50},
    ]
    reply = {"model": "claude-sonnet-4-6", "usage": {"input_tokens": 7, "output_tokens": 3, "iterations": turns}}
    for ttl, known in (("5m", True), ("1h", False)):
        asked = {"tools": [{"type": "advisor_20260301", "caching": {"type": "ephemeral", "ttl": ttl}}]}
        body, request = json.dumps(reply).encode(), json.dumps(asked).encode()
        found = to_record(an_event(provider="ANTHROPIC", request_body=request, response_body=body), PRICES)[0]
        assert (found.cost_usd is not None) is known


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case.name)
def test_the_lines_of_all_models_add_up_to_the_cost(case: Any) -> None:
    record, found = receipt(case.event())
    assert found.reconciles
    assert found.total_usd == record.cost_usd
    assert [part.model for part in found.other_models] == [other.billed_model for other in case.other_models]
    if record.cost_usd is None:
        return
    assert sum(line.amount_usd or 0 for line in found.lines) == record.cost_usd
    for part in found.other_models:
        assert part.price is not None
        assert part.price.model in part.model
    parts = {line.model for line in found.lines}
    assert parts == {record.model, *(other.billed_model for other in case.other_models)}


def test_a_receipt_names_the_model_without_a_price_and_shows_what_the_others_cost() -> None:
    _, found = receipt(event(response(model="gpt-image-99")))
    assert found.why == (
        "gpt-image-99 was used for it: no price is known for model 'gpt-image-99' of OPENAI at the time of the request"
    )
    assert [(line.model, line.usage_class, line.amount_usd) for line in found.lines] == [
        ("gpt-5", "prompt_tokens", Decimal("0.000625")),
        ("gpt-5", "completion_tokens", Decimal("0.0009")),
        ("gpt-image-99", "prompt_tokens", None),
        ("gpt-image-99", "completion_image_tokens", None),
    ]
    assert (found.total_usd, found.reconciles) == (None, True)
    _, unnamed = receipt(event(response(model=None)))
    assert unnamed.why is not None
    assert unnamed.why.startswith("another model, which neither request nor response names, was used for it: ")
    _, both = receipt(event(response(model="gpt-image-99") | {"model": "gpt-99"}))
    assert both.why is not None
    assert ("'gpt-99'" in both.why, "gpt-image-99 was used" in both.why) == (True, True)


def test_a_stored_part_that_was_changed_does_not_reconcile() -> None:
    used: dict[str, Price] = {}
    stored = charged(to_record(event(response()), RecordingPriceBook(PRICES, used))[0])
    (part,) = decode_parts(stored.other_models)
    for change in ({"cost_usd": Decimal("0.03")}, {"price_id": "another"}, {"usage": Usage(prompt_tokens=41)}):
        other_models = encode_parts((ModelCharge(**(asdict(part) | change)),))
        changed = Charged(**(asdict(stored) | {"other_models": other_models}))
        assert not receipt_of(changed, used[stored.price_id], used).reconciles


def _part(cost: str | None) -> ModelCharge:
    state = CostState.UNKNOWN_MODEL if cost is None else CostState.PRICED
    return ModelCharge(model="m", usage=Usage(), cost_usd=None if cost is None else Decimal(cost), cost_state=state)


@pytest.mark.parametrize(
    ("own", "parts", "cost", "state"),
    [
        ("1", [], "1", CostState.PRICED),
        ("1", ["2", "0.5"], "3.5", CostState.PRICED),
        ("0", ["0"], "0", CostState.FREE),
        ("1", ["2", None], None, CostState.PARTIAL),
        (None, ["2"], None, CostState.UNKNOWN_MODEL),
        ("1", [str(MAX_USD)], None, CostState.PARTIAL),
    ],
)
def test_a_cost_is_known_where_each_part_is(
    own: str | None, parts: list[str | None], cost: str | None, state: CostState
) -> None:
    own_state = CostState.UNKNOWN_MODEL if own is None else CostState.PRICED
    charge = Charge(cost_usd=None if own is None else Decimal(own), state=own_state)
    together = with_parts(charge, tuple(map(_part, parts)))
    assert (together.cost_usd, together.state) == (None if cost is None else Decimal(cost), state)
