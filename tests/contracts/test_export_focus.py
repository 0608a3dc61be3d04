"""Costs as FOCUS 1.4 has them: every rule of it, and the sums of the report to the last digit."""

import asyncio
import http.client
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.price import CostState, Price, Rate
from schemas.usage import USAGE_CLASSES, Usage
from services.domain.pricing.charge import charge
from services.query.exports import endpoint, focus
from tests.servers.querying import Client
from tests.support.exporting import csv_checkpoints, csv_rows, exported, opened, until_last_checkpoint
from tests.support.focus_checker import COLUMNS, MANDATORY, violations

Rows = list[dict[str, str]]

PLAIN = Price(
    id="focus-plain",
    provider="OPENAI",
    model="gpt-x",
    valid_from=None,
    source="test",
    rates={
        "prompt_tokens": Rate(usd=Decimal("0.0000025")),
        "prompt_cache_read_tokens": Rate(usd=Decimal("0.00000125")),
        "completion_tokens": Rate(usd=Decimal("0.00001")),
    },
    usd_per_request=Decimal("0.01"),
)
TIERED = Price(
    id="focus-tiered",
    provider="GOOGLE",
    model="gemini-x",
    valid_from=None,
    source="test",
    rates={
        "prompt_tokens": Rate(usd=Decimal("0.00000125"), tiers=((200_000, Decimal("0.0000025")),)),
        "completion_tokens": Rate(usd=Decimal("0.00001"), tiers=((200_000, Decimal("0.000015")),)),
    },
)
BY_THE_HOUR = Price(
    id="focus-hour",
    provider="GROQ",
    model="whisper-x",
    valid_from=None,
    source="test",
    rates={"prompt_audio_ms": Rate(usd=Decimal("0.111"), per=3_600_000, at_least=10_000)},
)
PRICES = (PLAIN, TIERED, BY_THE_HOUR)


def used(price: Price, at: str, feature: str = "chat", **usage: int) -> dict[str, Any]:
    """A request that was charged by `price`."""
    used = Usage(**usage)
    return {
        "request_created_at": datetime.fromisoformat(at).replace(tzinfo=UTC),
        "provider": price.provider,
        "model": price.model,
        "price_id": price.id,
        "cost_usd": charge(used, price).cost_usd,
        "properties": {"feature": feature, "team": 'a "b"'} if feature else {},
        "property_spellings": ["Feature", "team"] if feature else [],
        **{name: getattr(used, name) for name in USAGE_CLASSES},
    }


def keep(client: Client) -> None:
    asyncio.run(client.service.warehouse.keep_prices(PRICES))
    rows = [
        *(
            used(PLAIN, f"2026-10-31T{hour:02}:30:00", prompt_tokens=hour, completion_tokens=7)
            for hour in range(20, 24)
        ),
        *(used(PLAIN, f"2026-11-01T0{hour}:00:00", "search", prompt_cache_read_tokens=33) for hour in range(5)),
        used(TIERED, "2026-11-01T10:00:00", prompt_tokens=200_000, completion_tokens=10),
        used(TIERED, "2026-11-01T10:00:00", prompt_tokens=200_001, completion_tokens=10),
        *(used(BY_THE_HOUR, "2026-11-01T11:00:00", "", prompt_audio_ms=10_001 + second) for second in range(30)),
        used(BY_THE_HOUR, "2026-11-01T12:00:00", "", prompt_audio_ms=1),
        used(PLAIN, "2026-11-01T13:00:00", "chat", prompt_tokens=5)
        | {
            "price_id": "bill/openrouter",
            "provider_cost_usd": Decimal("0.123456789012"),
            "cost_usd": Decimal("0.123456789012"),
        },
        used(PLAIN, "2026-11-01T13:00:00", prompt_tokens=5) | {"price_id": "gone", "cost_usd": Decimal("0.5")},
        used(PLAIN, "2026-11-01T13:00:00", prompt_tokens=5) | {"cost_usd": None, "cost_state": CostState.PARTIAL},
        used(PLAIN, "2026-11-01T13:00:00")
        | {"price_id": "", "cost_usd": Decimal(0), "cost_state": CostState.FREE, "outcome": Outcome.CACHED},
    ]
    client.keep(*rows)


