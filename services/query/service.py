"""What the handlers are given: the ports, and what is remembered between questions."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from schemas.price import ShippedBook
from services.ports import AmendableWarehouse, Clock, KeyStore, PriceRows, Reprices, Secrets
from services.query.fair_warehouse import FairWarehouse
from services.query.json_body import BodySpace
from services.query.known import KnownKeys, KnownSecrets, Spellings
from services.query.repricing import Repricing


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
        trouble: Callable[[], str],
        public_url: str,
    ) -> None:
        """`public_url`: where clients reach the service; '' for the address that each of them asked."""
        self.warehouse = FairWarehouse(warehouse)
        self.price_rows = price_rows
        self.shipped = shipped
        self.reprices = reprices
        self.clock = clock
        self.trouble = trouble
        self.public_url = public_url
        self.secrets = KnownSecrets(secrets)
        self.body_space = BodySpace()
        self.keys = KnownKeys(keys, clock)
        self.spellings = Spellings(self.warehouse, clock)
        self.repricing = Repricing(
            warehouse=self.warehouse, reprices=reprices, price_rows=price_rows, shipped=shipped, clock=clock
        )


def service_of(request: Request) -> Service:
    """What answers `request`."""
    service: Service = request.app.state.service
    return service


GivenService = Annotated[Service, Depends(service_of)]
