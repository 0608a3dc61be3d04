"""Routes: a path leads to its provider and nowhere else."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidRequest, InvalidSetting
from services.domain.providers import Routes, origin_of

ROUTES = Routes({b"oai": origin_of("https://api.openai.com"), b"anthropic": origin_of("http://127.0.0.1:99/team/a/")})


@pytest.mark.parametrize(
    ("path", "provider", "asked", "url"),
    [
        ("/oai/v1/chat/completions", "OPENAI", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("/v1/gateway/oai/v1/models", "OPENAI", "/v1/models", "https://api.openai.com/v1/models"),
        ("/oai/v1/files?after=a%2Fb&x", "OPENAI", "/v1/files?after=a%2Fb&x", "https://api.openai.com/v1/files"),
        ("/anthropic/v1/messages", "ANTHROPIC", "/team/a/v1/messages", "http://127.0.0.1:99/team/a/v1/messages"),
        ("/v1/gateway/anthropic/v1/x", "ANTHROPIC", "/team/a/v1/x", "http://127.0.0.1:99/team/a/v1/x"),
        ("/oai/", "OPENAI", "/", "https://api.openai.com/"),
        ("/oai/v1/x?key=../..", "OPENAI", "/v1/x?key=../..", "https://api.openai.com/v1/x"),
        ("/oai/v1/a%20b", "OPENAI", "/v1/a%20b", "https://api.openai.com/v1/a%20b"),
        ("/oai/v1/..a/.b", "OPENAI", "/v1/..a/.b", "https://api.openai.com/v1/..a/.b"),
    ],
)
def test_a_route_is_cut_off_and_the_rest_goes_to_its_provider(path: str, provider: str, asked: str, url: str) -> None:
    target = ROUTES.resolve(path.encode())
    assert target is not None
    assert (target.provider, target.path_and_query, target.url) == (provider, asked.encode(), url)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/oai", "/oaix/v1", "/v1/chat/completions", "/v1/gateway/gateway/x", "/OAI/v1", "*", "x:443"),
        *("/oai/v1/log", "/anthropic/v1/log", "/oai/v1/log?x=1", "/custom/v1/log", "http://evil/oai/v1"),
    ],
)
def test_other_paths_are_no_routes(path: str) -> None:
    assert ROUTES.resolve(path.encode()) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/oai/..", "/oai/./v1", "/oai/v1/../x", "/oai/%2e%2e/x", "/oai/%2E./x", "/oai/a%2f..%2fb", "/oai/a\\..\\b"),
        *("/oai//evil.example/", "/oai/v1#x\u00e9", "/oai/%5c%2e%2e%5c", "/oai/a%5c..", "/oai//"),
    ],
)
def test_paths_that_could_be_read_as_others_are_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        ROUTES.resolve(path.encode("latin-1"))


def test_a_key_in_the_path_is_taken_out_of_it() -> None:
    target = ROUTES.resolve(b"/oai/sk-helicone-abc-def/v1/models")
    assert target is not None
    assert (target.secret, target.path_and_query) == (b"sk-helicone-abc-def", b"/v1/models")
    assert "helicone" not in target.url


@given(st.binary(max_size=40).filter(lambda tail: b"?" not in tail))
@settings(max_examples=300, deadline=None)
def test_whatever_a_path_holds_the_host_stays_the_same(tail: bytes) -> None:
    try:
        target = ROUTES.resolve(b"/anthropic/" + tail)
    except InvalidRequest:
        return
    if target is not None:
        assert target.url.startswith("http://127.0.0.1:99/team/a/")
        assert target.path_and_query.startswith(b"/team/a/")
        assert urlsplit(target.url).netloc == "127.0.0.1:99"


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://api.openai.com", "api.openai.com", ""),
        ("https://api.openai.com:443/", "api.openai.com", ""),
        ("http://localhost:8080/a/b/", "localhost:8080", "/a/b"),
        ("http://[::1]:80", "[::1]", ""),
    ],
)
def test_a_base_url_is_an_origin_and_a_path(url: str, authority: str, path: str) -> None:
    origin = origin_of(url)
    assert (origin.authority, origin.path) == (authority, path)


@pytest.mark.parametrize(
    "url",
    [
        *("", "api.openai.com", "ftp://x", "https://", "https://u:p@host", "https://host?q", "https://host/#f"),
        *("https://host:port", "https://h\u00f6st", "https://host/\u00e9", "https://host:99999"),
    ],
)
def test_a_base_url_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        origin_of(url)
    assert "u:p" not in str(refusal.value)
