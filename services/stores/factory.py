"""Adapters by URL, so that the settings and nothing else choose the shape Farebox runs in.

Kafka's client is loaded only where there is a Kafka: the embedded shape starts without it.
"""

from schemas.errors import InvalidSetting
from services.ports import DeadLetters, EventSink, EventSource
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.journal.dead_letters import JournalDeadLetters
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.prices import SqlPriceRows
from services.stores.state.releases import SqlPricingReleases
from services.stores.state.reprices import SqlReprices
from services.stores.state.secrets import SqlSecrets
from services.telemetry import Metrics

# How long an event may wait for others to share its write.
_GROUP_S = {"relaxed": 0.050, "standard": 0.010, "strict": 0.002}


async def open_event_sink(url: str, *, durability: str, spill: str, metrics: Metrics) -> EventSink:
    """The writing end of the log at `url`; `spill` is the journal file that takes over while Kafka is unreachable.

    Raises: InvalidSetting, BrokerUnavailable.
    """
    kind, place = _split(url)
    if kind == "journal":
        return JournalSink(place, metrics=metrics, group_s=_GROUP_S[durability])
    from services.stores.kafka.sink import KafkaSink

    return await KafkaSink.open(place, spill=spill, metrics=metrics)


async def open_event_source(url: str, *, group: str, metrics: Metrics) -> EventSource:
    """The reading end of the log at `url`, for one member of `group`. Raises: InvalidSetting, BrokerUnavailable."""
    kind, place = _split(url)
    if kind == "journal":
        return JournalSource(place, consumer=group, metrics=metrics)
    from services.stores.kafka.source import KafkaSource

    return await KafkaSource.open(place, group=group)


async def open_dead_letters(url: str) -> DeadLetters:
    """The dead letters beside the log at `url`. Raises: InvalidSetting, BrokerUnavailable."""
    kind, place = _split(url)
    if kind == "journal":
        return JournalDeadLetters(place)
    from services.stores.kafka.dead_letters import KafkaDeadLetters

    return await KafkaDeadLetters.open(place)


async def open_warehouse(url: str, *, query_timeout_s: float = 30) -> ClickHouseWarehouse:
    """A connected warehouse, waited for if it is not there yet. Raises: InvalidSetting, StoreUnavailable."""
    return await ClickHouseWarehouse.open(url, query_timeout_s=query_timeout_s)


def open_shared_warehouse(url: str, *, query_timeout_s: float) -> ClickHouseWarehouse | None:
    """The warehouse at `url` where it is a server; connects when first used. None for a folder: one process has that.

    Raises: InvalidSetting.
    """
    if url.startswith("chdb:"):
        return None
    return ClickHouseWarehouse(url, query_timeout_s=query_timeout_s)


def open_keys(url: str) -> SqlKeyStore:
    """The API keys; connects when first used. Raises: InvalidSetting."""
    return SqlKeyStore(url)


def open_price_rows(url: str) -> SqlPriceRows:
    """The operator's prices; connects when first used. Raises: InvalidSetting."""
    return SqlPriceRows(url)


def open_pricing_releases(url: str) -> SqlPricingReleases:
    """Who charges events; connects when first used. Raises: InvalidSetting."""
    return SqlPricingReleases(url)


def open_reprices(url: str) -> SqlReprices:
    """The record of re-pricings; connects when first used. Raises: InvalidSetting."""
    return SqlReprices(url)


def open_secrets(url: str) -> SqlSecrets:
    """What the deployment signs by; connects when first used. Raises: InvalidSetting."""
    return SqlSecrets(url)


def _split(url: str) -> tuple[str, str]:
    for kind, prefix in (("journal", "journal:"), ("kafka", "kafka://")):
        if url.startswith(prefix) and url != prefix:
            return kind, url.removeprefix(prefix)
    raise InvalidSetting("event_log: expected journal:FILE or kafka://HOST:PORT[,HOST:PORT...]")
