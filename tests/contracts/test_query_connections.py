"""Connections to the query service: what has no end is ended, what is no HTTP is said so, and nobody is cut off before
the response is read.
"""

import http.client
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest

from schemas.key import Permission
from services.query.http import connection as connections
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.servers.querying import LIST, Client, QueryService, query_service


@pytest.fixture
def quick(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[QueryService]:
    """A service that waits for no client longer than a timestamp."""
    for name in ("REQUEST_S", "BODY_S", "IDLE_S", "LINGER_S"):
        monkeypatch.setattr(connections, name, 0.5)
    with query_service(embedded_warehouse, tmp_path_factory.mktemp("state")) as running:
        yield running


@contextmanager
def connected(service: QueryService) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def post(key: str, more: str) -> bytes:
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n{more}\r\n"
    return head.encode()


@pytest.mark.parametrize(
    ("sent", "response"),
    [
        (b"", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "half a head", "no second request"],
)
def test_a_client_that_sends_no_request_is_not_kept(quick: QueryService, sent: bytes, response: bytes) -> None:
    with connected(quick) as connection:
        connection.sendall(sent)
        assert read_all(connection).startswith(response)


def test_a_body_that_does_not_come_is_not_waited_for(quick: QueryService) -> None:
    with connected(quick) as connection:
        connection.sendall(post(quick.key("org-1"), "Content-Length: 9\r\n") + b"{")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_idle_connections_make_room_for_others_and_those_with_a_key_last(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("state")
        service = stack.enter_context(query_service(embedded_warehouse, folder, max_connections=20))
        kept = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        kept.request("GET", "/v1/report/summary", headers={"Authorization": service.key("org-1")})
        assert kept.getresponse().read()
        opened = kept.sock
        idle = [stack.enter_context(connected(service)) for _ in range(60)]
        kept.request("GET", "/healthz")
        assert kept.getresponse().status == 200
        assert kept.sock is opened
        idle[0].settimeout(5)
        with suppress(ConnectionError):
            assert idle[0].recv(1) == b""
        kept.close()


@pytest.mark.parametrize("close", ["", "Connection: close\r\n"])
@pytest.mark.parametrize("framing", ["Content-Length: 4194304\r\n", "Transfer-Encoding: chunked\r\n"])
def test_who_sends_too_much_reads_the_413_and_is_not_reset(
    embedded_service: QueryService, framing: str, close: str
) -> None:
    body = b" " * 4 * 2**20
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if "chunked" in framing else body
    with connected(embedded_service) as connection:
        connection.sendall(post(embedded_service.key("org-1"), framing + close))
        for start in range(0, len(sent), 2**16):
            connection.sendall(sent[start : start + 2**16])
            time.sleep(0.001)
        assert read_all(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: user@x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n",
        b"GET \xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_valid_http_gets_400_and_no_traceback(
    embedded_service: QueryService, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), connected(embedded_service) as connection:
        connection.sendall(request_)
        response = read_all(connection)
    assert response.startswith(b"HTTP/1.1 400 ")
    assert json.loads(response.partition(b"\r\n\r\n")[2])["data"] is None
    assert not any(record.exc_info for record in caplog.records)


def test_many_malformed_requests_are_one_line_of_the_log(
    embedded_service: QueryService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            with connected(embedded_service) as connection:
                connection.sendall(b"nonsense\r\n\r\n")
                read_all(connection)
    assert len(caplog.records) <= 2


def test_a_client_that_breaks_off_its_body_leaves_no_traceback(
    embedded_service: QueryService, caplog: pytest.LogCaptureFixture
) -> None:
    key = embedded_service.key("org-1")
    with caplog.at_level(logging.INFO):
        with connected(embedded_service) as connection:
            connection.sendall(post(key, "Content-Length: 9\r\n") + b"{")
            time.sleep(0.2)
        time.sleep(0.2)
    assert not any(record.exc_info for record in caplog.records)


def test_an_offer_of_another_protocol_is_declined_and_the_body_read(embedded_service: QueryService) -> None:
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 17\r\n"
    with connected(embedded_service) as connection:
        connection.sendall(post(embedded_service.key("org-1"), offer) + b'{"filter": "all"}')
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = read_all(connection)
    assert response.startswith(b"HTTP/1.1 201 ")
    assert response.count(b"HTTP/1.1 200 ") == 1


def requested(service: QueryService, method: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()


PLACEHOLDER = "01932c07-2a00-7000-8000-000000000009"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_a_405_allows_exactly_what_is_not_refused_with_405(embedded_service: QueryService) -> None:
    documentation = json.loads(requested(embedded_service, "GET", "/openapi.json")[1])
    key = embedded_service.key("org-1", Permission.WRITE)
    for path in (*documentation["paths"], "/", "/docs", "/openapi.json"):
        filled = "/".join(PLACEHOLDER if part.startswith("{") else part for part in path.split("/"))
        responses = {method: requested(embedded_service, method, filled, Authorization=key)[0] for method in METHODS}
        served = {method for method, response in responses.items() if response.status != 405}
        assert served, path
        for method, response in responses.items():
            if response.status == 405:
                assert set((response.headers["Allow"] or "").split(", ")) == served, (method, path)


def test_a_404_names_the_nearest_routes(client: Client) -> None:
    for path, near in ((f"/v2{LIST}", f"POST {LIST}"), ("/v1/request/x/costs", "GET /v1/request/{request_id}/cost")):
        status, refusal = client.ask(path)
        assert (status, refusal["data"]) == (404, None)
        assert near in refusal["error"]
        assert "/docs" in refusal["error"]


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("evil.example", "/docs", 403),
        ("evil.example", "/openapi.json", 403),
        ("evil.example", "/", 403),
        ("evil.example", "/static-offline-docs/swagger-ui.css", 403),
        ("evil.example", "/healthz", 200),
        ("evil.example", "/v1/reprice", 401),
        ("localhost:8788", "/docs", 200),
        ("127.0.0.1", "/openapi.json", 200),
        ("query", "/openapi.json", 200),
    ],
)
def test_open_pages_are_not_shown_under_a_name_that_others_may_own(
    embedded_service: QueryService, host: str, path: str, status: int
) -> None:
    assert requested(embedded_service, "GET", path, Host=host)[0].status == status
