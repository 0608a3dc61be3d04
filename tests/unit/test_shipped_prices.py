"""What the shipped price book says."""

import copy
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelPrice

from schemas.price import CostState
from schemas.usage import Usage
from services.domain.pricing.charge import charge
from services.stores.shipped_prices.book import ShippedPrices, _checked_on
from tests.builders.records import TIMESTAMP

BOOK = ShippedPrices()


def _input_usd(provider: str, model: str, timestamp: datetime = TIMESTAMP, tier: str = "") -> Decimal:
    price = BOOK.price_at(provider, model, timestamp, tier)
    assert price is not None
    return price.rates["prompt_tokens"].usd


@pytest.mark.parametrize(
    ("model", "seller"),
    [
        ("gpt-4o-mini-2024-07-18", "OPENAI"),
        ("claude-sonnet-4-20250514", "ANTHROPIC"),
        ("gemini-2.5-flash", "GOOGLE"),
        ("grok-4", "X"),
    ],
)
def test_a_call_logged_without_a_provider_has_the_price_of_its_models_only_seller(model: str, seller: str) -> None:
    price = BOOK.price_at("CUSTOM", model, TIMESTAMP)
    assert price is not None
    assert price == BOOK.price_at(seller, model, TIMESTAMP)


@pytest.mark.parametrize("model", ["deepseek-chat", "mixtral-8x7b-instruct", "gpt-oss-20b", "my-claude", "tool:x", ""])
def test_a_call_logged_without_a_provider_has_no_price_where_its_model_may_come_from_anywhere(model: str) -> None:
    assert BOOK.price_at("CUSTOM", model, TIMESTAMP) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("OPENAI", "no-such-model"),
        ("OPENAI", ""),
        ("CUSTOM", "gpt-oss-120b"),
        ("OPENAI", "gpt-oss-120b"),
        ("OPENAI", "gpt-oss-safeguard-20b"),
        ("AZURE", "gpt-oss-120b"),
        ("AZURE", "DeepSeek-R1"),
        ("AZURE", "grok-4"),
        ("AZURE", "kimi-k2.5"),
        ("https://example.org", "gpt-4o"),
        ("", ""),
    ],
)
def test_what_the_book_does_not_know_has_no_price(provider: str, model: str) -> None:
    assert BOOK.price_at(provider, model, TIMESTAMP) is None


def test_a_price_says_where_it_comes_from_and_since_when_it_holds() -> None:
    price = BOOK.price_at("MISTRAL", "mistral-small-latest", TIMESTAMP)
    assert price is not None
    assert price.source.startswith("genai-prices ")
    assert price.valid_from == datetime(2026, 3, 16, tzinfo=UTC)
    name = f"{price.source.replace(' ', '-')}:mistral/mistral-small-latest@2026-03-16"
    assert re.fullmatch(rf"{re.escape(name)}#[0-9a-f]{{8}}", price.id)


def test_a_price_names_the_page_of_its_seller_and_the_day_of_its_last_check() -> None:
    avian, azure = (
        BOOK.price_at("AVIAN", "Meta-Llama-3.1-8B-Instruct", TIMESTAMP),
        BOOK.price_at("AZURE", "gpt-4o", TIMESTAMP),
    )
    assert avian is not None
    assert azure is not None
    assert avian.page_url == "https://avian.io/pricing/"
    assert azure.page_url == "https://developers.openai.com/api/docs/pricing"  # whose list it is
    assert azure.checked_on is None  # the package does not say
    gemini = BOOK.price_at("GOOGLE", "gemini-2.0-flash", TIMESTAMP)
    assert gemini is not None
    assert gemini.checked_on == date(2026, 10, 15)


@pytest.mark.parametrize(
    ("comments", "day"),
    [
        ("Prices and model IDs checked against https://avian.io/docs/ on 2026-10-09.", date(2026, 10, 9)),
        ("not listed in the catalog (checked 2026-10-09); kept", date(2026, 10, 9)),
        ("Checked on 2026-10-09. Later checked 2026-11-03.", date(2026, 11, 3)),
        ("The list rates applied from 2026-10-20.", None),
        ("", None),
    ],
)
def test_the_day_of_a_check_is_what_the_package_says(comments: str, day: date | None) -> None:
    assert _checked_on(comments) == day


