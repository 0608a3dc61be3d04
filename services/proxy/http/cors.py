"""The client's side of an exchange with a web page that may see the response."""

from collections.abc import Callable, Sequence

from services.domain.exchange.cors import with_cors
from services.domain.exchange.headers import Pair
from services.ports.upstream import Headers
from services.proxy.errors import Downstream


class CorsDownstream:
    """A Downstream before another one: every head gets the headers `shown`."""

    def __init__(self, client: Downstream, shown: Sequence[Pair]) -> None:
        self._client = client
        self._shown = shown

    def send_head(self, status: int, reason: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._client.send_head(status, reason, with_cors(headers, self._shown), body_bytes)

    def change_protocol(self, headers: Headers, stop: Callable[[], None]) -> bool:
        return self._client.change_protocol(headers, stop)

    def close_after(self) -> None:
        self._client.close_after()

    def send_chunk(self, chunk: bytes) -> None:
        self._client.send_chunk(chunk)

    def flush(self) -> None:
        self._client.flush()

    def finish(self) -> None:
        self._client.finish()

    def cut(self) -> None:
        self._client.cut()

    def proceed(self) -> None:
        self._client.proceed()

    def pause_request(self) -> None:
        self._client.pause_request()

    def resume_request(self) -> None:
        self._client.resume_request()
