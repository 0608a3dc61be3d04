"""PriceBook on the price data that the `genai-prices` package ships: dated, and never refreshed behind anyone's back.

The package matches providers and models; what it knows of a model is turned into rates by our usage classes once.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

import genai_prices
import msgspec
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from schemas.price import Price, Rate

# Our provider names, which are Helicone's, and the package's.
PROVIDERS: Final[Mapping[str, str]] = {
    "OPENAI": "openai",
    "ANTHROPIC": "anthropic",
    "AZURE": "azure",
    "AVIAN": "avian",
    "AWS": "aws",
    "BASETEN": "baseten",
    "BEDROCK": "aws",
    "CEREBRAS": "cerebras",
    "CLOUDFLARE": "cloudflare",
    "COHERE": "cohere",
    "DEEPSEEK": "deepseek",
    "FIREWORKS": "fireworks",
    "GOOGLE": "google",
    "GROQ": "groq",
    "MISTRAL": "mistral",
    "NOVITA": "novita",
    "OPENROUTER": "openrouter",
    "PERPLEXITY": "perplexity",
    "TOGETHER": "together",
    "X": "x-ai",
}

# Calls logged without a provider. Their model names its seller where only one sells it, at one price whoever calls.
# Models with open weights run anywhere, at any price or at none, so theirs stays unknown.
CUSTOM: Final = "CUSTOM"
_SOLE_SELLERS: Final = frozenset({"openai", "anthropic", "google", "x-ai", "voyageai"})
_OPEN_WEIGHTS: Final = re.compile(r"gpt-oss|gemma")

# Usage class -> where its price stands in the package, the first that is there.
_PLACES: Final[Mapping[str, Sequence[str]]] = {
    "prompt_tokens": ("input_mtok",),
    "prompt_cache_read_tokens": ("cache_read_mtok",),
    "prompt_cache_write_5m_tokens": ("cache_write_5m_mtok", "cache_write_mtok"),
    "prompt_cache_write_1h_tokens": ("cache_write_1h_mtok",),
    "prompt_audio_tokens": ("input_audio_mtok",),
    "prompt_image_tokens": ("input_image_mtok",),
    "completion_tokens": ("output_mtok",),
    "reasoning_tokens": ("output_reasoning_mtok",),
    "completion_audio_tokens": ("output_audio_mtok",),
    "completion_image_tokens": ("output_image_mtok",),
    "web_searches": ("web_searches_kcount",),
}

_PRICED: Final = tuple(names[0] for names in _PLACES.values())

# Where the provider says that it bills a class without a price of its own as another one.
# OpenAI: models without a cached input price have no discount; image models have one output price, for images.
# Google: one price for text, image and video input unless the page lists them apart.
_OPENAI: Final = {"prompt_cache_read_tokens": "prompt_tokens", "completion_image_tokens": "completion_tokens"}
_BILLED_AS: Final[Mapping[str, Mapping[str, str]]] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "google": {"prompt_image_tokens": "prompt_tokens"},
}

_MOST_REMEMBERED: Final = 10_000
_Key = tuple[int, tuple[int, ...], str]


class ShippedPrices:
    """The prices inside the installed package. Answers come from memory after the first question about a model."""

    def __init__(self, snapshot: DataSnapshot | None = None) -> None:
        self._snapshot = snapshot or get_snapshot()
        self._models: dict[tuple[str, str], _Model | None] = {}

    def price_at(self, provider: str, model: str, moment: datetime, tier: str = "") -> Price | None:
        """The price in force at `moment`; None when the model is unknown."""
        key = (provider, model)
        try:
            known = self._models[key]
        except KeyError:
            known = self._find(provider, model)
            if len(self._models) >= _MOST_REMEMBERED:  # callers may make up names without end
                self._models.clear()
            self._models[key] = known
        return known.price_at(moment, tier) if known is not None else None

    def _find(self, provider: str, model: str) -> "_Model | None":
        name = PROVIDERS.get(provider)
        if (name is None and provider != CUSTOM) or not model:
            return None
        try:
            owner, info = self._snapshot.find_provider_model(model, None, name, None)
        except LookupError:
            return None
        if provider == CUSTOM and (owner.id not in _SOLE_SELLERS or _OPEN_WEIGHTS.search(info.id)):
            return None
        # A provider that sells another one's models has its standard prices, but tiers of its own.
        own = any(info is model for model in owner.models)
        return _Model(owner.id, info, (info.price_variants or []) if own else [])


class _Model:
    """One model's prices over time."""

    def __init__(self, provider: str, info: ModelInfo, tiers: Sequence[PriceVariant]) -> None:
        self._provider = provider
        self._info = info
        self._tiers = tiers
        prices = info.prices
        self._dated = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
        self._made: dict[_Key, Price] = {}

    def price_at(self, moment: datetime, tier: str) -> Price:
        standard = self._standard(moment)
        variants = tuple(self._variants(moment, tier)) if tier else ()
        key = (standard, variants, tier)
        price = self._made.get(key)
        if price is None:
            price = self._made[key] = self._make(standard, variants, tier)
        return price

    def _standard(self, moment: datetime) -> int:
        """The last dated price whose condition holds, as the package chooses; the first when none does."""
        for index in range(len(self._dated) - 1, 0, -1):
            constraint = self._dated[index].constraint
            if constraint is None or constraint.active(moment):
                return index
        return 0

    def _variants(self, moment: datetime, tier: str) -> Iterator[int]:
        for index, variant in enumerate(self._tiers):
            asked_for = tier in variant.when.values() and len(variant.when) == 1
            if asked_for and (variant.constraint is None or variant.constraint.active(moment)):
                yield index

    def _make(self, standard: int, variants: tuple[int, ...], tier: str) -> Price:
        chosen = self._dated[standard]
        overlays = [self._tiers[index] for index in variants]
        places = _places(chosen.prices, overlays)
        if tier and not overlays:
            places = {}  # the standard prices are not this tier's
        elif not places and self._info.id.endswith(":free"):
            places = dict.fromkeys(_PRICED, Decimal(0))  # no price at all may be a gap; under this name it is a promise
        since = _since(chosen, overlays)
        price = Price(
            id=_name(self._provider, self._info.id, chosen, since, tier),
            provider=self._provider,
            model=self._info.id,
            valid_from=since,
            source=f"genai-prices {genai_prices.__version__}",
            rates=_rates(self._provider, places),
            usd_per_request=_per_request(places),
            tier=tier,
        )
        return msgspec.structs.replace(price, id=f"{price.id}#{_digest(price)}")