def test_a_price_that_changed_is_the_one_of_its_day() -> None:
    old = datetime(2026, 3, 15, 23, 59, 59, tzinfo=UTC)
    new = datetime(2026, 3, 16, tzinfo=UTC)
    assert _input_usd("MISTRAL", "mistral-small-latest", old) != _input_usd("MISTRAL", "mistral-small-latest", new)


def test_a_price_by_the_hour_is_the_one_of_its_hour_and_says_so() -> None:
    before_september = datetime(2025, 9, 4, tzinfo=UTC)
    day, night = before_september.replace(hour=12), before_september.replace(hour=20)
    assert (_input_usd("DEEPSEEK", "deepseek-chat", day), _input_usd("DEEPSEEK", "deepseek-chat", night)) == (
        Decimal("0.00000027"),
        Decimal("0.000000135"),
    )
    price = BOOK.price_at("DEEPSEEK", "deepseek-chat", day)
    assert price is not None
    assert "@alwaysT00:30-16:30#" in price.id


@pytest.mark.parametrize(
    ("provider", "model", "seller"), [("AZURE", "gpt-4o", "OPENAI"), ("AZURE", "claude-sonnet-4-5", "ANTHROPIC")]
)
def test_a_price_names_the_seller_whose_list_has_it(provider: str, model: str, seller: str) -> None:
    price = BOOK.price_at(provider, model, TIMESTAMP)
    assert price is not None
    assert price == BOOK.price_at(seller, model, TIMESTAMP)
    assert (price.provider, f":{seller.lower()}/" in price.id) == (seller.lower(), True)


@pytest.mark.parametrize(("provider", "model"), [("GROQ", "openai/gpt-oss-120b"), ("TOGETHER", "openai/gpt-oss-120b")])
def test_open_weights_have_the_price_of_who_serves_them(provider: str, model: str) -> None:
    assert BOOK.price_at(provider, model, TIMESTAMP) is not None


@pytest.mark.parametrize(
    ("provider", "model", "above"),
    [
        ("ANTHROPIC", "claude-sonnet-4-20250514", 200_000),
        ("AWS", "us.anthropic.claude-sonnet-4-20250514-v1:0", 200_000),
        ("BEDROCK", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", 200_000),
        ("VERTEX", "claude-sonnet-4@20250514", 200_000),
        ("OPENROUTER", "anthropic/claude-sonnet-4", 200_000),
        ("X", "grok-4", 127_999),
        ("XAI", "grok-4-fast", 127_999),
        ("X", "grok-4-1-fast-non-reasoning", 127_999),
    ],
)
def test_a_longer_prompt_is_not_charged_by_a_price_that_ends_before_it(provider: str, model: str, above: int) -> None:
    price = BOOK.price_at(provider, model, TIMESTAMP)
    within, beyond = (charge(Usage(prompt_tokens=above + more, completion_tokens=1), price) for more in (0, 1))
    assert (within.state, beyond.state, beyond.cost_usd) == (CostState.PRICED, CostState.PARTIAL, None)
    assert charge(Usage(prompt_tokens=1, prompt_cache_read_tokens=above), price).state is CostState.PARTIAL


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("ANTHROPIC", "claude-sonnet-4-5"),
        ("ANTHROPIC", "claude-opus-4-1"),
        ("X", "grok-4.20"),
        ("GOOGLE", "gemini-2.5-pro"),
    ],
)
def test_a_price_with_tiers_of_its_own_or_one_for_all_prompts_has_no_end(provider: str, model: str) -> None:
    price = BOOK.price_at(provider, model, TIMESTAMP)
    assert price is not None
    assert price.max_prompt_tokens is None


