"""Every header of Helicone's, over real sockets: obeyed, refused before a byte leaves, or passed over."""

import asyncio
import socket
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from schemas.errors import InvalidSetting
from schemas.event import ExchangeEvent, Outcome
from services.cli.doctor import compile_findings
from services.cli.probes import Part, counting_part
from services.domain.exchange.helicone_headers import KNOWN_HEADERS, Treatment, ignored_headers, nearest_known
from tests.builders.records import chat_response
from tests.servers.proxy_rig import SECRET, Rig, head, rig
from tests.servers.scripted_provider import chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PLAIN = {"model": "gpt-4o", "messages": []}
STREAMED = PLAIN | {"stream": True}
ID = "0192f0c1-2a00-7abc-8def-0123456789ab"
PATHS = (CHAT, "/anthropic/v1/messages", "/v1/gateway/oai/v1/models")


def treated(treatment: Treatment) -> list[str]:
    return [known.name for known in KNOWN_HEADERS.values() if known.treatment is treatment]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


# Obeyed: what each is sent with, and what shows that it was obeyed


def provider_was_sent(line: bytes) -> Callable[[Rig, ExchangeEvent], bool]:
    return lambda proxy, _: line in proxy.provider.heads[0]


def tagged(**tags: Any) -> Callable[[Rig, ExchangeEvent], bool]:
    return lambda _, event: all(getattr(event.request.tags, tag) == value for tag, value in tags.items())


OBEYED: dict[str, tuple[str, Callable[[Rig, ExchangeEvent], bool]]] = {
    "Helicone-Auth": (f"Bearer {SECRET}", lambda proxy, _: SECRET.encode() not in proxy.provider.heads[0]),
    "Authorization": ("Bearer mine", provider_was_sent(b"Authorization: Bearer mine\r\n")),
    "x-api-key": ("mine", provider_was_sent(b"x-api-key: mine\r\n")),
    "api-key": ("mine", provider_was_sent(b"api-key: mine\r\n")),
    "x-goog-api-key": ("mine", provider_was_sent(b"x-goog-api-key: mine\r\n")),
    "Helicone-Property-<Name>": ("premium", tagged(properties={"<Name>": "premium"})),
    "Helicone-User-Id": ("u", tagged(user_id="u")),
    "Helicone-Request-Id": (ID, lambda _, event: event.request.request_id == ID),
    "Helicone-Experiment-Id": ("e", tagged(properties={"Helicone-Experiment-Id": "e"})),
    "Helicone-Cache-Control": ("no-store", tagged(properties={"Helicone-Cache-Control": "no-store"})),
    "X-Stripe-Customer-Id": ("cus_1", tagged(properties={"stripe_customer_id": "cus_1"})),
    "Helicone-Model-Override": ("gpt-x", tagged(model_override="gpt-x")),
    "Helicone-Session-Id": ("s", tagged(session_id="s")),
    "Helicone-Session-Name": ("s", tagged(session_name="s")),
    "Helicone-Session-Path": ("/s", tagged(session_path="/s")),
    "Helicone-Prompt-Id": ("p", tagged(prompt_id="p")),
    "Helicone-Omit-Request": ("true", tagged(omit_request=True)),
    "Helicone-Omit-Response": ("true", tagged(omit_response=True)),
    "Helicone-Stream-Usage": ("true", lambda proxy, _: b"include_usage" in proxy.provider.bodies[0]),
    "Helicone-On-Disconnect": ("cancel", lambda _, event: not event.response.drained),
    # The server of the path itself; tests/contracts/test_proxy_targets.py has others, and what is refused.
    "Helicone-Target-URL": ("{own}", lambda _, event: event.request.provider == "OPENAI"),
    "Helicone-OpenAI-Api-Base": ("{own}/v1", lambda _, event: event.request.provider == "OPENAI"),
}
OBEYED_BY_CACHE = (  # tests/contracts/test_proxy_cache.py and tests/unit/test_cache_policy.py have their cases
    *("Cache-Control", "Helicone-Cache-Enabled", "Helicone-Cache-Save", "Helicone-Cache-Read"),
    *("Helicone-Cache-Bucket-Max-Size", "Helicone-Cache-Seed", "Helicone-Cache-Ignore-Keys", "Helicone-Cache-Coalesce"),
)
# What these do is in tests/contracts/test_proxy_targets.py.
OBEYED_FOR_TARGETS = ("Helicone-Upstream", "__helicone-mock-response")


