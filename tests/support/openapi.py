"""The document of the query service's endpoints, without a running service."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from schemas.key import MissingTags
from schemas.omission import Omission
from schemas.recording import Recording
from services.query.app import create_app
from services.query.dependencies import QueryStores, Service
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.clock import SystemClock
from services.stores.ids import draw_id
from services.stores.journal.positions import JournalPositions
from services.stores.memory import MemoryLog, MemorySink
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.alerts import SqlAlerts
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.budgets import SqlBudgets
from services.stores.state.channels import SqlChannels
from services.stores.state.hidden_properties import SqlHiddenProperties
from services.stores.state.prices import SqlPriceRows
from services.stores.state.progress import SqlProgress
from services.stores.state.reprices import SqlReprices
from services.stores.state.scheduled_reports import SqlScheduledReports
from services.stores.state.secrets import SqlSecrets
from services.stores.state.upstreams import SqlUpstreams
from services.telemetry.metrics import QUERY_METRICS, Metrics


def documentation(folder: Path) -> dict[str, Any]:
    """What /openapi.json shows; nothing is opened in `folder`."""
    state, metrics = f"sqlite:///{folder}/none", Metrics(QUERY_METRICS)
    stores = QueryStores(
        positions=JournalPositions(folder / "none"),
        progress=SqlProgress(state),
        warehouse=ClickHouseWarehouse(f"chdb:{folder}/none", query_timeout_s=1),
        keys=SqlKeyStore(state),
        price_rows=SqlPriceRows(state),
        reprices=SqlReprices(state),
        secrets=SqlSecrets(state),
        hidden_properties=SqlHiddenProperties(state),
        upstreams=SqlUpstreams(state),
        channels=SqlChannels(state),
        alerts=SqlAlerts(state),
        scheduled_reports=SqlScheduledReports(state),
        budgets=SqlBudgets(state),
        budget_counters=SqliteCounters(folder / "none"),
        sink=MemorySink(MemoryLog(), metrics=metrics),
    )
    recording = Recording(capture_bytes=0, omission=Omission.NONE, missing_tags=MissingTags.REFUSE)
    service = Service(
        stores, shipped=ShippedPrices(), clock=SystemClock(), metrics=metrics, draw_id=draw_id, recording=recording
    )
    return create_app(service, logs=_no_logs).openapi()


async def _no_logs(
    _scope: dict[str, Any],
    _receive: Callable[[], Awaitable[dict[str, Any]]],
    _send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None: ...
