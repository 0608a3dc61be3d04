"""What comes around a body, trailers and chunk extensions, is limited as heads are: a parser holds it until it ends."""

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.event import Outcome
from tests.contracts.test_proxy_clients import statuses
from tests.servers.proxy_rig import head, rig
from tests.servers.scripted_provider import http_response

pytestmark = pytest.mark.anyio

CHUNKED = "Transfer-Encoding: chunked"
ENDLESS = {"trailers": b"0\r\nX: ", "many trailers": b"0\r\n", "a chunk extension": b"1;x=", "the last one": b"0;x="}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def parts_of(name: str) -> Sequence[bytes]:
    """Four parts of 10,000 bytes, where 32,768 are the most."""
    part = b"X: " + b"x" * 9_995 + b"\r\n" if name == "many trailers" else b"x" * 10_000
    return [part] * 4


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_request_without_end_behind_its_body_is_refused_and_leaves_an_event(name: str) -> None:
    async with rig() as proxy:
        begun = head("/oai/v1/x", CHUNKED) + b"2\r\nab\r\n"
        got = await proxy.raw(begun, ENDLESS[name], *parts_of(name))
        event = await proxy.event()
        assert proxy.provider.bodies == []
    assert statuses(got) == [431]
    assert (event.response.outcome, event.request.body) == (Outcome.CLIENT_DISCONNECTED, b"ab")


@pytest.mark.parametrize("name", ENDLESS)
async def test_one_that_got_a_response_before_its_end_has_that_response_only(name: str) -> None:
    async with rig() as proxy:
        got = await proxy.raw(head("/healthz", CHUNKED, method="GET"), ENDLESS[name], *parts_of(name))
    assert statuses(got) == [200]


async def test_the_limit_is_for_what_comes_between_two_pieces_of_a_body_and_not_for_all_of_it() -> None:
    extended = b"1;x=" + b"x" * 20_000, b"\r\na\r\n"
    trailers = b"0\r\nX: " + b"x" * 20_000, b"\r\n\r\n"
    async with rig() as proxy:
        proxy.provider.script = [http_response(b"ok")]
        first = head("/oai/v1/x", CHUNKED), *extended * 4, *trailers
        got = await proxy.raw(*first, head("/oai/v1/x", CHUNKED, "Connection: close"), *extended * 4, *trailers)
        events = await proxy.events(2)
    assert statuses(got) == [200, 200]
    assert [event.request.body for event in events] == [b"aaaa", b"aaaa"]