OBEYED_BY_SIGNING = ("aws-access-key", "aws-secret-key", "aws-session-token")  # see test_provider_keys.py
OBEYED_BY_BUDGETS = "Helicone-Budget-Status"  # see test_proxy_budgets.py
OBEYED_BY_LIMITS = "Helicone-RateLimit-Policy"  # see test_proxy_limits.py
OBEYED_BY_ATTEMPTS = (  # see test_proxy_retries.py, test_proxy_fallbacks.py and tests/unit/test_retry_policy.py
    *("Helicone-Fallbacks", "Helicone-Retry-Enabled", "Helicone-Retry-Num", "Helicone-Retry-Factor"),
    *("Helicone-Retry-Min-Timeout", "Helicone-Retry-Max-Timeout"),
)


def test_every_obeyed_header_has_a_case() -> None:
    elsewhere = [*OBEYED_BY_CACHE, *OBEYED_FOR_TARGETS, OBEYED_BY_LIMITS, OBEYED_BY_BUDGETS]
    elsewhere += [*OBEYED_BY_ATTEMPTS, *OBEYED_BY_SIGNING]
    assert sorted([*OBEYED, *elsewhere]) == sorted(treated(Treatment.OBEYED))


@pytest.mark.parametrize("name", OBEYED)
async def test_an_obeyed_header_does_what_it_says(name: str) -> None:
    value, obeyed = OBEYED[name]
    sent_name = name.replace("<Name>", "UserTier")
    async with rig(stream_usage="off") as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(chat_response())]
        value = value.replace("{own}", proxy.provider.url)
        got = await client.post(CHAT, json=STREAMED, headers=[(sent_name.encode(), value.encode())])
        event = await proxy.event()
        assert got.status_code == 200
        if "<Name>" in name:
            obeyed = tagged(properties={"UserTier": value})
        assert obeyed(proxy, event), (event, proxy.provider.heads)
        assert b"helicone-" not in proxy.provider.heads[0].lower()


async def test_on_disconnect_decides_whether_a_response_is_read_on() -> None:
    for wanted in ("drain", "cancel"):
        async with rig() as proxy:
            proxy.provider.script = [chunked(b"data: 1\n\n", end=b""), 0.3, b"0\r\n\r\n"]
            reader, writer = await proxy.connect()
            writer.write(head(CHAT, "Content-Length: 2", f"Helicone-On-Disconnect: {wanted}") + b"{}")
            await reader.readuntil(b"data: 1")
            writer.close()
            event = await proxy.event()
            assert event.response.outcome is Outcome.CLIENT_DISCONNECTED
            assert event.response.drained is (wanted == "drain")


# Refused: what requests something, and what requests nothing

ASKING: dict[str, list[str]] = {
    "Helicone-Moderations-Enabled": ["true", "TRUE", "1", "yes", "false, true"],
    "Helicone-LLM-Security-Enabled": ["true", "True"],
    "Helicone-Prompt-Security-Enabled": ["true"],
    "Helicone-LLM-Security-Advanced": ["true"],
}
NOTHING: dict[str, list[str]] = {
    "Helicone-Moderations-Enabled": ["false", "False", "0", "no", "off"],
    "Helicone-LLM-Security-Enabled": ["false"],
    "Helicone-Prompt-Security-Enabled": ["FALSE"],
    "Helicone-LLM-Security-Advanced": ["false"],
}


def test_every_refused_header_has_a_case() -> None:
    assert sorted(ASKING) == sorted(treated(Treatment.REFUSED))


@pytest.mark.parametrize("name", ASKING)
async def test_a_refused_header_is_named_and_not_a_byte_leaves(name: str) -> None:
    async with rig() as proxy, proxy.client() as client:
        for count, value in enumerate(ASKING[name], 1):
            for spelled, path in zip((name, name.lower(), name.upper()), PATHS, strict=True):
                got = await client.post(path, json=PLAIN, headers={spelled: value})
                assert got.status_code == 400, value
                error = got.json()["error"]
                assert error["code"] == "unsupported_header"
                assert f"{name} is not supported yet" in error["message"]
                assert "FAREBOX_IGNORE_HEADERS" in error["message"]
                assert "canary" not in error["message"]
            assert proxy.metrics.get("proxy_refused_total") == 3 * count
        assert (proxy.provider.heads, proxy.provider.connections) == ([], 0)
        await proxy.events(0)
        assert (await client.post(CHAT, json=PLAIN)).status_code == 200, "the connection can be used again"


@pytest.mark.parametrize("name", treated(Treatment.REFUSED))
async def test_a_value_that_requests_nothing_is_passed_over(name: str) -> None:
    async with rig() as proxy, proxy.client() as client:
        for value in ["", *NOTHING.get(name, [])]:
            assert (await client.post(CHAT, json=PLAIN, headers={name: value})).status_code == 200, value
    assert name.lower().encode() not in b"".join(proxy.provider.heads).lower()


