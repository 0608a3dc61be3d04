"""Making the topics of the Kafka log."""

import logging

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

RETRY = RetryPolicy(first_delay_s=0.1, last_delay_s=1.0, give_up_after_s=30.0)

logger = logging.getLogger(__name__)


async def create_topics(
    brokers: str, *, partitions: int, replication: int, retention_hours: int, prefix: str = PREFIX
) -> list[str]:
    """The names of the topics that were not there before; waits for brokers that are just starting.

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
    )


async def _create(brokers: list[str], topics: list[NewTopic]) -> list[str]:
    client = await retry(lambda: _connected(brokers), RETRY, logger=logger, message="kafka is unreachable, retrying")
    try:
        response = await kafka_call(client.create_topics(topics), "create topics")
    finally:
        await client.close()
    created = []
    for name, code, *reason in response.topic_errors:
        error = for_code(code)
        if error is NoError:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise BrokerUnavailable(
                f"Kafka does not create topic {name}: {error.__name__} {' '.join(map(str, reason))}"
            )
    return created


async def _connected(brokers: list[str]) -> AIOKafkaAdminClient:
    client = AIOKafkaAdminClient(bootstrap_servers=brokers, client_id="farebox-migrate")
    try:
        await kafka_call(client.start(), "connect")
    except BrokerUnavailable:
        await client.close()
        raise
    return client
