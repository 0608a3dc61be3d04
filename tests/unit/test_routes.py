"""Routes: a path leads to its provider and nowhere else."""

from posixpath import normpath
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidRequest, InvalidSetting
from services.domain.exchange.routes import Routes, origin_of

PIECES = [
    b"v1",
    b"/",
    b"..",
    b".",
    b"%2e",
    b"%252e",
    b"%2f",
    b"%5c",
    b"\\",
    b";",
    b"#",
    b"?",
    b"//",
    b"@",
    b":",
    b"%",
    b" ",
]
ROUTES = Routes({"OPENAI": origin_of("https://api.openai.com"), "ANTHROPIC": origin_of("http://127.0.0.1:99/team/a/")})


@pytest.mark.parametrize(
    ("path", "provider", "forwarded", "url"),
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
        ("/oai/v1/a;b=1?c;d", "OPENAI", "/v1/a;b=1?c;d", "https://api.openai.com/v1/a;b=1"),
        ("/oai/v1/x%23y?z=%23", "OPENAI", "/v1/x%23y?z=%23", "https://api.openai.com/v1/x%23y"),
        ("/oai/v1/x?key=a\\b", "OPENAI", "/v1/x?key=a\\b", "https://api.openai.com/v1/x"),
    ],
)
def test_a_route_is_cut_off_and_the_rest_is_forwarded(path: str, provider: str, forwarded: str, url: str) -> None:
    target = ROUTES.resolve(path.encode())
    assert target is not None
    assert (target.provider, target.path_and_query, target.url) == (provider, forwarded.encode(), url)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/oai", "/oaix/v1", "/v1/chat/completions", "/v1/gateway/gateway", "/OAI/v1", "*", "x:443"),
        *("/oai/v1/log", "/anthropic/v1/log", "/oai/v1/log?x=1", "/custom/v1/log"),
        *("ftp://a/oai/v1", "http:///oai/v1", "http://oai/v1", "http://a", "http://a?/oai/v1", "//a/oai/v1", ""),
        "/oai/sk-helicone-abc-def/v1/log",
    ],
)
def test_other_paths_are_no_routes(path: str) -> None:
    assert ROUTES.resolve(path.encode()) is None


@pytest.mark.parametrize("site", ["http://evil", "https://proxy:8787", "HTTP://u:p@[::1]:1"])
def test_of_a_whole_url_the_path_is_meant_and_never_the_site(site: str) -> None:
    for path in (b"/oai/v1/models", b"/anthropic/v1/x?to=http://a/b"):
        assert ROUTES.resolve(site.encode() + path) == ROUTES.resolve(path) is not None
    with pytest.raises(InvalidRequest):
        ROUTES.resolve(site.encode() + b"/oai/../x")


@pytest.mark.parametrize(
    "path",
    [
        *("/oai/..", "/oai/./v1", "/oai/v1/../x", "/oai/%2e%2e/x", "/oai/%2E./x", "/oai/a%2f..%2fb", "/oai/a\\..\\b"),
        *(
            "/oai//evil.example/",
            "/oai/v1\u00e9",
            "/oai/%5c%2e%2e%5c",
            "/oai/a%5c..",
            "/oai//",
            "/oai/v1 x",
            "/oai/a\\b",
        ),
        *("/oai/..;/x", "/oai/v1/.;a=b/x", "/oai/%252e%252e/x", "/oai/%252e%252e%252fx", "/oai/..%3b/x"),
        *("/oai/v1/x%00", "/oai/v1/x%0d%0aHost:%20y", "/oai/v1/%7f"),
    ],
)
def test_paths_that_could_be_read_as_others_are_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        ROUTES.resolve(path.encode("latin-1"))


@pytest.mark.parametrize(
    "path",
    ["/oai/v1/chat/completions#/files", "/oai/#", "/oai/v1/x?a=b#c", "/v1/gateway/anthropic/v1/messages#/models"],
)
def test_a_fragment_is_refused_as_no_part_of_a_request(path: str) -> None:
    with pytest.raises(InvalidRequest, match="fragment"):
        ROUTES.resolve(path.encode())


@pytest.mark.parametrize(
    ("query", "forwarded", "secret"),
    [
        ("?key=sk-helicone-abc-def", "", b"sk-helicone-abc-def"),
        ("?alt=sse&key=sk-helicone-abc-def&x=1", "?alt=sse&x=1", b"sk-helicone-abc-def"),
        ("?api-key=sk%2Dhelicone-abc&key=AIza1", "?key=AIza1", b"sk-helicone-abc"),
        ("?key=PK-HELICONE-a&other=pk-helicone-b", "", b"PK-HELICONE-a"),
        ("?key=AIza1&q=about%20helicone", "?key=AIza1&q=about%20helicone", None),
    ],
)
def test_a_key_of_ours_in_the_query_stays_here(query: str, forwarded: str, secret: bytes | None) -> None:
    target = ROUTES.resolve(f"/oai/v1/models{query}".encode())
    assert target is not None
    assert (target.path_and_query.decode(), target.secret) == (f"/v1/models{forwarded}", secret)


def test_a_key_in_the_path_is_taken_out_of_it() -> None:
    target = ROUTES.resolve(b"/oai/sk-helicone-abc-def/v1/models")
    assert target is not None
    assert (target.secret, target.path_and_query) == (b"sk-helicone-abc-def", b"/v1/models")
    assert "helicone" not in target.url


@given(st.binary(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
@settings(max_examples=500, deadline=None)
@example(b"v1/chat/completions#/files")
@example(b"#")
def test_whatever_a_path_holds_the_site_and_the_path_before_it_stay_the_same(tail: bytes) -> None:
    try:
        target = ROUTES.resolve(b"/anthropic/" + tail)
    except InvalidRequest:
        return
    if target is None:
        return
    path, mark, query = tail.partition(b"?")
    assert target.path_and_query == b"/team/a/" + path + mark + query
    read = urlsplit(target.url)
    assert (read.scheme, read.netloc, read.path) == ("http", "127.0.0.1:99", f"/team/a/{path.decode()}")
    assert (read.query, read.fragment) == ("", "")
    for times_decoded in (unquote(read.path), unquote(unquote(read.path))):
        assert normpath(times_decoded.replace("\\", "/")).startswith("/team/a")


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
