"""The log routes as an ASGI application. The proxy has one, and the query service is given one.

Helicone's clients know one base URL for everything, so both services take logged calls, by the same code.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from schemas.errors import FareboxError, InvalidRequest
from schemas.key import KeyOwner, MissingTags
from schemas.omission import Omission
from services.domain.exchange.headers import Head, Pair, parse_head
from services.domain.logging_api.event import LOG_PATHS
from services.domain.logging_api.feedback import FEEDBACK_PATH
from services.domain.logging_api.otlp.export import OTLP_PATHS, export_response
from services.domain.logging_api.typed import TYPED_PATH, typed_faults
from services.hashing import KeyedHashes
from services.ports.clock import Clock
from services.ports.log import LogSink
from services.ports.state import KeyStore, Secrets
from services.ports.upstream import Headers
from services.ports.warehouse import Warehouse
from services.proxy.errors import error_body, status_of
from services.proxy.exchange.attribution import Attribution
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.request_ids import RequestIds
from services.proxy.log_conflicts import LogConflicts
from services.proxy.log_intake import LoggedCallIntake, Receive
from services.telemetry.metrics import Metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]

POSTED: Final = (*LOG_PATHS, *OTLP_PATHS, FEEDBACK_PATH)

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_JSON: Final = (b"content-type", b"application/json")
_PROTOBUF: Final = (b"content-type", b"application/x-protobuf")


class LogEndpoint:
    """For POST on one of POSTED, with or without a slash behind it."""

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
            take = self._take_of(path)
            status, (headers, body) = 200, await take(path, head, owner, receive)
        except FareboxError as error:
            self._metrics.add("proxy_refused_total")
            status, headers, body = status_of(error), [_JSON], _refusal(error, path)
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _take_of(self, path: str) -> Callable[[str, Head, KeyOwner, Receive], Awaitable[tuple[list[Pair], bytes]]]:
        if path == FEEDBACK_PATH:
            return self._take_feedback
        return self._take_export if path in OTLP_PATHS else self._take_call

    async def _take_feedback(
        self,
        path: str,  # noqa: ARG002
        head: Head,
        owner: KeyOwner,
        receive: Receive,
    ) -> tuple[list[Pair], bytes]:
        request_id = await self._logs.take_feedback(head, owner, receive)
        text = {"message": "Feedback added successfully.", "helicone_id": request_id}
        return [_JSON], msgspec.json.encode(text)

    async def _take_call(self, path: str, head: Head, owner: KeyOwner, receive: Receive) -> tuple[list[Pair], bytes]:
        request_id = await self._logs.take(head, owner, LOG_PATHS[path], receive)
        return [_TEXT, (b"helicone-id", request_id.encode("ascii"))], b"ok"

    async def _take_export(self, path: str, head: Head, owner: KeyOwner, receive: Receive) -> tuple[list[Pair], bytes]:  # noqa: ARG002
        is_json = head.framing_headers.get(b"content-type", b"").lower().startswith(b"application/json")
        export = await self._logs.take_export(head, owner, receive, is_json=is_json)
        return [_JSON if is_json else _PROTOBUF], export_response(export, is_json=is_json)


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
        secrets: Secrets,
        warehouse: Warehouse,
        sink: LogSink,
        clock: Clock,
        metrics: Metrics,
        capture_bytes: int,
        omission: Omission,
        proxy_id: str,
        missing_tags: MissingTags,
    ) -> None:
        """Its owner closes it, and then `sink`. `capture_bytes` is the limit of each body of a call."""
        hashes = KeyedHashes(secrets)
        self._key_cache = ApiKeyCache(keys, clock=clock, hashes=hashes)
        self._omitting = OmittingSink(sink, omission=omission, metrics=metrics, hashes=hashes)
        logs = LoggedCallIntake(
            keys=self._key_cache,
            conflicts=LogConflicts(warehouse),
            sink=self._omitting,
            clock=clock,
            draw_id=RequestIds(os.urandom).draw,
            metrics=metrics,
            attribution=Attribution(hashes=hashes, proxy_id=proxy_id, missing_tags=missing_tags),
            capture_bytes=capture_bytes,
            paced=PacedWork(),
        )
        self._endpoint = LogEndpoint(logs, metrics)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)

    async def close(self) -> None:
        await self._key_cache.close()
        await self._omitting.close()
