"""What a receipt says: the sum, the tier and why, and in plain words why a cost is unknown or zero."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import Outcome
from schemas.price import CostState, Price, Rate
from schemas.receipt import Charged, Receipt
from schemas.usage import Usage, UsageSource
from services.domain.pricing.charge import charge
from services.domain.pricing.receipt import receipt_of
from tests.builders.records import TIMESTAMP

PRICE = Price(
    id="test/price",
    provider="openai",
    model="gpt",
    valid_from=None,
    source="a test",
    rates={
        "prompt_tokens": Rate(usd=Decimal("0.000002"), tiers=((200_000, Decimal("0.000004")),)),
        "completion_tokens": Rate(usd=Decimal("0.0000083333333333333")),
    },
)
ZERO = msgspec.structs.replace(PRICE, rates={name: Rate(usd=Decimal(0)) for name in PRICE.rates})
NO_TIER = msgspec.structs.replace(PRICE, rates={}, tier="flex")
USAGE = Usage(prompt_tokens=1000, completion_tokens=7)


def charged(price: Price | None = PRICE, usage: Usage = USAGE, **changes: Any) -> Charged:
    """A row that was charged at `price`, unless reported otherwise."""
    again = charge(usage, price)
    values: dict[str, Any] = {
        "provider": "OPENAI",
        "model": "gpt",
        "request_created_at": TIMESTAMP,
        "service_tier": "",
        "status": 200,
        "outcome": Outcome.COMPLETED,
        "usage": usage,
        "usage_source": UsageSource.PROVIDER,
        "usage_mismatch": False,
        "usage_incomplete": False,
        "cost_usd": again.cost_usd,
        "cost_state": again.state,
        "price_id": again.price_id,
    }
    return Charged(**(values | changes))


def test_the_lines_are_the_sum_by_hand() -> None:
    receipt = receipt_of(charged(), PRICE)
    assert [(line.usage_class, line.quantity, line.unit_usd, line.amount_usd) for line in receipt.lines] == [
        ("prompt_tokens", 1000, Decimal("0.000002"), Decimal("0.002")),
        ("completion_tokens", 7, Decimal("0.0000083333333333333"), Decimal("0.0000583333333333331")),
        ("rounding", 1, Decimal("-0.0000000000003333331"), Decimal("-0.0000000000003333331")),
    ]
    assert (receipt.why, receipt.total_usd, receipt.reconciles) == (None, Decimal("0.002058333333"), True)


@pytest.mark.parametrize(
    ("prompt", "above", "why"),
    [
        (200_000, None, "the prompt has 200000 tokens, not more than 200000"),
        (200_001, 200_000, "the prompt has 200001 tokens, more than 200000: the whole request is charged at that tier"),
    ],
)
def test_the_tier_is_shown_with_its_reason(prompt: int, above: int | None, why: str) -> None:
    tier = receipt_of(charged(usage=Usage(prompt_tokens=prompt)), PRICE).context_tier
    assert tier is not None
    assert (tier.prompt_tokens, tier.above_tokens, tier.why) == (prompt, above, why)


SHORT = msgspec.structs.replace(PRICE, max_prompt_tokens=300_000)


def test_a_prompt_longer_than_its_price_goes_says_so_and_shows_no_price_of_it() -> None:
    row = charged(SHORT, Usage(prompt_tokens=300_000, prompt_cache_read_tokens=1))
    receipt = receipt_of(row, SHORT)
    assert row.cost_state is CostState.PARTIAL
    assert receipt.why is not None
    assert receipt.why.startswith("the prompt has 300001 tokens: prompts above 300000 cost more, and a test does not")
    assert receipt.context_tier is not None
    assert receipt.context_tier.why == receipt.why
    assert [line.unit_usd for line in receipt.lines] == [None, None]
    assert receipt.reconciles


def test_text_without_the_audio_that_includes_it_shows_no_price_of_it() -> None:
    audio = msgspec.structs.replace(ZERO, included_in={"prompt_tokens": "prompt_audio_ms"})
    receipt = receipt_of(charged(audio), audio)
    assert receipt.why == "used without a known price: prompt_tokens"
    assert [line.unit_usd for line in receipt.lines] == [None, Decimal(0)]


def test_what_reported_no_usage_is_a_line_where_each_request_has_a_price() -> None:
    price = msgspec.structs.replace(PRICE, rates={}, usd_per_request=Decimal("0.04"))
    money: dict[str, Any] = {"cost_usd": Decimal("0.04"), "cost_state": CostState.PRICED, "price_id": price.id}
    receipt = receipt_of(charged(usage=Usage(), usage_source=UsageSource.NONE, **money), price)
    assert [(line.usage_class, line.quantity, line.amount_usd) for line in receipt.lines] == [
        ("request", 1, Decimal("0.04"))
    ]
    assert (receipt.total_usd, receipt.reconciles) == (Decimal("0.04"), True)


def test_a_price_without_tiers_says_so() -> None:
    tier = receipt_of(charged(usage=Usage(completion_tokens=1)), PRICE).context_tier
    assert tier is not None
    assert (tier.above_tokens, tier.why) == (None, "the price has no tiers by prompt size")


AUDIO = Usage(prompt_tokens=5, prompt_audio_tokens=10)
UNKNOWN: dict[str, Any] = {"cost_usd": None, "price_id": ""}
PARTIAL: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.PARTIAL}
FREE: dict[str, Any] = {"cost_usd": Decimal(0), "cost_state": CostState.FREE, "price_id": "", "usage": Usage()}
REASONS = [
    (charged(None), None, "no price is known for model 'gpt' of OPENAI"),
    (charged(**UNKNOWN, cost_state=CostState.NO_USAGE, usage=Usage()), None, "the provider reported no usage"),
    (
        charged(**UNKNOWN, cost_state=CostState.NO_USAGE, usage=Usage(), outcome=Outcome.UPSTREAM_ERROR),
        None,
        "the response ended before the provider reported",
    ),
    (charged(**PARTIAL, usage_source=UsageSource.ESTIMATED), PRICE, "tokens are estimated, and never charged"),
    (charged(**PARTIAL, price_id="", usage_source=UsageSource.ESTIMATED), None, "tokens are estimated"),
    (charged(**PARTIAL, usage_mismatch=True), PRICE, "usage is inconsistent"),
    (charged(**PARTIAL, usage_incomplete=True), PRICE, "something was used that no class of usage holds"),
    (charged(usage=AUDIO), PRICE, "used without a known price: prompt_audio_tokens"),
    (charged(NO_TIER), NO_TIER, "no price is known for service tier 'flex'"),
    (charged(usage=Usage(prompt_tokens=2**40)), PRICE, "it would be more than 999999.999999999999 US dollars"),
    (charged(ZERO), ZERO, "everything that was used has a price of zero"),
    (charged(**FREE, outcome=Outcome.CACHED), None, "served from the response cache"),
    (charged(**FREE, outcome=Outcome.REFUSED, status=401), None, "refused by Farebox"),
    (charged(**FREE, outcome=Outcome.PROVIDER_ERROR, status=429), None, "an error response without usage"),
    (charged(**FREE, outcome=Outcome.UPSTREAM_ERROR, status=502), None, "the provider was not reached"),
    (charged(**FREE), None, "nothing is generated by such a request"),
]


@pytest.mark.parametrize(("row", "price", "reported"), REASONS, ids=[reported for *_, reported in REASONS])
def test_a_cost_that_is_unknown_or_nothing_says_why(row: Charged, price: Price | None, reported: str) -> None:
    receipt = receipt_of(row, price)
    assert reported in (receipt.why or "")
    assert receipt.reconciles
    assert receipt.total_usd == row.cost_usd
    if row.cost_usd is None:
        assert [line.amount_usd for line in receipt.lines] == [None] * len(receipt.lines)


def test_what_was_used_is_shown_where_it_could_not_all_be_priced() -> None:
    lines = receipt_of(charged(usage=AUDIO), PRICE).lines
    assert [(line.usage_class, line.quantity, line.unit_usd) for line in lines] == [
        ("prompt_tokens", 5, Decimal("0.000002")),
        ("prompt_audio_tokens", 10, None),
    ]


DEARER = msgspec.structs.replace(PRICE, usd_per_request=Decimal("0.01"))


@pytest.mark.parametrize(
    ("row", "price"),
    [
        (charged(cost_usd=Decimal("0.002058333334")), PRICE),
        (charged(cost_usd=Decimal(0), cost_state=CostState.FREE), PRICE),
        (charged(**PARTIAL), PRICE),
        (charged(), DEARER),
        (charged(), None),
        (charged(usage=AUDIO, cost_usd=Decimal("0.01"), cost_state=CostState.PRICED), PRICE),
    ],
    ids=["another cost", "free", "unknown", "another price", "a price that was not kept", "a class without a price"],
)
def test_a_sum_that_does_not_come_out_is_not_hidden(row: Charged, price: Price | None) -> None:
    receipt: Receipt = receipt_of(row, price)
    assert not receipt.reconciles
