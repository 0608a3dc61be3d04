"""Which servers fail again and again: retries of one that does so only make it worse, and fallbacks pass it over.

A circuit opens with a row of failures and stays so for a while; then one attempt is a probe, and every success closes
it. Only requests that ask for retries or fallbacks count, and their first attempt is never refused: a circuit decides
what follows a failure, and with which of several servers to begin.
"""

import logging
from typing import Final

import msgspec

from schemas.origin import Origin
from services.telemetry.metrics import Metrics

FAILURES: Final = 5  # in a row, by which a circuit opens
OPEN_S: Final = 15.0
_MAX: Final = 10_000  # servers that are remembered; most never fail

logger = logging.getLogger("farebox.proxy")


class _Circuit(msgspec.Struct):
    failures: int = 0
    open_until_s: float = 0.0


class Circuits:
    """One for each server of each organization, so that none decides about the calls of another."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._failing: dict[tuple[str, str], _Circuit] = {}

    def is_open(self, organization_id: str, origin: Origin, now_s: float) -> bool:
        circuit = self._failing.get((organization_id, origin.url))
        return circuit is not None and now_s < circuit.open_until_s

    def begin(self, organization_id: str, origin: Origin, now_s: float) -> None:
        """An attempt goes to `origin`. Where its circuit was open for long enough this is the probe: others wait."""
        circuit = self._failing.get((organization_id, origin.url))
        if circuit is not None and circuit.failures >= FAILURES:
            circuit.open_until_s = now_s + OPEN_S

    def succeeded(self, organization_id: str, origin: Origin) -> None:
        self._failing.pop((organization_id, origin.url), None)

    def failed(self, organization_id: str, origin: Origin, now_s: float) -> None:
        key = (organization_id, origin.url)
        circuit = self._failing.get(key)
        if circuit is None:
            if len(self._failing) >= _MAX:
                del self._failing[next(iter(self._failing))]
            circuit = self._failing[key] = _Circuit()
        circuit.failures += 1
        if circuit.failures >= FAILURES:
            circuit.open_until_s = now_s + OPEN_S
        if circuit.failures == FAILURES:
            self._metrics.add("proxy_circuits_opened_total")
            logger.warning("a server fails again and again: it is not retried", extra={"host": origin.host})
