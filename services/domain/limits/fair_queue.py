"""Who may go next: work of many organizations on a few places. Organizations take turns, however much each asks for.

An organization runs only so much at once, and a place is kept for what is cheap, so that a quick question of one is
never behind the slow ones of others. Within an organization what is cheap goes first, else what came first.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

import msgspec

Ticket = TypeVar("Ticket", bound=Hashable)


class TurnLimits(msgspec.Struct, frozen=True, kw_only=True):
    places: int  # of all work that runs at once
    for_cheap: int  # of those, kept free of what is not cheap
    of_one: int  # that one organization may have at once
    waiting_of_one: int  # tickets
    waiting: int


class _Queue(Generic[Ticket]):
    """What waits of one organization."""

    def __init__(self) -> None:
        self.cheap: deque[Ticket] = deque()
        self.dear: deque[Ticket] = deque()

    def __len__(self) -> int:
        return len(self.cheap) + len(self.dear)


class FairTurns(Generic[Ticket]):
    """The state of one scheduler. Tickets are whatever tells one piece of work from another."""

    def __init__(self, limits: TurnLimits) -> None:
        self._limits = limits
        self._running: dict[Ticket, tuple[str, bool]] = {}  # organization, and whether it is cheap
        self._of_one: Counter[str] = Counter()
        self._dear = 0
        self._queues: OrderedDict[str, _Queue[Ticket]] = OrderedDict()  # in the order of their turns

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def running(self) -> int:
        return len(self._running)

    def has_room(self, organization_id: str) -> bool:
        """Whether another ticket of the organization may wait."""
        queue = self._queues.get(organization_id, ())
        return len(queue) < self._limits.waiting_of_one and self.waiting < self._limits.waiting

    def add(self, ticket: Ticket, organization_id: str, *, is_cheap: bool) -> None:
        queue = self._queues.setdefault(organization_id, _Queue())
        (queue.cheap if is_cheap else queue.dear).append(ticket)

    def withdraw(self, ticket: Ticket, organization_id: str) -> None:
        """It waits no more. Nothing happens when it did not."""
        queue = self._queues.get(organization_id)
        if queue is None:
            return
        for tickets in (queue.cheap, queue.dear):
            if ticket in tickets:
                tickets.remove(ticket)
        self._forget_empty(organization_id)

    def end(self, ticket: Ticket) -> None:
        """It ran, and has ended."""
        organization_id, is_cheap = self._running.pop(ticket)
        self._dear -= not is_cheap
        self._of_one[organization_id] -= 1
        if not self._of_one[organization_id]:
            del self._of_one[organization_id]

    def next(self) -> Ticket | None:
        """The ticket that runs from now on; None when there is no place, or nobody to have it."""
        if len(self._running) >= self._limits.places:
            return None
        for organization_id, queue in self._queues.items():
            tickets = self._eligible(organization_id, queue)
            if tickets:
                return self._begin(tickets.popleft(), organization_id, is_cheap=tickets is queue.cheap)
        return None

    def _eligible(self, organization_id: str, queue: _Queue[Ticket]) -> deque[Ticket] | None:
        if self._of_one[organization_id] >= self._limits.of_one:
            return None
        if queue.cheap:
            return queue.cheap
        return queue.dear if self._dear < self._limits.places - self._limits.for_cheap else None

    def _begin(self, ticket: Ticket, organization_id: str, *, is_cheap: bool) -> Ticket:
        self._running[ticket] = (organization_id, is_cheap)
        self._of_one[organization_id] += 1
        self._dear += not is_cheap
        self._queues.move_to_end(organization_id)
        self._forget_empty(organization_id)
        return ticket

    def _forget_empty(self, organization_id: str) -> None:
        if not self._queues[organization_id]:
            del self._queues[organization_id]