def focus_rows(client: Client, **body: Any) -> Rows:
    return csv_rows(exported(client, format="focus", **body))


def summed(rows: Rows, by: Callable[[dict[str, str]], str] = lambda _: "") -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[by(row)] += Decimal(row["BilledCost"])
    return dict(sums)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("period", ["day", "hour"])
def test_every_rule_holds_and_every_sum_is_that_of_the_report(client: Client, zone: str, period: str) -> None:
    keep(client)
    rows = focus_rows(client, timeZone=zone, chargePeriod=period)
    assert violations(rows) == []
    assert {name for name, column in COLUMNS.items() if column.level == MANDATORY} <= set(rows[0])

    def reported(*by: object) -> dict[str, Decimal]:
        found = client.report(measures=["cost_usd"], by=by, timeZone=zone)
        groups = {_key(row["by"][0]): row["measures"]["cost_usd"] for row in found["rows"]} if by else {}
        return groups or {"": found["total"]["cost_usd"]}

    assert summed(rows) == reported()
    assert summed(rows, lambda row: row["ChargePeriodStart"]) == reported({"time": period})
    assert summed(rows, lambda row: row["BillingPeriodStart"]) == reported({"time": "month"})
    assert summed(rows, lambda row: row["SkuId"].split("/")[1] if row["SkuId"] else "whisper-x") == reported(
        {"column": "model"}
    )
    assert summed(rows, lambda row: row["Tags"].split('"')[3] if row["Tags"] else "") == reported(
        {"property": "Feature"}
    )


def _key(value: str | None) -> str:
    if value and value[:2] == "20":
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return value or ""


def test_a_row_is_one_meter_of_one_model_at_one_price(client: Client) -> None:
    keep(client)
    rows = focus_rows(client)
    lines = {(row["SkuPriceId"], row["ChargePeriodStart"][:10], row["Tags"]): row for row in rows if row["SkuPriceId"]}
    chat = '{"Feature":"chat","team":"a \\"b\\""}'
    row = lines["openai/gpt-x/prompt_tokens/standard", "2026-10-31", chat]
    expected = {
        "BilledCost": "0.000215",
        "ConsumedQuantity": "86",
        "ConsumedUnit": "Tokens",
        "PricingQuantity": "86",
        "SkuId": "openai/gpt-x/prompt_tokens",
        "SkuMeter": "Input Tokens",
        "SkuPriceDetails": '{"ModelId":"gpt-x","x_UsageClass":"prompt_tokens","x_ServiceTier":"standard"}',
        "ServiceProviderName": "OpenAI",
        "BillingAccountId": client.organization_id,
        "x_UnitPrice": "0.0000025",
        "x_UnitPriceQuantity": "1",
        "x_PriceId": "focus-plain",
    }
    assert {name: row[name] for name in expected} == expected
    assert lines["openai/gpt-x/request/standard", "2026-10-31", chat]["BilledCost"] == "0.04"
    above = lines["google/gemini-x/prompt_tokens/standard/above-200000", "2026-11-01", chat]
    assert (above["ConsumedQuantity"], above["BilledCost"]) == ("200001", "0.5000025")
    assert lines["google/gemini-x/prompt_tokens/standard", "2026-11-01", chat]["BilledCost"] == "0.25"
    audio = lines["groq/whisper-x/prompt_audio_ms/standard", "2026-11-01", ""]
    assert (audio["ConsumedQuantity"], audio["PricingQuantity"]) == ("300466", "310465")
    assert audio["PricingUnit"] == "Milliseconds"
    whole = [row for row in rows if row["SkuMeter"] == "Requests Billed as a Whole"]
    assert sorted((row["x_PriceId"], row["BilledCost"]) for row in whole) == [
        ("bill/openrouter", "0.123456789012"),
        ("gone", "0.5"),
    ]
    (rounding,) = (row for row in rows if row["ChargeCategory"] == "Adjustment")
    assert abs(Decimal(rounding["BilledCost"])) < Decimal("1e-10")


def test_costs_that_are_unknown_are_in_no_row_and_counted(client: Client) -> None:
    keep(client)
    with opened(client, {"format": "focus"}) as response:
        assert len(csv_rows(response.read())) > 5
    assert response.headers["Farebox-Unpriced-Requests"] == "1"
    only_unknown = {"request_response_rmt": {"cost_usd": {"equals": None}}}
    assert focus_rows(client, filter=only_unknown) == []


