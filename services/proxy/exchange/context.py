"""What the exchanges of one process share."""

from collections.abc import Set
from typing import Protocol

import msgspec

from services.domain.exchange.capture import CaptureSpace
from services.ports import Upstream
from services.proxy.exchange.drain import Drains
from services.proxy.exchange.key_cache import AuthCallback
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.telemetry import Metrics


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    max_body_bytes: int
    first_byte_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float


class KeyCheck(Protocol):
    def check(self, bearer: bytes | None, tell: AuthCallback) -> None: ...


class ProxyContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchanges of one process share."""

    upstream: Upstream
    keys: KeyCheck
    accounts: EventRecorder
    metrics: Metrics
    limits: Limits
    drains: Drains
    kept: CaptureSpace  # room for bodies that are kept until it is known whether usage is to be asked for
    paced: PacedWork
    ignored_headers: Set[bytes] = frozenset()  # refused ones, in lower case, that the operator wants passed over
    asks_usage: bool = True  # unless a request says otherwise
    strict: bool = False
    pass_unauthenticated: bool = False
