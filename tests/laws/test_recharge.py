"""Whatever an event was, its repriced row costs what it would have cost from the start."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.event import ExchangeEvent, Outcome
from schemas.price import OperatorPrice, PriceBook, Rate
from schemas.record import RequestRecord
from schemas.reprice import ChargedRow
from schemas.usage import USAGE_CLASSES, Usage
from services.domain.enrich import to_record
from services.domain.pricing.price_book import LayeredPrices
from services.domain.pricing.reprice import charge_again, correction_of
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import TIMESTAMP, an_event, chat_response
from tests.laws.test_rows import events
from tests.support.repricing import all_sorts

SHIPPED = ShippedPrices()


def a_book(classes: Iterable[str], usd: str) -> PriceBook:
    """One price for every model, for some of the classes."""
    row = OperatorPrice(
        id="00000000-0000-4000-8000-000000000001",
        organization_id="org-1",
        model="*",
        rates={name: Rate(usd=Decimal(usd)) for name in classes},
        valid_from=datetime(1900, 1, 1, tzinfo=UTC),
        effective_for_events_since=TIMESTAMP,
    )
    return LayeredPrices(SHIPPED, [row])


BOOKS = [
    SHIPPED,
    a_book(USAGE_CLASSES, "0.0000017"),
    a_book(USAGE_CLASSES, "0"),
    a_book(["prompt_tokens", "completion_tokens"], "0.000001"),
    a_book([], "1"),
]
books = st.sampled_from(BOOKS)


def stored(record: RequestRecord) -> ChargedRow:
    """What a re-pricing reads of a row."""
    names = set(ChargedRow.__struct_fields__) - {"usage"}
    usage = Usage(**{name: getattr(record, name) for name in USAGE_CLASSES})
    return ChargedRow(usage=usage, **{name: getattr(record, name) for name in names})


@given(events, books, books)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(an_event(outcome=Outcome.CACHED), BOOKS[0], BOOKS[1])
@example(an_event(response_body=chat_response(model="no-such-model")), BOOKS[0], BOOKS[1])
def test_any_event_repriced_costs_what_it_would_have_cost(
    event: ExchangeEvent, before: PriceBook, after: PriceBook
) -> None:
    _check(event, before, after)


@pytest.mark.parametrize("before", BOOKS)
@pytest.mark.parametrize("after", BOOKS)
def test_real_looking_traffic_repriced_costs_what_it_would_have_cost(before: PriceBook, after: PriceBook) -> None:
    for event in all_sorts(60, "org-1"):
        _check(event, before, after)


def _check(event: ExchangeEvent, before: PriceBook, after: PriceBook) -> None:
    row, from_the_start = stored(to_record(event, before)[0]), to_record(event, after)[0]
    again = charge_again(row, after)
    cost = (row.cost_usd, row.cost_state) if again is None else (again.cost_usd, again.state)
    assert cost == (from_the_start.cost_usd, from_the_start.cost_state)
    assert correction_of(row, before, reprice_id="run-1", timestamp=TIMESTAMP) is None
