"""On whose account a call ran: what headers and URLs show, and hashes in place of credentials."""

import re

import pytest

from schemas.event import ProviderAccount
from services.domain.attribution.account import (
    MAX_CHARACTERS,
    credential_hash,
    project_in,
    provider_request_id,
    request_account,
    response_account,
)
from services.domain.exchange.headers import parse_head
from services.domain.exchange.routes import Routes, origin_of
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.record import Provider

KEY = b"k" * 32


def hash_of(value: bytes) -> str:
    return credential_hash(value, KEY)


def account(provider: str, *headers: tuple[str, str], in_query: bytes = b"") -> ProviderAccount:
    head = parse_head([(name.encode(), value.encode()) for name, value in headers])
    return request_account(provider, head.account_headers, hash_of, in_query)


ONE = credential_hash(b"sk-one", KEY)
SENT: dict[str, tuple[str, tuple[tuple[str, str], ...], str]] = {
    "a bearer": ("OPENAI", (("Authorization", "Bearer sk-one"),), ONE),
    "a bearer in another case": ("OPENAI", (("AUTHORIZATION", "bearer  sk-one "),), ONE),
    "a header of its own": ("ANTHROPIC", (("x-api-key", "sk-one"),), ONE),
    "a token of Anthropic's": ("ANTHROPIC", (("Authorization", "Bearer sk-one"),), ONE),
    "Azure's": ("AZURE", (("api-key", "sk-one"), ("Authorization", "Bearer other")), ONE),
    "Google's": ("GOOGLE", (("X-Goog-Api-Key", "sk-one"),), ONE),
    "of a provider of which nothing is known": ("ACME", (("authorization", "Bearer sk-one"),), ONE),
    "a header of another provider": ("GROQ", (("x-api-key", "sk-one"),), ""),
    "a key of Farebox": ("OPENAI", (("Authorization", "Bearer sk-helicone-abc-def-ghi-jkl"),), ""),
    "a scheme without anything": ("OPENAI", (("Authorization", "Bearer "),), ""),
    "none": ("OPENAI", (("Content-Type", "application/json"),), ""),
}


@pytest.mark.parametrize("case", SENT)
def test_the_same_credential_has_the_same_hash_wherever_it_is_sent(case: str) -> None:
    provider, headers, expected = SENT[case]
    assert account(provider, *headers).key_hash == expected


def test_a_provider_may_be_named_in_any_spelling() -> None:
    assert account("AZURE-OPENAI", ("api-key", "sk-one")).key_hash == ONE
    assert account("OPENAI.CHAT", ("OpenAI-Organization", "org-1")).organization == "org-1"
    assert provider_request_id("AWS.BEDROCK", {b"x-amzn-requestid": b"1b4c"}) == "1b4c"


def test_a_hash_is_keyed_and_of_fixed_size() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", ONE)
    assert len({ONE, credential_hash(b"sk-two", KEY), credential_hash(b"sk-one", b"other")}) == 3
    assert credential_hash(b"sk-one", b"") == "", "without a key there is no hash, rather than one to be guessed"


def test_a_signed_request_is_known_by_the_id_of_its_access_key() -> None:
    def signed(day: str, signature: str, access_key: str = "AKIAIOSFODNN7") -> str:
        scope = f"Credential={access_key}/{day}/us-east-1/bedrock/aws4_request"
        value = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
        return account("AWS", ("Authorization", value)).key_hash

    assert signed("20261101", "aa") == signed("20261102", "bb") == credential_hash(b"AKIAIOSFODNN7", KEY)
    assert signed("20261101", "aa") != signed("20261101", "aa", "AKIAOTHER")


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        (b"/google/v1beta/models/gemini:generateContent?key=sk-one", b"sk-one"),
        (b"/google/v1beta/models/gemini:generateContent?alt=sse&key=sk%2Done", b"sk-one"),
        (b"/google/v1beta/models/gemini:generateContent?monkey=sk-one", b""),
        (b"/oai/v1/models?key=sk-one", b""),
    ],
)
def test_a_credential_in_the_query_counts_where_the_provider_takes_one(url: bytes, credential: bytes) -> None:
    routes = Routes({"GOOGLE": origin_of("https://google.example"), "OPENAI": origin_of("https://openai.example")})
    target = routes.resolve(url)
    assert target is not None
    assert target.credential == credential
    assert account("GOOGLE", in_query=target.credential).key_hash == (ONE if credential else "")


def test_organization_and_project_are_those_of_the_providers_own_headers() -> None:
    openai = account("OPENAI", ("OpenAI-Organization", "org-1"), ("OpenAI-Project", "proj_1"))
    assert (openai.organization, openai.project) == ("org-1", "proj_1")
    google = account("GOOGLE", ("x-goog-user-project", "billing-1"), ("openai-project", "proj_1"))
    assert (google.organization, google.project) == ("", "billing-1")
    responded = response_account("ANTHROPIC", {b"anthropic-organization-id": b"5f1c", b"openai-organization": b"no"})
    assert responded == ProviderAccount(organization="5f1c")


def test_a_project_in_the_path_is_that_of_providers_whose_paths_name_one() -> None:
    url = "https://europe-west1-aiplatform.googleapis.com/v1/projects/acme-prod/locations/europe-west1/publishers"
    assert project_in(url, "GOOGLE") == project_in(url, "VERTEX_AI") == "acme-prod"
    assert project_in(url, "OPENAI") == ""


@pytest.mark.parametrize(
    ("provider", "headers", "expected"),
    [
        ("OPENAI", {b"x-request-id": b"req_1", b"cf-ray": b"8f-FRA"}, "req_1"),
        ("ANTHROPIC", {b"request-id": b"req_011", b"x-request-id": b"other"}, "req_011"),
        ("AWS", {b"x-amzn-requestid": b"1b4c"}, "1b4c"),
        ("AZURE", {b"x-request-id": b"other", b"apim-request-id": b"apim"}, "apim"),
        ("ACME", {b"cf-ray": b"8f-FRA"}, "8f-FRA"),
        ("OPENAI", {}, ""),
        ("OPENAI", {b"x-request-id": b"x" * 10_000}, "x" * MAX_CHARACTERS),
        ("OPENAI", {b"x-request-id": b"\xff\xfe"}, "\ufffd\ufffd"),
    ],
)
def test_the_request_id_is_the_one_that_the_providers_support_requests(
    provider: str, headers: dict[bytes, bytes], expected: str
) -> None:
    assert provider_request_id(provider, headers) == expected


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_header_of_a_record_is_forwarded_and_found(provider: Provider) -> None:
    for name in (*provider.organization_headers, *provider.project_headers, *provider.request_id_headers):
        head = parse_head([(name.upper().encode(), b"value")])
        assert head.forwarded == [(name.upper().encode(), b"value")]
        assert head.account_headers == {name.lower().encode(): b"value"}


def test_headers_that_are_sent_twice_are_joined_and_forwarded_twice() -> None:
    pairs = [(b"OpenAI-Project", b"a"), (b"openai-project", b"b")]
    head = parse_head(pairs)
    assert (head.forwarded, head.account_headers) == (pairs, {b"openai-project": b"a, b"})
