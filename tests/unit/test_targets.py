"""Custom targets: which servers a client may name, in which form, and to which addresses they may lead."""

import msgspec
import pytest

from schemas.errors import FareboxError, InvalidRequest, InvalidSetting, NotFound
from schemas.origin import Reach
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.exchange.headers import parse_head
from services.domain.exchange.own_key import may_hold_own_key, with_own_key
from services.domain.exchange.routes import Routes, origins_of
from services.domain.exchange.target import Target
from services.domain.routing.address import is_reachable
from services.domain.routing.choose import MissingTarget, chosen_target, without_credentials
from services.domain.routing.custom import TargetNotAllowed, allowed_hosts, custom_target, parse_server
from services.settings.processes import ProxySettings

ROUTES = Routes(origins_of(ProxySettings.from_environ({}).base_urls()), own_paths=("/healthz", "/oai/v1/log"))
AZURE = "https://c.openai.azure.com"
SIGNED = "AWS4-HMAC-SHA256 Credential=a, Signature=b"
EUROPE = NamedUpstream(
    name="europe",
    provider="AZURE",
    url="https://team.openai.azure.com",
    key_ids=("team",),
)
INSIDE = NamedUpstream(
    name="inside",
    provider="OPENAI",
    url="http://10.0.0.5:8000/below",
    credentials=CredentialPolicy.STRIP,
    private=True,
)


def route(path: str, host: str = "proxy") -> Target:
    found = ROUTES.resolve(path.encode(), host.encode())
    assert found is not None
    return found


def chosen(path: str, host: str = "proxy", *, key_id: str = "", allowed: str = "", **headers: str) -> Target:
    named = [(f"helicone-{name.replace('_', '-')}".encode(), value.encode()) for name, value in headers.items()]
    return chosen_target(route(path, host), named, (EUROPE, INSIDE), key_id=key_id, allowed=allowed_hosts(allowed))


# Which address


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "0.0.0.0"),
        *("169.254.169.254", "169.254.1.1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "0.1.2.3"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.9"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1"),
        *("2001:0:53aa:64c:0:0:80ff:fffe", "100::1", "", "localhost", "2130706433", "0x7f000001"),
    ],
)
def test_no_address_that_is_not_public_is_reached_by_a_name_that_a_client_chose(address: str) -> None:
    assert not is_reachable(Reach.PUBLIC, address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_reached(address: str) -> None:
    assert is_reachable(Reach.PUBLIC, address)
    assert is_reachable(Reach.INTERNAL, address)


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        *((inside, True) for inside in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::5", "::ffff:10.0.0.1")),
        *((never, False) for never in ("169.254.169.254", "fe80::1", "fd00:ec2::254", "168.63.129.16", "224.0.0.1")),
        *(
            (never, False)
            for never in ("0.0.0.0", "::", "::ffff:169.254.169.254", "100.100.100.200", "255.255.255.255")
        ),
    ],
)
def test_an_upstream_inside_may_be_private_and_is_never_a_clouds_metadata(address: str, reached: bool) -> None:
    assert is_reachable(Reach.INTERNAL, address) is reached


# Which form, and which host


@pytest.mark.parametrize(
    "url",
    [
        *("https://2130706433", "https://0x7f000001", "https://0x7f.1", "https://0177.0.0.1", "https://127.1"),
        *("https://017700000001", "https://127.0.0.1.", "https://0x7F.0.0.0x1", "https://10.0.0.256", "https://1"),
        *(
            "https://api.openai.com@169.254.169.254",
            "https://169.254.169.254#@api.openai.com",
            "https://u:p@api.openai.com",
        ),
        *(
            "https://api.openai.com:443@evil.example",
            "https://api.openai.com\\@evil.example",
            "https://api.openai.com%2eevil",
        ),
        *("https://api.openai.com?@evil.example", "https://evil.example/?x=https://api.openai.com", "https://[::1"),
        *(
            "https://[::ffff:127.0.0.1%25eth0]",
            "https://api.openai.com.",
            "https://api..openai.com",
            "https://-a.example",
        ),
        *("https:/api.openai.com", "//api.openai.com", "api.openai.com", "ftp://api.openai.com", "file:///etc/passwd"),
        *(
            "gopher://x",
            "https://",
            "https://:443",
            "https://api.openai.com:0",
            "https://api.openai.com:65536",
            "https://a b",
        ),
        *(
            "https://api.openai.com:443:443",
            "https://ａpi.openai.com",
            "https://①②⑦.0.0.1",
            "https://api.openai.com\r\nx: y",
        ),
    ],
)
def test_what_is_no_plain_url_of_a_server_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_server(url.encode())
    assert not [word for word in ("evil", "169.254", "u:p", "openai", "meta") if word in str(refused.value)]


