"""One realtime session: the request that opens a WebSocket, the provider's response, and the relay behind them.

It stands where an exchange does. A provider that declines responds in HTTP, and that is an event like any other.
"""

from datetime import datetime
from enum import IntEnum
from time import monotonic
from typing import Final

from msgspec.structs import replace

from schemas.errors import (
    FareboxError,
    InvalidRequest,
    Rejected,
    StoreUnavailable,
    Unavailable,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from schemas.event import Outcome
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import Head, parse_head
from services.domain.providers.catalog import provider_named
from services.domain.providers.realtime import RealtimeApi
from services.domain.realtime.target import model_in_query, realtime_target
from services.ports.upstream import OTHER_PROTOCOL, UNKNOWN_LENGTH, Headers, UpstreamCall
from services.proxy.admission.admission import AdmissionResult
from services.proxy.budgets.budgeted_call import BudgetUse
from services.proxy.errors import FAILED, SUCCESS, Downstream, MalformedRequest, NoWebSocket, send_error
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.recorder import Request
from services.proxy.exchange.request_times import RequestTimes
from services.proxy.realtime.budgets import budget_refusal, watch_limits
from services.proxy.realtime.handshake import accepted_headers, check_offer, offered_headers
from services.proxy.realtime.ledger import Ledger
from services.proxy.realtime.relay import Relay

SWITCHING_PROTOCOLS: Final = 101


class State(IntEnum):
    """How far a session is. There is a call to the provider exactly in CONNECTING, DECLINED and RELAYING."""

    QUEUED = 0  # responses to earlier requests of the connection come first
    ADMISSION = 1  # the gates check the request
    CONNECTING = 2  # the provider's response is awaited
    DECLINED = 3  # it is one of HTTP, and is passed on
    RELAYING = 4
    ENDED = 5


class RealtimeSession:
    """A Responder and a ResponseReceiver."""

    def __init__(self, context: ProxyContext, client: Downstream, request: Request) -> None:
        self.state = State.QUEUED
        self._context, self._client, self._request = context, client, request
        self._api: RealtimeApi | None = None  # once it is known where the request goes
        self._model = ""  # that the URL names, likewise
        self._active_s = request.began_s
        self._capture: Capture | None = None  # None for requests that pass without a key
        self._call: UpstreamCall | None = None
        self._relay: Relay | None = None  # exactly in RELAYING
        self._status = 0
        self._times = RequestTimes(context)

    # Called by the client's connection

    def turn_came(self, at: datetime) -> None:
        self._active_s = monotonic()
        self._request = replace(self._request, created_at=at, began_s=self._active_s)

    def begin(self) -> None:
        self.state = State.ADMISSION
        self._client.resume_request()  # it may have been paused until now
        self._context.admission.check(self._request, self._admitted)

    def body(self, chunk: bytes) -> None:
        if self._relay is not None:
            self._relay.from_client(chunk)

    def request_end(self) -> None: ...

    def request_flush(self) -> None:
        if self._relay is not None:
            self._relay.flush_to_provider()

    def request_broken(self, error: Rejected) -> None: ...

    def client_disconnected(self) -> None:
        if self._relay is not None:
            self._relay.client_disconnected()
        elif self.state is not State.ENDED:
            self._leave(Outcome.CLIENT_DISCONNECTED)

    def client_slow(self) -> None:
        if self._relay is not None:
            self._relay.client_slow()
        elif self._call is not None:
            self._call.pause_response()

    def client_ready(self) -> None:
        self._active_s = monotonic()
        if self._relay is not None:
            self._relay.client_ready()
        elif self._call is not None:
            self._call.resume_response()

    def check(self, now_s: float) -> None:
        limits = self._context.limits
        if self._relay is not None:
            self._relay.check(now_s)
        elif self.state is State.ADMISSION and now_s - self._active_s > limits.first_byte_timeout_s:
            self._break_off(Outcome.TIMED_OUT, StoreUnavailable("the key could not be checked in time; try again"))
        elif self.state is State.DECLINED and now_s - self._active_s > limits.idle_timeout_s:
            self._break_off(Outcome.TIMED_OUT, UpstreamTimedOut("the provider was silent for too long"))

    def stop(self) -> None:
        if self._relay is not None:
            self._relay.stop()
        else:
            self._break_off(Outcome.TIMED_OUT, Unavailable("the proxy is stopping"))

    # The request

    def _admitted(self, result: AdmissionResult) -> None:
        if self.state is not State.ADMISSION:
            return
        if isinstance(result, FareboxError):
            self._break_off(Outcome.REFUSED, result)
            return
        context = self._context
        try:
            self._direct(context.targets.chosen(self._request, result))
            if result is None:
                context.metrics.add("proxy_unauthenticated_passthrough_total")
            else:
                self._capture = context.recorder.open(self._request, result)
                # A session is not what the cache keeps, and its client connects again where it wants to.
                self._capture.cache = self._capture.retry = None
                self._capture.begin_session()
        except Rejected as refusal:
            self._break_off(Outcome.REFUSED, refusal)
            return
        self._times.admitted(self._request)
        capture, budgets = self._capture, context.budgets
        if capture is None or budgets is None or not budgets.definitions.concern(capture.organization_id):
            self._connect()
        else:
            budgets.access.start(self._connect_within(budgets, capture))

    async def _connect_within(self, budgets: BudgetUse, capture: Capture) -> None:
        refusal = await budget_refusal(budgets, capture, self._model)
        if self.state is not State.ADMISSION:
            return
        if refusal is None:
            self._connect()
        else:
            self._break_off(Outcome.REFUSED, refusal)

    def _direct(self, request: Request) -> None:
        """Raises: NoWebSocket, MalformedRequest."""
        found = realtime_target(request.target)
        if found is None:
            title = provider_named(request.target.provider).title or request.target.provider
            raise NoWebSocket(f"WebSockets are passed on to realtime APIs, and this path is none that {title} has")
        target, self._api = found
        self._model = model_in_query(target, self._api)
        check_offer(request.method, request.head)
        self._request = replace(request, target=replace(target, fallbacks=()))

    def _connect(self) -> None:
        target, head = self._request.target, self._request.head
        self.state = State.CONNECTING
        self._call = call = self._context.open_call(target, self._capture, self)
        call.send_head(b"GET", target.path_and_query, offered_headers(head), OTHER_PROTOCOL)
        call.finish()
        call.flush()

    # Called by the upstream call

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        try:
            head = parse_head(headers)
            if status == SWITCHING_PROTOCOLS:
                self._open_relay(head)
            else:
                self._pass_refusal(status, reason, head)
        except InvalidRequest as error:
            self._break_off(Outcome.UPSTREAM_ERROR, UpstreamUnavailable(f"the response's head is not valid: {error}"))
        except UpstreamUnavailable as error:
            self._break_off(Outcome.UPSTREAM_ERROR, error)

    def _open_relay(self, head: Head) -> None:
        """Raises: UpstreamUnavailable."""
        shown = [*accepted_headers(self._request.head, head), *self._own_headers()]
        call, context = self._call, self._context
        assert call is not None
        ledger, space = self._ledger(head), context.realtime_memory
        relay = Relay(self._client, call, ledger, context.limits, space, self._relay_ended)
        if not self._client.change_protocol(shown, relay.stop_when_idle):
            early = MalformedRequest("the proxy is stopping, or something was sent before the WebSocket was open")
            self._client.close_after()
            self._break_off(Outcome.CLIENT_DISCONNECTED, early)
            return
        self.state, self._relay = State.RELAYING, relay
        watch_limits(self._capture, ledger, context, relay.end_when_idle)
        self._client.flush()

    def _ledger(self, head: Head) -> Ledger | None:
        capture, api, request = self._capture, self._api, self._request
        if capture is None or api is None:
            return None
        named = provider_named(request.target.provider).request_id_headers
        # The id of the request that opened the session is not that of its responses.
        account = {name: value for name, value in head.account_headers.items() if name.decode("latin-1") not in named}
        return Ledger(self._context.recorder, capture, api, self._model, account)

    def _own_headers(self) -> Headers:
        capture = self._capture
        return () if capture is None else [(b"Helicone-Id", capture.request_id.encode()), *capture.added_headers]

    def _pass_refusal(self, status: int, reason: bytes, head: Head) -> None:
        self.state, self._status, self._active_s = State.DECLINED, status, monotonic()
        if self._capture is not None:
            self._capture.response_head(status, head.framing_headers, head.account_headers)
        kept = [*head.forwarded, *self._own_headers(), SUCCESS if status < 400 else FAILED]
        length = UNKNOWN_LENGTH if head.body_bytes is None else head.body_bytes
        self._client.send_head(status, reason, kept, None if status in (204, 304) else length)

    def response_chunk(self, chunk: bytes) -> None:
        if self._relay is not None:
            self._relay.from_provider(chunk)
        elif self.state is State.DECLINED:
            if self._capture is not None:
                self._capture.response.add(chunk)
            self._client.send_chunk(chunk)

    def response_flush(self) -> None:
        self._active_s = monotonic()
        if self._relay is not None:
            self._relay.flush_to_client()
        elif self.state is State.DECLINED:
            self._client.flush()

    def response_end(self) -> None:
        if self._relay is not None:
            self._relay.provider_disconnected()
        elif self.state is State.DECLINED:
            self._end(Outcome.COMPLETED if self._status < 400 else Outcome.PROVIDER_ERROR)
            self._client.finish()

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        if self._relay is not None:
            self._relay.provider_disconnected()
        else:
            timed_out = isinstance(error, UpstreamTimedOut)
            self._break_off(Outcome.TIMED_OUT if timed_out else Outcome.UPSTREAM_ERROR, error)

    def upstream_slow(self) -> None:
        if self._relay is not None:
            self._relay.provider_slow()

    def upstream_ready(self) -> None:
        if self._relay is not None:
            self._relay.provider_ready()

    # Ends of what is no relay

    def _break_off(self, outcome: Outcome, error: FareboxError) -> None:
        if self.state >= State.RELAYING:
            return
        responding, capture = self.state is State.DECLINED, self._capture
        self._leave(outcome)
        if responding:
            self._client.flush()
            self._client.cut()
        else:
            self._context.metrics.add("proxy_refused_total")
            send_error(self._client, error, request_id=None if capture is None else capture.request_id, bodiless=False)

    def _leave(self, outcome: Outcome) -> None:
        if self._call is not None:
            self._call.abort()
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self.state = State.ENDED
        self._times.ended()
        call, self._call = self._call, None
        if self._capture is not None:
            self._capture.request_sent = call is not None and call.begun
            self._context.recorder.close(self._capture, outcome)

    def _relay_ended(self) -> None:
        self.state = State.ENDED
        self._times.ended()
        self._relay = self._call = None  # which points here: together they would wait for the garbage collector
