"""A fair queue: work of many organizations on a few slots, in round robin, however much each of them queues.

An organization has a limit of its own, and slots are reserved for cheap work, so that a quick query of one is never
behind the slow ones of others. Within an organization cheap work goes first, then first in, first out.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

import msgspec

Ticket = TypeVar("Ticket", bound=Hashable)


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True):
    places: int  # of all work that runs at once
    for_cheap: int  # of those, reserved for cheap work
    of_one: int  # that one organization may have at once
    waiting_of_one: int  # tickets
    waiting: int


class _OrganizationQueue(Generic[Ticket]):
    """The waiting tickets of one organization."""

    def __init__(self) -> None:
        self.cheap: deque[Ticket] = deque()
        self.expensive: deque[Ticket] = deque()

    def __len__(self) -> int:
        return len(self.cheap) + len(self.expensive)


class FairQueue(Generic[Ticket]):
    """The state of one scheduler. A ticket is any hashable that identifies a piece of work."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._running: dict[Ticket, tuple[str, bool]] = {}  # organization, and whether it is cheap
        self._of_one: Counter[str] = Counter()
        self._expensive = 0
        self._queues: OrderedDict[str, _OrganizationQueue[Ticket]] = OrderedDict()  # in round-robin order

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
        queue = self._queues.setdefault(organization_id, _OrganizationQueue())
        (queue.cheap if is_cheap else queue.expensive).append(ticket)

    def withdraw(self, ticket: Ticket, organization_id: str) -> None:
        """Removes a waiting ticket. No effect when it is not waiting."""
        queue = self._queues.get(organization_id)
        if queue is None:
            return
        for tickets in (queue.cheap, queue.expensive):
            if ticket in tickets:
                tickets.remove(ticket)
        self._forget_empty(organization_id)

    def end(self, ticket: Ticket) -> None:
        """Frees the slot of a running ticket."""
        organization_id, is_cheap = self._running.pop(ticket)
        self._expensive -= not is_cheap
        self._of_one[organization_id] -= 1
        if not self._of_one[organization_id]:
            del self._of_one[organization_id]

    def next(self) -> Ticket | None:
        """The ticket that runs from now on; None without a free slot, or an eligible ticket."""
        if len(self._running) >= self._limits.places:
            return None
        for organization_id, queue in self._queues.items():
            tickets = self._eligible(organization_id, queue)
            if tickets:
                return self._begin(tickets.popleft(), organization_id, is_cheap=tickets is queue.cheap)
        return None

    def _eligible(self, organization_id: str, queue: _OrganizationQueue[Ticket]) -> deque[Ticket] | None:
        if self._of_one[organization_id] >= self._limits.of_one:
            return None
        if queue.cheap:
            return queue.cheap
        return queue.expensive if self._expensive < self._limits.places - self._limits.for_cheap else None

    def _begin(self, ticket: Ticket, organization_id: str, *, is_cheap: bool) -> Ticket:
        self._running[ticket] = (organization_id, is_cheap)
        self._of_one[organization_id] += 1
        self._expensive += not is_cheap
        self._queues.move_to_end(organization_id)
        self._forget_empty(organization_id)
        return ticket

    def _forget_empty(self, organization_id: str) -> None:
        if not self._queues[organization_id]:
            del self._queues[organization_id]
