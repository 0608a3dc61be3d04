"""Wires the proxy: settings and stores -> a server. `__main__` and `embedded/` call `proxy_server`."""

import os
from typing import Final

from services.domain.exchange.capture import CaptureSpace
from services.domain.exchange.helicone_headers import ignored_headers
from services.domain.exchange.host import host_names
from services.domain.exchange.routes import Routes, origins_of
from services.ports import Clock, EventSink, KeyStore, QueryableWarehouse, Upstream
from services.process import GRACE_S
from services.proxy.admission.admission import Admission
from services.proxy.admission.api_key import ApiKeyGate
from services.proxy.admission.unsupported_headers import UnsupportedHeadersGate
from services.proxy.app import ProxyApp
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.deadlines import Limits
from services.proxy.exchange.drain import DrainLimits, Drains
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.proxy.exchange.request_ids import RequestIds
from services.proxy.http.dispatcher import Dispatcher
from services.proxy.http.server import ProxyServer
from services.proxy.log_conflicts import LogConflicts
from services.proxy.log_endpoint import LogEndpoint
from services.proxy.log_intake import LoggedCallIntake
from services.proxy.upstream.first_byte_timeout import FirstByteTimeout
from services.settings import ProxySettings
from services.stores.upstream.pool import UpstreamPool
from services.telemetry import Metrics

BUFFER_BYTES: Final = 64 * 2**20  # of all bodies that are collected until they are whole


def proxy_server(
    settings: ProxySettings,
    *,
    sink: EventSink,
    keys: KeyStore,
    metrics: Metrics,
    clock: Clock,
    warehouse: QueryableWarehouse | None = None,
    grace_s: int = GRACE_S,
) -> ProxyServer:
    """A proxy to be served on a running event loop. Its owner closes `sink` after it, never before.

    `warehouse` shows which logs would replace what they may not; without one only the worker decides.
    When it is stopped, exchanges in flight have `grace_s` to end. Raises: InvalidSetting.
    """
    routes = Routes(origins_of(settings.base_urls()))
    key_cache = ApiKeyCache(keys)
    draw_id = RequestIds(os.urandom).draw
    omitting = OmittingSink(sink, omission=settings.omit_bodies, metrics=metrics)
    recorder = EventRecorder(
        sink=omitting,
        metrics=metrics,
        draw_id=draw_id,
        capture_bytes=settings.capture_bytes,
        capture_total_bytes=settings.capture_total_bytes,
    )
    paced = PacedWork()
    context = _context(settings, admission_gates(settings, key_cache, metrics), recorder, metrics, paced)
    logs = LoggedCallIntake(
        keys=key_cache,
        conflicts=LogConflicts(warehouse),
        sink=omitting,
        clock=clock,
        draw_id=draw_id,
        metrics=metrics,
        capture_bytes=settings.capture_bytes,
        paced=paced,
    )
    return ProxyServer(
        Dispatcher(context=context, routes=routes, app=_app(settings, routes, logs, metrics)),
        host=settings.proxy_host,
        port=settings.proxy_port,
        clock=clock,
        max_head_bytes=settings.max_head_bytes,
        upstream=context.upstream,
        key_cache=key_cache,
        drains=context.drains,
        omitting=omitting,
        grace_s=grace_s,
    )


def _context(
    settings: ProxySettings, admission: Admission, recorder: EventRecorder, metrics: Metrics, paced: PacedWork
) -> ProxyContext:
    return ProxyContext(
        upstream=upstream_chain(settings),
        admission=admission,
        recorder=recorder,
        metrics=metrics,
        limits=_limits(settings),
        drains=_drains(settings, recorder, metrics),
        buffer_memory=CaptureSpace(BUFFER_BYTES),
        paced=paced,
        inject_usage=settings.stream_usage == "inject",
        strict=settings.durability == "strict",
    )


def upstream_chain(settings: ProxySettings) -> Upstream:
    """The way to the providers, from its end to what exchanges call."""
    pool = UpstreamPool(max_connections=settings.max_connections, connect_timeout_s=settings.connect_timeout_s)
    return FirstByteTimeout(pool, timeout_s=settings.first_byte_timeout_s)


def admission_gates(settings: ProxySettings, key_cache: ApiKeyCache, metrics: Metrics) -> Admission:
    """What a request has to pass, in this order."""
    return Admission(
        [
            ApiKeyGate(key_cache, pass_unauthenticated=settings.unauthenticated == "pass"),
            UnsupportedHeadersGate(metrics, ignored=ignored_headers(settings.ignore_headers)),
        ]
    )


def _limits(settings: ProxySettings) -> Limits:
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        first_byte_timeout_s=settings.first_byte_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        total_timeout_s=settings.total_timeout_s,
    )


def _drains(settings: ProxySettings, recorder: EventRecorder, metrics: Metrics) -> Drains:
    limits = DrainLimits(
        timeout_s=settings.drain_timeout_s, max_bytes=settings.drain_bytes, max_drains=settings.drain_count
    )
    return Drains(recorder=recorder, metrics=metrics, limits=limits, by_default=settings.on_disconnect == "drain")


def _app(settings: ProxySettings, routes: Routes, logs: LoggedCallIntake, metrics: Metrics) -> ProxyApp:
    return ProxyApp(
        metrics=metrics,
        routes=routes.known,
        logs=LogEndpoint(logs, metrics),
        query_url=settings.query_url,
        hosts=host_names(settings.hosts),
    )
