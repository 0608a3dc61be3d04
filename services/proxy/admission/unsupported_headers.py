"""The second gate: headers that change what a call does, and are not supported, must not be passed over in silence.

It comes after the key: a wrong key is reported first, and without a key nobody may fill the counters.
"""

from collections.abc import Set

from schemas.key import KeyOwner
from services.domain.exchange.helicone_headers import refusal_of, unknown_names
from services.proxy.admission.admission import AdmissionCallback
from services.proxy.exchange.recorder import Request
from services.telemetry.metrics import Metrics


class UnsupportedHeadersGate:
    """Refuses them. Unknown `Helicone-*` headers pass, and are counted."""

    by_header = True

    def __init__(self, metrics: Metrics, *, ignored: Set[bytes]) -> None:
        """`ignored`: names in lower case that the operator lets pass."""
        self._metrics = metrics
        self._ignored = ignored

    def check(self, request: Request, owner: KeyOwner | None, callback: AdmissionCallback) -> None:
        headers = request.head.unsupported
        if owner is not None:
            for name in unknown_names(headers):
                self._metrics.add_unknown_header(name)
        refusal = refusal_of(headers, self._ignored)
        callback(owner if refusal is None else refusal)
