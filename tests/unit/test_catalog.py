"""Each provider has one record, and nothing else in the services names a provider."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import InvalidSetting
from services.domain.exchange.routes import Routes, origin_of, origins_of
from services.domain.logging_api.event import LOG_PATHS
from services.domain.providers.catalog import (
    PROVIDERS,
    ROUTED,
    has_quirk,
    price_list_of,
    provider_named,
    provider_of_host,
)
from services.domain.providers.record import Provider, Quirk
from services.settings.processes import ProxySettings
from services.stores.shipped_prices.names import seller_of

SERVICES = Path(__file__).parents[2] / "services"
NAMES = {name for provider in PROVIDERS for name in provider.names}
NAMED = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, NAMES - {'X'})))})(?![\w-])")
EXEMPT = (SERVICES / "domain/providers", SERVICES / "simulator")


def texts_of(source: str) -> Iterator[str]:
    """The literals of a module, docstrings aside."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in prose:
            if isinstance(node.value, str):
                yield node.value
            elif isinstance(node.value, bytes):
                yield node.value.decode("latin-1")


def names_provider(source: str) -> bool:
    return any(text == "X" or NAMED.search(text) for text in texts_of(source))


@pytest.mark.parametrize(
    "source", ['a == "OPENAI"', 'a = {"GROQ", "b"}', 'f"as {x} of ANTHROPIC"', 'a = "X"', 'a = b"AWS"']
)
def test_a_module_that_names_a_provider_is_found(source: str) -> None:
    assert names_provider(source)
    assert not names_provider('"""Of OPENAI."""\nOPENAI_NAMES = "FAREBOX_OPENAI_URL"')


def test_no_module_elsewhere_names_a_provider() -> None:
    modules = [path for path in SERVICES.rglob("*.py") if not any(path.is_relative_to(room) for room in EXEMPT)]
    assert len(modules) > 100
    assert not [str(path.relative_to(SERVICES)) for path in modules if names_provider(path.read_text())]


def test_every_record_in_the_package_is_in_the_catalog() -> None:
    """One that is not has no route, no setting and no price."""
    defined = [
        node
        for path in (SERVICES / "domain/providers").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Provider"
    ]
    unknown = 1  # the one that `provider_named` makes
    assert len(defined) - unknown == len(PROVIDERS)


def test_no_two_providers_share_a_name_a_label_or_the_seller_of_different_lists() -> None:
    names = Counter(name for provider in PROVIDERS for name in provider.names)
    labels = Counter(provider.label for provider in PROVIDERS if provider.label)
    log_labels = Counter(provider.log_label for provider in PROVIDERS if provider.log_label)
    assert {count for counted in (names, labels, log_labels) for count in counted.values()} == {1}
    lists = {provider.prices.seller: provider.prices for provider in PROVIDERS if provider.prices}
    assert all(provider.prices == lists[provider.prices.seller] for provider in PROVIDERS if provider.prices)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_a_record_holds_together(provider: Provider) -> None:
    assert provider.title
    assert all(name == name.upper() for name in provider.names)
    assert provider.label == provider.label.lower()
    assert re.compile(provider.hosts)
    if provider.base_url:
        assert provider.label
        assert provider.credential_headers
        host = origin_of(provider.base_url.replace("{region}", "us-east-1")).host
        assert provider_of_host(host) is provider
        assert origin_of(provider.base_url).tls
    for name in provider.names:
        assert provider_named(name) is provider
    if provider.prices is not None:
        assert price_list_of(provider.prices.seller) == provider.prices


@pytest.mark.parametrize("provider", ROUTED, ids=lambda provider: provider.name)
def test_routes_settings_and_log_paths_are_made_from_the_record(provider: Provider) -> None:
    settings = ProxySettings.from_environ({f"FAREBOX_{provider.setting.upper()}": "https://host.example/base"})
    assert ProxySettings.from_environ({}).base_urls()[provider.name] == provider.base_url
    routes = Routes(origins_of(settings.base_urls()))
    for prefix in (f"/{provider.label}", f"/v1/gateway/{provider.label}"):
        target = routes.resolve(f"{prefix}/v1/models".encode())
        assert target is not None
        assert (target.provider, target.url) == (provider.name, "https://host.example/base/v1/models")
    if provider.log_label:
        assert LOG_PATHS[f"/{provider.log_label}/v1/log"] == provider.name


@pytest.mark.parametrize("provider", ROUTED, ids=lambda provider: provider.name)
def test_a_wrong_base_url_is_refused_by_the_name_of_its_setting(provider: Provider) -> None:
    with pytest.raises(InvalidSetting, match=f"FAREBOX_{provider.setting.upper()}"):
        origins_of({provider.name: "https://user:pass@host"})
    with pytest.raises(InvalidSetting, match=f"FAREBOX_{provider.setting.upper()}"):
        ProxySettings.from_environ({f"FAREBOX_{provider.setting.upper()}": "host"})


def test_usage_is_requested_of_streams_only_where_they_need_it() -> None:
    routes = Routes(origins_of(ProxySettings.from_environ({}).base_urls()))
    needing = {
        path: target.stream_usage_on_request
        for path in ("/oai/v1/chat/completions", "/oai/v1/responses", "/groq/openai/v1/chat/completions")
        if (target := routes.resolve(path.encode())) is not None
    }
    assert list(needing.values()) == [True, False, False]


def test_of_a_name_that_nobody_knows_nothing_is_assumed() -> None:
    unknown = provider_named("ACME")
    assert (unknown, unknown.prices, seller_of("ACME")) == (Provider(name="ACME"), None, None)
    assert not any(has_quirk("ACME", quirk) for quirk in Quirk)
