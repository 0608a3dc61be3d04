"""The proxy before providers that speak TLS: whom it trusts."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.event import Outcome
from services.stores.upstream.dial import trusting_context
from tests.servers.proxy_rig import head, rig
from tests.servers.scripted_provider import ScriptedProvider, chunked, http_response

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates of this test"),
]

CHAT = "/oai/v1/chat/completions"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for `localhost` that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *made, *subject, *files], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    """The trusted authorities, which a process reads once."""
    trusting_context.cache_clear()
    yield
    trusting_context.cache_clear()


def speaking(certificate: tuple[Path, Path]) -> ScriptedProvider:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return ScriptedProvider(context)


async def test_a_provider_with_a_trusted_certificate_is_used_over_kept_connections(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with speaking(certificate).listening() as provider:
        async with rig(openai_url=f"https://localhost:{provider.port}") as proxy, proxy.client() as client:
            for script in (http_response(b"x" * 500_000), chunked(b"a", b"b"), http_response(b"last")):
                provider.script = [script]
                got = await client.post(CHAT, content=b"q" * 300_000)
                assert got.status_code == 200
            events = await proxy.events(3)
        assert provider.connections == 1
    assert [len(event.response.body) for event in events] == [500_000, 2, 4]
    assert {len(body) for body in provider.bodies} == {300_000}


async def test_a_client_that_is_slow_for_a_while_gets_all_of_a_large_response(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TLS has read while the proxy did not want any comes in one piece, larger than any head may be."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with speaking(certificate).listening() as provider:
        whole = http_response(b"x" * 8_000_000)
        pieces = [whole[start : start + 50_000] for start in range(0, len(whole), 50_000)]
        provider.script = [step for piece in pieces for step in (piece, 0.002)]
        async with rig(openai_url=f"https://localhost:{provider.port}") as proxy:
            client = socket.create_connection(("127.0.0.1", proxy.server.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
            reader, writer = await asyncio.open_connection(sock=client, limit=2**16)
            writer.write(head("/oai/v1/embeddings", "Content-Length: 0", "Connection: close"))
            got = 0
            while piece := await reader.read(2**16):
                got += len(piece)
                await asyncio.sleep(0.01)
            writer.close()
            event = await proxy.event()
    assert event.response.outcome == Outcome.COMPLETED
    assert event.response.body_bytes == 8_000_000
    assert got > 8_000_000


@pytest.mark.parametrize(("trusted", "host"), [(False, "localhost"), (True, "127.0.0.1")])
async def test_a_provider_that_cannot_prove_who_it_is_gets_no_request(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, trusted: bool, host: str
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with speaking(certificate).listening() as provider:
        async with rig(openai_url=f"https://{host}:{provider.port}") as proxy, proxy.client() as client:
            got = await client.post(CHAT, json={})
            event = await proxy.event()
        assert provider.heads == []
    assert got.status_code == 502
    assert "certificate" in got.json()["error"]["message"]
    assert event.response.outcome == Outcome.UPSTREAM_ERROR
