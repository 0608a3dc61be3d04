"""Who responds to a request: an exchange with a provider, the app, or a refusal. A connection knows only this."""

from datetime import datetime
from typing import Protocol

from schemas.errors import Rejected
from services.proxy.errors import Downstream, send_error
from services.telemetry.metrics import Metrics


class Responder(Protocol):
    """Is called by the client's connection. Its response goes to the Downstream that it was made with."""

    def turn_came(self, at: datetime) -> None:
        """The request waited for responses to earlier ones; it counts as one of the timestamp `at`."""
        ...

    def begin(self) -> None:
        """It may respond from now on. Its body may have begun to come before."""
        ...

    def body(self, chunk: bytes) -> None: ...

    def request_end(self) -> None: ...

    def request_flush(self) -> None:
        """All of the request that is at hand has come."""
        ...

    def request_broken(self, error: Rejected) -> None:
        """The body cannot be understood; nothing more of it will come."""
        ...

    def client_disconnected(self) -> None: ...

    def client_slow(self) -> None: ...

    def client_ready(self) -> None: ...

    def check(self, now_s: float) -> None:
        """Looks after time limits. Called several times a second."""
        ...

    def stop(self) -> None:
        """The server cannot wait any longer."""
        ...


class Refusal:
    """The response to what is no valid request. Nothing more is read from its connection."""

    def __init__(self, error: Rejected, client: Downstream, metrics: Metrics) -> None:
        self._error = error
        self._client = client
        self._metrics = metrics

    def begin(self) -> None:
        self._metrics.add("proxy_refused_total")
        send_error(self._client, self._error, bodiless=False)

    def turn_came(self, at: datetime) -> None: ...

    def body(self, chunk: bytes) -> None: ...

    def request_end(self) -> None: ...

    def request_flush(self) -> None: ...

    def request_broken(self, error: Rejected) -> None: ...

    def client_disconnected(self) -> None: ...

    def client_slow(self) -> None: ...

    def client_ready(self) -> None: ...

    def check(self, now_s: float) -> None: ...

    def stop(self) -> None: ...
