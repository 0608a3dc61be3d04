"""What the requests of one process that are retried, or have fallbacks, share."""

from collections.abc import Callable
from random import random
from typing import Final

import msgspec

from services.ports.clock import Clock
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.proxy.upstream.attempts.circuits import Circuits
from services.proxy.upstream.shared_memory import SharedMemory

MEMORY_BYTES: Final = 64 * 2**20  # of all bodies that may have to be sent again
BODY_BYTES: Final = 8 * 2**20  # of each of them


class AttemptUse(msgspec.Struct, frozen=True, kw_only=True):
    recorder: EventRecorder
    circuits: Circuits
    paced: PacedWork
    memory: SharedMemory  # of all bodies that may have to be sent again
    body_bytes: int  # of each of them
    total_timeout_s: float  # of a request, whatever becomes of its attempts
    draw: Callable[[], float]  # from 0 to 1
    clock: Clock


def attempt_use(recorder: EventRecorder, paced: PacedWork, clock: Clock, *, total_timeout_s: float) -> AttemptUse:
    """That of one process."""
    return AttemptUse(
        recorder=recorder,
        circuits=Circuits(recorder.metrics),
        paced=paced,
        memory=SharedMemory(MEMORY_BYTES),
        body_bytes=BODY_BYTES,
        total_timeout_s=total_timeout_s,
        draw=random,
        clock=clock,
    )
