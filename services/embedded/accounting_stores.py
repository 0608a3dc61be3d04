"""The stores that the worker and the query service of an embedded Farebox share."""

from contextlib import AsyncExitStack

import msgspec

from services.ports.budgets import BudgetCounters
from services.ports.cache import ClearableCache
from services.ports.log import EventSource, LogPositions, LogSink
from services.ports.otlp import TelemetryReceiver
from services.process import closed_by
from services.scheduler.build import Heartbeat
from services.settings.processes import QuerySettings, WorkerSettings
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.factory import (
    COUNTERS_S,
    open_alerts,
    open_budget_counters,
    open_budgets,
    open_cache_to_clear,
    open_channels,
    open_event_sink,
    open_event_source,
    open_heartbeat,
    open_hidden_properties,
    open_keys,
    open_leases,
    open_otlp_receiver,
    open_positions,
    open_price_rows,
    open_pricing_releases,
    open_progress,
    open_reprices,
    open_scheduled_reports,
    open_secrets,
    open_upstreams,
    open_warehouse,
)
from services.stores.state.alerts import SqlAlerts
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.budgets import SqlBudgets
from services.stores.state.channels import SqlChannels
from services.stores.state.hidden_properties import SqlHiddenProperties
from services.stores.state.leases import SqlLeases
from services.stores.state.prices import SqlPriceRows
from services.stores.state.progress import SqlProgress
from services.stores.state.releases import SqlPricingReleases
from services.stores.state.reprices import SqlReprices
from services.stores.state.scheduled_reports import SqlScheduledReports
from services.stores.state.secrets import SqlSecrets
from services.stores.state.upstreams import SqlUpstreams
from services.telemetry.metrics import Metrics


class AccountingStores(msgspec.Struct, frozen=True, kw_only=True):
    """What accounting works on."""

    source: EventSource
    positions: LogPositions
    progress: SqlProgress
    warehouse: ClickHouseWarehouse
    keys: SqlKeyStore
    price_rows: SqlPriceRows
    releases: SqlPricingReleases
    reprices: SqlReprices
    secrets: SqlSecrets
    hidden_properties: SqlHiddenProperties
    leases: SqlLeases
    upstreams: SqlUpstreams
    alerts: SqlAlerts
    channels: SqlChannels
    scheduled_reports: SqlScheduledReports
    sink: LogSink
    cache: ClearableCache | None
    heartbeat: Heartbeat | None
    budgets: SqlBudgets
    budget_counters: BudgetCounters
    telemetry: TelemetryReceiver | None


async def open_stores(
    stack: AsyncExitStack,
    query: QuerySettings,
    worker: WorkerSettings,
    metrics: Metrics,
    *,
    heartbeat_url: str = "",
) -> AccountingStores:
    """What is open closes with `stack`. Raises: FareboxError."""
    warehouse = closed_by(stack, await open_warehouse(query.warehouse, limits=query.limits()))
    keys = closed_by(stack, open_keys(query.state))
    source = closed_by(
        stack,
        await open_event_source(worker.event_log, group=worker.worker_group, metrics=metrics),
    )
    positions = closed_by(stack, open_positions(worker.event_log, group=worker.worker_group))
    progress = closed_by(stack, open_progress(query.state))
    cache = open_cache_to_clear(query.cache_url)
    heartbeat = open_heartbeat(heartbeat_url)
    telemetry = open_otlp_receiver(worker, proxy=worker.egress_proxy, no_proxy=worker.no_proxy, ca_file=worker.ca_file)
    # A second writer beside the proxy's: a logged call is acknowledged when it is durable.
    sink = await open_event_sink(
        query.event_log,
        durability="standard",
        spill=query.kafka_spill,
        state=query.state,
        metrics=metrics,
    )
    closed_by(stack, sink)
    return AccountingStores(
        source=source,
        positions=positions,
        progress=progress,
        warehouse=warehouse,
        keys=keys,
        price_rows=closed_by(stack, open_price_rows(query.state)),
        releases=closed_by(stack, open_pricing_releases(query.state)),
        reprices=closed_by(stack, open_reprices(query.state)),
        secrets=closed_by(stack, open_secrets(query.state)),
        hidden_properties=closed_by(stack, open_hidden_properties(query.state)),
        leases=closed_by(stack, open_leases(query.state)),
        upstreams=closed_by(stack, open_upstreams(query.state, encryption_key=query.encryption_key)),
        alerts=closed_by(stack, open_alerts(query.state)),
        channels=closed_by(stack, open_channels(query.state, encryption_key=query.encryption_key)),
        scheduled_reports=closed_by(stack, open_scheduled_reports(query.state)),
        sink=sink,
        cache=None if cache is None else closed_by(stack, cache),
        heartbeat=None if heartbeat is None else closed_by(stack, heartbeat),
        budgets=closed_by(stack, open_budgets(query.state)),
        budget_counters=closed_by(stack, open_budget_counters(query.budgets_url, timeout_s=COUNTERS_S)),
        telemetry=None if telemetry is None else closed_by(stack, telemetry),
    )
