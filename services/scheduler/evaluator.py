"""Evaluates alerts each minute. Of several schedulers the one that holds the lease does it.

Nothing depends on that: what a look leaves behind is written in one transaction that only one of two can win. What is
certain is judged where the seal stands; what can only become worse, such as a sum, is looked at beyond it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from schemas.alert import Alert, AlertProgress, Condition, Direction
from schemas.errors import Unavailable
from schemas.seal import Seal
from services.domain.alerts.metrics import grows
from services.domain.alerts.schedule import due_until, in_turns, points, windows_to_recheck, within_clock
from services.domain.alerts.windows import whole_minute
from services.ports.alerts import EvaluatedAlerts
from services.ports.clock import Clock
from services.ports.state import Leases
from services.ports.warehouse import QueryableWarehouse
from services.retry import Backoff, RetryPolicy
from services.scheduler.looks import Looks
from services.telemetry.metrics import Metrics

EVERY_S: Final = 5.0  # for what is due: each alert is, each minute
LEASE: Final = "alerts"
LEASE_S: Final = 60.0
_RENEW_S: Final = 15.0
# The seal is a moment old at any time; only where it is older something is waited for.
_USUAL_LAG: Final = timedelta(seconds=30)
# For so long a worker may be behind, or alerts of a busy organization, until alerts count as not evaluated.
_MAX_LAG: Final = timedelta(minutes=10)
_SHARE_S: Final = 20.0  # of a round, for one organization; one alert may take more
_FAILURE: Final = "alerts"

_RETRY: Final = RetryPolicy(first_delay_s=EVERY_S, last_delay_s=60.0)

logger = logging.getLogger("farebox.scheduler")


class Evaluator:
    """Of one scheduler, known as `scheduler_id`, which no other process is."""

    def __init__(
        self,
        scheduler_id: str,
        *,
        alerts: EvaluatedAlerts,
        warehouse: QueryableWarehouse,
        leases: Leases,
        seal: Callable[[], Awaitable[Seal]],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._scheduler_id = scheduler_id
        self._alerts = alerts
        self._warehouse = warehouse
        self._leases = leases
        self._seal = seal
        self._clock = clock
        self._metrics = metrics
        self._renewed_s = 0.0
        self._minute: datetime | None = None  # up to which everything is evaluated
        self._is_behind = False  # some alert waits for the seal, or for its turn
        self._last: dict[str, str] = {}  # alert of each organization that was evaluated
        self._evaluated: dict[str, datetime] = {}  # each alert, in which minute

    async def run(self, after_round: Callable[[], None] = lambda: None) -> None:
        """Until it is cancelled. Calls `after_round` when all alerts have been evaluated by totals that are recent."""
        backoff = Backoff(_RETRY, logger, "alerts cannot be evaluated")
        while True:
            delay_s = EVERY_S
            try:
                if await self.evaluate_due():
                    after_round()
                self._metrics.health.failures.pop(_FAILURE, None)
                backoff = Backoff(_RETRY, logger, "alerts cannot be evaluated")
            except Unavailable as error:
                delay_s = self._failed(backoff, error)
            except Exception:  # a bug of ours, which must not end this
                logger.exception("alerts cannot be evaluated")
                self._metrics.health.failures[_FAILURE] = "alerts cannot be evaluated, of a fault of Farebox"
                delay_s = _RETRY.last_delay_s
            await asyncio.sleep(delay_s)

    def _failed(self, backoff: Backoff, error: Unavailable) -> float:
        self._metrics.add("scheduler_evaluation_failures_total")
        self._metrics.health.failures[_FAILURE] = f"alerts cannot be evaluated: {error}"
        return backoff.failed(error) or EVERY_S

    async def evaluate_due(self) -> bool:
        """Whether all alerts are evaluated: it has the lease, a minute began since, and nothing is far behind.

        Raises: Unavailable.
        """
        self._renewed_s = 0.0
        minute = whole_minute(self._clock.now())
        if not await self._has_lease():
            self._minute = None
            await self._show_age()
            return False
        seal = await self._seal()
        is_new = minute != self._minute  # an earlier one where the clock was set back
        if not is_new and not self._is_behind:
            return False
        self._is_behind = False
        if not await self._evaluate_all(minute, seal.complete_until):
            await self._show_age()
            return False
        self._minute = minute
        # Where the workers stand still, nothing was judged.
        is_recent = seal.complete_until is not None and minute - seal.complete_until <= _MAX_LAG
        if is_recent:
            await self._alerts.note_evaluated(self._clock.now())
        await self._show_age()
        return is_new and is_recent

    async def _evaluate_all(self, minute: datetime, complete_until: datetime | None) -> bool:
        """Whether none is far behind, or left out as another one has the lease now.

        What fails alone keeps no other alert from being evaluated, and what is slow none of another organization: where
        one has had its share of the round, its others come first in the next.

        Raises: what failed first; at once where two alerts have failed as something was unavailable.
        """
        failures: list[Exception] = []
        took_s: dict[str, float] = defaultdict(float)
        alerts = await self._alerts.all_alerts()
        self._evaluated = {one.id: self._evaluated.get(one.id, one.active_since) for one in alerts}
        for alert in in_turns(alerts, self._last):
            if not await self._has_lease():
                return False
            if took_s[alert.organization_id] > _SHARE_S:
                self._is_behind = True
                continue
            began_s = monotonic()
            try:
                await self._evaluate(alert, minute, complete_until)
                self._evaluated[alert.id] = minute
            except Unavailable as error:
                failures.append(error)
                if len(failures) > 1:
                    raise
            except Exception as error:  # a bug of ours, of which others know nothing
                failures.append(error)
            took_s[alert.organization_id] += monotonic() - began_s
            self._last[alert.organization_id] = alert.id
        if failures:
            raise failures[0]
        return all(minute - at <= _MAX_LAG for at in self._evaluated.values())

    async def _evaluate(self, alert: Alert, minute: datetime, complete_until: datetime | None) -> None:
        progress: AlertProgress | None = within_clock(await self._alerts.progress(alert.id), minute)
        assert progress is not None
        looks = Looks(
            alert,
            alerts=self._alerts,
            warehouse=self._warehouse,
            clock=self._clock,
            complete_until=complete_until,
        )
        due = due_until(alert.rule, minute)
        sealed = None if complete_until is None else due_until(alert.rule, min(minute, complete_until))
        for at in () if sealed is None else points(alert.rule.window, progress.evaluated_until, sealed):
            progress = await looks.look(progress, at, complete=True)
            if progress is None:
                return
        self._is_behind |= sealed != due
        if _is_worth_a_look(alert, progress, minute, complete_until):
            progress = await looks.look(progress, minute, complete=False)
        if progress is not None and sealed is not None and (windows := windows_to_recheck(alert, progress, sealed)):
            await looks.look_back(progress, windows, sealed)
        self._metrics.add("scheduler_evaluations_total", int(looks.made > 0))
        self._metrics.add("scheduler_notices_total", looks.notices)

    async def _has_lease(self) -> bool:
        """Renewed from time to time in long rounds."""
        if self._renewed_s and monotonic() - self._renewed_s < _RENEW_S:
            return True
        now = self._clock.now()
        until = now + timedelta(seconds=LEASE_S)
        has_it = await self._leases.hold(LEASE, self._scheduler_id, at=now, until=until)
        self._renewed_s = monotonic()
        return has_it

    async def _show_age(self) -> None:
        self._metrics.evaluated_at = await self._alerts.evaluated_at()


def _is_worth_a_look(alert: Alert, progress: AlertProgress, minute: datetime, complete_until: datetime | None) -> bool:
    """Before all is known: a sum that has reached a threshold stays there."""
    rule = alert.rule
    if rule.condition is not Condition.THRESHOLD or rule.direction is not Direction.ABOVE:
        return False
    is_late = complete_until is None or minute - complete_until > _USUAL_LAG
    is_done = progress.raised_until is not None and progress.raised_until >= minute
    return is_late and not is_done and grows(rule.metric, rule.aggregation)
