"""The `model` of a body that names several: which ones, and where each is asked for."""

from typing import Any

import pytest

from schemas.key import KeyOwner
from schemas.provider_key import HeaderKey
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.exchange.headers import parse_head
from services.domain.exchange.routes import Routes, origin_of
from services.domain.exchange.target import Target
from services.domain.providers.catalog import PROVIDERS
from services.domain.routing.models import InvalidModels, parse_models, target_of_models

ROUTES = Routes({"OPENAI": origin_of("https://api.openai.com")})


def _row(name: str, provider: str, **more: Any) -> NamedUpstream:
    chosen = {"credentials": CredentialPolicy.STORED, **more}
    return NamedUpstream(name=name, provider=provider, url=f"https://{name}.example.com/base", **chosen)


def _target(model: str, *rows: NamedUpstream) -> Target:
    owner = KeyOwner(
        organization_id="o", key_id="mine", upstreams=rows, provider_keys={row.name: f"sk-{row.name}" for row in rows}
    )
    route = ROUTES.resolve(b"/ai-gateway/v1/chat/completions")
    assert route is not None
    return target_of_models(route, parse_head([]), owner, b'{"model":"%b"}' % model.encode())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("gpt-4o/openai", [("gpt-4o", "OPENAI", "")]),
        (" gpt-4o/OpenAI , grok-4/xai,", [("gpt-4o", "OPENAI", ""), ("grok-4", "X", "")]),
        ("gpt-4o/azure/Europe", [("gpt-4o", "AZURE", "europe")]),
        ("openai/gpt-4o/openrouter", [("openai/gpt-4o", "OPENROUTER", "")]),
        ("meta-llama/llama-3/together/own", [("meta-llama/llama-3", "TOGETHER", "own")]),
        ("gpt-4o/openai,gpt-4o/azure,!openai", [("gpt-4o", "AZURE", "")]),
    ],
)
def test_models_are_named_with_their_provider_in_any_spelling(text: str, named: list[tuple[str, str, str]]) -> None:
    assert [(one.model, one.provider.name, one.upstream) for one in parse_models(text)] == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "gpt-4o",
        "openai/gpt-4o",
        "deepseek/deepseek-chat",
        "!openai",
        "gpt-4o/openai,!nobody",
        "a/openai," * 11,
    ],
)
def test_lists_without_a_model_or_with_too_many_are_refused(text: str) -> None:
    with pytest.raises(InvalidModels):
        parse_models(text)


def test_an_upstream_may_have_the_name_of_a_provider() -> None:
    rows = _row("azure", "OPENAI"), _row("own", "AZURE")
    assert _target("gpt-4o/openai/azure", *rows).url == "https://azure.example.com/base/v1/chat/completions"
    assert _target("gpt-4o/openai/azure", rows[1]).url.startswith("https://own.example.com/base/")


def test_the_upstream_of_the_key_comes_before_the_first_one() -> None:
    first, own = _row("first", "OPENAI"), _row("own", "OPENAI", key_ids=("mine",))
    assert _target("gpt-4o/openai", first, own).url == "https://own.example.com/base/v1/chat/completions"
    assert _target("gpt-4o/openai", first).url == "https://first.example.com/base/v1/chat/completions"
    assert _target("gpt-4o/openai/first", first, own).url == "https://first.example.com/base/v1/chat/completions"


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one.chat_path], ids=lambda one: one.name)
def test_every_provider_gets_its_stored_key_as_bearer_token(provider: Any) -> None:
    target = _target(f"a-model/{provider.name.lower()}", _row("own", provider.name))
    assert isinstance(target.key, HeaderKey)
    assert (target.key.name, target.key.value) == (b"Authorization", b"Bearer sk-own")
    assert target.path_and_query == f"/base{provider.chat_path}".encode()
