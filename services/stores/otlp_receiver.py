"""A receiver of OpenTelemetry: OTLP over HTTP, in protobuf.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import logging
import ssl
from collections.abc import Mapping
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import httpx

from schemas.errors import Unavailable
from schemas.origin import Origin
from services.ports.otlp import Signal
from services.stores.upstream.dial import EgressProxy

TIMEOUT_S: Final = 10.0

_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_LOG_EVERY_S: Final = 60.0
_CONTENT_TYPE: Final = "application/x-protobuf"

logger = logging.getLogger("farebox.worker")


class OtlpReceiver:
    """The TelemetryReceiver port. Connects when first used."""

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext,
        egress: EgressProxy | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`urls`: where each signal goes that is sent, by its name."""
        self._urls = urls
        own = {"Content-Type": _CONTENT_TYPE, "User-Agent": "Farebox"}
        self._clients = {
            signal: httpx.AsyncClient(
                timeout=timeout_s,
                follow_redirects=False,
                headers={**headers, **own},
                verify=tls,
                proxy=_proxy_to(url, egress),
                trust_env=False,
            )
            for signal, url in urls.items()
        }
        self._next_log_s = 0.0

    def wants(self, signal: Signal) -> bool:
        return signal.value in self._urls

    async def send(self, signal: Signal, export: bytes) -> bool:
        try:
            client, url = self._clients[signal.value], self._urls[signal.value]
            async with client.stream("POST", url, content=export) as response:
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Not the error's text: a URL may hold a key.
            raise Unavailable(f"the receiver of {signal.value}: {type(error).__name__}") from None
        if status in _RETRYABLE:
            raise Unavailable(f"the receiver of {signal.value} responds with {status}")
        if status >= 300:
            self._warn(signal, status)
        return status < 300

    def _warn(self, signal: Signal, status: int) -> None:
        now_s = monotonic()
        if now_s >= self._next_log_s:
            self._next_log_s = now_s + _LOG_EVERY_S
            facts = {"signal": signal.value, "status": status}
            logger.warning("the receiver of OpenTelemetry refuses what it is sent", extra=facts)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


def _proxy_to(url: str, egress: EgressProxy | None) -> httpx.Proxy | None:
    """The egress proxy as httpx has it, where connections to `url` go through it."""
    parts = urlsplit(url)
    origin = Origin(url=url, tls=parts.scheme == "https", host=parts.hostname or "", port=parts.port or 0, path="")
    if egress is None or not egress.carries(origin):
        return None
    host = f"[{egress.host}]" if ":" in egress.host else egress.host
    authorization = {"Proxy-Authorization": egress.authorization.decode("ascii")} if egress.authorization else {}
    return httpx.Proxy(f"http://{host}:{egress.port}", headers=authorization)
