"""One request whose body says where it goes: it is collected, and then goes on as any request with fallbacks."""

from collections.abc import Callable

from schemas.errors import Busy, FareboxError, Rejected, TooLarge
from services.domain.exchange.capture import Capture
from services.domain.exchange.target import Target
from services.ports.upstream import Headers, ResponseReceiver, Upstream
from services.proxy.exchange.paced_work import SMALL_BYTES
from services.proxy.upstream.attempts.call import AttemptedCall
from services.proxy.upstream.attempts.use import AttemptUse
from services.proxy.upstream.held_chunks import HeldChunks
from services.proxy.upstream.held_request import HeldRequest
from services.proxy.upstream.refusal import refuse


class CallByModel:
    """An UpstreamCall."""

    __slots__ = ("_body", "_capture", "_is_over", "_request", "_use", "_way_to", "_with_models")

    def __init__(
        self,
        way_to: Callable[[Target], Upstream],
        use: AttemptUse,
        with_models: Callable[[bytes], Target],
        capture: Capture,
        receiver: ResponseReceiver,
    ) -> None:
        """`with_models` is the target, and all that follow it, of a whole body. Raises: Rejected."""
        self._way_to = way_to
        self._use = use
        self._with_models = with_models
        self._capture = capture
        self._request = HeldRequest(receiver)  # with a call once the body is whole
        self._body = HeldChunks(use.memory.of(capture.organization_id), use.body_bytes)
        self._is_over = False  # refused or aborted

    @property
    def begun(self) -> bool:
        return self._request.begun

    @property
    def waited_s(self) -> float:
        return self._request.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._request.head = (method, target, headers, body_bytes)

    def send_chunk(self, chunk: bytes) -> None:
        if not self._is_over and not self._body.add(chunk):
            is_too_large = self._body.size_bytes > self._use.body_bytes
            limit = f"a body whose model says where it goes may have {self._use.body_bytes} bytes"
            self._refuse(TooLarge(limit) if is_too_large else Busy("too many large requests at once: try again"))

    def finish(self) -> None:
        self._request.finish()
        if self._body.size_bytes <= SMALL_BYTES:
            self._begin()
        else:
            self._use.paced.run(self._capture.organization_id, self._begin)

    def flush(self) -> None:
        self._request.flush()

    def pause_response(self) -> None:
        self._request.pause_response()

    def resume_response(self) -> None:
        self._request.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self._request.hand_over(receiver)

    def abort(self) -> None:
        self._is_over = True
        self._body.take()
        self._request.abort()

    def _begin(self) -> None:
        if self._is_over:  # while large bodies before it were parsed
            return
        body = b"".join(self._body.take())
        try:
            target = self._with_models(body)
        except Rejected as error:
            self._refuse(error)
            return
        capture, head = self._capture, target.fallbacks[0].head
        capture.retarget(target, head, self._use.recorder.account_at(target, head))
        method, _, headers, _ = self._request.head
        self._request.head = (method, target.path_and_query, headers, len(body))
        call = AttemptedCall(self._way_to, self._use, target, capture, self._request.receiver)
        self._request.send_by(call, [body])

    def _refuse(self, error: FareboxError) -> None:
        self._is_over = True
        self._body.take()
        self._capture.refused = True
        refuse(self._request, error)