def test_a_price_for_all_prompts_ends_where_it_was_none_yet() -> None:
    long = Usage(prompt_tokens=200_001)
    for day, state in ((12, CostState.PARTIAL), (13, CostState.PRICED)):
        timestamp = datetime(2026, 3, day, tzinfo=UTC)
        price = BOOK.price_at("AWS", "global.anthropic.claude-sonnet-4-6", timestamp)
        assert charge(long, price).state is state


@pytest.mark.parametrize("model", ["deepseek-chat", "deepseek-reasoner", "deepseek-r1"])
def test_a_price_that_is_known_to_have_ended_is_none(model: str) -> None:
    end = datetime(2025, 9, 5, 16, tzinfo=UTC)
    assert BOOK.price_at("DEEPSEEK", model, end - timedelta(milliseconds=1)) is not None
    assert BOOK.price_at("DEEPSEEK", model, end) is None
    assert BOOK.price_at("DEEPSEEK", model, end, "flex") is None
    assert "ended on 2025-09-05" in BOOK.why_unpriced("DEEPSEEK", model, end)


@pytest.mark.parametrize(
    ("model", "timestamp", "input_usd"),
    [
        ("deepseek-v4-pro", "2026-11-20T02:00Z", "0.00000132"),  # a Friday
        ("deepseek-v4-pro", "2026-11-20T05:00Z", "0.00000066"),
        ("deepseek-v4-pro", "2026-11-21T02:00Z", "0.00000066"),
        ("deepseek-v4-pro", "2026-11-22T07:00Z", "0.00000066"),
        ("deepseek-v4-pro", "2026-11-22T05:00Z", "0.00000066"),
        ("deepseek-v4-pro", "2026-08-22T02:00Z", "0.00000132"),  # a Saturday before weekends were off-peak
        ("deepseek-v4-flash", "2026-08-23T02:00Z", "0.00000022"),
        ("deepseek-v4-pro", "2026-08-14T02:00Z", None),  # before any hour had a price of its own
        ("deepseek-v4-pro", "2026-08-14T05:00Z", "0.000000435"),
        ("deepseek-v4-flash", "2026-09-09T02:00Z", None),  # which is that of the day after
        ("deepseek-flash", "2026-11-21T02:00Z", "0.00000015"),
        ("deepseek-flash", "2026-10-07T02:00Z", "0.00000015"),  # a holiday
        ("deepseek-flash", "2026-10-08T02:00Z", "0.0000003"),
        ("deepseek-v4-pro", "2026-08-16T15:59Z", "0.000000435"),
        ("deepseek-v4-pro", "2026-08-16T16:00Z", None),
        ("deepseek-v4-pro", "2026-08-17T00:00Z", "0.00000066"),
    ],
)
def test_an_hour_has_a_price_only_where_it_is_known_to_hold(model: str, timestamp: str, input_usd: str | None) -> None:
    at = datetime.fromisoformat(timestamp)
    if input_usd is None:
        assert BOOK.price_at("DEEPSEEK", model, at) is None
        assert BOOK.why_unpriced("DEEPSEEK", model, at)
    else:
        assert _input_usd("DEEPSEEK", model, at) == Decimal(input_usd)
        assert not BOOK.why_unpriced("DEEPSEEK", model, at)


def test_what_is_missing_of_a_price_is_said_with_what_helps() -> None:
    why = BOOK.why_unpriced("ANTHROPIC", "claude-sonnet-4-20250514", TIMESTAMP)
    assert "more than 200,000 tokens" in why
    assert "--above 200000:CLASS=USD" in why
    assert BOOK.why_unpriced("ANTHROPIC", "claude-opus-4-1", TIMESTAMP) == ""
    assert BOOK.why_unpriced("OPENAI", "no-such-model", TIMESTAMP) == ""


def test_what_a_fine_tuned_model_read_from_the_cache_has_no_price() -> None:
    cached = Usage(prompt_tokens=1, prompt_cache_read_tokens=1)
    tuned, plain = (BOOK.price_at("OPENAI", name, TIMESTAMP) for name in ("ft:gpt-4o-2024-08-06:acme::a", "gpt-4"))
    assert charge(cached, tuned).state is CostState.PARTIAL
    assert charge(Usage(prompt_tokens=1), tuned).state is CostState.PRICED
    assert charge(cached, plain).state is CostState.PRICED


