"""What happened in one realtime session: an event for each response, each transcription and each error.

Ids come from the id of the connection and the provider's own, so that the same response has the same id wherever it is
recorded again.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from time import monotonic
from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.event import Outcome, RequestTags
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import Head
from services.domain.providers.realtime import Meaning, RealtimeApi
from services.domain.realtime.events import (
    Event,
    Models,
    error_status,
    is_json,
    leading_type,
    may_be_of,
    models_of,
    other_request,
    parse_event,
    response_id_in,
    response_id_of,
    response_id_within,
    response_request,
    response_status,
    text_of,
)
from services.proxy.exchange.recorder import EventRecorder
from services.proxy.exchange.spend import Settle

MAX_RUNNING: Final = 100  # responses at once; providers allow few
PENDING_BYTES: Final = 64 * 2**10  # of the client's events since the last response; larger ones are in no row

_TRACE: Final = b"traceparent"
_FRAMING: Final[Mapping[bytes, bytes]] = {b"content-type": b"application/json"}
_HEAD: Final = Head(
    forwarded=[], helicone_headers=(), auth_header=None, framing_headers=_FRAMING, body_bytes=None, chunked=False
)


class _Running(NamedTuple):
    capture: Capture
    opening: bytes  # the response as it was when it began


class ClientEvents:
    """What the client has sent since the last response, but for sound. An Observer."""

    def __init__(self, audio_events: Set[str]) -> None:
        self._audio_events = audio_events
        self._events: list[bytes] = []
        self._bytes = 0

    def wants(self, start: bytes) -> bool:
        name = leading_type(start)
        return name is None or name not in self._audio_events

    def message(self, message: bytes) -> None:
        size = len(message) + 1
        if self._bytes + size <= PENDING_BYTES and is_json(message):
            self._events.append(message)
            self._bytes += size

    def left_out(self) -> None: ...

    def take(self) -> Sequence[bytes]:
        events, self._events, self._bytes = self._events, [], 0
        return events


class Ledger:
    """One for each session."""

    def __init__(
        self,
        recorder: EventRecorder,
        opened: Capture,
        api: RealtimeApi,
        model: str,
        account_headers: Mapping[bytes, bytes],
    ) -> None:
        """`opened` is the request that opened the session, and `account_headers` are of the response to it. `model` is
        the one that the URL names, until the provider says which it is."""
        self._recorder = recorder
        self._opened_by = opened
        self._account_headers = account_headers
        self._api = api
        self._models = Models(model=model)
        self._running: dict[str, _Running] = {}  # by the response's id
        self._silent: set[str] = set()  # those of which nothing has come yet
        self.client_events = ClientEvents(api.audio_events)
        self._wanted = b""  # how the message begins that is being collected
        self._count = 0  # of events without an id
        self.settle_of: Callable[[Capture], Sequence[Settle]] = lambda _: ()  # who is told what a response has spent
        self._tags = opened.tags
        trace = opened.head.framing_headers.get(_TRACE)
        self._head = _HEAD if trace is None else replace(_HEAD, framing_headers={**_FRAMING, _TRACE: trace})

    @property
    def running(self) -> Set[str]:
        """The ids of the responses that are being generated."""
        return self._running.keys()

    # What comes from the provider: the ledger is its Observer, and `client_events` is the client's

    def wants(self, start: bytes) -> bool:
        if may_be_of(start, self._api.meanings):
            self._wanted = start
            return True
        if self._silent and (leading_type(start) or "").endswith(self._api.delta_suffix):
            self._first_delta(response_id_in(start))
        return False

    def _first_delta(self, response_id: str) -> None:
        if response_id in self._silent:
            self._silent.discard(response_id)
            self._running[response_id].capture.response_began(monotonic())

    def message(self, message: bytes) -> None:
        event = parse_event(message)
        meaning = None if event is None else self._api.meanings.get(text_of(event.type))
        if event is None or meaning is None:
            return
        match meaning:
            case Meaning.SESSION:
                self._models = models_of(event.session, self._models)
            case Meaning.BEGAN:
                self._begin(event)
            case Meaning.DONE:
                self._end(event)
            case Meaning.TRANSCRIBED:
                self._record(event, message, self._models.transcription, 200)
            case Meaning.FAILED:
                status = error_status(event.error, self._api.error_statuses)
                self._record(event, message, self._models.transcription, status)
            case Meaning.ERROR:
                self._record(event, message, self._models.model, error_status(event.error, self._api.error_statuses))

    def left_out(self) -> None:
        self._recorder.metrics.add("proxy_bodies_dropped_total")
        if self._api.meanings.get(leading_type(self._wanted) or "") is Meaning.DONE:
            self._end_unread(response_id_within(self._wanted))

    def _end_unread(self, response_id: str) -> None:
        """The response is whole, and nobody knows how it ended and what it cost."""
        self._silent.discard(response_id)
        if (running := self._running.pop(response_id, None)) is not None:
            self._close(running.capture, running.opening, 200)

    def _begin(self, event: Event) -> None:
        response_id = response_id_of(event.response)
        if response_id and response_id not in self._running and len(self._running) < MAX_RUNNING:
            self._running[response_id] = self._opened(response_id, event)
            self._silent.add(response_id)

    def _opened(self, response_id: str, event: Event) -> _Running:
        capture = self._part(response_id, self._tags)
        capture.body.add(response_request(self._models.model, self.client_events.take()))
        return _Running(capture, bytes(event.response))

    def _end(self, event: Event) -> None:
        response_id = response_id_of(event.response) or self._id_of(event)
        self._silent.discard(response_id)
        capture = (self._running.pop(response_id, None) or self._opened(response_id, event)).capture
        self._close(capture, bytes(event.response), response_status(event.response, self._api))

    def _record(self, event: Event, message: bytes, model: str, status: int) -> None:
        """What took no time that we know of."""
        capture = self._part(self._id_of(event), replace(self._tags, model_override=None))  # it is another model
        capture.body.add(other_request(model))
        self._close(capture, message, status)

    def _close(self, capture: Capture, body: bytes, status: int) -> None:
        capture.response.add(body)
        capture.response_head(status, _FRAMING, self._account_headers)
        self._recorder.publish(capture, Outcome.COMPLETED if status < 400 else Outcome.PROVIDER_ERROR)

    def close(self, outcome: Outcome) -> None:
        """The session is over: what was still being generated ended with `outcome`."""
        for capture, opening in self._running.values():
            capture.response.add(opening)
            capture.response_head(200, _FRAMING, self._account_headers)
            self._recorder.publish(capture, outcome)
        self._running.clear()
        self._recorder.leave(self._opened_by)

    def _id_of(self, event: Event) -> str:
        if named := text_of(event.event_id):
            return named
        self._count += 1
        return str(self._count)

    def _part(self, name: str, tags: RequestTags) -> Capture:
        opened = self._opened_by
        id_ = str(uuid.uuid5(uuid.UUID(opened.request_id), name))
        part = opened.part(id_, monotonic(), tags, self._head)
        part.settle = self.settle_of(part)
        return part
