"""The dashboard's server side: its files as browsers want them, and sessions that are as good as their key."""

import asyncio
import gzip
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import brotli
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from schemas.key import Permission
from services.query.dashboard.router import PATH, dashboard_router
from services.query.dashboard.sessions import COOKIE, PAGE_HEADER, SESSION_S
from tests.servers.querying import LIST, AwayWarehouse, QueryService, query_service

SCRIPT = "assets/index-abc123.js"
FROM_PAGE = {PAGE_HEADER: "1"}
SESSION = f"{PATH}/session"


def fetched(
    service: QueryService, method: str, path: str, body: object = None, **headers: str
) -> tuple[http.client.HTTPResponse, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        encoded = None if body is None else json.dumps(body)
        connection.request(method, path, encoded, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response, json.loads(response.read())


def signed_in(service: QueryService, key: str) -> dict[str, str]:
    """Headers of a page whose reader has signed in with `key`."""
    response, _ = fetched(service, "POST", SESSION, {"key": key}, **FROM_PAGE)
    assert response.status == 200
    return {"Cookie": (response.headers["Set-Cookie"] or "").partition(";")[0], **FROM_PAGE}


def test_a_session_reads_what_its_key_reads(embedded_service: QueryService) -> None:
    key = embedded_service.key("org-1", Permission.READ)
    session = signed_in(embedded_service, key)
    by_key = fetched(embedded_service, "POST", LIST, {"filter": "all"}, Authorization=key)
    by_session = fetched(embedded_service, "POST", LIST, {"filter": "all"}, **session)
    assert by_session[0].status == by_key[0].status == 201
    assert by_session[1]["data"] == by_key[1]["data"]
    shown = fetched(embedded_service, "GET", SESSION, **session)[1]["data"]
    assert (shown["permission"], shown["hint"], shown["proxy_url"]) == ("r", key[-4:], "")
    assert shown["alerts"] == fetched(embedded_service, "GET", "/v1/alert/states", Authorization=key)[1]["data"]


def test_the_cookie_is_for_http_of_this_site_only_and_holds_no_key(embedded_service: QueryService) -> None:
    key = embedded_service.key("org-1", Permission.READ)
    response, _ = fetched(embedded_service, "POST", SESSION, {"key": key}, **FROM_PAGE)
    cookie = response.headers["Set-Cookie"] or ""
    assert {"HttpOnly", "SameSite=strict", f"Max-Age={SESSION_S}", "Path=/"} <= set(cookie.split("; "))
    assert key not in cookie


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"key": "sk-farebox-no-such-key"}, FROM_PAGE, 401),
        ({"key": ""}, FROM_PAGE, 401),
        ({"key": "x" * 5000}, FROM_PAGE, 422),
        ({"password": "x"}, FROM_PAGE, 422),
        ([], FROM_PAGE, 422),
        ({"key": "sk-farebox-no-such-key"}, {}, 403),
    ],
)
def test_what_is_no_key_opens_nothing(
    embedded_service: QueryService, body: object, headers: dict[str, str], status: int
) -> None:
    response, refusal = fetched(embedded_service, "POST", SESSION, body, **headers)
    assert (response.status, response.headers["Set-Cookie"]) == (status, None)
    assert refusal["error"]


def test_a_key_that_may_only_send_requests_is_told_so(embedded_service: QueryService) -> None:
    key = embedded_service.key("org-1", Permission.WRITE)
    response, refusal = fetched(embedded_service, "POST", SESSION, {"key": key}, **FROM_PAGE)
    assert response.status == 403
    assert "may read" in refusal["error"]


def test_a_cookie_alone_changes_and_queries_nothing(embedded_service: QueryService) -> None:
    session = signed_in(embedded_service, embedded_service.key("org-1", Permission.ADMIN))
    forged = {"Cookie": session["Cookie"]}
    for path in (LIST, "/v1/report", "/v1/prices"):
        assert fetched(embedded_service, "POST", path, {}, **forged)[0].status == 401


