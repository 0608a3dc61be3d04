"""Why a cost differs between two periods: volume, model mix, tokens, caches, prices, and what became known of it."""

from collections.abc import Hashable, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final, TypeVar

import msgspec

from schemas.price import UNIT_USD

_ONE: Final = Decimal(1)
# Ratios are rounded far behind the twelfth decimal, to which amounts are. Steps may be far larger than both costs.
_EXACT: Final = Context(prec=60)

Model = TypeVar("Model", bound=Hashable)


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    """One model in one period. Both values are at one price list, the same for both periods."""

    requests: int = 0
    priced: int = 0  # of these, with a known cost
    paid: int = 0  # of these, not from the response cache
    uncached_value: Decimal = Decimal(0)  # what their usage is worth, as if no input came from a prompt cache
    value: Decimal = Decimal(0)  # what it is worth
    cost_usd: Decimal = Decimal(0)  # what it cost: of the requests with a known cost


class CostChange(msgspec.Struct, frozen=True):
    """US dollars by reason. They add up to the difference exactly."""

    volume_usd: Decimal = Decimal(0)  # more or fewer requests
    model_mix_usd: Decimal = Decimal(0)  # other models for the same requests
    tokens_usd: Decimal = Decimal(0)  # more or fewer tokens for a request that is paid
    cache_usd: Decimal = Decimal(0)  # more or fewer responses from the cache, and input from the provider's
    price_usd: Decimal = Decimal(0)  # other prices for the same usage: lists, service and context tiers, fees
    coverage_usd: Decimal = Decimal(0)  # costs that became known or unknown

    @property
    def total_usd(self) -> Decimal:
        with localcontext(_EXACT):
            return sum(msgspec.structs.astuple(self), Decimal(0))


# One step for each quantity of `_quantities`, in that order.
_STEPS: Final = (
    *("volume_usd", "coverage_usd", "model_mix_usd", "coverage_usd"),
    *("cache_usd", "tokens_usd", "cache_usd", "price_usd"),
)


def cost_change(before: Mapping[Model, ModelUse], after: Mapping[Model, ModelUse]) -> CostChange:
    """Why the cost of one group differs, model by model and then added up.

    The cost C of a model is a product, in which each factor is the ratio of a quantity to the one before it:

        C = N x M/N x n/M x P/n x B/P x U/B x V/U x C/V

    N  requests of the group              P  requests with a known cost of the model
    M  of these, to models of which a     B  of these, paid: not from the response cache
       cost is known in either period     U  what their usage is worth without prompt caches
    n  of these, to the model             V  what their usage is worth with them

    From the earlier period to the later one the factors change one after another, in this order, and each step's
    difference in dollars has its name: N volume, M/N coverage, n/M model mix, P/n coverage, B/P cache, U/B tokens,
    V/U cache, C/V price. So the parts add up to the difference, and where one factor alone has changed, all of it is
    in that part. What two factors do together is in the later one: price is that of the later period's usage.

    A factor without a value in one period, as the tokens per request of a model that was not used, has the value of
    the other one: a new model is model mix, and a new group is volume.
    """
    known = {model for use in (before, after) for model, part in use.items() if part.priced}
    with localcontext(_EXACT):
        return sum_of(_of_model(_quantities(before, model, known), _quantities(after, model, known)) for model in known)


def sum_of(changes: Iterable[CostChange]) -> CostChange:
    """Reason by reason."""
    columns = zip(*map(msgspec.structs.astuple, changes), strict=True)
    with localcontext(_EXACT):
        return CostChange(*(sum(column, Decimal(0)) for column in columns))


def _quantities(uses: Mapping[Model, ModelUse], model: Model, known: set[Model]) -> list[Decimal]:
    """N, M, n, P, B, U, V and C."""
    use = uses.get(model, ModelUse())
    requests = sum(part.requests for part in uses.values())
    to_known = sum(part.requests for name, part in uses.items() if name in known)
    counts = (requests, to_known, use.requests, use.priced, use.paid)
    return [*map(Decimal, counts), use.uncached_value, use.value, use.cost_usd]


def _of_model(before: list[Decimal], after: list[Decimal]) -> CostChange:
    changed = dict.fromkeys(CostChange.__struct_fields__, Decimal(0))
    factors = _factors(before, after)
    amount = before[-1]
    for position, name in enumerate(_STEPS):
        following = after[-1] if position == len(_STEPS) - 1 else _mixed(factors, position)
        changed[name] += following - amount
        amount = following
    return CostChange(**changed)


def _mixed(factors: list[tuple[Decimal, Decimal]], position: int) -> Decimal:
    """The cost with the factors up to `position` of the later period, and those behind it of the earlier one."""
    product = _ONE
    for place, (earlier, later) in enumerate(factors):
        product *= later if place <= position else earlier
    return product.quantize(UNIT_USD, ROUND_HALF_EVEN)


def _factors(before: list[Decimal], after: list[Decimal]) -> list[tuple[Decimal, Decimal]]:
    """Each quantity's ratio to the one before it, in both periods."""
    factors = []
    previous = _ONE, _ONE
    for quantity in zip(before, after, strict=True):
        # What costs something without being counted, as a fee without tokens, explains nothing: it is passed over.
        explains = all(part or not whole for part, whole in zip(quantity, (before[-1], after[-1]), strict=True))
        current = quantity if explains else previous
        earlier, later = (_ratio(part, whole) for part, whole in zip(current, previous, strict=True))
        factors.append((_first_known(earlier, later), _first_known(later, earlier)))
        previous = current
    return factors


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole else None


def _first_known(own: Decimal | None, other: Decimal | None) -> Decimal:
    """Where neither period has the factor there is no cost, whatever stands here."""
    return next((ratio for ratio in (own, other) if ratio is not None), _ONE)
