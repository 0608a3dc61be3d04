"""Tags of keys: what is forced holds, a default fills, and what is required must be there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Forbidden, InvalidRequest
from schemas.event import RequestTags
from schemas.key import KeyTags, MissingTags
from services.domain.attribution.key_tags import FIELDS, MissingTag, check_key_tag, parse_key_tags, with_key_tags
from services.domain.enrich import to_record
from services.domain.exchange.headers import parse_helicone_headers
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

REFUSE, UNATTRIBUTED = MissingTags
FORCED = KeyTags(forced={"team": "search"})
SPELLINGS = ("team", "Team", "TEAM", "tEaM")


def merged(sent: RequestTags, of_key: KeyTags, missing: MissingTags = REFUSE) -> RequestTags:
    return with_key_tags(sent, of_key, missing)


@given(st.lists(st.sampled_from(SPELLINGS), min_size=1), st.text(max_size=20))
def test_no_spelling_of_a_header_gets_past_a_forced_tag(spellings: list[str], value: str) -> None:
    headers = [(f"Helicone-Property-{name}".encode(), value.encode(errors="replace")) for name in spellings]
    sent, _ = parse_helicone_headers([*headers, (b"helicone-property-feature", b"chat")])
    assert merged(sent, FORCED).properties == {"team": "search", "feature": "chat"}


def test_a_row_has_the_forced_value_whatever_spellings_an_event_holds() -> None:
    sent = RequestTags(properties={"Team": "sales", "TEAM": "ads"})
    row, _ = to_record(an_event(tags=merged(sent, FORCED)), ShippedPrices())
    assert row.properties == {"team": "search"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, "production"),
        ({"environment": ""}, "production"),
        ({"ENVIRONMENT": "  "}, "production"),
        ({"environment": "test"}, "test"),
    ],
)
def test_a_default_fills_what_is_missing_or_blank(sent: dict[str, str], expected: str) -> None:
    tags = merged(RequestTags(properties=sent), KeyTags(default={"Environment": "production"}))
    assert list(tags.properties.values()) == [expected]


@pytest.mark.parametrize("sent", [{}, {"feature": ""}, {"Featur": "x"}, {"FEATURE": " \t"}])
def test_a_missing_required_tag_is_refused_by_name_or_recorded_as_unattributed(sent: dict[str, str]) -> None:
    of_key = KeyTags(required=("Feature",))
    with pytest.raises(MissingTag, match="requires the tag 'Feature': send 'Helicone-Property-Feature: <value>'"):
        merged(RequestTags(properties=sent), of_key)
    assert merged(RequestTags(properties=sent), of_key, UNATTRIBUTED).properties["Feature"] == "unattributed"
    assert issubclass(MissingTag, InvalidRequest)


def test_a_required_tag_that_is_sent_forced_or_defaulted_is_enough() -> None:
    required = ("Feature",)
    sent = RequestTags(properties={"fEATURE": "chat"})
    assert merged(sent, KeyTags(required=required)) == sent
    for of_key in (
        KeyTags(forced={"feature": "f"}, required=required),
        KeyTags(default={"feature": "f"}, required=required),
    ):
        assert list(merged(RequestTags(), of_key).properties.values()) == ["f"]


@pytest.mark.parametrize("header", FIELDS)
def test_users_sessions_and_prompts_are_tags_too(header: str) -> None:
    field = FIELDS[header]
    sent: dict[str, Any] = {field: "theirs"}
    assert getattr(merged(RequestTags(**sent), KeyTags(forced={header.title(): "ours"})), field) == "ours"
    assert merged(RequestTags(**sent), KeyTags(default={header.title(): "ours"}, required=(header,))) == RequestTags(
        **sent
    )
    with pytest.raises(MissingTag, match=f"send '{header.title()}: <value>'"):
        merged(RequestTags(), KeyTags(required=(header.title(),)))


@pytest.mark.parametrize(
    ("header", "in_body", "of_key", "expected"),
    [
        (None, b'"b"', KeyTags(forced={"helicone-user-id": "f"}), "f"),
        ("h", b'"b"', KeyTags(forced={"Helicone-User-Id": "f"}), "f"),
        (None, b'"b"', KeyTags(default={"Helicone-User-Id": "d"}), "b"),
        (None, b"null", KeyTags(default={"Helicone-User-Id": "d"}), "d"),
        (" ", b"null", KeyTags(default={"Helicone-User-Id": "d"}), "d"),
        ("h", b"null", KeyTags(default={"Helicone-User-Id": "d"}), "h"),
        (None, b'"b"', KeyTags(required=("Helicone-User-Id",)), "b"),
        (None, b"null", KeyTags(required=("Helicone-User-Id",)), "unattributed"),
    ],
)
def test_a_user_in_the_body_counts_before_a_default_and_never_before_a_forced_one(
    header: str | None, in_body: bytes, of_key: KeyTags, expected: str
) -> None:
    tags = merged(RequestTags(user_id=header), of_key, UNATTRIBUTED)
    event = an_event(tags=tags, request_body=b'{"model":"gpt-4o-mini","user":%b}' % in_body)
    assert to_record(event, ShippedPrices())[0].user_id == expected


def test_a_property_that_is_named_like_a_header_stays_a_property() -> None:
    sent = RequestTags(properties={"Helicone-User-Id": "theirs"})
    tags = merged(sent, KeyTags(forced={"Helicone-User-Id": "ours"}))
    assert (tags.user_id, tags.properties) == ("ours", {"Helicone-User-Id": "theirs"})


def test_what_is_typed_becomes_the_tags_of_a_key() -> None:
    typed = parse_key_tags(
        ["team=search", " Cost Center = a=b "], ["Environment=production"], ["Feature", "helicone-user-id"]
    )
    assert typed == KeyTags(
        forced={"team": "search", "Cost Center": "a=b"},
        default={"Environment": "production"},
        required=("Feature", "helicone-user-id"),
    )
    assert parse_key_tags([], [], []) is None


@pytest.mark.parametrize(
    ("typed", "culprit"),
    [
        ((["team"], [], []), "'team' is not NAME=VALUE"),
        ((["team="], [], []), "'team=' is not NAME=VALUE"),
        ((["=search"], [], []), "'' is no name"),
        (([], ["a=b\nc"], []), "is not NAME=VALUE"),
        (([], [], ["Feature=x"]), "'Feature=x' is no name"),
        ((["team=a", "TEAM=b"], [], []), "--force names 'team' twice"),
        (([], [], ["a", "A"]), "--require names 'a' twice"),
        ((["team=a"], ["Team=b"], []), "'team' is forced, so it needs no default"),
        ((["Helicone-Property-Team=a"], [], []), "give the name of a property alone"),
        (([], [], ["Helicone-Model-Override"]), "'Helicone-Model-Override' is no tag"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(typed: tuple[list[str], list[str], list[str]], culprit: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_key_tags(*typed)
    assert culprit in str(refused.value)


@pytest.mark.parametrize("name", SPELLINGS)
def test_no_spelling_of_a_forced_tag_is_set_later(name: str) -> None:
    for value in ("sales", "search", ""):
        with pytest.raises(Forbidden, match=f"forces the tag '{name}'"):
            check_key_tag(name, value, FORCED)
    check_key_tag("feature", "chat", FORCED)


def test_a_required_tag_is_not_blanked_later() -> None:
    of_key = KeyTags(required=("Feature",), default={"Plan": "free"})
    with pytest.raises(MissingTag, match="requires the tag 'feature'"):
        check_key_tag("feature", " ", of_key)
    check_key_tag("feature", "chat", of_key)
    check_key_tag("plan", "", of_key)
