"""Names that providers move to newer models: each has the price of the model that it stands for on the day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot

from services.domain.enrich import to_record
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.price_list import MovingAlias
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import TIMESTAMP, an_event, chat_response

BOOK = ShippedPrices()
ALIASES = [
    (provider.name, provider.prices.seller, alias)
    for provider in PROVIDERS
    if provider.prices is not None
    for alias in provider.prices.aliases
]
LARGE_3 = datetime(2025, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "model", "input_usd"),
    [
        (LARGE_3 - timedelta(seconds=1), "mistral-large", "0.000002"),
        (LARGE_3, "mistral-large-2512", "0.0000005"),
        (TIMESTAMP, "mistral-large-2512", "0.0000005"),
    ],
)
def test_mistral_large_latest_costs_what_it_stands_for(timestamp: datetime, model: str, input_usd: str) -> None:
    price = BOOK.price_at("MISTRAL", "mistral-large-latest", timestamp)
    assert price is not None
    assert (price.model, price.rates["prompt_tokens"].usd) == (model, Decimal(input_usd))


@pytest.mark.parametrize(
    ("name", "since", "before", "after"),
    [
        ("codestral-latest", datetime(2025, 7, 30, tzinfo=UTC), "codestral", "codestral-2508"),
        ("ministral-3b-latest", LARGE_3, None, "ministral-3b-2512"),
        ("ministral-14b-latest", LARGE_3, None, "ministral-14b-2512"),
    ],
)
def test_a_name_moves_on_its_day(name: str, since: datetime, before: str | None, after: str) -> None:
    prices = [BOOK.price_at("MISTRAL", name, timestamp) for timestamp in (since - timedelta(seconds=1), since)]
    assert [None if price is None else price.model for price in prices] == [before, after]


@pytest.mark.parametrize(("provider", "seller", "alias"), ALIASES, ids=[alias.name for _, _, alias in ALIASES])
def test_the_data_has_what_an_alias_stands_for_and_has_not_moved_the_alias_itself(
    provider: str, seller: str, alias: MovingAlias
) -> None:
    """Once it has, the alias can be taken out of the record."""
    assert BOOK.price_at(provider, alias.model, alias.since) == BOOK.price_at(provider, alias.name, alias.since)
    (listed,) = (one for one in get_snapshot().providers if one.id == seller)
    found = listed.find_model(alias.name)
    assert found is None or (found.id != alias.model and not isinstance(found.prices, list))


def test_the_model_that_a_response_names_counts_and_not_the_alias() -> None:
    requested = b'{"model":"mistral-large-latest","messages":[]}'
    body = chat_response(model="mistral-large-2411", cached=0)
    row = to_record(an_event(provider="MISTRAL", request_body=requested, response_body=body), BOOK)[0]
    assert ":mistral/mistral-large@" in row.price_id