@pytest.mark.parametrize(
    "url",
    [
        *("https://evil.example", "https://127.0.0.1", "https://[::1]", "https://169.254.169.254/latest/meta-data"),
        *(
            "https://localhost",
            "https://metadata.google.internal",
            "https://api.openai.com.evil.example",
            "https://[::ffff:7f00:1]",
        ),
        *(
            "http://api.openai.com",
            "https://api.openai.com:8443",
            "https://evilopenai.azure.com",
            "https://openai.azure.com",
        ),
        *("https://storage.googleapis.com", "https://bedrock-runtime.evil", "https://xapi.anthropic.com"),
    ],
)
def test_servers_of_nobody_known_are_refused_by_default(url: str) -> None:
    with pytest.raises(TargetNotAllowed, match="FAREBOX_TARGET_HOSTS"):
        custom_target(parse_server(url.encode()), allowed_hosts(""))


@pytest.mark.parametrize(
    ("url", "provider", "at"),
    [
        ("https://api.openai.com/v1", "OPENAI", "https://api.openai.com"),
        ("HTTPS://API.OpenAI.com:443", "OPENAI", "https://api.openai.com"),
        ("https://us.api.openai.com/", "OPENAI", "https://us.api.openai.com"),
        ("https://corp.openai.azure.com/openai", "AZURE", "https://corp.openai.azure.com"),
        ("https://corp.services.ai.azure.com", "AZURE", "https://corp.services.ai.azure.com"),
        ("https://europe-west1-aiplatform.googleapis.com", "GOOGLE", "https://europe-west1-aiplatform.googleapis.com"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "AWS", "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ("https://api.moonshot.ai/v1", "MOONSHOT", "https://api.moonshot.ai"),
        ("https://llm.chutes.ai", "CHUTES", "https://llm.chutes.ai"),
    ],
)
def test_servers_of_known_providers_are_allowed_and_are_that_provider(url: str, provider: str, at: str) -> None:
    found = custom_target(parse_server(url.encode()), allowed_hosts(""))
    assert (found.provider.name, found.origin.url, found.origin.reach) == (provider, at, Reach.PUBLIC)


@pytest.mark.parametrize(
    ("setting", "url", "allowed"),
    [
        ("llm.corp.example", "https://llm.corp.example/v1", True),
        ("LLM.corp.example", "https://llm.CORP.example", True),
        ("llm.corp.example", "https://x.llm.corp.example", False),
        ("llm.corp.example", "http://llm.corp.example", False),
        ("llm.corp.example", "https://llm.corp.example:8443", False),
        ("llm.corp.example:8443", "https://llm.corp.example:8443", True),
        ("llm.corp.example:8443", "https://llm.corp.example", False),
        ("llm.corp.example:80", "http://llm.corp.example", True),
        ("a.example, *.corp.example", "https://llm.eu.corp.example", True),
        ("*.corp.example", "https://corp.example", False),
        ("*.corp.example", "https://evilcorp.example", False),
        ("*", "https://anything.example", True),
        ("*", "https://127.0.0.1", False),
        ("*", "http://anything.example", False),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("127.0.0.1:8000", "http://127.0.0.2:8000", False),
        ("[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000", True),
        ("[fd00::443]", "https://[fd00::]", False),
    ],
)
def test_the_operator_lists_further_servers(setting: str, url: str, allowed: bool) -> None:
    try:
        custom_target(parse_server(url.encode()), allowed_hosts(setting))
    except TargetNotAllowed:
        assert not allowed
    else:
        assert allowed


@pytest.mark.parametrize(
    "setting", ["https://a.example", "a b", "2130706433", "*x", "*.*.example", "a.example:99999", "*."]
)
def test_a_host_that_cannot_be_listed_is_named(setting: str) -> None:
    with pytest.raises(InvalidSetting, match="FAREBOX_TARGET_HOSTS"):
        allowed_hosts(setting)


# Where a request goes


@pytest.mark.parametrize(
    ("path", "host", "provider", "url"),
    [
        ("/v1/chat/completions", "oai.farebox.example", "OPENAI", "https://api.openai.com/v1/chat/completions"),
        ("/oai/v1/models", "oai.farebox.example:8787", "OPENAI", "https://api.openai.com/v1/models"),
        ("/v1/messages", "anthropic.localhost", "ANTHROPIC", "https://api.anthropic.com/v1/messages"),
        ("/anthropic/v1/messages", "deepseek.x.y", "DEEPSEEK", "https://api.deepseek.com/anthropic/v1/messages"),
        ("/oai/v1/models", "x.corp.example", "OPENAI", "https://api.openai.com/v1/models"),
        ("/v1/gateway/oai/v1/models", "deepseek.x.y", "OPENAI", "https://api.openai.com/v1/models"),
        ("/oai/v1/models", "api.farebox.example", "OPENAI", "https://api.openai.com/v1/models"),
        ("/oai/v1/models", "gateway.farebox.example", "OPENAI", "https://api.openai.com/v1/models"),
        ("/anthropic/v1/messages", "google", "ANTHROPIC", "https://api.anthropic.com/v1/messages"),
        (
            "/bedrock/v1/eu-west-1/model/m/converse",
            "proxy",
            "AWS",
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse",
        ),
        (
            "/v1/us-east-1/model/m/invoke",
            "bedrock.x.y",
            "AWS",
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke",
        ),
        (
            "/google/v1beta/models/g:generateContent?key=AIza",
            "proxy",
            "GOOGLE",
            "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent",
        ),
    ],
)
def test_a_provider_is_reached_by_path_and_by_host(path: str, host: str, provider: str, url: str) -> None:
    target = chosen(path, host)
    assert (target.provider, target.url) == (provider, url)


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/healthz", "oai.farebox.example"),
        ("/healthz?x", "gateway.farebox.example"),
        ("/oai/v1/log", "anthropic.farebox.example"),
        ("/v1/request/query", "api.farebox.example"),
        ("/v1/chat/completions", "oai"),
        ("/v1/chat/completions", "127.0.0.1:8787"),
    ],
)
def test_the_proxys_own_paths_are_its_own_under_every_host(path: str, host: str) -> None:
    assert ROUTES.resolve(path.encode(), host.encode()) is None


