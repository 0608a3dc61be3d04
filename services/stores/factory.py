"""Adapters by URL, so that the settings and nothing else choose the shape Farebox runs in.

What is large is loaded only where it is opened: Kafka's client, ClickHouse's, and one of HTTP.
"""

from typing import TYPE_CHECKING

from schemas.errors import InvalidSetting
from schemas.price import PriceBook
from schemas.query_limits import QueryLimits
from services.ports.budgets import BudgetCounters
from services.ports.cache import ClearableCache, ResponseCache
from services.ports.limits import LimitStore
from services.ports.log import DeadLetters, EventSource, LogPositions, LogSink
from services.ports.otlp import TelemetryReceiver
from services.settings.otlp import OtlpSettings
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.journal.dead_letters import JournalDeadLetters
from services.stores.journal.positions import JournalPositions
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.limits.memory_limits import MemoryLimits
from services.stores.state.alerts import SqlAlerts
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.budgets import SqlBudgets
from services.stores.state.channels import SqlChannels
from services.stores.state.deliveries import SqlDeliveryQueue
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

if TYPE_CHECKING:
    from services.stores.clickhouse.warehouse import ClickHouseWarehouse
    from services.stores.heartbeat import HttpHeartbeat

# How long an event may wait for others to share its write.
_GROUP_S = {"relaxed": 0.050, "standard": 0.010, "strict": 0.002}

COUNTERS_S = 5.0  # for a step over counters that no request waits for
_CLEAR_S = 10.0  # for one of the steps in which a cache is cleared


async def open_event_sink(url: str, *, durability: str, spill: str, state: str, metrics: Metrics) -> LogSink:
    """The writing end of the log at `url`; `spill` is the journal file that takes over while Kafka is unreachable.

    What waits for Kafka is announced in the database at `state`; what waits for a journal lies beside it.
    Raises: InvalidSetting, BrokerUnavailable.
    """
    kind, place = _split(url)
    if kind == "journal":
        return JournalSink(place, metrics=metrics, group_s=_GROUP_S[durability])
    from services.stores.kafka.sink import KafkaSink

    return await KafkaSink.open(place, spill=spill, metrics=metrics, progress=SqlProgress(state))


async def open_event_source(url: str, *, group: str, metrics: Metrics) -> EventSource:
    """The reading end of the log at `url`, for one member of `group`. Raises: InvalidSetting, BrokerUnavailable."""
    kind, place = _split(url)
    if kind == "journal":
        return JournalSource(place, consumer=group, metrics=metrics)
    from services.stores.kafka.source import KafkaSource

    return await KafkaSource.open(place, group=group)


def open_positions(url: str, *, group: str) -> LogPositions:
    """Where the log at `url` stands, and up to where `group` has counted it; connects when first used.

    Raises: InvalidSetting.
    """
    kind, place = _split(url)
    if kind == "journal":
        return JournalPositions(place, consumer=group)
    from services.stores.kafka.positions import KafkaPositions

    return KafkaPositions(place, group=group)


def open_progress(url: str) -> SqlProgress:
    """How far workers are, and who works on the log; connects when first used. Raises: InvalidSetting."""
    return SqlProgress(url)


async def open_dead_letters(url: str) -> DeadLetters:
    """The dead letters beside the log at `url`. Raises: InvalidSetting, BrokerUnavailable."""
    kind, place = _split(url)
    if kind == "journal":
        return JournalDeadLetters(place)
    from services.stores.kafka.dead_letters import KafkaDeadLetters

    return await KafkaDeadLetters.open(place)


async def open_warehouse(url: str, *, limits: QueryLimits | None = None) -> "ClickHouseWarehouse":
    """A connected warehouse, waited for if it is not there yet. Raises: InvalidSetting, StoreUnavailable."""
    from services.stores.clickhouse.warehouse import ClickHouseWarehouse

    return await ClickHouseWarehouse.open(url, limits=limits)


def open_shared_warehouse(url: str, *, query_timeout_s: float) -> "ClickHouseWarehouse | None":
    """The warehouse at `url` where it is a server; connects when first used. None for a folder: one process has that.

    Raises: InvalidSetting.
    """
    if url.startswith("chdb:"):
        return None
    from services.stores.clickhouse.warehouse import ClickHouseWarehouse

    return ClickHouseWarehouse(url, query_timeout_s=query_timeout_s)


def open_keys(url: str) -> SqlKeyStore:
    """The API keys; connects when first used. Raises: InvalidSetting."""
    return SqlKeyStore(url)


def open_price_rows(url: str) -> SqlPriceRows:
    """The operator's prices; connects when first used. Raises: InvalidSetting."""
    return SqlPriceRows(url)


def open_shipped_prices() -> PriceBook:
    """They take time and memory that most proxies need not spend."""
    from services.stores.shipped_prices.book import ShippedPrices

    return ShippedPrices()


