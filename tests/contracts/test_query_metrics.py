"""The query service's page for Prometheus: what it counts, and under which names it is shown."""

import urllib.error
import urllib.request

import pytest

from services.telemetry.metrics import QUERY_METRICS
from tests.servers.querying import Client, QueryService

HOSTS = {  # Host -> whether metrics are shown under it
    "127.0.0.1": True,
    "localhost:8788": True,
    "10.0.0.7:8788": True,
    "[::1]": True,
    "query:8788": True,
    "farebox.example.com": True,
    "a.internal.example": True,
    "evil.example": False,
    "localhost.evil.example:8788": False,
    "127.0.0.1.evil.example": False,
}


def fetch(service: QueryService, host: str) -> tuple[int, str, str]:
    """Status, content type and text of `/metrics`, which requests no key."""
    request = urllib.request.Request(f"http://127.0.0.1:{service.port}/metrics", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.mark.parametrize("host", HOSTS)
def test_metrics_are_shown_under_names_that_no_web_page_can_have(embedded_service: QueryService, host: str) -> None:
    status, content_type, text = fetch(embedded_service, host)
    assert (status, "farebox_log_durable_total" in text) == ((200, True) if HOSTS[host] else (403, False))
    if HOSTS[host]:
        assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    else:
        assert "FAREBOX_HOSTS" in text


def test_the_query_service_counts_the_calls_logged_at_it_and_shows_no_metric_of_others(
    embedded_service: QueryService, admin: Client
) -> None:
    def counts() -> dict[str, float]:
        lines = [line for line in fetch(embedded_service, "localhost")[2].splitlines() if not line.startswith("#")]
        return {name.removeprefix("farebox_"): float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    before = counts()
    assert embedded_service.ask("/custom/v1/log", b"{", key=admin.key)[0] in (400, 422)
    after = counts()
    assert after["proxy_refused_total"] == before["proxy_refused_total"] + 1
    assert {name for name in after if not name.startswith("log_durable_seconds")} <= QUERY_METRICS