def _places(standard: ModelPrice, overlays: Sequence[PriceVariant]) -> dict[str, Decimal | TieredPrices]:
    """The prices by the package's names; of several overlays the first that prices a name wins."""
    places = {name: value for name, value in vars(standard).items() if value is not None}
    for overlay in reversed(overlays):
        places.update({name: value for name, value in vars(overlay.prices).items() if value is not None})
    return places


def _rates(provider: str, places: Mapping[str, Decimal | TieredPrices]) -> dict[str, Rate]:
    rates = {}
    for usage_class, names in _PLACES.items():
        found = next((name for name in names if name in places), None)
        if found is not None:
            rates[usage_class] = _rate(places[found], -3 if found.endswith("_kcount") else -6)
    for usage_class, as_class in _BILLED_AS.get(provider, {}).items():
        if usage_class not in rates and as_class in rates:
            rates[usage_class] = rates[as_class]
    return rates


def _rate(value: Decimal | TieredPrices, exponent: int) -> Rate:
    """Per unit. Moving the decimal point is exact where dividing might not be."""
    if isinstance(value, TieredPrices):
        tiers = tuple((tier.start, tier.price.scaleb(exponent)) for tier in value.tiers)
        return Rate(usd=value.base.scaleb(exponent), tiers=tiers)
    return Rate(usd=value.scaleb(exponent))


def _per_request(places: Mapping[str, Decimal | TieredPrices]) -> Decimal:
    value = places.get("requests_kcount", Decimal(0))
    return _rate(value, -3).usd


def _since(chosen: ConditionalPrice, overlays: Sequence[PriceVariant]) -> datetime | None:
    constraints = [chosen.constraint, *(overlay.constraint for overlay in overlays)]
    starts = [one.start_date for one in constraints if isinstance(one, StartDateConstraint)]
    return datetime.combine(max(starts), time(), UTC) if starts else None


def _digest(price: Price) -> str:
    """The same in every process; another one when anything in the price is."""
    return hashlib.sha256(msgspec.json.encode(price, order="deterministic")).hexdigest()[:8]


def _name(provider: str, model: str, chosen: ConditionalPrice, since: datetime | None, tier: str) -> str:
    """For example genai-prices-0.2.3:openai/gpt-5@2026-10-12+flex: source, provider, model, valid-from, tier.

    With the digest, #1f0c95ab, it is the price's id, and no other content has it.
    """
    start = since.date().isoformat() if since else "always"
    hours = ""
    if isinstance(chosen.constraint, TimeOfDateConstraint):
        hours = f"T{chosen.constraint.start_time:%H:%M}-{chosen.constraint.end_time:%H:%M}"
    named_tier = f"+{tier}" if tier else ""
    return f"genai-prices-{genai_prices.__version__}:{provider}/{model}@{start}{hours}{named_tier}"