@pytest.mark.parametrize("name", treated(Treatment.REFUSED))
async def test_an_operator_can_have_a_refused_header_passed_over(name: str) -> None:
    async with (
        rig(ignore_headers=f" {name.upper()}, helicone-prompt-security-enabled ") as proxy,
        proxy.client() as client,
    ):
        got = await client.post(CHAT, json=PLAIN, headers={name: ASKING[name][0]})
        more = {name: ASKING[name][0], "Helicone-Moderations-Enabled": "true"}
        other = await client.post(CHAT, json=PLAIN, headers=more)
        is_other = name == "Helicone-Moderations-Enabled"
        await proxy.events(2 if is_other else 1)
    assert got.status_code == 200
    assert other.status_code == (200 if is_other else 400)
    assert name.lower().encode() not in b"".join(proxy.provider.heads).lower()


async def test_what_is_switched_off_or_ignored_needs_no_details() -> None:
    advanced = {"Helicone-LLM-Security-Advanced": "true"}
    off = {"Helicone-LLM-Security-Enabled": "false"}
    async with rig() as proxy, proxy.client() as client:
        assert (await client.post(CHAT, json=PLAIN, headers=off | advanced)).status_code == 200
        twice = [*off.items(), *advanced.items(), ("Helicone-LLM-Security-Enabled", "true")]
        assert (await client.post(CHAT, json=PLAIN, headers=twice)).status_code == 400
    async with rig(ignore_headers="Helicone-LLM-Security-Enabled") as proxy, proxy.client() as client:
        on = {"Helicone-LLM-Security-Enabled": "true"} | advanced
        assert (await client.post(CHAT, json=PLAIN, headers=on)).status_code == 200
        assert (
            await client.post(CHAT, json=PLAIN, headers=on | {"Helicone-Moderations-Enabled": "true"})
        ).status_code == 400


async def test_a_refused_header_is_refused_without_a_key_too_and_a_wrong_key_is_said_first() -> None:
    requesting = {"Helicone-Moderations-Enabled": "true"}
    wrong = {"Helicone-Auth": "Bearer sk-helicone-nobody"}
    async with rig() as proxy, proxy.client() as client:
        assert (await client.post(CHAT, json=PLAIN, headers=requesting | wrong)).status_code == 401
    async with rig(unauthenticated="pass") as proxy, proxy.client() as client:
        assert (await client.post(CHAT, json=PLAIN, headers=requesting | wrong)).status_code == 400
        assert (await client.post(CHAT, json=PLAIN, headers={"Helicone-Typo": "1"} | wrong)).status_code == 200
        assert proxy.metrics.exposition().count("unknown_headers_total{") == 0, "only clients with keys are counted"
        assert len(proxy.provider.heads) == 1


async def test_a_refused_header_behind_a_body_or_an_expectation_gets_a_response_at_once() -> None:
    requesting = "Helicone-Moderations-Enabled: true"
    async with rig() as proxy:
        got = await proxy.raw(head(CHAT, requesting, "Content-Length: 9", "Expect: 100-continue"))
        assert got.startswith(b"HTTP/1.1 400 ")
        assert (b"\r\nConnection: close\r\n" in got, proxy.provider.heads) == (True, [])


def test_only_refused_headers_can_be_ignored() -> None:
    assert ignored_headers("") == frozenset()
    for wrong in ("Helicone-User-Id", "Helicone-Cache-Seed", "Helicone-RateLimitPolicy", "Helicone-Auth"):
        with pytest.raises(InvalidSetting, match=f"FAREBOX_IGNORE_HEADERS.*'{wrong}'"):
            ignored_headers(f"Helicone-Moderations-Enabled,{wrong}")


async def test_a_proxy_with_a_wrong_name_to_ignore_does_not_start() -> None:
    with pytest.raises(InvalidSetting, match="Helicone-Usr-Id"):
        async with rig(ignore_headers="Helicone-Usr-Id"):
            pass


# Harmless, and unknown

TRAVEL_ON = ("X-Stripe-Customer-Id",)


@pytest.mark.parametrize("name", treated(Treatment.HARMLESS))
async def test_a_harmless_header_is_passed_over(name: str) -> None:
    async with rig() as proxy, proxy.client() as client:
        for value in ("true", "canary-value"):
            got = await client.post(CHAT, json=PLAIN, headers={name: value})
            assert got.status_code == 200
        plain, _ = await proxy.events(2)
        assert (f"{name}:".lower().encode() in proxy.provider.heads[0].lower()) is (name in TRAVEL_ON)
        assert "unknown_headers_total{" not in proxy.metrics.exposition()
        assert not plain.request.tags.cache_enabled
        assert b"canary-value" not in proxy.everything_logged()


