"""What an anomaly says was actual is what the report says of the same group and time."""

import random
import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.record import RequestRecord
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.contracts.test_query_anomalies import END, PERIOD, WEEKS, request, runaway
from tests.laws.surfaces import responded
from tests.servers.querying import Client, QueryService, leaf, query_service


@pytest.fixture(scope="module")
def service(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QueryService]:
    folder: Path = tmp_path_factory.mktemp("state")
    with query_service(embedded_warehouse, folder) as running:
        yield running


def quiet_weeks(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Three requests a day of each user."""
    for day in range(WEEKS * 7):
        for user in ("user-123", "user-456"):
            for _ in range(3):
                at = END - timedelta(days=WEEKS * 7 - day) + timedelta(seconds=chance.randrange(86_400))
                yield request(at, user, "chat", str(Decimal(chance.randrange(50, 150)).scaleb(-3)))


def stored(client: Client, chance: random.Random) -> None:
    """In any order, some of them again, and some corrected: before or after what they were before."""
    rows = [
        a_record(organization_id=client.organization_id, request_id=str(uuid.UUID(int=chance.getrandbits(128))), **row)
        for row in (*quiet_weeks(chance), *runaway(chance))
    ]
    again = [_before(row, chance) if chance.random() < 0.5 else row for row in chance.sample(rows, 150)]
    batches = [rows[::2], again, rows[1::2]]
    chance.shuffle(batches)
    for batch in batches:
        client.insert(batch, [])


def _before(row: RequestRecord, chance: random.Random) -> RequestRecord:
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return a_record(**(values | {"version": row.version - 1, "cost_usd": Decimal(chance.randrange(1000))}))


def of_group(group: dict[str, Any]) -> object:
    match group:
        case {"user_id": user}:
            return leaf(user_id={"equals": user})
        case {"properties.Feature": feature}:
            return {"properties": {"Feature": {"equals": feature}}}
    return "all"


@pytest.mark.parametrize("seed", [1, 2])
def test_the_actual_figure_of_an_anomaly_is_that_of_the_report(service: QueryService, seed: int) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    client = Client(service, organization_id, service.key(organization_id))
    stored(client, random.Random(seed))
    groups: set[str] = set()
    for by in ([], [{"column": "user_id"}], [{"property": "Feature"}]):
        found = responded(client, "/v1/report/anomalies", PERIOD | {"by": by, "measures": ["cost_usd", "requests"]})
        for anomaly in found["anomalies"]:
            groups.add(str(anomaly["group"]))
            whole = client.report(
                measures=["cost_usd", "requests", "unpriced_requests"],
                filter=of_group(anomaly["group"]),
                timeFilter={"start": anomaly["since"], "end": anomaly["until"] or found["end"]},
            )["total"]
            assert anomaly["actual"] == whole[anomaly["measure"]]
            assert anomaly["requests"] == whole["requests"]
            assert anomaly["unpriced_requests"] == whole["unpriced_requests"]
    assert {"{}", "{'user_id': 'user-123'}"} <= groups
