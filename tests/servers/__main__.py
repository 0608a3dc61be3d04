"""Fetches the real servers that tests run as processes, so that a run of the tests need not."""

import os

from tests.servers import clickhouse
from tests.servers.clickhouse import NoServer, docker_responses
from tests.servers.kafka import kafka_jars


def _fetch_all() -> None:
    for name, given, fetch in (
        ("Kafka", "FAREBOX_TEST_KAFKA", kafka_jars),
        ("ClickHouse", "FAREBOX_TEST_CLICKHOUSE", clickhouse.library),
    ):
        if os.environ.get(given) or docker_responses():
            print(f"{name}: nothing to fetch")
            continue
        try:
            print(f"{name}: {fetch()}")
        except NoServer as reason:
            print(f"{name}: {reason}; its tests will be skipped")


if __name__ == "__main__":
    _fetch_all()
