"""Making the topics of the Kafka log."""

import logging
from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from schemas.errors import BrokerUnavailable
from services.retry import RetryPolicy, retry
from services.stores.kafka.client import (
    MAX_MESSAGE_BYTES,
    PREFIX,
    broker_list,
    dead_letters_topic,
    events_topic,
    kafka_call,
)

PATIENCE_S = 30.0
RETRY = RetryPolicy(first_delay_s=0.1, last_delay_s=1.0)

logger = logging.getLogger(__name__)


async def create_topics(
    brokers: str,
    *,
    partitions: int,
    replication: int,
    retention_hours: int,
    prefix: str = PREFIX,
    patience_s: float = PATIENCE_S,
) -> list[str]:
    """The names of the topics that were not there before; waits `patience_s` for brokers that are just starting.

    Topics that are there are left as they are. Raises: InvalidSetting, BrokerUnavailable.
    """
    durable = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": "2" if replication > 2 else "1",
        "unclean.leader.election.enable": "false",
    }
    retention = {"retention.ms": str(retention_hours * 3_600_000)}
    for_ever = {"retention.ms": "-1"}  # dead letters stay until somebody has looked at them
    return await _create(
        broker_list(brokers),
        [
            NewTopic(events_topic(prefix), partitions, replication, topic_configs=durable | retention),
            NewTopic(dead_letters_topic(prefix), 1, replication, topic_configs=durable | for_ever),
        ],
        patience_s,
    )


async def _create(brokers: list[str], topics: list[NewTopic], patience_s: float) -> list[str]:
    created: list[str] = []
    policy = RETRY._replace(give_up_after_s=patience_s)
    await retry(
        lambda: _create_once(brokers, topics, created),
        policy,
        logger=logger,
        message="kafka makes no topics yet, retrying",
    )
    return created


async def _create_once(brokers: list[str], topics: list[NewTopic], created: list[str]) -> None:
    """Adds to `created`. Raises: BrokerUnavailable, also where the cluster has too few brokers, which may just join."""
    for name, code, *reason in await _responses(brokers, topics):
        error = for_code(code)
        if error is NoError:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise BrokerUnavailable(
                f"Kafka does not create topic {name}: {error.__name__} {' '.join(map(str, reason))}"
            )


async def _responses(brokers: list[str], topics: list[NewTopic]) -> Iterable[tuple[Any, ...]]:
    """Name, error code and more, for each topic. Raises: BrokerUnavailable."""
    client = AIOKafkaAdminClient(bootstrap_servers=brokers, client_id="farebox-migrate")
    try:
        await kafka_call(client.start(), "connect")
        response = await kafka_call(client.create_topics(topics), "create topics")
    except AttributeError as error:
        # While no broker is the controller, as after an outage, aiokafka reads the id of one that is None.
        raise BrokerUnavailable("Kafka has no controller yet") from error
    finally:
        await client.close()
    errors: Iterable[tuple[Any, ...]] = response.topic_errors
    return errors
