"""What the endpoints depend on: the ports, and what is cached between requests."""

from typing import Annotated

import msgspec
from fastapi import Depends, Request

from schemas.price import ShippedBook
from services.ports import AmendableWarehouse, Clock, EventSink, KeyStore, PriceRows, Reprices, Secrets
from services.query.caches import PropertyNameCache, QueryKeyCache, SecretCache
from services.query.fair_warehouse import FairWarehouse
from services.query.http.json_body import BodySpace
from services.query.readiness import Readiness
from services.repricing.runner import Repricing
from services.telemetry import Metrics


class QueryStores(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the query service. What opened them closes them, after the service."""

    warehouse: AmendableWarehouse
    keys: KeyStore
    price_rows: PriceRows
    reprices: Reprices
    secrets: Secrets
    sink: EventSink


class Service:
    """One running query service."""

    def __init__(
        self,
        stores: QueryStores,
        *,
        shipped: ShippedBook,
        clock: Clock,
        metrics: Metrics,
        public_url: str = "",
    ) -> None:
        """`public_url`: where clients reach the service, for URLs in responses; '' for each request's own address."""
        self.warehouse = FairWarehouse(stores.warehouse)
        self.readiness = Readiness(stores.warehouse, stores.keys)
        self.price_rows = stores.price_rows
        self.reprices = stores.reprices
        self.shipped = shipped
        self.clock = clock
        self.metrics = metrics
        self.public_url = public_url.rstrip("/")
        self.secrets = SecretCache(stores.secrets)
        self.body_space = BodySpace()
        self.keys = QueryKeyCache(stores.keys, clock)
        self.property_names = PropertyNameCache(self.warehouse, clock)
        self.repricing = Repricing(
            warehouse=self.warehouse,
            reprices=stores.reprices,
            price_rows=stores.price_rows,
            shipped=shipped,
            clock=clock,
        )


def service_of(request: Request) -> Service:
    """The service that `request` came to."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]
