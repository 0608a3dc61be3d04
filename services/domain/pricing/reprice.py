"""What stored rows cost at the prices that are known now, and what that changes."""

from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from typing import Final

from schemas.event import Outcome
from schemas.price import Charge, CostState, PriceBook
from schemas.reprice import ChargedRow, Correction, DayDifference, Difference, RepriceResult
from schemas.usage import TOKEN_CLASSES, UsageSource
from schemas.versions import version_after
from services.domain.pricing.bill import is_bill
from services.domain.pricing.charge import charge_stored
from services.domain.pricing.other_models import charge_parts, decode_parts, encode_parts, own_of, with_parts

REST: Final = "(other)"  # models beyond those that are listed
_MAX_GROUPS: Final = 10_000


def charge_again(row: ChargedRow, prices: PriceBook) -> Charge | None:
    """What `row` costs at `prices`, those of the timestamp it was made; None when no price ever decided its cost.

    So for cached responses, for requests that were refused or generated nothing, and where usage was truncated or is
    estimated. Nor where the provider's own bill did: that stands, whatever prices say.
    """
    if is_bill(row.price_id):
        return None
    if row.outcome in (Outcome.CACHED, Outcome.REFUSED) or row.usage_source is UsageSource.ESTIMATED:
        return None
    if row.cost_state is CostState.TRUNCATED:
        return None
    if row.cost_state is CostState.FREE and not row.price_id:
        return None
    timestamp = row.request_created_at
    own = charge_stored(own_of(row), prices.price_at(row.provider, row.model, timestamp, row.service_tier))
    return with_parts(own, charge_parts(decode_parts(row.other_models), prices, row.provider, timestamp))


def correction_of(row: ChargedRow, prices: PriceBook, *, reprice_id: str, timestamp: datetime) -> Correction | None:
    """What run `reprice_id`, begun at `timestamp`, makes of `row`; None when it costs what it did, for the same reason.

    The version follows the timestamp and beats the row's, so that no event delivered again beats the correction.
    """
    again = charge_again(row, prices)
    if again is None or (again.cost_usd, again.state) == (row.cost_usd, row.cost_state):
        return None
    return Correction(
        organization_id=row.organization_id,
        reprice_id=reprice_id,
        request_created_at=row.request_created_at,
        request_id=row.request_id,
        row_version=row.version,
        version=version_after(row.version, timestamp),
        cost_usd=again.cost_usd,
        cost_state=again.state,
        price_id=again.price_id,
        other_models=encode_parts(again.others),
        original_cost_usd=row.original_cost_usd if row.reprice_id else row.cost_usd,
        prior_cost_usd=row.cost_usd,
        prior_cost_state=row.cost_state,
        prior_price_id=row.price_id,
        prior_other_models=row.other_models,
        prior_original_cost_usd=row.original_cost_usd,
        prior_reprice_id=row.reprice_id,
    )


class Differences:
    """Adds up what a run changes. Mutable, and bounded whatever names clients give to models."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, date], Difference] = {}

    def add(self, row: ChargedRow, correction: Correction | None) -> None:
        """`correction` is what the run makes of `row`; None when nothing."""
        self._add_to(row.model, row.request_created_at.date(), _difference(row, correction))

    def add_all(self, others: "Differences") -> None:
        for (model, day), difference in others.groups.items():
            self._add_to(model, day, difference)

    def _add_to(self, model: str, day: date, difference: Difference) -> None:
        group = (model, day)
        if group not in self.groups and len(self.groups) >= _MAX_GROUPS:
            group = (REST, day)
        self.groups[group] = _plus(self.groups.get(group, _NOTHING), difference)

    def result(self) -> RepriceResult:
        """Over everything added so far; of the models and days only those on which something changes."""
        changed = [(day, model) for (model, day), difference in self.groups.items() if difference.changed]
        return RepriceResult(
            total=reduce(_plus, self.groups.values(), _NOTHING),
            days=tuple(
                DayDifference(model=model, day=day, difference=self.groups[model, day])
                for day, model in sorted(changed)
            ),
        )


_NOTHING: Final = Difference()
_ZERO: Final = Decimal(0)


def _difference(row: ChargedRow, correction: Correction | None) -> Difference:
    before = row.cost_usd
    after = before if correction is None else correction.cost_usd
    tokens = sum(getattr(row.usage, name) for name in TOKEN_CLASSES)
    return Difference(
        requests=1,
        changed=int(correction is not None),
        newly_priced=int(before is None and after is not None),
        newly_unknown=int(before is not None and after is None),
        unpriced_before=int(before is None),
        unpriced_after=int(after is None),
        unweighed_before=int(before is None and not tokens),
        unweighed_after=int(after is None and not tokens),
        all_tokens=tokens,
        priced_tokens_before=0 if before is None else tokens,
        priced_tokens_after=0 if after is None else tokens,
        before_usd=before or _ZERO,
        after_usd=after or _ZERO,
    )


def _plus(one: Difference, other: Difference) -> Difference:
    return Difference(**{name: getattr(one, name) + getattr(other, name) for name in Difference.__struct_fields__})
