"""What is sent out as OpenTelemetry has it."""

from enum import Enum
from typing import Protocol


class Signal(Enum):
    TRACES = "traces"
    METRICS = "metrics"


class TelemetryReceiver(Protocol):
    """Who takes exports of OTLP."""

    def wants(self, signal: Signal) -> bool: ...

    async def send(self, signal: Signal, export: bytes) -> bool:
        """Whether it was taken; what was refused would be refused again.

        Raises: Unavailable, for what may be sent again.
        """

    async def close(self) -> None: ...
