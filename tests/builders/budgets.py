"""Budgets and what counts in them, for tests: builders that set only what matters."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from schemas.budget import Budget, Claim, Reservation
from schemas.errors import StoreUnavailable
from schemas.notice import Notice
from services.domain.budgets.claims import claim_of
from tests.builders.records import ORGANIZATION

NOW = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)


def a_budget(limit_usd: str = "5", **fields: Any) -> Budget:
    """For the organization, each month, that blocks."""
    known: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "organization_id": ORGANIZATION,
        "name": "team",
        "limit_usd": Decimal(limit_usd),
        "created_at": NOW,
        "changed_at": NOW,
    }
    return Budget(**(known | fields))


def a_reservation(claims: list[Claim], amount_nano: int, *, lease_s: int = 60) -> Reservation:
    return Reservation(
        id=str(uuid.uuid4()),
        counters=tuple(claim.counter for claim in claims),
        amount_nano=amount_nano,
        lease_s=lease_s,
    )


def a_claim(budget: Budget, value: str = "", *, at: datetime = NOW) -> Claim:
    return claim_of(budget, value, at)


class KnownBudgets:
    """BudgetRows in memory that can be away."""

    def __init__(self, *budgets: Budget) -> None:
        self.rows = list(budgets)
        self.unreachable = False
        self._revision = 0

    def set(self, *budgets: Budget) -> None:
        self.rows = list(budgets)
        self._revision += 1

    async def revision(self) -> str:
        if self.unreachable:
            raise StoreUnavailable("budgets")
        return f"{self._revision}"

    async def all_budgets(self) -> Sequence[Budget]:
        return list(self.rows)

    async def budgets_of(self, organization_id: str) -> Sequence[Budget]:
        return [one for one in self.rows if one.organization_id == organization_id]

    async def add_budget(self, budget: Budget) -> None:
        raise NotImplementedError

    async def change_budget(self, budget: Budget) -> bool:
        raise NotImplementedError

    async def remove_budget(self, organization_id: str, budget_id: str) -> bool:
        raise NotImplementedError

    async def report(self, budget: Budget, notices: Sequence[Notice]) -> int:
        raise NotImplementedError
