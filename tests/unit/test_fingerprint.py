"""Fingerprints of requests: equal for the same prompt in whatever form, different for another one."""

import copy
import gzip
import json
import re
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.event import ExchangeEvent, RequestTags, decode_event, encode_event
from services.domain.enrich import to_record
from services.domain.exchange.bounded import MAX_MARKS
from services.domain.omission import unread, without_bodies
from services.domain.usage.request.fingerprint import VOLATILE
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

KEY = b"f" * 32
PRICES = ShippedPrices()
CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Be brief. é"}, {"role": "user", "content": "Hello!"}],
    "temperature": 0.5,
}
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
# Of a body beside its model. A mark of a cache is no part of a prompt at any depth.
BODIES = st.dictionaries(st.text(max_size=8).filter(lambda name: name not in VOLATILE), VALUES, max_size=5).filter(
    lambda body: "cache_control" not in json.dumps(body)
)


def an_exchange(
    body: bytes, *, content_type: str = "application/json", encoding: str = "", **tags: bool
) -> ExchangeEvent:
    event = an_event(request_body=body, tags=replace(RequestTags(), **tags))
    return replace(event, request=replace(event.request, content_type=content_type, content_encoding=encoding))


def print_of(body: object, *, key: bytes = KEY, **options: Any) -> str:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return to_record(an_exchange(content, **options), PRICES, key)[0].request_fingerprint


def omitted_print_of(body: bytes, *, key: bytes = KEY, **options: Any) -> str:
    """As the worker gets it from a proxy that drops the body, by way of the log."""
    event = without_bodies(an_exchange(body, omit_request=True, **options), KEY)
    assert event.request.body == b""
    again = without_bodies(decode_event(encode_event(event)), KEY)
    return to_record(again, PRICES, key)[0].request_fingerprint


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: backwards(value[name]) for name in reversed(value)}
    return [backwards(one) for one in value] if isinstance(value, list) else value


@given(BODIES, st.dictionaries(st.sampled_from(sorted(VOLATILE)), VALUES, max_size=4), st.booleans())
def test_the_same_prompt_has_the_same_fingerprint_in_whatever_form_it_comes(
    body: dict[str, Any], volatile: dict[str, Any], escaped: bool
) -> None:
    expected = print_of(body)
    other = json.dumps(backwards(volatile | body), indent=3, ensure_ascii=escaped).encode()
    for form in (other, json.dumps(body | volatile, separators=(",", ":")).encode()):
        assert print_of(form) == omitted_print_of(form) == expected
        assert print_of(gzip.compress(form), encoding="gzip") == expected
        assert omitted_print_of(brotli.compress(form), encoding="br") == expected
    assert re.fullmatch(r"[0-9a-f]{16}", expected)


@given(BODIES, BODIES)
def test_different_prompts_have_different_fingerprints(one: dict[str, Any], other: dict[str, Any]) -> None:
    are_same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # in Python `True` is also 1
    assert (print_of(one) == print_of(other)) == are_same


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-4o"},
        {"temperature": 0.6},
        {"messages": CHAT["messages"][::-1]},
        {"messages": [*CHAT["messages"], {"role": "user", "content": "Hello!", "metadata": 1}]},
        {"messages": [CHAT["messages"][0], {"role": "user", "content": "hello!"}]},
        {"tools": []},
        {"max_tokens": 5},
    ],
)
def test_whatever_else_is_said_makes_another_prompt(change: dict[str, Any]) -> None:
    assert print_of(CHAT | change) != print_of(CHAT)


def test_marks_of_a_cache_move_and_change_nothing_while_members_of_that_name_do() -> None:
    def marked(position: int, mark: object) -> dict[str, Any]:
        body = copy.deepcopy(CHAT)
        body["messages"][position]["cache_control"] = mark
        return body

    ephemeral = {"type": "ephemeral", "ttl": "1h"}
    assert print_of(marked(0, ephemeral)) == print_of(marked(1, ephemeral)) == print_of(CHAT)
    assert print_of(marked(0, "no-store")) != print_of(CHAT)


def test_without_its_key_nobody_can_work_it_out() -> None:
    assert print_of(CHAT) != print_of(CHAT, key=b"g" * 32)
    assert print_of(CHAT, key=b"") == ""


@pytest.mark.parametrize(
    "body", [b"", b"{not json", b'{"a": 1e999}', b"[1, 2]", b"\xff\xfe", b'"text"', b"[" * 5000, b'{"a":"\\ud800"}']
)
def test_any_body_has_a_fingerprint_and_the_same_one_when_it_is_omitted(body: bytes) -> None:
    found = print_of(body)
    assert found == omitted_print_of(body) == print_of(body)
    assert bool(found) is bool(body)
    assert found != print_of(body + b"x")


def test_a_body_that_takes_long_to_parse_has_that_of_its_bytes() -> None:
    body = b'{"model":"gpt-4o-mini","input":[%b]}' % b",".join([b"1"] * (MAX_MARKS + 1))
    assert print_of(body) == omitted_print_of(body) != ""
    assert print_of(body) != print_of(body + b" ")


def test_of_a_body_of_which_something_is_missing_there_is_none() -> None:
    event = an_exchange(json.dumps(CHAT).encode()[:40])
    cut = replace(event, request=replace(event.request, body_bytes=1000))
    assert to_record(cut, PRICES, KEY)[0].request_fingerprint == ""
    assert to_record(unread(an_exchange(b"{}", omit_request=True)), PRICES, KEY)[0].request_fingerprint == ""
    damaged = gzip.compress(json.dumps(CHAT).encode())[:-20]
    assert print_of(damaged, encoding="gzip") == ""


def test_a_form_is_the_same_with_another_boundary() -> None:
    def form(boundary: str, text: str = "audio") -> str:
        part = 'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1'
        body = f"--{boundary}\r\n{part}\r\n--{boundary}\r\n\r\n{text}"
        return print_of(body.encode(), content_type=f"multipart/form-data; boundary={boundary}")

    assert form("a1b2") == form("z9y8z9y8") != form("a1b2", "other")
