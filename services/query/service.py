"""What the handlers are given: the ports, and what is remembered between questions."""

from typing import Annotated

from fastapi import Depends, Request

from schemas.price import PriceBook
from services.ports import Clock, KeyStore, PriceRows, Warehouse
from services.query.known import KnownKeys, Spellings


class Service:
    """One running query service."""

    def __init__(
        self, *, warehouse: Warehouse, keys: KeyStore, price_rows: PriceRows, shipped: PriceBook, clock: Clock
    ) -> None:
        self.warehouse = warehouse
        self.price_rows = price_rows
        self.shipped = shipped
        self.clock = clock
        self.keys = KnownKeys(keys, clock)
        self.spellings = Spellings(warehouse, clock)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Asked = Annotated[Service, Depends(_service)]
