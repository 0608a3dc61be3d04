"""Header tables: who gets which header, and what labels mean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidRequest
from schemas.event import RequestTags
from services.domain.exchange.headers import Pair, header_option, parse_head, parse_helicone_headers
from services.domain.exchange.helicone_headers import KNOWN_HEADERS

REQUEST_ID = "0192f0c1-2a00-7abc-8def-0123456789ab"


def lines(*texts: str) -> list[Pair]:
    """Header pairs from lines, as a parser gives them."""
    return [
        (name.encode("latin-1"), value.strip().encode("latin-1"))
        for name, _, value in (text.partition(":") for text in texts)
    ]


def test_headers_are_sorted_by_whom_they_are_for() -> None:
    head = parse_head(
        lines(
            "Host: proxy",
            "Authorization: Bearer k",
            "hElIcOnE-aUtH: Bearer f",
            "Helicone-User-Id: u",
            "Content-Type: application/json",
            "Content-Length: 12",
        )
    )
    assert head.forwarded == lines("Authorization: Bearer k", "Content-Type: application/json")
    assert head.helicone_headers == lines("Helicone-User-Id: u")
    assert head.auth_header == b"Bearer f"
    assert (head.body_bytes, head.chunked) == (12, False)


def test_headers_of_the_hop_end_here_and_so_do_those_that_connection_names() -> None:
    hop = ["Connection: Keep-Alive, X-One", "X-One: 1", "Keep-Alive: 5", "TE: trailers", "Trailer: X-T", "Upgrade: h2c"]
    more = ["Proxy-Authorization: p", "Proxy-Connection: close", "Transfer-Encoding: Chunked", "HTTP2-Settings: AA"]
    head = parse_head(lines(*hop, *more, "X-Two: 2", "X-Two: 3"))
    assert head.forwarded == lines("X-Two: 2", "X-Two: 3")
    assert head.chunked


@pytest.mark.parametrize(
    "framing",
    [
        ["Content-Length: 1", "Content-Length: 2"],
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Length: 1", "Transfer-Encoding: chunked"],
        ["Content-Length: +1"],
        ["Content-Length: 0x10"],
        ["Content-Length: "],
        ["Content-Length: 9999999999999999"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: identity"],
    ],
)
def test_framing_that_two_readers_could_read_in_two_ways_is_refused(framing: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        parse_head(lines(*framing))


def test_labels_become_tags() -> None:
    tags, request_id = parse_helicone_headers(
        lines(
            "Helicone-User-Id: user-1",
            "Helicone-Session-Id: s",
            "Helicone-Session-Name: chat",
            "Helicone-Session-Path: /a/b",
            "Helicone-Prompt-Id: p",
            "Helicone-Model-Override: gpt-x",
            "Helicone-Property-UserTier: premium",
            "helicone-property-feature: chat",
            "Helicone-Omit-Request: true",
            "Helicone-Omit-Response: TRUE",
            "Helicone-Cache-Enabled: true",
            f"Helicone-Request-Id: {REQUEST_ID.upper()}",
            "Helicone-Something-New: x",
        )
    )
    assert request_id == REQUEST_ID
    assert tags == RequestTags(
        user_id="user-1",
        session_id="s",
        session_name="chat",
        session_path="/a/b",
        prompt_id="p",
        model_override="gpt-x",
        properties={"UserTier": "premium", "feature": "chat"},
        omit_request=True,
        omit_response=True,
        cache_enabled=True,
    )


@pytest.mark.parametrize("flag", ["omit_request", "omit_response", "cache_enabled"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        *((["true"], True), (["True"], True), (["TRUE"], True), (["tRuE "], True)),
        *((["1"], True), (["yes"], True), (["On"], True), (["true, true"], True), (["false,true"], True)),
        *((["true", "true"], True), (["True", "false"], True), (["false", "TRUE"], True)),
        *((["false"], False), (["False"], False), (["0"], False), ([""], False), (["untrue"], False)),
        *((["false", "false"], False), ([], False)),
    ],
)
def test_a_yes_is_a_yes_in_any_spelling_and_however_often(flag: str, values: list[str], expected: bool) -> None:
    name = f"Helicone-{flag.replace('_', '-').title()}".encode()
    tags, _ = parse_helicone_headers(
        [(name if turn else name.lower(), value.encode()) for turn, value in enumerate(values)]
    )
    assert getattr(tags, flag) is expected


def test_an_empty_label_is_no_label() -> None:
    assert parse_helicone_headers(lines("Helicone-User-Id: ", "Helicone-Property-: x")) == (RequestTags(), None)
    assert parse_helicone_headers([]) == (RequestTags(), None)


@pytest.mark.parametrize("given_id", ["", "42", REQUEST_ID[:-1], f"{REQUEST_ID}0", REQUEST_ID.replace("7abc", "0abc")])
def test_a_request_id_that_is_no_uuid_is_as_good_as_none(given_id: str) -> None:
    assert parse_helicone_headers(lines(f"Helicone-Request-Id: {given_id}"))[1] is None


def test_a_label_given_twice_is_one_value_whatever_its_case() -> None:
    tags, _ = parse_helicone_headers(
        lines("Helicone-Property-App: a", "helicone-property-APP: b", "Helicone-User-Id: 1", "HELICONE-USER-ID: 2")
    )
    assert tags == RequestTags(user_id="1, 2", properties={"App": "a, b"})


def test_values_are_utf_8_and_otherwise_latin_1() -> None:
    tags, _ = parse_helicone_headers(
        [(b"Helicone-User-Id", "Zoë".encode()), (b"Helicone-Property-P", "Zoë".encode("latin-1"))]
    )
    assert tags == RequestTags(user_id="Zoë", properties={"P": "Zoë"})


names = st.text("abcXYZ-", min_size=1, max_size=12).map(str.encode)
values = st.binary(max_size=12)


@given(
    properties=st.dictionaries(names.map(bytes.lower), values, max_size=5),
    others=st.lists(st.tuples(names.map(lambda name: b"X-" + name), values), max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_every_header_travels_on_or_stays_and_none_does_both(
    properties: dict[bytes, bytes], others: list[Pair]
) -> None:
    own = [(b"Helicone-Property-" + name, value) for name, value in properties.items()]
    head = parse_head([*own, *others])
    assert (list(head.helicone_headers), head.forwarded) == (own, others)
    assert len(parse_helicone_headers(head.helicone_headers)[0].properties) == len(properties)


def test_a_wish_is_read_in_any_spelling_and_not_at_all_when_it_contradicts_itself() -> None:
    labels = lines("helicone-on-disconnect: CANCEL", "Helicone-User-Id: u")
    assert header_option(labels, b"Helicone-On-Disconnect") == b"cancel"
    assert header_option(labels, b"Helicone-Stream-Usage") == b""
    assert header_option([*labels, *lines("Helicone-On-Disconnect: Cancel")], b"Helicone-On-Disconnect") == b"cancel"
    assert header_option([*labels, *lines("Helicone-On-Disconnect: drain")], b"Helicone-On-Disconnect") == b""


def test_whatever_fills_a_tag_is_a_known_header() -> None:
    tags = set(RequestTags.__struct_fields__) - {"properties", "default_user_id"} | {"request_id"}
    assert {f"helicone-{tag.replace('_', '-')}".encode() for tag in tags} <= KNOWN_HEADERS.keys()


def test_what_does_nothing_here_is_set_aside_and_travels_nowhere() -> None:
    head = parse_head(lines("HELICONE-Target-Url: x", "aws-secret-key: s", "Helicone-Typo: 1", "Helicone-Node-Id: n"))
    assert list(head.unsupported) == lines("helicone-target-url: x", "aws-secret-key: s", "helicone-typo: 1")
    assert (head.forwarded, head.helicone_headers) == ([], lines("Helicone-Node-Id: n"))
