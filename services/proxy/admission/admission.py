"""The gates in their order. Each calls back, now or later; behind the first that refuses none is called.

Gates of two kinds: some are for every request, as the operator's settings say; others only for requests whose headers
mean them. Where no header does, one look passes over all of the second kind.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from schemas.errors import FareboxError
from schemas.key import KeyOwner
from services.proxy.exchange.recorder import Request

# Whose request it is, None where it passes without a key; or why it may not pass.
AdmissionResult: TypeAlias = KeyOwner | FareboxError | None
AdmissionCallback: TypeAlias = Callable[[AdmissionResult], None]


class Gate(Protocol):
    by_header: bool  # is only for requests with headers that are not for every gate (`Head.unsupported`)

    def check(self, request: Request, owner: KeyOwner | None, callback: AdmissionCallback) -> None:
        """Calls `callback` once, now or later: with `owner`, whom the gates before have found, or with a refusal."""
        ...


class Admission:
    """One for the process."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        """`gates` in their order; the first one finds the owner, and is for every request."""
        self._gates = tuple(gates)
        self._without_headers = tuple(gate for gate in gates if not gate.by_header)

    def check(self, request: Request, callback: AdmissionCallback) -> None:
        """Calls `callback` once: now, where no gate has to wait for something."""
        gates = self._gates if request.head.unsupported else self._without_headers
        if len(gates) == 1:
            gates[0].check(request, None, callback)
        else:
            _Passage(iter(gates), request, callback).go_on(None)


class _Passage:
    """One request on its way through the gates."""

    __slots__ = ("_callback", "_gates", "_request")

    def __init__(self, gates: Iterator[Gate], request: Request, callback: AdmissionCallback) -> None:
        self._gates = gates
        self._request = request
        self._callback = callback

    def go_on(self, result: AdmissionResult) -> None:
        """`result` is that of the gate before."""
        if isinstance(result, FareboxError) or (gate := next(self._gates, None)) is None:
            self._callback(result)
        else:
            gate.check(self._request, result, self.go_on)