@pytest.mark.parametrize(
    ("provider", "model"),
    [("MISTRAL", "voxtral-mini-latest"), ("GROQ", "whisper-large-v3"), ("OPENAI", "whisper-1")],
)
def test_text_is_included_in_the_price_of_audio_only_where_there_was_some(provider: str, model: str) -> None:
    price = BOOK.price_at(provider, model, TIMESTAMP)
    for usage in (Usage(prompt_tokens=9), Usage(completion_tokens=9), Usage(reasoning_tokens=9)):
        assert charge(usage, price).state is CostState.PARTIAL


def test_text_beside_audio_that_is_sold_by_its_length_costs_nothing_more() -> None:
    price = BOOK.price_at("OPENAI", "whisper-1", TIMESTAMP)
    beside = Usage(prompt_tokens=9, prompt_audio_ms=60_000, completion_tokens=9, reasoning_tokens=9)
    assert charge(beside, price).cost_usd == charge(Usage(prompt_audio_ms=60_000), price).cost_usd == Decimal("0.006")


def test_a_dated_model_has_the_price_of_its_family() -> None:
    assert _input_usd("OPENAI", "gpt-4o-mini-2024-07-18") == _input_usd("OPENAI", "gpt-4o-mini")


def test_a_tier_has_its_own_prices_or_none() -> None:
    assert _input_usd("OPENAI", "gpt-5", tier="flex") == Decimal("0.000000625")
    for provider, model, tier in [
        ("OPENAI", "gpt-5", "scale"),
        ("AZURE", "gpt-5", "flex"),
        ("OPENAI", "gpt-4", "flex"),
    ]:
        price = BOOK.price_at(provider, model, TIMESTAMP, tier)
        assert price is not None
        assert (price.rates, price.tier) == ({}, tier)


def test_a_tier_is_not_priced_for_times_before_its_price_was_known() -> None:
    price = BOOK.price_at("OPENAI", "gpt-5", datetime(2026, 1, 1, tzinfo=UTC), "flex")
    assert price is not None
    assert price.rates == {}


def test_a_model_that_is_sold_as_free_is_free_and_one_without_prices_is_not() -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=10)
    free = charge(usage, BOOK.price_at("OPENROUTER", "deepseek/deepseek-chat-v3-0324:free", TIMESTAMP))
    assert (free.cost_usd, free.state) == (Decimal(0), CostState.FREE)
    assert charge(usage, BOOK.price_at("CEREBRAS", "qwen-3-coder-480b", TIMESTAMP)).state is CostState.PARTIAL


def test_a_name_that_openrouter_gives_to_free_models_is_free_where_the_package_does_not_know_it() -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=10)
    price = BOOK.price_at("OPENROUTER", "acme/new-model:free", TIMESTAMP)
    assert (charge(usage, price).cost_usd, charge(usage, price).state) == (Decimal(0), CostState.FREE)
    assert charge(Usage(web_searches=1), price).state is CostState.PARTIAL
    assert BOOK.price_at("GROQ", "acme/new-model:free", TIMESTAMP) is None
    assert BOOK.price_at("CUSTOM", "acme/new-model:free", TIMESTAMP) is None


def test_names_without_end_do_not_fill_the_memory() -> None:
    book = ShippedPrices()
    for number in range(10_050):
        book.price_at("CUSTOM", f"m-{number}", TIMESTAMP)
    assert len(book._models) <= 10_000


