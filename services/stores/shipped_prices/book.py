"""PriceBook on the price data that the `genai-prices` package ships: dated, and never updated but by a release.

The package matches providers and models; its prices of a model are converted into rates by our usage classes once.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

import genai_prices
import msgspec
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TimeOfDateConstraint,
)

from schemas.price import PRICING_VERSION, Price
from services.domain.providers.catalog import price_list_of
from services.domain.providers.others import CUSTOM
from services.domain.providers.price_list import PriceGap, PriceList
from services.stores.shipped_prices.mapping import (
    PRICED,
    at_search_depth,
    has_tiers,
    included_in,
    price_fields,
    rates_of,
    usd_per_request,
)
from services.stores.shipped_prices.names import NAMES, UNRECORDED, model_meant, seller_of, without_vendor

# OpenAI's models that search before each response pay more for it than those whose tokens' prices they share.
_SEARCH_MODEL: Final = re.compile(r"-search-(?:preview|api)")

_CHECKED: Final = re.compile(r"[Cc]hecked(?:[^.;]|\.(?=\S)){0,120}?\b(\d{4}-\d\d-\d\d)")
_MAX_NAMED: Final = 6
_MAX_NEAREST: Final = 3
_MAX_REMEMBERED: Final = 10_000
_MAX_TIERS: Final = 100
_Key = tuple[int, tuple[int, ...], str, int | None]


class ShippedPrices:
    """The prices inside the installed package. A model's are cached once they were looked up."""

    def __init__(self, snapshot: DataSnapshot | None = None) -> None:
        self._snapshot = snapshot or get_snapshot()
        self._models: dict[tuple[str, str], _Model | None] = {}

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        """The price in force at `timestamp`; None when the model is unknown."""
        key = (provider, model_meant(seller_of(provider), model, timestamp))
        try:
            known = self._models[key]
        except KeyError:
            known = self._find(*key)
            if len(self._models) >= _MAX_REMEMBERED:  # clients may send any number of names
                self._models.clear()
            self._models[key] = known
        return known.price_at(timestamp, tier) if known is not None else None

    def _find(self, provider: str, model: str) -> "_Model | None":
        is_custom = provider == CUSTOM.name
        seller = seller_of(provider)
        if (seller is None and not is_custom) or not model:
            return None
        found = self._find_model(seller, model)
        if found is None:
            return None
        requested, info = found
        lister = self._lister(info) or requested
        listed = price_list_of(lister.id)
        if not _is_sold_by(requested.id, listed, info) or (is_custom and not _has_one_price(listed, info)):
            return None
        # A provider that sells another one's models has its standard prices, but tiers of its own.
        tiers = (info.price_variants or []) if requested.id == listed.seller else []
        page_url = next(iter(lister.pricing_urls or ()), "")
        return _Model(listed, info, tiers, page_url, searches=_SEARCH_MODEL.search(model) is not None)

    def _find_model(self, seller: str | None, model: str) -> "tuple[Provider, ModelInfo] | None":
        """The name as it is, else without the vendor before it; else what is free by its name."""
        name = model
        while name:
            try:
                return self._snapshot.find_provider_model(name, None, seller, None)
            except LookupError:
                seller = seller or seller_of(name.partition("/")[0])
                name = without_vendor(name, seller)
        if seller is None or not re.fullmatch(price_list_of(seller).free, model):
            return None
        free = ModelInfo(id=model, match=ClauseEquals(model), prices=ModelPrice())
        return next(one for one in self._snapshot.providers if one.id == seller), free

    @property
    def release(self) -> str:
        return f"pricing {PRICING_VERSION} with genai-prices {genai_prices.__version__}"

    def why_unpriced(self, provider: str, model: str, timestamp: datetime) -> str:
        """What is known to be missing of a model's prices at `timestamp`, as a sentence; '' when nothing is."""
        known = self._find(provider, model_meant(seller_of(provider), model, timestamp))
        if known is not None:
            return known.why_unpriced(timestamp)
        return self._why_unnamed(provider, model) if seller_of(provider) is None else ""

    def nearest(self, provider: str, model: str, timestamp: datetime) -> Price | None:
        """The price of the known model whose name is most like `model`; None where none is. A hint for people only."""
        seller = seller_of(provider)
        listed = [one for one in self._snapshot.providers if seller is None or one.id == seller]
        named = {info.id.lower(): (one.id, info.id) for one in listed for info in one.models}
        for name in get_close_matches(model.lower(), named, n=_MAX_NEAREST):
            price = self.price_at(*named[name], timestamp)
            if price is not None and price.rates:
                return price
        return None

    def _why_unnamed(self, provider: str, model: str) -> str:
        """Whose name would have a price, where the provider's has no list; '' where nobody's has."""
        vendor = seller_of(model.partition("/")[0])
        sellers = (
            [vendor] if vendor else [one.id for one in self._snapshot.providers if model and one.find_model(model)]
        )
        if not sellers:
            return ""
        known_first = sorted((NAMES[seller] for seller in sellers), key=lambda name: name in UNRECORDED)
        names = ", ".join(known_first[:_MAX_NAMED])
        return f"No prices are known of provider {provider!r}. Log these calls under the one that was called: {names}."

    def _lister(self, info: ModelInfo) -> Provider | None:
        """The seller whose list has `info`: not always the provider it was found for."""
        return next((one for one in self._snapshot.providers if any(info is model for model in one.models)), None)