@pytest.mark.parametrize(
    ("path", "host", "headers", "url"),
    [
        ("/gateway/v1/x?a=b", "proxy", {"target_url": "https://api.x.ai/ignored"}, "https://api.x.ai/v1/x"),
        ("/v1/gateway/gateway/v1/x", "proxy", {"target_url": "https://api.x.ai"}, "https://api.x.ai/v1/x"),
        ("/v1/x", "gateway.f.example", {"target_url": "https://api.x.ai"}, "https://api.x.ai/v1/x"),
        (
            "/anthropic/v1/m",
            "gateway.f.example",
            {"target_url": "https://c.services.ai.azure.com"},
            "https://c.services.ai.azure.com/anthropic/v1/m",
        ),
        (
            "/oai/openai/deployments/d/chat/completions?api-version=1",
            "proxy",
            {"openai_api_base": AZURE},
            f"{AZURE}/openai/deployments/d/chat/completions",
        ),
        ("/oai/v1/x", "proxy", {"upstream": "Europe"}, "https://team.openai.azure.com/v1/x"),
        ("/upstreams/inside/v1/x", "proxy", {}, "http://10.0.0.5:8000/below/v1/x"),
        ("/v1/gateway/upstreams/INSIDE/v1/x", "proxy", {}, "http://10.0.0.5:8000/below/v1/x"),
        ("/azure/openai/v1/x", "proxy", {}, "https://team.openai.azure.com/openai/v1/x"),
        ("/oai/v1/x", "proxy", {"target_url": "", "openai_api_base": ""}, "https://api.openai.com/v1/x"),
        ("/anthropic/v1/x", "proxy", {"target_url": "https://api.anthropic.com/"}, "https://api.anthropic.com/v1/x"),
    ],
)
def test_headers_paths_and_keys_choose_the_server(path: str, host: str, headers: dict[str, str], url: str) -> None:
    assert chosen(path, host, key_id="team", **headers).url == url


@pytest.mark.parametrize(
    ("path", "headers", "error"),
    [
        ("/gateway/v1/x", {}, MissingTarget),
        ("/azure/openai/v1/x", {}, MissingTarget),
        ("/upstreams/nobody/v1/x", {}, NotFound),
        ("/oai/v1/x", {"upstream": "nobody"}, NotFound),
        ("/oai/v1/x", {"target_url": "https://api.anthropic.com"}, InvalidRequest),
        ("/anthropic/v1/x", {"target_url": "https://corp.openai.azure.com"}, InvalidRequest),
        ("/anthropic/v1/x", {"openai_api_base": "https://corp.openai.azure.com"}, InvalidRequest),
        ("/gateway/v1/x", {"target_url": "https://evil.example"}, TargetNotAllowed),
        ("/oai/v1/x", {"openai_api_base": "https://evil.example"}, TargetNotAllowed),
        ("/bedrock/model/m/converse", {}, InvalidRequest),
    ],
)
def test_a_key_is_never_turned_to_a_server_it_was_not_meant_for(
    path: str, headers: dict[str, str], error: type[FareboxError]
) -> None:
    with pytest.raises(error):
        chosen(path, key_id="other", **headers)


def test_a_target_that_is_given_twice_is_given_once_or_refused() -> None:
    pair = (b"helicone-target-url", b"https://api.x.ai")
    assert chosen_target(route("/gateway/v1"), [pair, pair], (), key_id="", allowed=frozenset()).provider == "X"
    with pytest.raises(InvalidRequest, match="twice"):
        chosen_target(route("/gateway/v1"), [pair, (pair[0], b"https://x.y")], (), key_id="", allowed=frozenset())