def test_an_id_names_one_content_and_no_other() -> None:
    """A newer package may say something else under the same version, when it was patched by hand, say."""
    providers = copy.deepcopy(get_snapshot().providers)
    (gpt_4o,) = (model for one in providers if one.id == "openai" for model in one.models if model.id == "gpt-4o")
    assert isinstance(gpt_4o.prices, ModelPrice)
    vars(gpt_4o.prices)["output_mtok"] = Decimal("9.99")
    changed = ShippedPrices(DataSnapshot(providers=providers, from_auto_update=False))
    before, after = BOOK.price_at("OPENAI", "gpt-4o", TIMESTAMP), changed.price_at("OPENAI", "gpt-4o", TIMESTAMP)
    assert before is not None
    assert after is not None
    assert before.id.partition("#")[0] == after.id.partition("#")[0]
    assert before.id != after.id
    assert BOOK.price_at("OPENAI", "gpt-4o-mini", TIMESTAMP) == changed.price_at("OPENAI", "gpt-4o-mini", TIMESTAMP)


ID_OF = """
import sys
from datetime import datetime
from services.stores.shipped_prices.book import ShippedPrices, _checked_on
price = ShippedPrices().price_at("OPENAI", "gpt-5", datetime.fromisoformat(sys.argv[1]), "flex")
print(price.id)
"""


def test_an_id_is_the_same_in_every_process() -> None:
    price = BOOK.price_at("OPENAI", "gpt-5", TIMESTAMP, "flex")
    assert price is not None
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", ID_OF, TIMESTAMP.isoformat()],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == price.id


@pytest.mark.parametrize(
    ("model", "tier", "per_request"),
    [
        ("sonar", "search-low", "0.005"),
        ("sonar", "search-high", "0.012"),
        ("sonar-pro", "search-medium", "0.01"),
        ("sonar", "", "0.012"),
    ],
)
def test_the_fee_of_a_request_depends_on_how_deeply_it_searched(model: str, tier: str, per_request: str) -> None:
    price = BOOK.price_at("PERPLEXITY", model, TIMESTAMP, tier)
    assert price is not None
    assert price.usd_per_request == Decimal(per_request)
    assert charge(Usage(prompt_tokens=1, web_searches=7), price).state is CostState.PRICED


@pytest.mark.parametrize(("model", "tier"), [("sonar", "search-abyssal"), ("sonar", "flex"), ("sonar-pro", "search-")])
def test_a_depth_that_nobody_published_has_no_price(model: str, tier: str) -> None:
    price = BOOK.price_at("PERPLEXITY", model, TIMESTAMP, tier)
    assert price is not None
    assert (price.rates, price.usd_per_request) == ({}, Decimal(0))


def test_a_depth_does_not_matter_where_no_request_has_a_fee() -> None:
    price = BOOK.price_at("PERPLEXITY", "sonar-deep-research", TIMESTAMP, "search-low")
    standard = BOOK.price_at("PERPLEXITY", "sonar-deep-research", TIMESTAMP)
    assert price is not None
    assert standard is not None
    assert price.rates == standard.rates


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [("MISTRAL", "voxtral-mini-2602", "0.18"), ("OPENAI", "whisper-1", "0.36"), ("GROQ", "whisper-large-v3", "0.111")],
)
def test_a_price_by_the_hour_stays_one(provider: str, model: str, usd: str) -> None:
    price = BOOK.price_at(provider, model, TIMESTAMP)
    assert price is not None
    rate = price.rates["prompt_audio_ms"]
    assert (rate.usd, rate.per) == (Decimal(usd), 3_600_000)


# 0.111 US dollars / 3600 x 7 = 0.000215833..., and 0.04 / 3600 x 61 = 0.000677777...
@pytest.mark.parametrize(
    ("model", "seconds", "billed", "cost_usd", "line_usd"),
    [
        ("whisper-large-v3", 3600, 3600, "0.111", "0.111"),
        ("whisper-large-v3", 60, 60, "0.00185", "0.00185"),
        ("whisper-large-v3", 61, 61, "0.001880833333", "0.001880833333333333333333"),
        ("whisper-large-v3-turbo", 61, 61, "0.000677777778", "0.000677777777777777777778"),
        ("whisper-large-v3", 7, 10, "0.000308333333", "0.000308333333333333333333"),  # ten seconds are the least
        ("whisper-large-v3", 10, 10, "0.000308333333", "0.000308333333333333333333"),
    ],
)
def test_audio_is_charged_exactly_whether_or_not_its_hour_divides(
    model: str, seconds: int, billed: int, cost_usd: str, line_usd: str
) -> None:
    price = BOOK.price_at("GROQ", model, TIMESTAMP)
    assert price is not None
    charged = charge(Usage(prompt_audio_ms=seconds * 1000), price)
    line, *rounding = charged.lines
    assert (line.quantity, line.per, line.unit_usd) == (billed * 1000, 3_600_000, price.rates["prompt_audio_ms"].usd)
    assert (charged.cost_usd, line.amount_usd) == (Decimal(cost_usd), Decimal(line_usd))
    assert line.amount_usd + sum(one.amount_usd for one in rounding) == charged.cost_usd


