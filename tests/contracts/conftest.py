"""Fixtures of the query service's contract."""

from collections.abc import Iterator

import pytest

from services.stores.warehouse import ClickHouseWarehouse
from tests.querying import Caller, QueryService, query_service


@pytest.fixture(scope="module", params=["embedded", "server"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryService]:
    warehouse: ClickHouseWarehouse = request.getfixturevalue(f"{request.param}_warehouse")
    with query_service(warehouse, tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def caller(service: QueryService, organization_id: str) -> Caller:
    return Caller(service, organization_id, service.key(organization_id))
