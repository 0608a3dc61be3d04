"""Which attempt of one request is next, and when: how many there were, and where they went."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.attempts import NO_RETRIES, StatusRange
from schemas.origin import Origin
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import Pair
from services.domain.exchange.target import Target
from services.domain.resilience.attempts import Failure, Skipped, is_left, is_retried, retry_wait_ms
from services.domain.resilience.backoff import requested_wait_ms
from services.ports.upstream import Headers
from services.proxy.upstream.attempts.use import AttemptUse


class Place(NamedTuple):
    """A server, and for which statuses of its responses it is left."""

    origin: Origin
    on_codes: Sequence[StatusRange]
    provider: str
    model: str = ""  # where the request named it


class AttemptPlan:
    """Of one request."""

    __slots__ = (
        "_deadline_s",
        "_made",
        "_organization_id",
        "_places",
        "_policy",
        "_retried",
        "_skipped",
        "_use",
        "_wait_ms",
        "index",
    )

    def __init__(self, use: AttemptUse, capture: Capture, target: Target) -> None:
        self._use = use
        self._organization_id = capture.organization_id
        self._policy = capture.retry or NO_RETRIES
        self._places = [
            Place(one.target.origin, one.on_codes, one.target.provider, one.model) for one in target.fallbacks
        ] or [Place(target.origin, (), target.provider)]
        self._deadline_s = capture.began_s + use.total_timeout_s
        self._made = 0
        self._retried = 0  # at this place
        self._wait_ms = 0.0  # before the last attempt at this place
        self._skipped: Skipped | None = None
        self.index = 0  # of the fallbacks; 0 without any

    def begin(self, now_s: float) -> None:
        """The next attempt begins. The first one passes over servers that fail again and again."""
        if not self._made:
            self.index = self._best_from(0, now_s)
        self._made += 1
        self._use.circuits.begin(self._organization_id, self._places[self.index].origin, now_s)

    def note(self, status: int | None, now_s: float) -> None:
        """What the attempt came to, None for no response. Too many requests say nothing of the server."""
        origin = self._places[self.index].origin
        if status is None or status >= 500:
            self._use.circuits.failed(self._organization_id, origin, now_s)
        elif status != 429:
            self._use.circuits.succeeded(self._organization_id, origin)

    def wait_s(
        self,
        status: int | None,
        now_s: float,
        headers: Iterable[Pair] = (),
        *,
        replayable: bool,
        permanent: bool = False,
    ) -> float | None:
        """How long to wait for the next attempt, at `index`, which is changed; None where there is none.

        `status` and `headers` are of the response; None where there was none. `replayable`: the body is still at hand.
        `permanent`: the same server would fail again.
        """
        retries = not permanent and is_retried(status) and self._retried < self._policy.retries
        leaves = self.index + 1 < len(self._places) and is_left(status, self._places[self.index].on_codes)
        if not replayable:
            self._skipped = Skipped.BODY_TOO_LARGE if retries or leaves else None
            return None
        if retries:
            waited = self._retry(status, headers, now_s)
            if not isinstance(waited, Skipped):
                self._retried, self._wait_ms = self._retried + 1, waited
                return waited / 1000
            self._skipped = waited
        if not leaves or now_s >= self._deadline_s:
            return None
        self.index, self._retried, self._wait_ms, self._skipped = self._best_from(self.index + 1, now_s), 0, 0.0, None
        return 0.0

    def _retry(self, status: int | None, headers: Iterable[Pair], now_s: float) -> float | Skipped:
        failure = Failure(
            status=status,
            requested_wait_ms=requested_wait_ms(headers, self._use.clock.now()),
            circuit_open=self._use.circuits.is_open(self._organization_id, self._places[self.index].origin, now_s),
            left_s=self._deadline_s - now_s,
        )
        return retry_wait_ms(failure, self._policy, self._wait_ms, self._use.draw())

    def _best_from(self, first: int, now_s: float) -> int:
        """The first server from there on that does not fail again and again; else just the first."""
        for index in range(first, len(self._places)):
            if not self._use.circuits.is_open(self._organization_id, self._places[index].origin, now_s):
                return index
        return first

    def headers(self, sent_model: str) -> Headers:
        """What the client is told. `sent_model`: the one that a budget had asked for instead; '' for none."""
        added = [(b"Helicone-Attempts", b"%d" % self._made)]
        if len(self._places) > 1 or self._places[0].on_codes:
            added.append((b"Helicone-Fallback-Index", b"%d" % self.index))
        place = self._places[self.index]
        if place.model:
            added.append((b"Helicone-Provider", place.provider.lower().encode()))
            added.append((b"Helicone-Model", (sent_model or place.model).encode("ascii", "replace")))
        if self._skipped is not None:
            added.append((b"Helicone-Retry-Skipped", self._skipped.value.encode()))
        return added

    def end(self) -> None:
        """There is no further attempt."""
        if self._skipped is not None:
            self._use.recorder.metrics.add("proxy_retries_skipped_total")
