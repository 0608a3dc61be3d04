"""Creates what the processes need: the tables of the warehouse and of the state database, the log's topics.

To be run before them. Running it again, or twice at once, changes nothing.
"""

import asyncio
import logging
import os
import sys

from schemas.errors import FareboxError
from services.hashing import KeyedHashes
from services.settings.processes import MigrateSettings
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.factory import open_secrets
from services.stores.state.migrations.run import migrate_state
from services.telemetry.json_logging import configure_logging

logger = logging.getLogger("farebox.migrate")


async def migrate(settings: MigrateSettings) -> None:
    """Raises: InvalidSetting, ChangedMigration, StoreUnavailable, BrokerUnavailable."""
    logger.info("warehouse migrated", extra={"applied": await _migrate_warehouse(settings.warehouse)})
    await migrate_state(settings.state)
    await _draw_secret(settings.state)
    logger.info("state migrated")
    if settings.event_log.startswith("kafka://"):
        logger.info("topics created", extra={"topics": await _create_topics(settings)})


async def _migrate_warehouse(url: str) -> list[str]:
    warehouse = await ClickHouseWarehouse.open(url, create_database=True)
    try:
        return await migrate_warehouse(warehouse)
    finally:
        await warehouse.close()


async def _draw_secret(state: str) -> None:
    """What every process hashes with: drawn here, so that proxies and workers need no more than read it."""
    secrets = open_secrets(state)
    try:
        await KeyedHashes(secrets).load()
    finally:
        await secrets.close()


async def _create_topics(settings: MigrateSettings) -> list[str]:
    # Kafka's client is loaded only where there is a Kafka.
    from services.stores.kafka.topics import create_topics

    return await create_topics(
        settings.event_log.removeprefix("kafka://"),
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
        retention_hours=settings.kafka_retention_hours,
    )


def main() -> None:
    """Exits with 1, and one line with the reason, when it could not be done."""
    try:
        settings = MigrateSettings.from_environ(os.environ)
        configure_logging(settings.log_level)
        asyncio.run(migrate(settings))
    except FareboxError as error:
        sys.exit(f"farebox migrate: {error}")


if __name__ == "__main__":
    main()
