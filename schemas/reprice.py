"""Repricing: which requests are charged again, what changes, and the record of each run."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from schemas.price import CostState
from schemas.receipt import Charged


class ChargedRow(Charged, frozen=True, kw_only=True):
    """A stored row with the columns that repricing needs."""

    organization_id: str
    request_id: str
    version: int
    reprice_id: str
    original_cost_usd: Decimal | None


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `cost_correction`: the money of one request before and after. Field order is column order."""

    organization_id: str
    reprice_id: str
    request_created_at: datetime
    request_id: str
    row_version: int  # of the row that this was decided on
    version: int  # of the corrected row; greater
    cost_usd: Decimal | None
    cost_state: CostState
    price_id: str
    other_models: str
    original_cost_usd: Decimal | None
    prior_cost_usd: Decimal | None
    prior_cost_state: CostState
    prior_price_id: str
    prior_other_models: str
    prior_original_cost_usd: Decimal | None
    prior_reprice_id: str


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests to charge again: created from `since` on, before `until`."""

    model: str  # as billed, or another that was used; `*` stands for any text, case does not matter
    provider: str  # '' for any; case does not matter
    since: datetime
    until: datetime


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What repricing changes in some requests. The costs are sums over those whose cost is known.

    Beside them is how many they leave out, and which part of the tokens, of all classes, they cover.
    """

    requests: int = 0
    changed: int = 0  # of them, those whose cost is another one now, or known or unknown for another reason
    newly_priced: int = 0
    newly_unknown: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    unweighed_before: int = 0  # of those unpriced, the ones without any tokens that are known
    unweighed_after: int = 0
    all_tokens: int = 0
    priced_tokens_before: int = 0
    priced_tokens_after: int = 0
    before_usd: Decimal = Decimal(0)
    after_usd: Decimal = Decimal(0)


class DayDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model on one day, UTC."""

    model: str
    day: date
    difference: Difference


class RepriceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found: over all its requests, and for the models and days on which anything changes."""

    total: Difference
    days: tuple[DayDifference, ...] = ()


class RepriceState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # broke off; what it had written stands, another run completes it, and it can be undone
    UNDOING = "undoing"
    UNDONE = "undone"


class Reprice(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one run. `rows_done` of `rows_total` is how far it is, or its undoing.

    Once it is undone, `rows_done` cost what they did before it; the rest were logged again after it, and stay so.
    """

    id: str  # UUID
    organization_id: str
    criteria: Criteria
    dry_run: bool
    state: RepriceState
    started_at: datetime
    rows_total: int = 0
    rows_done: int = 0
    result: RepriceResult | None = None  # None until the end, and when its process died before that
    error: str = ""  # why it broke off
    ended_at: datetime | None = None
    undone_at: datetime | None = None
