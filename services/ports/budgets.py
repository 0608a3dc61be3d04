"""What budgets need from the outside: their rows, and counters. Adapters: `stores/state` and `stores/budgets`."""

from collections.abc import Sequence
from typing import Protocol

from schemas.budget import Budget, Claim, Counter, CounterState, LedgerSums, Reservation, Reserved
from schemas.notice import Notice


class BudgetRows(Protocol):
    """The budgets of all organizations. Raises: StoreUnavailable."""

    async def revision(self) -> str:
        """Another text after each change to any row."""
        ...

    async def all_budgets(self) -> Sequence[Budget]: ...

    async def budgets_of(self, organization_id: str) -> Sequence[Budget]:
        """By name."""
        ...

    async def add_budget(self, budget: Budget) -> None:
        """Raises: Conflict where the organization has one of this name, or too many."""
        ...

    async def change_budget(self, budget: Budget) -> bool:
        """False when there is none of its id. Raises: Conflict where another one has its name."""
        ...

    async def remove_budget(self, organization_id: str, budget_id: str) -> bool:
        """False when there is none of this id."""
        ...

    async def report(self, budget: Budget, notices: Sequence[Notice]) -> int:
        """Puts those that were never reported into the outbox, for the budget's channels; how many they are."""
        ...


class BudgetCounters(Protocol):
    """What was spent and is reserved. Each method is one atomic step for each counter, and raises StoreUnavailable.

    A counter that nobody knows is empty. Leases end by the clock of the store.
    """

    async def reserve(self, reservation: Reservation, claims: Sequence[Claim]) -> Reserved:
        """Reserves in all counters or in none, as one step. `claims` are on the counters of `reservation`.

        A claim fits where something is left of its limit, and the amount is not more than that.
        """
        ...

    async def settle(self, reservation: Reservation, amount_nano: int, recorded_s: int) -> None:
        """Ends `reservation`, which may have expired, and adds what was spent, once.

        `recorded_s` is when, in unix time: what a ledger that is already in the counter has, is not added again.
        """
        ...

    async def renew(self, reservations: Sequence[Reservation]) -> None:
        """Begins their leases anew. What has expired stays so."""
        ...

    async def read(self, counters: Sequence[Counter]) -> Sequence[CounterState]:
        """Their states, with slots."""
        ...

    async def rebuild(self, sums: LedgerSums) -> None:
        """What was spent of a budget is what the ledger says, and what was settled since it was sealed.

        Sums that are older than those in a counter change nothing.
        """
        ...

    async def close(self) -> None: ...
