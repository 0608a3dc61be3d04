"""Keys that Farebox adds to requests: signatures, and what an operator stored."""

from datetime import UTC, datetime

import msgspec
import pytest

from schemas.errors import InvalidRequest
from schemas.provider_key import HeaderKey, SigningKey
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.exchange.headers import parse_head
from services.domain.exchange.routes import Routes, origins_of
from services.domain.exchange.target import Target
from services.domain.providers.catalog import provider_named
from services.domain.routing.choose import MissingProviderKey, chosen_target
from services.domain.routing.custom import allowed_hosts
from services.domain.routing.provider_key import check_provider_key
from services.domain.routing.sigv4 import signed_headers
from services.settings.processes import ProxySettings

ROUTES = Routes(origins_of(ProxySettings.from_environ({}).base_urls()))
KEY_ID, SECRET = "AKIAEXAMPLEEXAMPLE1", "canary-secret-of-the-signer"
BEDROCK = b"bedrock-runtime.us-east-1.amazonaws.com"


def chosen(path: str, *upstreams: NamedUpstream, stored: str = "", **headers: str) -> Target:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    route = ROUTES.resolve(path.encode())
    assert route is not None
    return chosen_target(
        route,
        parse_head(sent).routing_headers,
        upstreams,
        key_id="",
        allowed=allowed_hosts(""),
        provider_keys={one.name: stored for one in upstreams if stored},
    )


@pytest.mark.parametrize(
    ("method", "target", "body", "token", "signature"),
    [
        (
            *(b"POST", b"/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse", b'{"messages":[]}', b""),
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=798bf1090b046ced0934c789ec2a9232f608306fb01686136a24ee25996076a0",
        ),
        (
            *(b"POST", b"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/invoke"),
            *(b'{"messages":[]}', b"token/with=signs"),
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
            "Signature=a283d378b9316b530ddf25c1b26c57dae0065e3a889b3dd64abff7f5fc795b05",
        ),
        (
            *(b"GET", b"/a//b?b=2&a=1&a=0&x", b"", b""),
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=36080acff972fceef67d3ebeb87284f41e9af52a9a9a0e32be8c260272b2a10c",
        ),
    ],
)
def test_a_signature_is_what_botocore_makes_of_the_same_request(
    method: bytes, target: bytes, body: bytes, token: bytes, signature: str
) -> None:
    key = SigningKey(
        key_id=KEY_ID.encode(), secret=SECRET.encode(), session_token=token, region=b"us-east-1", service=b"bedrock"
    )
    sent = [
        (b"content-type", b"application/json"),
        *[(b"authorization", b"AWS4-HMAC-SHA256 of the proxy's address"), (b"X-Amz-Date", b"20200101T000000Z")],
        (b"x-other", b"kept"),
    ]
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    headers = signed_headers(key, method=method, target=target, host=BEDROCK, headers=sent, body=body, at=at)
    scope = f"{KEY_ID}/20261122/us-east-1/bedrock/aws4_request"
    assert (b"Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, {signature}".encode()) in headers
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names))
    assert (b"x-other", b"kept") in headers
    assert (b"X-Amz-Date", b"20261122T120000Z") in headers


def test_a_key_to_sign_with_is_for_its_provider_and_names_the_region_of_the_path_or_the_server() -> None:
    keys = {"aws_access_key": KEY_ID, "aws_secret_key": SECRET}
    by_path = chosen("/bedrock/v1/eu-west-1/model/m/converse", **keys, aws_session_token="canary-token")
    assert by_path.key == SigningKey(
        key_id=KEY_ID.encode(),
        secret=SECRET.encode(),
        session_token=b"canary-token",
        region=b"eu-west-1",
        service=b"bedrock",
    )
    assert (by_path.credential, by_path.strips_credentials) == (KEY_ID.encode(), True)
    assert "canary" not in repr(by_path)
    url = "https://bedrock-runtime.us-west-2.amazonaws.com"
    by_server = chosen("/gateway/model/m/converse", **keys, helicone_target_url=url)
    assert isinstance(by_server.key, SigningKey)
    assert by_server.key.region == b"us-west-2"
    assert chosen("/oai/v1/chat/completions", **keys).key is None, "which signs nothing, and gets none of them"
    assert chosen("/bedrock/v1/eu-west-1/model/m/converse").key is None, "signed by the client, or a bearer's"


@pytest.mark.parametrize("given", [{"aws_access_key": KEY_ID}, {"aws_secret_key": SECRET}])
def test_half_a_key_is_refused_without_being_repeated(given: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="aws-access-key and aws-secret-key belong together") as refused:
        chosen("/bedrock/v1/eu-west-1/model/m/converse", **given)
    assert not any(value in str(refused.value) for value in given.values())


@pytest.mark.parametrize(
    ("provider", "stored", "name", "value"),
    [
        ("OPENAI", "sk-1", b"Authorization", b"Bearer sk-1"),
        ("ANTHROPIC", "sk-1", b"x-api-key", b"sk-1"),
        ("AZURE", "k1", b"api-key", b"k1"),
        ("GOOGLE", "k1", b"x-goog-api-key", b"k1"),
        ("FIREWORKS", "Key k1", b"Authorization", b"Key k1"),
        ("AWS", "bedrock-api-key", b"Authorization", b"Bearer bedrock-api-key"),
    ],
)
def test_a_stored_key_is_sent_as_the_provider_takes_it(provider: str, stored: str, name: bytes, value: bytes) -> None:
    row = NamedUpstream(name="own", provider=provider, url="https://a.example", credentials=CredentialPolicy.STORED)
    found = chosen("/upstreams/own/v1/x?key=of-the-client", row, stored=stored)
    assert found.key == HeaderKey(name=name, value=value, credential=value)
    assert (found.strips_credentials, found.path_and_query) == (True, b"/v1/x")
    assert stored not in repr(found.key)


def test_a_stored_key_that_signs_wins_over_the_clients_and_needs_a_region() -> None:
    row = NamedUpstream(
        name="own",
        provider="AWS",
        url="https://{region}.a.example",
        region="eu-west-1",
        credentials=CredentialPolicy.STORED,
    )
    found = chosen("/upstreams/own/model/m/converse", row, stored=f"{KEY_ID}:{SECRET}", aws_access_key="other")
    assert isinstance(found.key, SigningKey)
    assert (found.key.key_id, found.key.region) == (KEY_ID.encode(), b"eu-west-1")
    nowhere = msgspec.structs.replace(row, url="https://a.example", region="")
    with pytest.raises(InvalidRequest, match="region"):
        chosen("/upstreams/own/model/m/converse", nowhere, stored=f"{KEY_ID}:{SECRET}")


def test_a_key_that_cannot_be_read_lets_no_request_pass_with_the_clients() -> None:
    row = NamedUpstream(
        name="own", provider="OPENAI", url="https://a.example", credentials=CredentialPolicy.STORED, key_ids=("k",)
    )
    with pytest.raises(MissingProviderKey, match="'own'"):
        chosen("/upstreams/own/v1/x", row)


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("OPENAI", ""),
        ("OPENAI", "a\nb"),
        ("OPENAI", "a b c"),
        ("OPENAI", "é"),
        ("AWS", "canary:x"),
        ("OPENAI", "k" * 9000),
    ],
)
def test_what_cannot_be_a_key_is_refused_without_being_repeated(provider: str, text: str) -> None:
    with pytest.raises(InvalidRequest, match="provider_key") as refused:
        check_provider_key(provider_named(provider), text)
    assert "canary" not in str(refused.value)