def test_a_model_that_searches_does_not_take_the_fee_of_the_model_whose_tokens_it_shares() -> None:
    searching, plain = (
        BOOK.price_at("OPENAI", name, TIMESTAMP) for name in ("gpt-4o-mini-search-preview-2025-03-11", "gpt-4o-mini")
    )
    assert searching is not None
    assert plain is not None
    assert searching.rates["prompt_tokens"] == plain.rates["prompt_tokens"]
    assert ("web_searches" in searching.rates, "web_searches" in plain.rates) == (False, True)


def test_images_and_video_have_prices_of_their_own_where_they_are_listed_apart() -> None:
    price = BOOK.price_at("GOOGLE", "gemini-embedding-2", TIMESTAMP)
    for used, usd in (("prompt_tokens", "0.20"), ("prompt_image_tokens", "0.45"), ("prompt_video_tokens", "12")):
        assert charge(Usage(**{used: 10**6}), price).cost_usd == Decimal(usd)


def test_a_model_of_speech_bills_its_audio_as_output() -> None:
    price = BOOK.price_at("GOOGLE", "gemini-2.5-pro-preview-tts", TIMESTAMP)
    assert charge(Usage(completion_audio_tokens=10**6), price).cost_usd == 20
    written = BOOK.price_at("GOOGLE", "gemini-2.5-pro", TIMESTAMP)
    assert charge(Usage(completion_audio_tokens=10**6), written).state is CostState.PARTIAL


def test_tiers_without_end_do_not_fill_the_memory() -> None:
    book = ShippedPrices()
    for number in range(300):
        book.price_at("OPENAI", "gpt-5", TIMESTAMP, f"tier-{number}")
    again = book.price_at("OPENAI", "gpt-5", TIMESTAMP, "tier-1")
    assert again is not None
    assert again.rates == {}


@pytest.mark.parametrize(
    ("name", "ours", "model"),
    [
        ("VERTEX", "GOOGLE", "gemini-2.5-pro"),
        ("VERTEX_AI", "GOOGLE", "claude-sonnet-4-5@20250929"),
        ("GEMINI", "GOOGLE", "gemini-2.5-flash"),
        ("GOOGLE-AI-STUDIO", "GOOGLE", "gemini-2.5-flash"),
        ("XAI", "X", "grok-4"),
        ("TOGETHER_AI", "TOGETHER", "meta-llama/Meta-Llama-3-70B-Instruct-Lite"),
        ("BEDROCK", "AWS", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ],
)
def test_a_provider_has_its_prices_under_each_of_its_names(name: str, ours: str, model: str) -> None:
    price = BOOK.price_at(ours, model, TIMESTAMP)
    assert price is not None
    assert BOOK.price_at(name, model, TIMESTAMP) == price


@pytest.mark.parametrize("name", ["LOCAL", "DEEPINFRA", "NEBIUS", "VERCEL", "HELICONE", "QSTASH", "CHUTES"])
def test_a_provider_without_published_prices_sells_at_none(name: str) -> None:
    assert BOOK.price_at(name, "gpt-4o", TIMESTAMP) is None


def test_throughput_that_was_paid_beforehand_has_no_price_by_the_token() -> None:
    price = BOOK.price_at("VERTEX", "gemini-2.5-pro", TIMESTAMP, "provisioned_throughput")
    assert price is not None
    assert charge(Usage(prompt_tokens=1), price).state is CostState.PARTIAL
