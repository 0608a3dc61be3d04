"""The asking half of an exchange: a request is let in, waits for what it must wait for, and goes to its provider.

Bodies pass piece by piece, unread, but for OpenAI chat and completions: there a body is kept until it is whole, so that
streams can be asked for their usage. Bodies that are large, compressed or of unknown length pass as they are.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import monotonic
from typing import Final

from schemas.errors import FareboxError, Rejected, TooLarge
from schemas.event import Outcome
from schemas.key import KeyOwner
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import Pair, header_option
from services.domain.exchange.helicone_headers import refusal_of, unknown_names
from services.domain.exchange.usage_injection import UsageRemoval, uncompressed, with_usage_requested
from services.ports import UNKNOWN_LENGTH, ResponseReceiver, UpstreamCall
from services.proxy.errors import Downstream
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.key_cache import AuthResult
from services.proxy.exchange.paced_work import SMALL_BYTES
from services.proxy.exchange.recorder import Request

WAITING_BYTES: Final = 64 * 2**10  # of a body whose key is still being looked up; above it the client is paused
MAX_KEPT_BYTES: Final = 4 * 2**20  # of a body that is kept until it is whole
STREAM_USAGE: Final = b"Helicone-Stream-Usage"


class Asking(ResponseReceiver, ABC):
    """What the client's side tells about its request, and what the provider is told of it."""

    __slots__ = (
        "_answering",
        "_call",
        "_capture",
        "_claimed_bytes",
        "_client",
        "_client_slow",
        "_finished",
        "_keeping",
        "_relay",
        "_removal",
        "_request",
        "_request_bytes",
        "_request_ended",
        "_touched_s",
        "_upstream_slow",
        "_waiting",
    )

    def __init__(self, relay: ProxyContext, client: Downstream, request: Request) -> None:
        self._relay = relay
        self._client = client
        self._request = request
        self._call: UpstreamCall | None = None
        self._capture: Capture | None = None
        self._waiting: list[bytes] = []  # pieces of a body that may not travel yet
        self._keeping = False  # the whole body in `_waiting`
        self._claimed_bytes = 0  # of the room for such bodies
        self._removal: UsageRemoval | None = None  # of what the client did not ask for
        self._request_bytes = 0
        self._request_ended = False
        self._answering = False
        self._finished = False
        self._client_slow = False
        self._upstream_slow = False
        self._touched_s = request.began_s

    @abstractmethod
    def _break_off(self, outcome: Outcome, error: FareboxError) -> None:
        """Ends the exchange, and tells the client why."""

    # The client's side tells

    def begin(self) -> None:
        """It is this request's turn. Its body may have begun to come before."""
        request = self._request
        self._touched_s = monotonic()  # until now it waited for answers to others
        bearer = request.head.auth_header
        if bearer is None and request.target.secret is not None:
            bearer = b"Bearer " + request.target.secret
        self._relay.keys.check(bearer, self._admit)

    def body(self, piece: bytes) -> None:
        if self._finished:
            return
        self._request_bytes += len(piece)
        if self._call is None:
            self._waiting.append(piece)
            if self._request_bytes > WAITING_BYTES and not self._keeping:
                self._client.pause_request()
        elif self._request_bytes > self._relay.limits.max_body_bytes:
            self._refuse_size()
        else:
            if self._capture is not None:
                self._capture.body.add(piece)
            self._call.send_chunk(piece)

    def request_end(self) -> None:
        self._request_ended = True
        if self._finished:
            return
        if self._call is not None:
            self._call.finish()
        elif self._keeping:
            self._body_is_whole()

    def request_flush(self) -> None:
        if not self._finished:
            self._touched_s = monotonic()
            if self._call is not None:
                self._call.flush()
                if self._claimed_bytes and not self._upstream_slow:
                    self._give_room_back()
            elif self._keeping:
                self._claim()
                if self._relay.kept.free_bytes < 0:
                    self._travel_as_it_is()

    # The provider's side tells

    def upstream_slow(self) -> None:
        self._upstream_slow = True
        self._client.pause_request()

    def upstream_ready(self) -> None:
        self._upstream_slow = False
        self._touched_s = monotonic()
        self._give_room_back()
        if not self._finished:
            self._client.resume_request()

    # Turns

    def _admit(self, verdict: AuthResult) -> None:
        if self._finished:
            return
        if self._request.head.unsupported and (refusal := self._unserved(verdict)):
            self._break_off(Outcome.REFUSED, refusal)
            return
        if isinstance(verdict, KeyOwner):
            self._capture = self._relay.accounts.open(self._request, verdict)
        elif self._relay.pass_unauthenticated:
            self._relay.metrics.add("proxy_unauthenticated_passthrough_total")
        else:
            self._break_off(Outcome.REFUSED, verdict)
            return
        head = self._request.head
        if head.body_bytes is not None and head.body_bytes > self._relay.limits.max_body_bytes:
            self._refuse_size()
            return
        self._relay.metrics.add("proxy_requests_total")
        if head.expects_continue:
            self._client.proceed()
        self._client.resume_request()  # it may have been made to wait for its turn, or for its key
        if self._request.target.stream_usage_on_request and self._may_ask_usage():
            self._keep()
        else:
            self._ask()

    def _unserved(self, verdict: AuthResult) -> Rejected | None:
        """Why headers that do nothing here forbid that the request passes. Unknown ones do not, and are counted.

        A wrong key is the first thing to say; and without a key nobody may fill the counters.
        """
        relay, head = self._relay, self._request.head
        if isinstance(verdict, KeyOwner):
            for name in unknown_names(head.unsupported):
                relay.metrics.add_unknown_header(name)
        elif not relay.pass_unauthenticated:
            return None
        return refusal_of(head.unsupported, self._request.target.origin, relay.ignored_headers)

    def _ask(self) -> None:
        head = self._request.head
        self._begin_call(head.forwarded, UNKNOWN_LENGTH if head.chunked else head.body_bytes)
        if self._waiting or self._request_ended:
            self._catch_up()

    def _begin_call(self, headers: Sequence[Pair], body_bytes: int | None) -> UpstreamCall:
        request = self._request
        self._call = call = self._relay.upstream.call(request.target.origin, self)
        call.send_head(request.method, request.target.path_and_query, headers, body_bytes)
        if self._client_slow:
            call.pause_response()
        return call

    def _catch_up(self) -> None:
        """Passes on what came before the turn, and while the key was being looked up."""
        waiting, self._waiting, self._request_bytes = self._waiting, [], 0
        for piece in waiting:
            self.body(piece)
        if self._request_ended:
            self.request_end()
        self.request_flush()

    def _refuse_size(self) -> None:
        if self._capture is not None and not self._answering:
            self._capture.response_head(TooLarge.status, {})
        limit = self._relay.limits.max_body_bytes
        outcome = Outcome.CLIENT_DISCONNECTED if self._answering else Outcome.REFUSED
        self._break_off(outcome, TooLarge(f"the request's body is larger than {limit} bytes"))

    def _awaits_body(self) -> bool:
        """Of a request that has not ended: whether a body still comes, which nobody reads once it has been answered."""
        head = self._request.head
        return head.chunked or bool(head.body_bytes)

    # Usage of streams

    def _may_ask_usage(self) -> bool:
        """Whether the body has to be looked at. Without an event nobody needs to know what was used."""
        request = self._request
        head = request.head
        return (
            self._capture is not None
            and request.method == b"POST"
            and head.body_bytes is not None
            and head.body_bytes <= MAX_KEPT_BYTES
            and b"content-encoding" not in head.framing_headers
            and (self._relay.asks_usage or header_option(head.helicone_headers, STREAM_USAGE) != b"")
        )

    def _keep(self) -> None:
        """What came before the turn, if anything did, may be all of the body."""
        self._keeping = True
        if self._request_ended:
            self._body_is_whole()
        if self._waiting or self._request_ended:
            self.request_flush()

    def _claim(self) -> None:
        """Takes room for what has come. It is given back when the provider takes the body, or nobody sends it."""
        self._relay.kept.free_bytes -= self._request_bytes - self._claimed_bytes
        self._claimed_bytes = self._request_bytes

    def _give_room_back(self) -> None:
        self._relay.kept.free_bytes += self._claimed_bytes
        self._claimed_bytes = 0

    def _travel_as_it_is(self) -> None:
        """There is no room for the rest of the body. What has come keeps its own, as it may have to wait too."""
        self._keeping = False
        self._ask()

    def _kept_body(self) -> bytes:
        """What was kept, as the client sent it. It is kept no longer."""
        self._keeping = False
        sent = b"".join(self._waiting)
        self._waiting.clear()
        if self._capture is not None:
            self._capture.body.add(sent)
        return sent

    def _never_sent(self, capture: Capture) -> None:
        """The exchange ends before a byte of the request has left."""
        capture.request_sent = False
        if self._keeping:
            self._kept_body()

    def _body_is_whole(self) -> None:
        """It travels at once, or when the large ones before it have been looked at."""
        if self._request_bytes <= SMALL_BYTES or self._capture is None:
            self._ask_with_usage()
        else:
            self._relay.paced.run(self._capture.organization_id, self._ask_in_turn)

    def _ask_in_turn(self) -> None:
        """Meanwhile the client may have left, or the body may travel as it is for want of room."""
        if self._keeping and not self._finished:
            self._ask_with_usage()
            self.request_flush()

    def _ask_with_usage(self) -> None:
        """The kept body is whole: it travels, asking for usage where it should."""
        self._claim()
        sent, headers = self._kept_body(), self._request.head.forwarded
        asking = with_usage_requested(sent)
        body, headers = (sent, headers) if asking is None else self._as_wished(sent, asking)
        call = self._begin_call(headers, len(body))
        call.send_chunk(body)
        call.finish()

    def _as_wished(self, sent: bytes, asking: bytes) -> tuple[bytes, list[Pair]]:
        """Which of the two bodies travels, and with which headers.

        `true` is what Helicone's clients say, who want to see the usage themselves.
        """
        headers = self._request.head.forwarded
        said = header_option(self._request.head.helicone_headers, STREAM_USAGE)
        if said == b"true":
            return asking, headers
        if said == b"off" or (said != b"inject" and not self._relay.asks_usage) or self._capture is None:
            return sent, headers
        self._capture.usage_injected = True
        self._removal = UsageRemoval()
        self._relay.metrics.add("proxy_stream_usage_injected_total")
        return asking, uncompressed(headers)