def test_charges_go_on_where_they_broke_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PAGE_ROWS", 7)
    monkeypatch.setattr(focus, "MAX_ROWS", 3)
    keep(client)
    body: dict[str, Any] = {"format": "focus", "checkpoints": True, "chargePeriod": "hour"}
    size, kept, state = len(exported(client, **body)), b"", "more"
    while state != "end":
        with opened(client, body) as response:
            try:
                part = until_last_checkpoint(response.read(size // 3))
            except http.client.IncompleteRead as cut:
                part = until_last_checkpoint(cut.partial)
        kept += part
        if found := csv_checkpoints(part):
            body["cursor"], state = found[-1]["cursor"], found[-1]["state"]
    rows = csv_rows(kept)
    assert violations(rows) == []
    assert summed(rows)[""] == client.report(measures=["cost_usd"])["total"]["cost_usd"]


VALID: dict[str, str] = {
    "BilledCost": "1.5",
    "BillingAccountId": "a",
    "BillingAccountName": "",
    "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargeDescription": "",
    "ChargePeriodEnd": "2026-11-02T00:00:00Z",
    "ChargePeriodStart": "2026-11-01T00:00:00Z",
    "ConsumedQuantity": "3",
    "ConsumedUnit": "Tokens",
    "ContractedCost": "1.5",
    "EffectiveCost": "1.5",
    "HostProviderName": "p",
    "InvoiceIssuerName": "p",
    "ListCost": "1.5",
    "PricingCategory": "Standard",
    "PricingQuantity": "3",
    "PricingUnit": "Tokens",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "p",
    "ServiceProviderName": "p",
    "SkuId": "s",
    "SkuPriceDetails": '{"ModelId": "m"}',
    "SkuPriceId": "sp",
}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, None),
        ({"BilledCost": ""}, "BilledCost: is null"),
        ({"BilledCost": "1e-6"}, "no plain decimal"),
        ({"ListCost": "+1.5"}, "no plain decimal"),
        ({"BillingCurrency": "dollars"}, "no currency"),
        ({"ChargePeriodStart": "2026-11-01T00:00:00+00:00"}, "no timestamp in UTC"),
        ({"ChargePeriodStart": "2026-10-31T00:00:00Z"}, "not within the billing period"),
        ({"ChargeCategory": "usage"}, "'usage' is not allowed"),
        ({"ServiceCategory": "AI"}, "'AI' is not allowed"),
        ({"PricingUnit": "tokens"}, "no unit"),
        ({"SkuPriceId": ""}, "SkuPriceId is null for usage"),
        ({"ConsumedQuantity": ""}, "ConsumedQuantity is null for usage"),
        ({"ChargeCategory": "Adjustment"}, "ConsumedQuantity has a value without usage"),
        ({"ListCost": "2"}, "ContractedCost differs from ListCost"),
        ({"ListUnitPrice": "0.4"}, "ListCost is not ListUnitPrice times PricingQuantity"),
        ({"SkuPriceDetails": "[]"}, "is no object"),
        ({"SkuPriceDetails": '{"ModelId": {}}'}, "holds more than plain values"),
        ({"SkuPriceDetails": '{"Model": "m"}'}, "Model is neither a property of FOCUS nor a custom one"),
        ({"Tags": '{"a": 1, "a": 2}'}, "has a key twice"),
        ({"ProviderName": "p"}, "ProviderName is neither a column of FOCUS nor a custom one"),
        ({"x_Team": "t"}, None),
    ],
)
def test_the_checker_finds_what_is_wrong(changed: dict[str, str], fault: str | None) -> None:
    found = violations([VALID | changed])
    assert (found == []) if fault is None else any(fault in one for one in found), found


def test_the_checker_misses_no_mandatory_column_and_no_price_of_two_skus() -> None:
    for name in (name for name, column in COLUMNS.items() if column.level == MANDATORY):
        assert violations([{other: text for other, text in VALID.items() if other != name}]) == [f"{name} is missing"]
    assert violations([VALID, VALID | {"SkuId": "other"}]) == ["sp has more than one SkuId"]
