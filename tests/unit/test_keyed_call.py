"""A key that Farebox adds is for one server, and what has to be signed is held in memory that is bounded."""

from typing import Any

from schemas.origin import Origin
from schemas.provider_key import HeaderKey, ProviderKey, SigningKey
from services.domain.exchange.routes import origin_of
from services.ports.upstream import UNKNOWN_LENGTH, ResponseReceiver, UpstreamCall
from services.proxy.upstream.held_chunks import UNCOUNTED_BYTES
from services.proxy.upstream.keyed_call import KeyedUpstream
from services.proxy.upstream.shared_memory import SharedMemory
from services.stores.clock import SystemClock

OWNER, OTHER = origin_of("https://own.example"), origin_of("https://other.example")
IN_HEADER = HeaderKey(name=b"Authorization", value=b"Bearer canary", credential=b"canary")
SIGNING = SigningKey(key_id=b"AKIA", secret=b"canary", region=b"r", service=b"s")

LARGE = bytes(UNCOUNTED_BYTES + 1)
MEMORY_BYTES = 4 * len(LARGE)


class Calls:
    """An Upstream, its call and a receiver: remembers by name what it was called with."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "Calls":  # noqa: ARG002
        return self

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.said.append((name, *arguments))

    def of(self, name: str) -> list[list[Any]]:
        return [arguments for said, *arguments in self.said if said == name]


def opened(
    key: ProviderKey, *, origin: Origin = OWNER, memory: SharedMemory | None = None, organization: str = "org-1"
) -> tuple[UpstreamCall, Calls, Calls, SharedMemory]:
    """A call, the one behind it, its receiver, and the memory of bodies."""
    behind, receiver, space = Calls(), Calls(), memory or SharedMemory(MEMORY_BYTES)
    provider: Any = behind
    client: Any = receiver
    upstream = KeyedUpstream(provider, OWNER, key, SystemClock(), space, organization)
    return upstream.call(origin, client), behind, receiver, space


def test_a_key_in_a_header_holds_no_body_back() -> None:
    call, behind, _, _ = opened(IN_HEADER)
    call.send_head(b"POST", b"/x", [(b"A", b"b")], 3)
    call.send_chunk(b"abc")
    assert behind.said == [
        ("send_head", b"POST", b"/x", [(b"A", b"b"), (b"Authorization", b"Bearer canary")], 3),
        ("send_chunk", b"abc"),
    ]


def test_a_request_is_signed_when_it_is_whole_and_its_memory_is_given_back() -> None:
    call, behind, _, memory = opened(SIGNING)
    share = memory.of("org-1")
    call.pause_response()
    call.send_head(b"POST", b"/x", [], UNKNOWN_LENGTH)
    for chunk in (LARGE, b"def"):
        call.send_chunk(chunk)
    assert (behind.said, share.free_bytes) == ([], MEMORY_BYTES // 2 - len(LARGE) - 3)
    call.finish()
    ((_, _, headers, body_bytes),) = behind.of("send_head")
    assert (body_bytes, len(behind.of("finish"))) == (len(LARGE) + 3, 1)
    assert [list(given) for given in behind.of("send_chunk")] == [[LARGE + b"def"]]
    assert dict(headers)[b"Authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AKIA/")
    assert len(behind.of("pause_response")) == 1
    assert share.free_bytes == MEMORY_BYTES // 2


def test_a_call_to_another_server_goes_without_the_key() -> None:
    for key in (IN_HEADER, SIGNING):
        call, behind, _, _ = opened(key, origin=OTHER)
        call.send_head(b"POST", b"/x", [], 3)
        assert behind.said == [("send_head", b"POST", b"/x", [], 3)]


def test_a_body_for_which_there_is_no_memory_fails_its_request_alone() -> None:
    call, behind, receiver, memory = opened(SIGNING)
    share = memory.of("org-1")
    call.send_head(b"POST", b"/x", [], 3 * len(LARGE))
    for _ in range(3):
        call.send_chunk(LARGE)
    call.finish()
    assert len(receiver.of("upstream_failed")) == 1
    assert (behind.said, share.free_bytes, call.begun) == ([], MEMORY_BYTES // 2, False)


def test_an_organization_that_signs_large_bodies_leaves_memory_to_others_and_small_bodies_to_itself() -> None:
    memory = SharedMemory(MEMORY_BYTES)
    first, _, _, _ = opened(SIGNING, memory=memory)
    first.send_head(b"POST", b"/x", [], UNKNOWN_LENGTH)
    first.send_chunk(LARGE + LARGE)  # all that one may hold
    for organization, chunk in (("org-2", LARGE), ("org-1", b"small")):
        call, behind, receiver, _ = opened(SIGNING, memory=memory, organization=organization)
        call.send_head(b"POST", b"/x", [], len(chunk))
        call.send_chunk(chunk)
        call.finish()
        assert (len(behind.of("finish")), receiver.said) == (1, [])


def test_a_request_that_is_given_up_is_never_sent() -> None:
    call, behind, _, memory = opened(SIGNING)
    call.send_head(b"POST", b"/x", [], len(LARGE))
    call.send_chunk(LARGE)
    call.abort()
    call.finish()
    assert (behind.said, memory.of("org-1").free_bytes) == ([], MEMORY_BYTES // 2)
