"""What a client is told of a budget: why its request was refused, and what is left."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Any, Final

import msgspec

from schemas.budget import Claim, CounterState
from schemas.errors import Rejected
from services.domain.budgets.amounts import usd_of
from services.domain.budgets.slots import room_at

CODE: Final = "budget_exceeded"
# Of rows, as the value of STATUS_PROPERTY.
BLOCKED: Final = "blocked"
FELL_BACK: Final = "fallback"
WOULD_ACT: Final = "shadow"


class BudgetExceeded(Rejected):
    code = CODE
    status = 429


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    error: BudgetExceeded
    retry_after_s: int
    budget: dict[str, Any]  # for machines, as JSON


def refusal_of(claim: Claim, state: CounterState, at: datetime) -> Refusal:
    """Of a request at `at` that does not fit into `claim`. `state` has slots where the period is rolling."""
    budget = claim.budget
    is_used_up = state.spent_nano >= claim.limit_nano
    resets_at = claim.resets_at or room_at(budget, state.slots, claim.limit_nano - 1, at)
    limit_usd, spent_usd = usd_of(claim.limit_nano), usd_of(state.spent_nano)
    where = f" of this {budget.property or budget.segment.value}" if claim.counter.value else ""
    resets = f"it resets at {_shown(resets_at)}"
    if is_used_up:
        why = f"is used up: ${spent_usd.normalize():f} of ${limit_usd.normalize():f} were spent; {resets}"
    else:
        why = (
            f"has no room for this request: ${spent_usd.normalize():f} of ${limit_usd.normalize():f} were spent, "
            f"requests under way may cost ${usd_of(state.reserved_nano).normalize():f}; {resets}"
        )
    return Refusal(
        error=BudgetExceeded(f"the budget {budget.name!r}{where} {why}"),
        # Requests under way end soon, and mostly cost less than what is reserved for them.
        retry_after_s=max(1, ceil((resets_at - at).total_seconds())) if is_used_up or not state.reserved_nano else 1,
        budget={
            "id": budget.id,
            "name": budget.name,
            "segment": budget.segment.value,
            "limit_usd": float(limit_usd),
            "spent_usd": float(spent_usd),
            "reserved_usd": float(usd_of(state.reserved_nano)),
            "resets_at": _shown(resets_at),
        },
    )


def budget_headers(
    claims: Sequence[Claim], states: Sequence[CounterState], at: datetime
) -> Sequence[tuple[bytes, bytes]]:
    """What a response says of the budget with the least left of all that its request counts in; nothing without one."""
    if not claims:
        return ()
    left = [_left_nano(claim, state) for claim, state in zip(claims, states, strict=True)]
    tightest = left.index(min(left))
    claim = claims[tightest]
    headers = [
        (b"Helicone-Budget-Id", claim.budget.id.encode()),
        (b"Helicone-Budget-Limit", f"{usd_of(claim.limit_nano).normalize():f}".encode()),
        (b"Helicone-Budget-Remaining", f"{usd_of(max(0, left[tightest])).normalize():f}".encode()),
    ]
    if claim.resets_at is not None:
        reset_s = max(0, ceil((claim.resets_at - at).total_seconds()))
        headers.append((b"Helicone-Budget-Reset", b"%d" % reset_s))
    return headers


def _left_nano(claim: Claim, state: CounterState) -> int:
    return claim.limit_nano - state.spent_nano - state.reserved_nano


def _shown(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
