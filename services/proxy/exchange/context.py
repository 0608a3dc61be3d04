"""What the exchanges of one process share."""

import msgspec

from services.domain.exchange.capture import CaptureSpace
from services.ports import Upstream
from services.proxy.admission.admission import Admission
from services.proxy.exchange.deadlines import Limits
from services.proxy.exchange.drain import Drains
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.telemetry import Metrics


class ProxyContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchanges of one process share."""

    upstream: Upstream
    admission: Admission
    recorder: EventRecorder
    metrics: Metrics
    limits: Limits
    drains: Drains
    buffer_memory: CaptureSpace  # of all bodies that are collected until they are whole
    paced: PacedWork
    inject_usage: bool = True  # unless a request says otherwise
    strict: bool = False
