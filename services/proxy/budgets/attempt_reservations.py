"""What the attempts at one request have reserved: settled together at its end, but for those that cost nothing."""

from functools import partial

from schemas.budget import Reservation
from schemas.limit import Spent
from services.domain.exchange.capture import Capture
from services.proxy.budgets.access import BudgetAccess


class AttemptReservations:
    """Of one request."""

    def __init__(self, access: BudgetAccess, capture: Capture) -> None:
        self._access = access
        self._capture = capture
        self._held: list[Reservation] = []
        self._is_settled = False  # at the end of the request

    def begin(self, reservation: Reservation | None) -> None:
        """The next attempt is sent, with what is reserved for it."""
        capture = self._capture
        capture.release_attempt, capture.reserved_nano = None, 0
        if reservation is None:
            return
        if not self._is_settled:
            self._is_settled = True
            capture.settle = (*capture.settle, self._settle)
        self._held.append(reservation)
        capture.reserved_nano = reservation.amount_nano
        capture.release_attempt = partial(self._release, reservation)

    def _release(self, reservation: Reservation) -> None:
        self._held.remove(reservation)
        self._access.release(reservation)

    def _settle(self, spent: Spent) -> None:
        if self._held:
            self._access.settle(self._held, spent)