def _is_sold_by(requested: str, listed: PriceList, info: ModelInfo) -> bool:
    """Others than the lister, and those it sells for, may charge more or less for a model that is found in its list."""
    if listed.not_sold and re.search(listed.not_sold, info.id):
        return False
    resells = listed.seller in price_list_of(requested).resells and not _by_the_hour(info)
    return requested == listed.seller or resells


def _has_one_price(listed: PriceList, info: ModelInfo) -> bool:
    """Whether a model's name fixes its price, for calls logged without a provider. Open weights run at any price."""
    return listed.is_sole_seller and not (listed.open_weights and re.search(listed.open_weights, info.id))


def _by_the_hour(info: ModelInfo) -> bool:
    return not isinstance(info.prices, ModelPrice) and any(map(_of_hours, info.prices))


class _Model:
    """One model's prices over time."""

    def __init__(
        self, listed: PriceList, info: ModelInfo, tiers: Sequence[PriceVariant], page_url: str, *, searches: bool
    ) -> None:
        self._list = listed
        self._page_url = page_url
        self._searches = searches
        self._info = info
        self._tiers = tiers
        prices = info.prices
        self._dated = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
        self._latest_start = max(map(_start, self._dated))
        self._gaps = listed.gaps_of(info.id)
        self._off_peak = listed.off_peak_of(info.id)
        self._made: dict[_Key, Price] = {}

    def price_at(self, timestamp: datetime, tier: str) -> Price | None:
        standard = self._standard(timestamp)
        limit = min((gap.above_tokens for gap in self._open_gaps(timestamp)), default=None)
        if limit == 0 or self._is_of_later_hours(standard, timestamp):
            return None
        variants = tuple(self._variants(timestamp, tier)) if tier else ()
        key = (standard, variants, tier, limit)
        price = self._made.get(key)
        if price is None:
            if len(self._made) >= _MAX_TIERS:  # likewise of tiers
                self._made.clear()
            price = self._made[key] = self._make(standard, variants, tier, limit)
        return price

    def why_unpriced(self, timestamp: datetime) -> str:
        standard = self._standard(timestamp)
        if self._is_of_later_hours(standard, timestamp):
            return "The shipped price of these hours is of a later time: add your own."
        return next((gap.why for gap in self._open_gaps(timestamp)), "")

    def _open_gaps(self, timestamp: datetime) -> Sequence[PriceGap]:
        return [gap for gap in self._gaps if gap.is_open(timestamp)]

    def _is_of_later_hours(self, standard: int, timestamp: datetime) -> bool:
        """Prices by the hour have no date. They came with the latest dated price, and are unknown before it."""
        return timestamp < self._latest_start and _of_hours(self._dated[standard])

    def _standard(self, timestamp: datetime) -> int:
        """The last dated price whose condition holds, as the package chooses; the first when none does."""
        for index in range(len(self._dated) - 1, 0, -1):
            constraint = self._dated[index].constraint
            if isinstance(constraint, TimeOfDateConstraint) and any(one.holds(timestamp) for one in self._off_peak):
                continue
            if constraint is None or constraint.active(timestamp):
                return index
        return 0

    def _variants(self, timestamp: datetime, tier: str) -> Iterator[int]:
        for index, variant in enumerate(self._tiers):
            is_for_tier = tier in variant.when.values() and len(variant.when) == 1
            if is_for_tier and (variant.constraint is None or variant.constraint.active(timestamp)):
                yield index

    def _make(self, standard: int, variants: tuple[int, ...], tier: str, limit: int | None) -> Price:
        chosen = self._dated[standard]
        overlays = [self._tiers[index] for index in variants]
        fields = price_fields(chosen.prices, overlays)
        if tier and not overlays:
            # The standard prices are not this tier's.
            fields = at_search_depth(fields, tier, self._list.search_fees) or {}
        elif not fields and re.fullmatch(self._list.free, self._info.id):
            # No price may mean a gap; under this name it means free.
            fields = {name: Decimal(0) for name in PRICED if name.endswith("_mtok")}
        if self._searches:
            fields.pop("web_searches_kcount", None)
        since = _since(chosen, overlays)
        price = Price(
            id=_name(self._list.seller, self._info.id, chosen, since, tier),
            provider=self._list.seller,
            model=self._info.id,
            valid_from=since,
            source=f"genai-prices {genai_prices.__version__}",
            rates=rates_of(self._list, self._info.id, fields),
            usd_per_request=usd_per_request(fields),
            tier=tier,
            max_prompt_tokens=None if has_tiers(fields) else limit,
            page_url=self._page_url,
            checked_on=_checked_on(self._info.price_comments or ""),
            included_in=included_in(fields),
        )
        return msgspec.structs.replace(price, id=f"{price.id}#{_digest(price)}")


def _of_hours(price: ConditionalPrice) -> bool:
    return isinstance(price.constraint, TimeOfDateConstraint)


def _start(price: ConditionalPrice) -> datetime:
    if not isinstance(price.constraint, StartDateConstraint):
        return datetime.min.replace(tzinfo=UTC)
    return datetime.combine(price.constraint.start_date, time(), UTC)


def _since(chosen: ConditionalPrice, overlays: Sequence[PriceVariant]) -> datetime | None:
    constraints = [chosen.constraint, *(overlay.constraint for overlay in overlays)]
    starts = [one.start_date for one in constraints if isinstance(one, StartDateConstraint)]
    return datetime.combine(max(starts), time(), UTC) if starts else None


def _checked_on(comments: str) -> date | None:
    """The last day on which the package says that it checked the price."""
    return max(map(date.fromisoformat, _CHECKED.findall(comments)), default=None)


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
