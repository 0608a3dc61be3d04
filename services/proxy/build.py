"""Wires the proxy: settings and stores -> a server. `__main__` and `embedded/` call `proxy_server`."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from secrets import randbelow, token_hex
from typing import Final

from services.domain.exchange.captured_body import CaptureSpace
from services.domain.exchange.cors import allowed_origins
from services.domain.exchange.helicone_headers import ignored_headers
from services.domain.exchange.host import host_names
from services.domain.exchange.routes import Routes, origins_of
from services.domain.routing.address import is_reachable
from services.domain.routing.custom import allowed_hosts
from services.hashing import KeyedHashes
from services.ports.cache import ResponseCache
from services.ports.clock import Clock
from services.ports.log import LogSink
from services.ports.state import KeyStore, Secrets, Upstreams
from services.ports.upstream import Upstream
from services.ports.warehouse import QueryableWarehouse
from services.process import GRACE_S, closed_by, process_id
from services.proxy.admission.admission import Admission
from services.proxy.admission.api_key import ApiKeyGate
from services.proxy.admission.unsupported_headers import UnsupportedHeadersGate
from services.proxy.app import PAGES, ProxyApp
from services.proxy.budgets.use import BudgetStores, budget_use
from services.proxy.current_prices import LazyPrices
from services.proxy.exchange.attribution import Attribution
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.deadlines import Limits
from services.proxy.exchange.drain import DrainLimits, Drains
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.key_concurrency import KeyConcurrency
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.proxy.exchange.request_ids import RequestIds
from services.proxy.exchange.spend import SpendReader
from services.proxy.exchange.target_choice import TargetChoice
from services.proxy.http.dispatcher import Dispatcher
from services.proxy.http.server import ProxyServer
from services.proxy.log_conflicts import LogConflicts
from services.proxy.log_endpoint import POSTED, LogEndpoint
from services.proxy.log_intake import LoggedCallIntake
from services.proxy.rate_limits import LimitStores, RateLimits
from services.proxy.upstream.attempts.use import attempt_use
from services.proxy.upstream.cache import CachingUpstream
from services.proxy.upstream.cache_access import CacheAccess
from services.proxy.upstream.cached_call import CacheUse
from services.proxy.upstream.first_byte_timeout import FirstByteTimeout
from services.proxy.upstream.limit_access import LimitAccess
from services.settings.processes import ProxySettings
from services.stores.factory import (
    open_budget_counters,
    open_budgets,
    open_limits,
    open_price_rows,
    open_response_cache,
    open_shipped_prices,
    shipped_models,
)
from services.stores.upstream.dial import Dialer, egress_proxy, trusting_context
from services.stores.upstream.pool import UpstreamPool
from services.telemetry.metrics import Metrics

BUFFER_BYTES: Final = 64 * 2**20  # of all bodies that are collected until they are whole, and of realtime messages
CACHE_MEMORY_BYTES: Final = 64 * 2**20  # of all bodies on their way into the response cache


def proxy_server(
    settings: ProxySettings,
    *,
    sink: LogSink,
    keys: KeyStore,
    secrets: Secrets,
    metrics: Metrics,
    clock: Clock,
    upstreams: Upstreams | None = None,
    warehouse: QueryableWarehouse | None = None,
    cache: ResponseCache | None = None,
    limit_stores: LimitStores | None = None,
    grace_s: int = GRACE_S,
) -> ProxyServer:
    """A proxy to be served on a running event loop. Its owner closes the stores after it, never before.

    `upstreams` are those that operators added. `warehouse` shows which logs would replace what they may not; without
    one only the worker decides. Without a `cache` its headers have no effect; without `limit_stores` rate limits are
    those of this process, and there are no budgets. Stopped, it has `grace_s` to end. Raises: InvalidSetting.
    """
    attribution = _attribution(settings, secrets)
    key_cache = ApiKeyCache(keys, clock=clock, hashes=attribution.hashes, upstreams=upstreams)
    draw_id = RequestIds(os.urandom).draw
    omitting = OmittingSink(sink, omission=settings.omit_bodies, metrics=metrics, hashes=attribution.hashes)
    paced = PacedWork()
    stores = limit_stores or LimitStores(levels=open_limits("memory", timeout_s=settings.limits_timeout_s))
    limits = _rate_limits(settings, stores, metrics, clock, paced)
    recorder = _recorder(settings, omitting, metrics, draw_id, attribution, limits)
    context = _context(settings, admission_gates(settings, key_cache, metrics), recorder, paced, cache, clock, limits)
    logs = LoggedCallIntake(
        keys=key_cache,
        conflicts=LogConflicts(warehouse),
        sink=omitting,
        clock=clock,
        draw_id=draw_id,
        metrics=metrics,
        attribution=attribution,
        capture_bytes=settings.capture_bytes,
        paced=paced,
    )
    return ProxyServer(
        _dispatcher(settings, context, logs),
        host=settings.proxy_host,
        port=settings.proxy_port,
        clock=clock,
        max_head_bytes=settings.max_head_bytes,
        upstream=context.cache or context.upstream,
        key_cache=key_cache,
        drains=context.drains,
        omitting=omitting,
        limits=limits,
        grace_s=grace_s,
    )


def _attribution(settings: ProxySettings, secrets: Secrets) -> Attribution:
    return Attribution(
        hashes=KeyedHashes(secrets),
        proxy_id=process_id(settings.proxy_id, settings.proxy_port),
        missing_tags=settings.missing_tags,
    )


def _recorder(
    settings: ProxySettings,
    sink: OmittingSink,
    metrics: Metrics,
    draw_id: Callable[[datetime], str],
    attribution: Attribution,
    limits: RateLimits,
) -> EventRecorder:
    return EventRecorder(
        sink=sink,
        metrics=metrics,
        draw_id=draw_id,
        attribution=attribution,
        capture_bytes=settings.capture_bytes,
        capture_total_bytes=settings.capture_total_bytes,
        concurrency=KeyConcurrency(settings.key_concurrency),
        omission=settings.omit_bodies,
        spend=limits.spend,
        limits_closed=limits.access.closed,
    )


def _context(
    settings: ProxySettings,
    admission: Admission,
    recorder: EventRecorder,
    paced: PacedWork,
    cache: ResponseCache | None,
    clock: Clock,
    limits: RateLimits,
) -> ProxyContext:
    upstream, metrics = upstream_chain(settings), recorder.metrics
    return ProxyContext(
        upstream=upstream,
        admission=admission,
        targets=TargetChoice(allowed_hosts(settings.target_hosts)),
        recorder=recorder,
        metrics=metrics,
        limits=Limits(
            max_body_bytes=settings.max_body_bytes,
            first_byte_timeout_s=settings.first_byte_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
            total_timeout_s=settings.total_timeout_s,
        ),
        drains=_drains(settings, recorder, metrics),
        buffer_memory=CaptureSpace(BUFFER_BYTES),
        realtime_memory=CaptureSpace(BUFFER_BYTES),
        paced=paced,
        inject_usage=settings.stream_usage == "inject",
        strict=settings.durability == "strict",
        shows_added=settings.added_header == "on",
        cache=None if cache is None else caching_upstream(settings, upstream, cache, metrics, clock, paced),
        rate_limits=limits.access,
        budgets=limits.budgets,
        attempts=attempt_use(recorder, paced, clock, total_timeout_s=settings.total_timeout_s),
        clock=clock,
    )


def upstream_chain(settings: ProxySettings) -> Upstream:
    """The way to the providers, from its end to what exchanges call."""
    pool = UpstreamPool(
        max_connections=settings.max_connections,
        connect_timeout_s=settings.connect_timeout_s,
        dialer=Dialer(
            tls=trusting_context(settings.ca_file),
            is_reachable=is_reachable,
            egress=egress_proxy(settings.egress_proxy, settings.no_proxy),
        ),
    )
    return FirstByteTimeout(pool, timeout_s=settings.first_byte_timeout_s)


def open_cache(stack: AsyncExitStack, settings: ProxySettings) -> ResponseCache | None:
    """The response cache of the settings, which closes with `stack`. Raises: InvalidSetting."""
    cache = open_response_cache(settings.cache_url, max_bytes=settings.cache_bytes, timeout_s=settings.cache_timeout_s)
    return None if cache is None else closed_by(stack, cache)


def caching_upstream(
    settings: ProxySettings, upstream: Upstream, cache: ResponseCache, metrics: Metrics, clock: Clock, paced: PacedWork
) -> CachingUpstream:
    """The response cache before all other ways to the providers."""
    access = CacheAccess(
        cache,
        timeout_s=settings.cache_timeout_s,
        wait_s=settings.cache_wait_s,
        metrics=metrics,
        clock=clock,
        draw_name=lambda: token_hex(16),
        draw_slot=randbelow,
    )
    use = CacheUse(
        access=access,
        paced=paced,
        memory=CaptureSpace(CACHE_MEMORY_BYTES),
        entry_bytes=settings.cache_entry_bytes,
        by_credential=settings.cache_scope == "credentials",
    )
    return CachingUpstream(use, upstream)


def open_limit_stores(stack: AsyncExitStack, settings: ProxySettings) -> LimitStores:
    """What the settings say of rate limits and budgets, which closes with `stack`. Raises: InvalidSetting."""
    # BoundedAccess keeps to the settings' limits, and its stores' clients have longer ones.
    counters = open_budget_counters(settings.budgets_url, timeout_s=10 * settings.budgets_timeout_s)
    return LimitStores(
        levels=closed_by(stack, open_limits(settings.limits_url, timeout_s=10 * settings.limits_timeout_s)),
        prices=closed_by(stack, open_price_rows(settings.state)),
        budgets=BudgetStores(rows=closed_by(stack, open_budgets(settings.state)), counters=closed_by(stack, counters)),
    )


def _rate_limits(
    settings: ProxySettings, stores: LimitStores, metrics: Metrics, clock: Clock, paced: PacedWork
) -> RateLimits:
    prices = LazyPrices(open_shipped_prices, stores.prices)
    return RateLimits(
        access=LimitAccess(
            stores.levels,
            timeout_s=settings.limits_timeout_s,
            closed=settings.limits_failure == "closed",
            metrics=metrics,
        ),
        spend=SpendReader(prices),
        prices=prices,
        budgets=budget_use(
            stores.budgets,
            prices,
            timeout_s=settings.budgets_timeout_s,
            closed=settings.budgets_failure == "closed",
            metrics=metrics,
            clock=clock,
            paced=paced,
            draw_id=lambda: token_hex(12),
        ),
    )


def admission_gates(settings: ProxySettings, key_cache: ApiKeyCache, metrics: Metrics) -> Admission:
    """What a request has to pass, in this order."""
    key = ApiKeyGate(key_cache, pass_unauthenticated=settings.unauthenticated == "pass")
    return Admission([key, UnsupportedHeadersGate(metrics, ignored=ignored_headers(settings.ignore_headers))])


def _drains(settings: ProxySettings, recorder: EventRecorder, metrics: Metrics) -> Drains:
    limits = DrainLimits(
        timeout_s=settings.drain_timeout_s, max_bytes=settings.drain_bytes, max_drains=settings.drain_count
    )
    return Drains(recorder=recorder, metrics=metrics, limits=limits, by_default=settings.on_disconnect == "drain")


def _dispatcher(settings: ProxySettings, context: ProxyContext, logs: LoggedCallIntake) -> Dispatcher:
    routes = Routes(origins_of(settings.base_urls()), own_paths=(*PAGES, *POSTED))
    origins = allowed_origins(settings.allowed_origins)
    app = ProxyApp(
        metrics=context.metrics,
        routes=routes.known,
        logs=LogEndpoint(logs, context.metrics),
        query_url=settings.query_url,
        hosts=host_names(settings.hosts),
        models=shipped_models,
        origins=origins,
    )
    return Dispatcher(context=context, routes=routes, app=app, origins=origins)