def shipped_models() -> bytes:
    """The models whose prices are shipped, as OpenAI lists models. Few proxies are asked, and the data is large."""
    from services.stores.shipped_prices.listing import listed_models

    return listed_models()


def open_hidden_properties(url: str) -> SqlHiddenProperties:
    """Which properties are hidden; connects when first used. Raises: InvalidSetting."""
    return SqlHiddenProperties(url)


def open_upstreams(url: str, *, encryption_key: str) -> SqlUpstreams:
    """Named upstreams; connects when first used. Raises: InvalidSetting."""
    return SqlUpstreams(url, encryption_key=encryption_key)


def open_pricing_releases(url: str) -> SqlPricingReleases:
    """Who charges events; connects when first used. Raises: InvalidSetting."""
    return SqlPricingReleases(url)


def open_reprices(url: str) -> SqlReprices:
    """The record of re-pricings; connects when first used. Raises: InvalidSetting."""
    return SqlReprices(url)


def open_alerts(url: str) -> SqlAlerts:
    """Alerts and how they stand; connects when first used. Raises: InvalidSetting."""
    return SqlAlerts(url)


def open_heartbeat(url: str) -> "HttpHeartbeat | None":
    """Who is told that alerts are evaluated; None where nobody is."""
    if not url:
        return None
    from services.stores.heartbeat import HttpHeartbeat

    return HttpHeartbeat(url)


def open_otlp_receiver(settings: OtlpSettings, *, proxy: str, no_proxy: str, ca_file: str) -> TelemetryReceiver | None:
    """Who is sent spans and metrics of calls; None where nobody is. Connects when first used. Raises: InvalidSetting.

    The egress `proxy` and the certificates in `ca_file` count as for all that is outside.
    """
    urls = settings.otlp_urls()
    if not urls:
        return None
    from services.stores.otlp_receiver import OtlpReceiver
    from services.stores.upstream.dial import egress_proxy, trusting_context

    tls, egress = trusting_context(ca_file), egress_proxy(proxy, no_proxy)
    return OtlpReceiver(urls, headers=settings.otlp_header_values(), tls=tls, egress=egress)


def open_leases(url: str) -> SqlLeases:
    """What one process at a time does; connects when first used. Raises: InvalidSetting."""
    return SqlLeases(url)


def open_secrets(url: str) -> SqlSecrets:
    """What the deployment signs by; connects when first used. Raises: InvalidSetting."""
    return SqlSecrets(url)


def open_channels(url: str, *, encryption_key: str) -> SqlChannels:
    """Where notices go; connects when first used. Raises: InvalidSetting."""
    return SqlChannels(url, encryption_key=encryption_key)


def open_scheduled_reports(url: str) -> SqlScheduledReports:
    """Reports that are due by the calendar; connects when first used. Raises: InvalidSetting."""
    return SqlScheduledReports(url)


def open_delivery_queue(url: str, *, encryption_key: str) -> SqlDeliveryQueue:
    """What is to be sent; connects when first used. Raises: InvalidSetting."""
    return SqlDeliveryQueue(url, encryption_key=encryption_key)


def open_response_cache(url: str, *, max_bytes: int, timeout_s: float) -> ResponseCache | None:
    """The cache at `url`; connects when first used. None where there is to be none. `max_bytes` are those of a file.

    Raises: InvalidSetting.
    """
    if url == "off":
        return None
    if url.startswith("sqlite:"):
        return SqliteCache(url.removeprefix("sqlite:"), max_bytes=max_bytes)
    from services.stores.cache.redis_cache import RedisCache

    return RedisCache(url, timeout_s=timeout_s)


def open_limits(url: str, *, timeout_s: float) -> LimitStore:
    """The levels of rate limits at `url`; connects when first used. Raises: InvalidSetting."""
    if url == "memory":
        return MemoryLimits()
    from services.stores.limits.redis_limits import RedisLimits

    return RedisLimits(url, timeout_s=timeout_s)


def open_budgets(url: str) -> SqlBudgets:
    """The budgets; connects when first used. Raises: InvalidSetting."""
    return SqlBudgets(url)


def open_budget_counters(url: str, *, timeout_s: float) -> BudgetCounters:
    """What was spent of budgets, at `url`; connects when first used. Raises: InvalidSetting."""
    if url.startswith("sqlite:"):
        return SqliteCounters(url.removeprefix("sqlite:"))
    from services.stores.budgets.redis_counters import RedisCounters

    return RedisCounters(url, timeout_s=timeout_s)


def open_cache_to_clear(url: str) -> ClearableCache | None:
    """The same where nothing is saved or served. Raises: InvalidSetting."""
    return open_response_cache(url, max_bytes=0, timeout_s=_CLEAR_S)


def _split(url: str) -> tuple[str, str]:
    for kind, prefix in (("journal", "journal:"), ("kafka", "kafka://")):
        if url.startswith(prefix) and url != prefix:
            return kind, url.removeprefix(prefix)
    raise InvalidSetting("event_log: expected journal:FILE or kafka://HOST:PORT[,HOST:PORT...]")
