"""The log routes as an ASGI application. The proxy has one, and the query service is given one.

Helicone's clients know one base URL for everything, so both services take logged calls, by the same code.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from schemas.errors import FareboxError, InvalidRequest
from schemas.omission import Omission
from services.domain.exchange.headers import parse_head
from services.domain.logging_api.event import LOG_PATHS
from services.domain.logging_api.typed import TYPED_PATH, typed_faults
from services.ports import Clock, EventSink, Headers, KeyStore, Warehouse
from services.proxy.errors import error_body, status_of
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.request_ids import RequestIds
from services.proxy.log_conflicts import LogConflicts
from services.proxy.log_intake import LoggedCallIntake, Receive
from services.telemetry import Metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_JSON: Final = (b"content-type", b"application/json")


class LogEndpoint:
    """For POST on one of LOG_PATHS, with or without a slash behind it."""

    def __init__(self, logs: LoggedCallIntake, metrics: Metrics) -> None:
        self._logs = logs
        self._metrics = metrics

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/")
        try:
            head = parse_head(_headers(scope))
            owner = await self._logs.owner_of(head)
            # From this the query service's server knows a connection of somebody with a key.
            scope.setdefault("state", {})["organization_id"] = owner.organization_id
            request_id = await self._logs.take(head, owner, LOG_PATHS[path], receive)
            status, headers, body = 200, [_TEXT, (b"helicone-id", request_id.encode("ascii"))], b"ok"
        except FareboxError as error:
            self._metrics.add("proxy_refused_total")
            status, headers, body = status_of(error), [_JSON], _refusal(error, path)
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _refusal(error: FareboxError, path: str) -> bytes:
    if path == TYPED_PATH and isinstance(error, InvalidRequest):
        return msgspec.json.encode(typed_faults(str(error)))
    return error_body(error)


def _headers(scope: dict[str, Any]) -> Headers:
    """With their names as spelled, where the server has them: properties keep the spelling of their first use."""
    spelled: Headers = scope.get("extensions", {}).get("farebox", {}).get("headers", scope["headers"])
    return spelled


class LogService:
    """A LogEndpoint of a process that is no proxy, with its own keys. It belongs to one event loop."""

    def __init__(
        self,
        *,
        keys: KeyStore,
        warehouse: Warehouse,
        sink: EventSink,
        clock: Clock,
        metrics: Metrics,
        capture_bytes: int,
        omission: Omission,
    ) -> None:
        """Its owner closes it, and then `sink`. `capture_bytes` is the limit of each body of a call."""
        self._key_cache = ApiKeyCache(keys)
        self._omitting = OmittingSink(sink, omission=omission, metrics=metrics)
        logs = LoggedCallIntake(
            keys=self._key_cache,
            conflicts=LogConflicts(warehouse),
            sink=self._omitting,
            clock=clock,
            draw_id=RequestIds(os.urandom).draw,
            metrics=metrics,
            capture_bytes=capture_bytes,
            paced=PacedWork(),
        )
        self._endpoint = LogEndpoint(logs, metrics)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)

    async def close(self) -> None:
        await self._key_cache.close()
        await self._omitting.close()