def test_an_upstream_that_needs_no_credentials_gets_none() -> None:
    target = chosen("/upstreams/inside/v1/x")
    assert (target.provider, target.strips_credentials, target.origin.reach) == ("OPENAI", True, Reach.INTERNAL)
    head = without_credentials(parse_head([(b"Authorization", b"Bearer a"), (b"X-API-Key", b"b"), (b"Accept", b"c")]))
    assert (head.forwarded, dict(head.account_headers)) == ([(b"Accept", b"c")], {})


@pytest.mark.parametrize(
    ("offered", "left"),
    [
        (b"realtime, openai-insecure-api-key.sk-1,openai-beta.realtime-v1", b"realtime, openai-beta.realtime-v1"),
        (b"openai-insecure-api-key.sk-1", None),
        (b"realtime", b"realtime"),
    ],
)
def test_nor_does_it_get_the_key_that_a_browser_sends_as_a_subprotocol(offered: bytes, left: bytes | None) -> None:
    head = without_credentials(parse_head([(b"Sec-WebSocket-Protocol", offered)]))
    assert [value for _, value in head.forwarded] == ([] if left is None else [left])


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("?key=secret", ""),
        ("?alt=sse&KEY=secret", "?alt=sse"),
        ("?key=secret&key=b&alt=sse", "?alt=sse"),
        ("?%6bey=secret&x=key", "?x=key"),
        ("?a&monkey=1", "?a&monkey=1"),
        ("?api-key=secret&api-version=1", "?api-version=1"),  # Azure's
    ],
)
@pytest.mark.parametrize("path", ["/upstreams/inside/v1/x", "/google/v1/x"])
def test_a_key_in_the_query_is_no_more_for_it_than_one_in_a_header(path: str, query: str, left: str) -> None:
    target = chosen(path + query, upstream="inside")
    assert target.path_and_query.decode() == f"/below/v1/x{left}"
    assert target.credential == b""


def test_streams_of_azure_are_asked_for_usage_where_its_version_knows_that() -> None:
    asked = {
        version: chosen(f"/azure/openai/deployments/d/chat/completions{version}", key_id="team").stream_usage_on_request
        for version in ("", "?api-version=2024-10-21", "?x=1&api-version=2024-06-01", "?api-version=2023-05-15")
    }
    assert list(asked.values()) == [True, True, False, False]


# Whose key


@pytest.mark.parametrize(
    ("name", "value", "own", "left"),
    [
        ("Authorization", "Bearer sk-helicone-abc", "Bearer sk-helicone-abc", None),
        ("Authorization", "Bearer pk-helicone-eu-abc", "Bearer pk-helicone-eu-abc", None),
        ("Authorization", "Bearer sk-prov, Bearer sk-helicone-abc", "Bearer sk-helicone-abc", "Bearer sk-prov"),
        ("Authorization", "Bearer sk-helicone-abc,Bearer sk-prov", "Bearer sk-helicone-abc", "Bearer sk-prov"),
        ("x-api-key", "sk-helicone-abc", "Bearer sk-helicone-abc", None),
        ("x-api-key", "sk-abcdefg-abcdefg-1234567-abcdefg", "Bearer sk-abcdefg-abcdefg-1234567-abcdefg", None),
        ("Authorization", "Bearer sk-proj-abc", None, "Bearer sk-proj-abc"),
        (
            "Authorization",
            SIGNED,
            None,
            SIGNED,
        ),
        ("x-api-key", "sk-ant-api03-abc", None, "sk-ant-api03-abc"),
    ],
)
def test_our_key_in_the_place_of_the_providers_is_ours_and_does_not_travel_on(
    name: str, value: str, own: str | None, left: str | None
) -> None:
    head = parse_head([(b"Accept", b"x"), (name.encode(), value.encode())])
    assert may_hold_own_key(head)
    found = with_own_key(head)
    assert found.auth_header == (None if own is None else own.encode())
    assert dict(found.forwarded).get(name.encode(), dict(found.forwarded).get(name.lower().encode())) == (
        None if left is None else left.encode()
    )
    assert found.account_headers.get(name.lower().encode()) == (None if left is None else left.encode())


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "api-key", "x-goog-api-key"])
def test_with_a_header_of_its_own_our_key_still_does_not_travel_on(name: str) -> None:
    head = parse_head([(b"Helicone-Auth", b"Bearer one"), (name.encode(), b"sk-helicone-two")])
    assert may_hold_own_key(head)
    assert with_own_key(head).auth_header == b"Bearer one"
    assert with_own_key(head).forwarded == []
    assert not may_hold_own_key(msgspec.structs.replace(head, account_headers={b"authorization": b"Bearer sk-proj"}))
