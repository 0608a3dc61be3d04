"""What the headers of a request want of the response cache, which requests are the same, and what may be kept."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cache import CachedResponse, CacheKey, CachePolicy, decode_response, encode_response
from services.domain.cache.key import cache_key, canonical_body, lasting_credential
from services.domain.cache.policy import InvalidCacheHeader, asks_for_cache, cache_policy, is_cacheable
from services.domain.cache.storable import is_storable, kept_headers
from tests.builders.records import chat_response

DAY_S = 86_400


def pairs(**headers: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def policy(headers: dict[str, str], *, cache_control: str = "", omitted: bool = False) -> CachePolicy | None:
    own = pairs(**{f"Helicone_Cache_{name}": value for name, value in headers.items()})
    return cache_policy(own, pairs(cache_control=cache_control), omitted=omitted)


def on(cache_control: str = "", *, omitted: bool = False, **headers: str) -> CachePolicy:
    found = policy({"Enabled": "true"} | headers, cache_control=cache_control, omitted=omitted)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("headers", "reads", "saves"),
    [
        ({"Enabled": "true"}, True, True),
        ({"Enabled": "TRUE"}, True, True),
        ({"Save": "true"}, False, True),
        ({"Read": "true"}, True, False),
        ({"Save": "true", "Read": "true"}, True, True),
        ({"Enabled": "false", "Read": "true"}, True, False),
    ],
)
def test_three_headers_switch_reading_and_saving_on(headers: dict[str, str], reads: bool, saves: bool) -> None:
    found = policy(headers)
    assert found is not None
    assert (found.reads, found.saves) == (reads, saves)
    assert asks_for_cache(pairs(**{f"helicone_CACHE_{name}": value for name, value in headers.items()}))


@pytest.mark.parametrize("headers", [{}, {"Enabled": "false"}, {"Seed": "a"}, {"Coalesce": "true"}, {"Enabled": ""}])
def test_nothing_else_does(headers: dict[str, str]) -> None:
    assert policy(headers) is None


def test_a_body_that_is_kept_nowhere_is_not_saved_either() -> None:
    found = on(omitted=True, Coalesce="true")
    assert (found.reads, found.saves, found.coalesces) == (True, False, False)


@pytest.mark.parametrize(
    ("cache_control", "lifetime_s", "max_age_s"),
    [
        ("", 7 * DAY_S, None),
        ("no-store", 7 * DAY_S, None),
        ("max-age=60", 60, 60),
        ("public, Max-Age = 60", 60, 60),
        ("max-age=60, s-maxage=90", 90, 90),
        ("max-age=99999999999", 365 * DAY_S, 365 * DAY_S),
        ("x-max-age=60", 7 * DAY_S, None),
        ("max-age=soon", 7 * DAY_S, None),
        ("max-age=0", 0, 0),
    ],
)
def test_cache_control_says_how_long_and_is_limited_to_a_year(
    cache_control: str, lifetime_s: int, max_age_s: int | None
) -> None:
    found = on(cache_control)
    assert (found.lifetime_s, found.max_age_s) == (lifetime_s, max_age_s)


def test_a_response_that_would_be_too_old_at_once_is_not_saved() -> None:
    """Redis refuses such a lifetime, and then the cache would count as unavailable for every other request."""
    found = on("max-age=0", Coalesce="true")
    assert (found.reads, found.saves, found.coalesces) == (True, False, False)


@pytest.mark.parametrize(("text", "slots"), [("", 1), ("1", 1), ("20", 20), ("007", 7)])
def test_a_bucket_has_up_to_twenty_slots(text: str, slots: int) -> None:
    assert on(Bucket_Max_Size=text).slots == slots


@pytest.mark.parametrize("text", ["21", "0", "-1", "1.5", "many", "9" * 50, "²"])
def test_another_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidCacheHeader, match=r"Helicone-Cache-Bucket-Max-Size.*1 to 20"):
        on(Bucket_Max_Size=text)


@pytest.mark.parametrize("text", ["a,b", '"a","b"', '["a", "b"]', " a , b ", "[a,b]", "a,,b"])
def test_ignored_keys_are_read_in_both_forms(text: str) -> None:
    assert on(Ignore_Keys=text).ignored_keys == {"a", "b"}


def test_ignored_keys_that_are_no_list_are_refused_by_name() -> None:
    with pytest.raises(InvalidCacheHeader, match="Helicone-Cache-Ignore-Keys"):
        on(Ignore_Keys='"a", b')


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "chat/completions", True),
        ("POST", "embeddings", True),
        ("POST", "images/generations", True),
        ("GET", "models", False),
        ("GET", "responses/resp_1", False),
        ("POST", "files", False),
        ("POST", "batches", False),
        ("POST", "responses/resp_1/cancel", False),
        ("POST", "threads/thread_1/runs", False),
        ("POST", "fine_tuning/jobs", False),
        ("POST", "vector_stores", False),
        ("POST", "videos", False),
        ("DELETE", "files/file-1", False),
    ],
)
def test_only_what_generates_a_response_at_once_is_cached(method: str, path: str, expected: bool) -> None:
    assert is_cacheable(method, "OPENAI", f"https://api.openai.com/v1/{path}") is expected


# The key

BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello!"}]}'


def key(of: CachePolicy | None = None, **changes: Any) -> CacheKey:
    request: dict[str, Any] = {
        "organization_id": "org-1",
        "credential": "c1",
        "method": b"POST",
        "url": b"https://api.openai.com /v1/chat/completions",
        "headers": [(b"Content-Type", b"application/json")],
        "body": BODY,
    }
    return cache_key(of or CachePolicy(), **request | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"organization_id": "org-2"},
        {"credential": "c2"},
        {"url": b"https://api.openai.com /v1/completions"},
        {"url": b"https://eu.api.openai.com /v1/chat/completions"},
        {"body": BODY.replace(b"Hello", b"Hallo")},
        {"body": b'{"messages":[{"role":"user","content":"Hello!"}],"model":"gpt-4o-mini"}'},
        {"headers": [(b"Content-Type", b"application/json"), (b"anthropic-beta", b"x")]},
        {"headers": [(b"Content-Type", b"application/json"), (b"Accept-Encoding", b"br")]},
        {"headers": [(b"Content-Type", b"application/json"), (b"X-Amzn-Bedrock-GuardrailIdentifier", b"g")]},
        {"headers": [(b"Content-Type", b"application/json"), (b"cf-aig-authorization", b"Bearer a")]},
        {"headers": [(b"Content-Type", b"application/json"), (b"Ocp-Apim-Subscription-Key", b"a")]},
        {"of": CachePolicy(seed="a")},
        {"of": CachePolicy(ignored_keys=frozenset({"messages"}))},
    ],
    ids=str,
)
def test_what_the_provider_may_act_on_tells_requests_apart(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"body": json.dumps(json.loads(BODY), indent=2).encode()},
        {"headers": [(b"content-type", b"application/json"), (b"User-Agent", b"another")]},
        {"of": CachePolicy(slots=5, lifetime_s=60, max_age_s=60, reads=True)},
        {"of": CachePolicy(ignored_keys=frozenset({"user"})), "body": BODY[:-1] + b',"user":"ann"}'},
    ],
    ids=str,
)
def test_what_it_does_not_see_or_care_about_does_not(changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


def test_a_google_token_that_lasts_for_an_hour_is_no_identity() -> None:
    assert lasting_credential("hash", [(b"Authorization", b"Bearer ya29.abc")]) == ""
    assert lasting_credential("hash", [(b"Authorization", b"AWS4-HMAC-SHA256 Credential=a, Signature=b")]) == "hash"


def test_every_header_that_may_hold_a_key_tells_requests_apart_whichever_counts() -> None:
    names = (b"x-api-key", b"API-Key", b"x-goog-api-key")
    shared, token = (b"Authorization", b"Bearer sk-abc"), (b"authorization", b"Bearer ya29.abc")
    requests = [
        [],
        [shared],
        *([*first, (name, value)] for first in ([], [shared], [token]) for name in names for value in (b"a", b"b")),
    ]
    found = [lasting_credential("hash", headers) for headers in requests]
    assert len(set(found)) == len(found)
    assert lasting_credential("hash", [shared]) == lasting_credential("hash", [(b"AUTHORIZATION", shared[1])])
    assert lasting_credential("other", [shared]) != lasting_credential("hash", [shared])


@given(st.lists(st.binary(), min_size=4, max_size=4), st.lists(st.binary(), min_size=4, max_size=4))
def test_no_two_requests_have_one_key(one: list[bytes], other: list[bytes]) -> None:
    """Whatever is in their parts, and however it is distributed over them."""

    def of(parts: list[bytes]) -> CacheKey:
        seed, credential = parts[0].hex(), parts[1].hex()
        return key(CachePolicy(seed=seed), credential=credential, url=parts[2], body=b"\xff" + parts[3])

    assert (of(one) == of(other)) == (one == other)


VALUES = st.integers(-(2**63), 2**63) | st.text() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), VALUES), st.text())
def test_white_space_and_ignored_members_make_no_difference(document: dict[str, Any], ignored: str) -> None:
    rest = {name: value for name, value in document.items() if name != ignored}
    spaced = json.dumps(document, indent=1).encode()
    assert canonical_body(spaced, frozenset({ignored})) == canonical_body(json.dumps(rest).encode())


@given(st.binary())
def test_any_bytes_have_a_canonical_form_which_is_its_own(body: bytes) -> None:
    once = canonical_body(body)
    assert canonical_body(once) == once


# What may be kept


def response(*chunks: bytes, content_type: str = "application/json", **headers: str) -> CachedResponse:
    return CachedResponse(
        digest="d",
        request_id="r",
        stored_at_s=0,
        latency_ms=1,
        status=200,
        reason=b"OK",
        headers=pairs(**{"Content_Type": content_type, "Transfer_Encoding": "chunked"} | headers),
        chunks=list(chunks),
    )


def stream(*events: bytes) -> CachedResponse:
    return response(*(b"data: %b\n\n" % event for event in events), content_type="text/event-stream")


DELTA = b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'
GOOGLE_END = (
    b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","index":0}],'
    b'"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1,"totalTokenCount":4},"modelVersion":"gemini-2.5-pro"}'
)


@pytest.mark.parametrize(
    ("kept", "provider"),
    [
        (response(chat_response()), "OPENAI"),
        (response(gzip.compress(chat_response()), Content_Encoding="gzip"), "OPENAI"),
        (response(b"[{},", b"{}]"), "GOOGLE"),
        (response(b"\0\1audio", content_type="audio/mpeg"), "OPENAI"),
        (response(b'{"status":"completed","error":null,"output":[]}'), "OPENAI"),
        (stream(DELTA, b"[DONE]"), "OPENAI"),
        (stream(b'{"type":"message_start"}', b'{"type":"message_stop"}'), "ANTHROPIC"),
        (stream(GOOGLE_END), "GOOGLE"),
    ],
)
def test_whole_responses_are_kept(kept: CachedResponse, provider: str) -> None:
    assert is_storable(kept, provider)


@pytest.mark.parametrize(
    "dropped",
    [
        response(),
        response(chat_response()[:-1]),
        response(b'{"error":{"message":"overloaded"}}'),
        response(b'{"type":"error"}'),
        response(b'{"status":"in_progress","output":[]}'),
        response(b'{"status":"queued"}'),
        response(b"not gzip", Content_Encoding="gzip"),
        response(b"oops"),
        response(b"\0\1audio", content_type="audio/mpeg", Transfer_Encoding=""),
        stream(DELTA),
        stream(DELTA, b'{"error":{"message":"overloaded"}}', b"[DONE]"),
        stream(b'{"type":"error","error":{"type":"overloaded_error"}}'),
        stream(b'{"type":"response.failed","response":{}}'),
    ],
)
def test_broken_unfinished_and_failed_ones_are_not(dropped: CachedResponse) -> None:
    if dropped.headers[-1][1] == b"":
        dropped = msgspec.structs.replace(dropped, headers=dropped.headers[:1])
    assert not is_storable(dropped, "OPENAI")


def test_what_is_found_under_another_key_is_no_response() -> None:
    payload = encode_response(response(b"{}"))
    found = [decode_response(payload, CacheKey(organization_id="o", digest=digest)) for digest in ("d", "e")]
    assert found == [response(b"{}"), None]
    assert decode_response(b"\xff" + payload, CacheKey(organization_id="o", digest="d")) is None


def test_cookies_are_for_one_client() -> None:
    assert kept_headers(pairs(Set_Cookie="a=b", Date="today")) == pairs(Date="today")
