"""The first gate: whose key is it, and may it write."""

from schemas.key import KeyOwner
from services.proxy.admission.admission import AdmissionCallback
from services.proxy.exchange.key_cache import KeyCheck
from services.proxy.exchange.recorder import Request


class ApiKeyGate:
    by_header = False

    def __init__(self, keys: KeyCheck, *, pass_unauthenticated: bool) -> None:
        """`pass_unauthenticated`: requests without a valid key pass, and nobody owns them."""
        self._keys = keys
        self._pass_unauthenticated = pass_unauthenticated

    def check(self, request: Request, owner: KeyOwner | None, callback: AdmissionCallback) -> None:  # noqa: ARG002
        header = request.head.auth_header
        if header is None and request.target.secret is not None:
            header = b"Bearer " + request.target.secret
        if self._pass_unauthenticated:
            self._keys.check(header, lambda result: callback(result if isinstance(result, KeyOwner) else None))
        else:
            self._keys.check(header, callback)
