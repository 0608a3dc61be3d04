"""What the endpoints depend on: the ports, and what is cached between requests."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from schemas.price import ShippedBook
from schemas.recording import Recording
from services.domain.limits.fair_queue import QueueLimits
from services.ports.alerts import Alerts
from services.ports.budgets import BudgetCounters, BudgetRows
from services.ports.cache import ClearableCache
from services.ports.clock import Clock
from services.ports.log import LogPositions, LogSink, ProgressStore
from services.ports.notices import Channels
from services.ports.prices import PriceRows, Reprices
from services.ports.reports import ScheduledReports
from services.ports.state import HiddenProperties, ManagedKeys, Secrets, Upstreams
from services.ports.warehouse import LedgerWarehouse
from services.query.alert_watch import AlertWatch
from services.query.budgets.ledger_spend import LedgerSpend
from services.query.caches import PropertyNameCache, QueryKeyCache, SecretCache
from services.query.dashboard.sessions import Sessions
from services.query.exports.slots import ExportSlots
from services.query.fair_turns import FairTurns
from services.query.fair_warehouse import WAIT_S, FairWarehouse
from services.query.http.json_body import BodySpace
from services.query.names import NameCheck
from services.query.readiness import Readiness
from services.query.seals import Seals
from services.repricing.runner import Repricing
from services.telemetry.metrics import Metrics


class QueryStores(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the query service. What opened them closes them, after the service."""

    positions: LogPositions
    progress: ProgressStore
    warehouse: LedgerWarehouse
    keys: ManagedKeys
    price_rows: PriceRows
    reprices: Reprices
    secrets: Secrets
    hidden_properties: HiddenProperties
    upstreams: Upstreams
    alerts: Alerts
    channels: Channels
    scheduled_reports: ScheduledReports
    sink: LogSink
    budgets: BudgetRows
    budget_counters: BudgetCounters
    cache: ClearableCache | None = None


class Service:
    """One running query service."""

    def __init__(
        self,
        stores: QueryStores,
        *,
        shipped: ShippedBook,
        clock: Clock,
        metrics: Metrics,
        draw_id: Callable[[], str],
        recording: Recording,
        public_url: str = "",
        proxy_url: str = "",
    ) -> None:
        """`draw_id` makes an id that nothing else has. `recording`: of logged calls. `public_url`: where clients reach
        the service, for URLs in responses; '' for each request's own address. `proxy_url`: where they reach the proxy;
        '' when not known here.
        """
        self.seals = Seals(stores.positions, stores.progress, clock, metrics)
        self.warehouse = FairWarehouse(stores.warehouse, seal_s=lambda: self.seals.looked_s)
        self.backtests = _backtest_turns()
        self.readiness = Readiness(stores.warehouse, stores.keys)
        self.price_rows, self.reprices = stores.price_rows, stores.reprices
        self.hidden_properties = stores.hidden_properties
        self.managed_keys = stores.keys
        self.upstreams, self.alerts = stores.upstreams, stores.alerts
        self.alert_watch = AlertWatch(stores.alerts, clock, metrics)
        self.channels, self.scheduled_reports = stores.channels, stores.scheduled_reports
        self.sink = stores.sink
        self.cache = stores.cache
        self.budgets, self.budget_counters = stores.budgets, stores.budget_counters
        self.ledger_spend = LedgerSpend(self.warehouse, self.seals.current, clock)
        self.draw_id = draw_id
        self.recording = recording
        self.shipped = shipped
        self.clock = clock
        self.metrics = metrics
        self.public_url = public_url.rstrip("/")
        self.proxy_url = proxy_url.rstrip("/")
        self.secrets = SecretCache(stores.secrets)
        self.body_space = BodySpace()
        self.exports = ExportSlots()
        self.keys = QueryKeyCache(stores.keys, clock)
        self.sessions = Sessions(stores.keys, self.keys, self.secrets, clock)
        self.property_names = PropertyNameCache(self.warehouse, clock)
        self.names = NameCheck(self.warehouse, self.property_names, clock)
        self.repricing = Repricing(
            warehouse=self.warehouse,
            reprices=stores.reprices,
            price_rows=stores.price_rows,
            shipped=shipped,
            clock=clock,
        )


def service_of(request: Request) -> Service:
    """The service that `request` came to."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]


def _backtest_turns() -> FairTurns:
    """A back-test takes a core for seconds after its queries; an organization makes one at a time."""
    return FairTurns(
        QueueLimits(places=2, for_cheap=0, of_one=1, waiting_of_one=8, waiting=64),
        wait_s=WAIT_S,
        full="too many rules of this organization are being tried on the past; try again later",
        late="other rules are being tried on the past; try again later",
    )
