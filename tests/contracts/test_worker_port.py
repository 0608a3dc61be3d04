"""The worker's own port: whom it shows its metrics."""

import asyncio
from collections.abc import Collection

import pytest

from services.health_page import serve_health
from services.telemetry.metrics import Metrics


async def responded(request: bytes, hosts: Collection[str]) -> bytes:
    server = await serve_health(Metrics(), host="127.0.0.1", port=0, hosts=hosts)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request)
        response = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    return response


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"),
        (b"GET /metrics HTTP/1.1\r\nHost: metrics.corp.example:80\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.1\r\nhost: 10.0.0.7:8790\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.1\r\nHost: worker\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"200"),
        (b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: user@x\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"400"),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    ],
)
def test_metrics_are_shown_under_names_that_no_web_page_can_have(head: bytes, status: bytes) -> None:
    response = asyncio.run(responded(head, {"metrics.corp.example"}))
    assert response.startswith(b"HTTP/1.1 %b " % status)
    assert (b"\r\nAllow: GET, HEAD\r\n" in response) == (status == b"405")


def test_head_gets_the_head_alone() -> None:
    response = asyncio.run(responded(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", ()))
    assert response.startswith(b"HTTP/1.1 200 ")
    assert response.endswith(b"\r\n\r\n")
