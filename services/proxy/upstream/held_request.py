"""A request on its way through a decorator that has to decide first: what has come of it, and the call it goes on by.

Decorators hold one, and pass on what the exchange calls. Chunks of the body are theirs, since each bounds them its way.
"""

from collections.abc import Iterable

from services.ports.upstream import Headers, ResponseReceiver, UpstreamCall


class HeldRequest:
    """Of one request. The parts of the UpstreamCall port that are the same whatever is decided."""

    __slots__ = ("_is_whole", "_paused", "_waited_before_s", "call", "head", "receiver")

    def __init__(self, receiver: ResponseReceiver) -> None:
        self.receiver = receiver
        self.call: UpstreamCall | None = None  # None while the decision is open
        self.head: tuple[bytes, bytes, Headers, int | None] = (b"", b"", (), None)
        self._is_whole = False  # the request has come
        self._paused = False
        self._waited_before_s = 0.0  # by earlier calls

    def send_by(self, call: UpstreamCall, chunks: Iterable[bytes]) -> None:
        """Sends what has come by `call`, `chunks` of its body; what comes from now on follows."""
        self.call = call
        if self._paused:
            call.pause_response()
        call.send_head(*self.head)
        for chunk in chunks:
            call.send_chunk(chunk)
        if self._is_whole:
            call.finish()
        call.flush()

    def leave_call(self) -> None:
        """The decision is open again."""
        self._waited_before_s = self.waited_s
        self.call = None

    @property
    def begun(self) -> bool:
        return self.call is not None and self.call.begun

    @property
    def waited_s(self) -> float:
        return self._waited_before_s + (0.0 if self.call is None else self.call.waited_s)

    @property
    def paused(self) -> bool:
        """The client does not take the response as fast as it comes."""
        return self._paused

    def finish(self) -> None:
        self._is_whole = True
        if self.call is not None:
            self.call.finish()

    def flush(self) -> None:
        if self.call is not None:
            self.call.flush()

    def pause_response(self) -> None:
        self._paused = True
        if self.call is not None:
            self.call.pause_response()

    def resume_response(self) -> None:
        self._paused = False
        if self.call is not None:
            self.call.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self.receiver = receiver
        if self.call is not None:
            self.call.hand_over(receiver)

    def abort(self) -> None:
        if self.call is not None:
            self.call.abort()
