"""What the handlers are given: the ports, and what is remembered between questions."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from schemas.price import ShippedBook
from services.ports import AmendableWarehouse, Clock, KeyStore, PriceRows, Reprices, Secrets
from services.query.caches import PropertyNameCache, QueryKeyCache, SecretCache
from services.query.fair_warehouse import FairWarehouse
from services.query.http.json_body import BodySpace
from services.query.readiness import Readiness
from services.repricing.runner import Repricing
from services.telemetry import Metrics


class Service:
    """One running query service."""

    def __init__(
        self,
        *,
        warehouse: AmendableWarehouse,
        keys: KeyStore,
        price_rows: PriceRows,
        shipped: ShippedBook,
        reprices: Reprices,
        clock: Clock,
        secrets: Secrets,
        metrics: Metrics,
        trouble: Callable[[], str],
        public_url: str,
    ) -> None:
        """`public_url`: where clients reach the service; '' for the address that each of them asked."""
        self.warehouse = FairWarehouse(warehouse)
        self.readiness = Readiness(warehouse, keys)
        self.price_rows = price_rows
        self.shipped = shipped
        self.reprices = reprices
        self.clock = clock
        self.metrics = metrics
        self.trouble = trouble
        self.public_url = public_url
        self.secrets = SecretCache(secrets)
        self.body_space = BodySpace()
        self.keys = QueryKeyCache(keys, clock)
        self.property_names = PropertyNameCache(self.warehouse, clock)
        self.repricing = Repricing(
            warehouse=self.warehouse, reprices=reprices, price_rows=price_rows, shipped=shipped, clock=clock
        )


def service_of(request: Request) -> Service:
    """What answers `request`."""
    service: Service = request.app.state.service
    return service


GivenService = Annotated[Service, Depends(service_of)]
