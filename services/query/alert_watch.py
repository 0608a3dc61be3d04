"""Whether somebody evaluates the alerts: a scheduler that has died is seen here, where people look."""

from datetime import timedelta
from time import monotonic
from typing import Final

from schemas.errors import StoreUnavailable
from services.ports.alerts import Alerts
from services.ports.clock import Clock
from services.telemetry.metrics import Metrics

OVERDUE: Final = timedelta(minutes=5)
_EVERY_S: Final = 5.0
_PART: Final = "alerts"


class AlertWatch:
    """One look at the state database for all who ask within some seconds."""

    def __init__(self, alerts: Alerts, clock: Clock, metrics: Metrics) -> None:
        self._alerts = alerts
        self._clock = clock
        self._metrics = metrics
        self._looked_s: float | None = None
        self._warning = ""
        metrics.health.warnings[_PART] = lambda: [self._warning] if self._warning else []

    async def look(self) -> None:
        """Brings the metric and the warning of the process up to date. It never fails."""
        if self._looked_s is not None and monotonic() - self._looked_s < _EVERY_S:
            return
        self._looked_s = monotonic()
        try:
            evaluated_at = await self._alerts.evaluated_at()
            waiting_since = await self._alerts.oldest_alert_at()
        except StoreUnavailable:
            return  # which is said elsewhere
        self._metrics.evaluated_at = evaluated_at
        since = evaluated_at or waiting_since
        is_overdue = waiting_since is not None and since is not None and self._clock.now() - since > OVERDUE
        when = "never" if evaluated_at is None else f"last at {evaluated_at:%Y-%m-%d %H:%M} UTC"
        what = f"not all alerts are evaluated ({when}), so of some nobody is notified"
        self._warning = f"{what}: start the scheduler and the workers, or look at their logs" if is_overdue else ""
