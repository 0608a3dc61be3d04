"""Alerts in the state database, as those need them who manage alerts, and who evaluates them."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Protocol

from schemas.alert import Alert, AlertProgress, AlertState, Episode, Evaluation, KeptTurn, PendingNotice


class Alerts(Protocol):
    """What an organization wants to be told of, and how that stands. All raise StoreUnavailable."""

    async def alerts_of(self, organization_id: str) -> Sequence[Alert]:
        """By name."""
        ...

    async def alert(self, organization_id: str, alert_id: str) -> Alert | None: ...

    async def add_alert(self, alert: Alert) -> None: ...

    async def change_alert(self, alert: Alert, *, turn: int, notices: Sequence[PendingNotice] = ()) -> bool:
        """Of another `active_since` than it had, it stands as a new one. People get `notices` of that.

        False, and nothing is written, when its progress is not at `turn` any more, or there is no such alert.
        """
        ...

    async def remove_alert(
        self, organization_id: str, alert_id: str, *, turn: int, at: datetime, notices: Sequence[PendingNotice] = ()
    ) -> bool:
        """What fired stays in the history. False as above."""
        ...

    async def progress(self, alert_id: str, *, with_groups: bool = True) -> AlertProgress: ...

    async def evaluations_of(self, alert_id: str, *, limit: int) -> Sequence[Evaluation]:
        """The latest first. About a day of them is kept."""
        ...

    async def last_evaluations(self, organization_id: str) -> Mapping[str, Evaluation]:
        """By the ids of the organization's alerts; of those that were evaluated."""
        ...

    async def states_of(self, organization_id: str) -> Mapping[AlertState, int]:
        """How many of its alerts stand so. A state in which none is may be missing."""
        ...

    async def episodes_of(
        self, organization_id: str, *, alert_id: str = "", limit: int, offset: int = 0
    ) -> tuple[int, Sequence[Episode]]:
        """How many there are, and a page of them, the latest first."""
        ...

    async def oldest_alert_at(self) -> datetime | None:
        """When the oldest alert of all organizations was made; None where there is none."""
        ...

    async def evaluated_at(self) -> datetime | None:
        """When all alerts were evaluated last, by whichever scheduler; None: never."""
        ...

    async def close(self) -> None: ...


class EvaluatedAlerts(Protocol):
    """Alerts as who evaluates them needs them. All raise StoreUnavailable."""

    async def all_alerts(self) -> Sequence[Alert]:
        """Of all organizations."""
        ...

    async def progress(self, alert_id: str) -> AlertProgress: ...

    async def keep_turn(self, turn: KeptTurn) -> int | None:
        """Writes all of it, with its notices, in one transaction; how many of these are new.

        None, and nothing is written, when another one has evaluated the alert meanwhile, or it was changed.
        """
        ...

    async def notices_among(self, ids: Sequence[str]) -> Set[str]:
        """Those of `ids` whose notices are kept."""
        ...

    async def evaluated_at(self) -> datetime | None:
        """When all alerts were evaluated last, by whichever scheduler; None: never."""
        ...

    async def note_evaluated(self, at: datetime) -> None:
        """All alerts were evaluated."""
        ...
