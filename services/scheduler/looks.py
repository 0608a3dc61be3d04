"""One look at one alert: what is seen in the warehouse, what follows from it, and all of that written at once."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from schemas.alert import Alert, AlertProgress, EpisodeStep, Evaluation, KeptTurn, PendingNotice
from schemas.errors import Rejected, Unavailable
from schemas.notice import NoticeKind
from services.alerting.drivers import with_drivers
from services.alerting.figures import Question, question_of
from services.alerting.observe import observe
from services.domain.alerts.machine import Look, Observation
from services.domain.alerts.notices import late_notices, notices_of
from services.domain.alerts.turn import Turn, is_notified, look_back, looked_until, take_turn, with_notified_channels
from services.domain.alerts.windows import Window, window_at
from services.ports.alerts import EvaluatedAlerts
from services.ports.clock import Clock
from services.ports.warehouse import QueryableWarehouse

MAX_EXPLAINED: Final = 5  # notices of one look whose drivers are looked up

_EXPLAINED: Final = frozenset({NoticeKind.FIRING, NoticeKind.ESCALATED, NoticeKind.REMINDER})

logger = logging.getLogger("farebox.scheduler")


class Looks:
    """At one alert, one after the other."""

    def __init__(
        self,
        alert: Alert,
        *,
        alerts: EvaluatedAlerts,
        warehouse: QueryableWarehouse,
        clock: Clock,
        complete_until: datetime | None,
    ) -> None:
        self._alert = alert
        self._alerts = alerts
        self._warehouse = warehouse
        self._clock = clock
        self._complete_until = complete_until
        self.made = 0
        self.notices = 0

    async def look(self, progress: AlertProgress, at: datetime, *, complete: bool) -> AlertProgress | None:
        """How the alert stands then; None when another one evaluates it. Raises: StoreUnavailable."""
        try:
            kept = await self._looked(progress, at, complete=complete)
        except Rejected as error:
            kept = self._refused(progress, at, error, complete=complete)
        return await self._keep(kept)

    async def look_back(self, progress: AlertProgress, windows: Sequence[Window], at: datetime) -> AlertProgress | None:
        """The same for windows that are over. Raises: StoreUnavailable."""
        late: list[PendingNotice] = []
        try:
            question = question_of(self._alert.organization_id, self._alert.rule)
            for window in windows:
                if progress.summary_at is not None and progress.summary_at >= window.start:
                    continue  # its notice names only some of its groups
                seen = await observe(question, window, self._warehouse)
                late += late_notices(self._alert, seen, window, self._complete_until, at=self._clock.now())
        except Rejected:
            late = []  # the look at the present says why
        known = await self._alerts.notices_among([id_ for one in late for id_ in one.unless])
        back = look_back(self._alert.rule, progress, late, known, at)
        after = with_notified_channels(back.progress, self._alert)
        return await self._keep(
            KeptTurn(
                alert=self._alert,
                progress=after,
                changed=back.changed,
                notices=back.notices,
                episode=_episode(progress, after),
            )
        )

    async def _looked(self, progress: AlertProgress, at: datetime, *, complete: bool) -> KeptTurn:
        alert, window = self._alert, window_at(self._alert.rule.window, at)
        question = question_of(alert.organization_id, alert.rule)
        seen = await observe(question, window, self._warehouse)
        period = None if window.closes is None else window.start
        look = Look(at=at, period=period, closes=window.closes, complete=complete)
        is_muted = alert.muted_until is not None and at < alert.muted_until
        # Apart from the loop, where others wait: there may be ten thousand groups.
        turn = await asyncio.to_thread(take_turn, alert.rule, progress, seen, look, muted=is_muted)
        notices = notices_of(alert, turn, look, window, self._complete_until, at=self._clock.now())
        return KeptTurn(
            alert=alert,
            progress=with_notified_channels(turn.progress, alert),
            changed=turn.changed,
            notices=await self._explained(notices, question, window),
            evaluation=self._evaluation(
                turn, seen, window, sum(not one.ends_incident for one in notices), complete=complete
            ),
            episode=_episode(progress, turn.progress),
        )

    async def _explained(
        self, notices: Sequence[PendingNotice], question: Question, window: Window
    ) -> Sequence[PendingNotice]:
        """With drivers, as far as these can be read: without them people are notified all the same."""
        explained = list(notices)
        try:
            for at, one in enumerate(notices[:MAX_EXPLAINED]):
                if one.notice.kind in _EXPLAINED:
                    group = msgspec.json.decode(one.key, type=list[str | None]) if one.key else []
                    notice = await with_drivers(one.notice, question, group, window, self._warehouse)
                    explained[at] = msgspec.structs.replace(one, notice=notice)
        except (Rejected, Unavailable) as error:
            logger.warning("alert %s: its notices have no drivers: %s", self._alert.id, error)
        return explained

    def _evaluation(
        self, turn: Turn, seen: Mapping[str, Observation], window: Window, notices: int, *, complete: bool
    ) -> Evaluation:
        first = next(iter(seen.values()), None)
        return Evaluation(
            at=window.end,
            evaluated_at=self._clock.now(),
            state=turn.progress.state,
            complete=complete,
            complete_until=self._complete_until,
            window_start=window.start,
            value=None if first is None else first.value if first.actual is None else first.actual,
            compared=None if first is None else first.value,
            requests=sum(one.requests for one in seen.values()),
            groups=len(seen),
            firing_groups=sum(1 for state in turn.progress.groups.values() if state.fires),
            notices=notices,
            detail="" if first is None else first.detail,
        )

    def _refused(self, progress: AlertProgress, at: datetime, error: Rejected, *, complete: bool) -> KeptTurn:
        """What the engine does not take leaves all as it stands, and says so."""
        window = window_at(self._alert.rule.window, at)
        evaluation = Evaluation(
            at=at,
            evaluated_at=self._clock.now(),
            state=progress.state,
            complete=False,
            complete_until=self._complete_until,
            window_start=window.start,
            value=None,
            compared=None,
            requests=0,
            groups=0,
            firing_groups=0,
            notices=0,
            detail=str(error),
        )
        return KeptTurn(
            alert=self._alert,
            progress=looked_until(progress, at, complete=complete),
            changed={},
            notices=(),
            evaluation=evaluation,
        )

    async def _keep(self, kept: KeptTurn) -> AlertProgress | None:
        notices = await self._alerts.keep_turn(kept)
        if notices is None:
            return None
        self.made += 1
        self.notices += notices
        return kept.progress


def _episode(before: AlertProgress, after: AlertProgress) -> EpisodeStep:
    if is_notified(before) == is_notified(after):
        return EpisodeStep.STAYS
    return EpisodeStep.BEGINS if is_notified(after) else EpisodeStep.ENDS
