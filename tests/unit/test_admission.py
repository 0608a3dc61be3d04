"""Gates in their order: what each finds out, who is called, and when the request may pass."""

import pytest

from schemas.errors import FareboxError, Forbidden, Unauthenticated
from schemas.key import KeyOwner
from services.domain.exchange.headers import Pair, parse_head
from services.domain.exchange.routes import Routes, origin_of
from services.proxy.admission.admission import Admission, AdmissionCallback, AdmissionResult, Gate
from services.proxy.admission.api_key import ApiKeyGate
from services.proxy.admission.unsupported_headers import UnsupportedHeadersGate
from services.proxy.exchange.key_cache import AuthCallback, AuthResult
from services.proxy.exchange.recorder import Request
from services.telemetry.metrics import Metrics
from tests.builders.records import ORGANIZATION, TIMESTAMP

OWNER = KeyOwner(organization_id=ORGANIZATION, key_id="key-1")
WRONG = Unauthenticated("wrong key")
REFUSED = (b"Helicone-Moderations-Enabled", b"true")
UNKNOWN = (b"Helicone-Nonsense", b"x")


def a_request(*headers: Pair, path: bytes = b"/oai/v1/x") -> Request:
    target = Routes({"OPENAI": origin_of("http://provider")}).resolve(path)
    assert target is not None
    return Request(method=b"POST", target=target, head=parse_head(headers), created_at=TIMESTAMP, began_s=0.0)


class SlowGate:
    """Calls back when the test does."""

    def __init__(self, *, by_header: bool = False) -> None:
        self.by_header = by_header
        self.requested: list[tuple[KeyOwner | None, AdmissionCallback]] = []

    def check(self, request: Request, owner: KeyOwner | None, callback: AdmissionCallback) -> None:  # noqa: ARG002
        self.requested.append((owner, callback))


class OneKey:
    """A KeyCheck with the same result for every key."""

    def __init__(self, result: AuthResult) -> None:
        self.result = result

    def check(self, auth_header: bytes | None, callback: AuthCallback) -> None:  # noqa: ARG002
        callback(self.result)


def admitted(key: AuthResult, *headers: Pair, pass_unauthenticated: bool = False, metrics: Metrics) -> AdmissionResult:
    gates: list[Gate] = [
        ApiKeyGate(OneKey(key), pass_unauthenticated=pass_unauthenticated),
        UnsupportedHeadersGate(metrics, ignored=frozenset()),
    ]
    results: list[AdmissionResult] = []
    Admission(gates).check(a_request(*headers), results.append)
    (result,) = results
    return result


def test_each_gate_is_called_after_the_one_before_and_given_its_key() -> None:
    first, second, results = SlowGate(), SlowGate(), list[AdmissionResult]()
    Admission([first, second]).check(a_request(), results.append)
    ((nobody, callback),) = first.requested
    assert (nobody, second.requested, results) == (None, [], [])
    callback(OWNER)
    ((owner, callback),) = second.requested
    assert (owner, results) == (OWNER, [])
    callback(owner)
    assert results == [OWNER]


def test_behind_a_refusal_no_gate_is_called() -> None:
    first, second, results = SlowGate(), SlowGate(), list[AdmissionResult]()
    Admission([first, second]).check(a_request(), results.append)
    first.requested[0][1](WRONG)
    assert (second.requested, results) == ([], [WRONG])


@pytest.mark.parametrize(("headers", "requested"), [((), 0), ((UNKNOWN,), 1)])
def test_a_gate_by_header_is_called_only_where_a_header_means_it(headers: tuple[Pair, ...], requested: int) -> None:
    gate = SlowGate(by_header=True)
    Admission([ApiKeyGate(OneKey(OWNER), pass_unauthenticated=False), gate]).check(
        a_request(*headers), list[AdmissionResult]().append
    )
    assert len(gate.requested) == requested


CASES: list[tuple[AuthResult, tuple[Pair, ...], bool, KeyOwner | type[FareboxError] | str | None]] = [
    (OWNER, (), False, OWNER),
    (OWNER, (UNKNOWN,), False, OWNER),
    (OWNER, (REFUSED,), False, "unsupported_header"),
    (WRONG, (), False, "unauthenticated"),
    (WRONG, (REFUSED,), False, "unauthenticated"),  # a wrong key comes first
    (Forbidden("no"), (), False, "forbidden"),
    (WRONG, (), True, None),
    (WRONG, (REFUSED,), True, "unsupported_header"),
    (OWNER, (), True, OWNER),
]


@pytest.mark.parametrize(("key", "headers", "passes", "expected"), CASES)
def test_keys_and_headers_decide_who_passes(
    key: AuthResult, headers: tuple[Pair, ...], passes: bool, expected: object
) -> None:
    result = admitted(key, *headers, pass_unauthenticated=passes, metrics=Metrics())
    assert (result.code if isinstance(result, FareboxError) else result) == expected


@pytest.mark.parametrize(("key", "passes", "counted"), [(OWNER, False, 1), (WRONG, False, 0), (WRONG, True, 0)])
def test_unknown_headers_are_counted_for_owners_of_keys_only(key: AuthResult, passes: bool, counted: int) -> None:
    metrics = Metrics()
    admitted(key, UNKNOWN, pass_unauthenticated=passes, metrics=metrics)
    assert metrics.exposition().count("nonsense") == counted
