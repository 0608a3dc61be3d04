"""What the exchanges of one process share."""

from typing import Protocol

import msgspec

from services.ports import Upstream
from services.proxy.accounts import Accounts
from services.proxy.keys import Tell
from services.telemetry import Metrics


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    max_body_bytes: int
    first_byte_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float


class KeyCheck(Protocol):
    def check(self, bearer: bytes | None, tell: Tell) -> None: ...


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchanges of one process share."""

    upstream: Upstream
    keys: KeyCheck
    accounts: Accounts
    metrics: Metrics
    limits: Limits
    strict: bool = False
    pass_unauthenticated: bool = False