UNKNOWN = {
    "Helicone-UserId": "Helicone-User-Id",
    "Helicone-User": "Helicone-User-Id",
    "Helicone-Propery-Feature": "Helicone-Property-Feature",
    "Helicone-Properties-Environment": "Helicone-Property-Environment",
    "Helicone-Property": "Helicone-Property-<Name>",
    "Helicone-PropertyFeature": "Helicone-Property-<Name>",
    "Helicone-Sesion-Id": "Helicone-Session-Id",
    "Helicone-SessionId": "Helicone-Session-Id",
    "Helicone-Rate-Limit-Policy": "Helicone-RateLimit-Policy",
    "Helicone-OpenAI-Base-Url": "Helicone-OpenAI-Api-Base",
    "Helicone-Promt-Id": "Helicone-Prompt-Id",
    "Helicone-Zzz": None,
}


async def test_unknown_headers_are_passed_over_and_counted_by_name() -> None:
    assert {name: nearest_known(name) for name in UNKNOWN} == UNKNOWN
    async with rig() as proxy, proxy.client() as client:
        for name in UNKNOWN:
            assert (await client.post(CHAT, json=PLAIN, headers={name: "canary-value"})).status_code == 200
        await client.post(CHAT, json=PLAIN, headers=[("HELICONE-USERID", "1"), ("Helicone-UserId", "2")])
        said = (await client.get("/metrics")).text
    assert b"helicone-" not in b"".join(proxy.provider.heads).lower()
    assert 'farebox_proxy_unknown_headers_total{name="helicone-userid"} 2.0\n' in said
    assert 'farebox_proxy_unknown_headers_total{name="helicone-zzz"} 1.0\n' in said
    assert "canary-value" not in said


async def test_the_doctor_shows_unknown_headers_with_what_was_probably_meant() -> None:
    async with rig() as proxy, proxy.client() as client:
        for _ in range(2):
            await client.post(CHAT, json=PLAIN, headers={"Helicone-UserId": "u"})
        await client.post(CHAT, json=PLAIN, headers={"Helicone-Zzz": "1"})
        part = await asyncio.to_thread(counting_part, "proxy", proxy.url)
    screen = StringIO()
    compile_findings([part], None, Console(file=screen, width=200))
    assert "  helicone-userid: 2 requests; Helicone-User-Id was probably meant\n  helicone-zzz: 1 request\n" in (
        screen.getvalue()
    )


async def test_the_doctor_says_when_it_asks_by_a_name_that_metrics_are_not_shown_under() -> None:
    names = {"proxy.evil.example": "127.0.0.1"}
    async with rig() as proxy:
        part = await asyncio.to_thread(_counting_part_at, names, f"http://proxy.evil.example:{proxy.server.port}")
    assert (part.ok, "see FAREBOX_HOSTS" in part.detail) == (False, True)


def _counting_part_at(names: dict[str, str], url: str) -> Part:
    """With names that resolve to addresses on this machine."""
    resolve = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            socket, "getaddrinfo", lambda host, *more, **kinds: resolve(names.get(host, host), *more, **kinds)
        )
        return counting_part("proxy", url)


async def test_unknown_headers_of_logged_calls_are_counted_too() -> None:
    call = {
        "providerRequest": {"url": "custom-model-nopath", "json": PLAIN, "meta": {}},
        "providerResponse": {"status": 200, "json": {}},
        "timing": {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z"},
    }
    async with rig() as proxy, proxy.client() as client:
        headers = {
            "Helicone-UserId": "u",
            "Helicone-Moderations-Enabled": "true",
        }  # nothing is called, so none is refused
        got = await client.post("/custom/v1/log", json=call, headers=headers)
        assert (got.status_code, got.text) == (200, "ok")
        assert 'unknown_headers_total{name="helicone-userid"} 1.0\n' in proxy.metrics.exposition()


async def test_names_that_are_counted_are_bounded_in_number_and_length_and_plain() -> None:
    async with rig() as proxy, proxy.client() as client:
        odd = ["Helicone-" + "x" * 100, "Helicone-`", "Helicone-|", "Helicone-a%b"]
        for start in range(0, 120, 40):
            names = [f"Helicone-Unknown-{number}" for number in range(start, start + 40)]
            await client.post(CHAT, json=PLAIN, headers=dict.fromkeys([*names, *(odd if not start else [])], "1"))
        lines = [line for line in proxy.metrics.exposition().splitlines() if "unknown_headers_total{" in line]
    assert len(lines) == 100
    assert f'farebox_proxy_unknown_headers_total{{name="other"}} {120 - 99 + len(odd)}.0' in lines
    assert not [line for line in lines if "x" * 90 in line or {"`", "|", "%"} & set(line)]


def test_what_a_header_is_part_of_is_a_refused_header_too() -> None:
    wholes = {known.part_of.encode() for known in KNOWN_HEADERS.values() if known.part_of}
    assert {KNOWN_HEADERS[name].treatment for name in wholes} == {Treatment.REFUSED}
