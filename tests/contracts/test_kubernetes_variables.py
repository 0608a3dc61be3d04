"""Kubernetes adds variables for each Service of a namespace, under names like our settings: processes start anyway."""

import json
import logging

import pytest

from schemas.errors import InvalidSetting
from services.process import warn_of_service_links
from services.settings.environment import service_links
from services.settings.processes import ALL_SETTINGS, ProxySettings, QuerySettings, WorkerSettings


def added_for(service: str, port: int = 8787, protocol: str = "tcp", port_name: str = "HTTP") -> dict[str, str]:
    """What a pod finds in its environment. Source: kubelet's envvars.FromServices."""
    name, address = service.upper().replace("-", "_"), "10.96.0.7"
    port_of = f"{name}_PORT_{port}_{protocol.upper()}"
    return {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_{port_name}": str(port),
        f"{name}_PORT": f"{protocol}://{address}:{port}",
        port_of: f"{protocol}://{address}:{port}",
        f"{port_of}_PROTO": protocol,
        f"{port_of}_PORT": str(port),
        f"{port_of}_ADDR": address,
    }


SERVICES = ["farebox", "farebox-proxy", "farebox-query", "farebox-worker", "farebox-proxy-internal", "farebox-url"]


@pytest.mark.parametrize("service", SERVICES)
def test_what_kubernetes_adds_changes_no_setting(service: str) -> None:
    for links in (added_for(service), added_for(service, 53, "udp", "DNS_UDP"), added_for(service, 1, "sctp")):
        for kind in ALL_SETTINGS:
            assert kind.from_environ(links) == kind.from_environ({})
        assert service_links(links | {"PATH": "x", "FAREBOX_LOG_LEVEL": "info"}) == sorted(links)


def test_ports_that_somebody_set_count() -> None:
    links = added_for("farebox")
    assert ProxySettings.from_environ(links | {"FAREBOX_PROXY_PORT": "1"}).proxy_port == 1
    assert QuerySettings.from_environ(links | {"FAREBOX_QUERY_PORT": "2"}).query_port == 2
    assert WorkerSettings.from_environ(links | {"FAREBOX_WORKER_PORT": "3"}).worker_port == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAREBOX_PROXY_PORT", "tcp"),
        ("FAREBOX_PROXY_PORT", "http://10.96.0.7:8787"),
        ("FAREBOX_PORT", "8787"),
        ("FAREBOX_SERVICE_HOSTS", "x"),
        ("FAREBOX_PROXY_PORTS", "tcp://x"),
        ("FAREBOX_HOST", "x"),
        ("FAREBOX_PROXY_PORT_HTTP", "8787"),
    ],
)
def test_what_it_does_not_add_is_still_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        ProxySettings.from_environ({name: value})


def test_the_hint_names_the_variables_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("farebox.test")
    warn_of_service_links({"FAREBOX_PROXY_PORT": "8787"}, logger)
    assert not caplog.records
    warn_of_service_links(added_for("farebox-proxy"), logger)
    (record,) = caplog.records
    said = json.dumps(record.__dict__, default=str)
    assert record.levelname == "WARNING"
    assert "FAREBOX_PROXY_PORT" in said
    assert "enableServiceLinks: false" in said
    assert "10.96.0.7" not in said