def test_a_session_may_no_more_than_its_key(embedded_service: QueryService) -> None:
    session = signed_in(embedded_service, embedded_service.key("org-1", Permission.READ))
    assert fetched(embedded_service, "POST", "/v1/prices", {"model": "x"}, **session)[0].status == 403


def test_a_session_ends_with_its_key_and_with_its_time(tmp_path: Path) -> None:
    with query_service(AwayWarehouse(), tmp_path) as service:
        key = service.key("org-1", Permission.READ)
        session = signed_in(service, key)
        later = signed_in(service, service.key("org-1", Permission.READ))
        shown = asyncio.run(service.keys.key_of(key))
        assert shown is not None
        assert asyncio.run(service.keys.revoke_key("org-1", shown.id))
        service.clock.advance(seconds=6)
        assert fetched(service, "GET", SESSION, **session)[1]["data"] is None
        assert fetched(service, "POST", LIST, {"filter": "all"}, **session)[0].status == 401
        assert fetched(service, "GET", SESSION, **later)[1]["data"] is not None
        service.clock.advance(seconds=SESSION_S)
        assert fetched(service, "GET", SESSION, **later)[1]["data"] is None


def test_a_cookie_that_was_tampered_with_is_none(embedded_service: QueryService) -> None:
    session = signed_in(embedded_service, embedded_service.key("org-1", Permission.READ))
    payload, _, signature = session["Cookie"].removeprefix(f"{COOKIE}=").partition(".")
    for forged in (f"{payload}.{'0' * 64}", f"{payload}x.{signature}", payload, "", ".", "ä.b", "x" * 5000):
        headers = {**FROM_PAGE, "Cookie": f"{COOKIE}={forged}".encode().decode("latin-1")}
        assert fetched(embedded_service, "GET", SESSION, **headers)[1]["data"] is None


def test_signing_out_ends_the_cookie(embedded_service: QueryService) -> None:
    session = signed_in(embedded_service, embedded_service.key("org-1", Permission.READ))
    response, _ = fetched(embedded_service, "DELETE", SESSION, **session)
    assert "Max-Age=0" in (response.headers["Set-Cookie"] or "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build of the dashboard, in small."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Farebox</title>")
    (tmp_path / SCRIPT).write_bytes(b"let x;" * 100)
    (tmp_path / f"{SCRIPT}.br").write_bytes(brotli.compress(b"let x;" * 100))
    (tmp_path / f"{SCRIPT}.gz").write_bytes(gzip.compress(b"let x;" * 100))
    return tmp_path


@pytest.fixture
def browser(folder: Path) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(dashboard_router(folder))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", None)],
)
def test_files_come_as_the_client_takes_them_and_are_kept_for_ever(
    browser: TestClient, accepted: str, encoding: str | None
) -> None:
    response = browser.get(f"{PATH}/{SCRIPT}", headers={"Accept-Encoding": accepted})
    assert (response.status_code, response.headers.get("Content-Encoding")) == (200, encoding)
    assert response.content == b"let x;" * 100
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in response.headers["Cache-Control"]
    again = browser.get(
        f"{PATH}/{SCRIPT}", headers={"Accept-Encoding": accepted, "If-None-Match": response.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/requests", "/requests/01932c07", "/index.html"])
def test_every_path_of_the_page_is_the_page(browser: TestClient, path: str) -> None:
    response = browser.get(PATH + path)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-cache")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/assets/old-1.js", "/assets/../../router.py", "/assets/%2e%2e/%2e%2e/router.py"])
def test_a_file_of_another_build_or_place_is_not_found(browser: TestClient, path: str) -> None:
    response = browser.get(PATH + path)
    assert response.status_code == 404 or response.text.startswith("<!doctype html><title>Farebox")


def test_a_page_that_is_not_built_says_how_to_build_it_and_comes_once_it_is(browser: TestClient, folder: Path) -> None:
    (folder / "index.html").rename(folder / "aside.html")
    missing = browser.get(f"{PATH}/")
    assert missing.status_code == 503
    assert "make dashboard" in missing.text
    (folder / "aside.html").rename(folder / "index.html")
    assert browser.get(f"{PATH}/").status_code == 200
