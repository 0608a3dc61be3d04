"""What Prometheus is shown: every metric with its help text, and each service's own metrics only."""

import sys
import threading
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from services.telemetry.histogram import Histogram
from services.telemetry.metrics import (
    HELP,
    PROXY_METRICS,
    QUERY_METRICS,
    SCHEDULER_METRICS,
    WORKER_METRICS,
    Counter,
    Metrics,
)

COUNTERS = set(get_args(Counter))


def samples(histogram: Histogram) -> dict[str, float]:
    """By bound, and their sum in seconds."""
    buckets, sum_s = histogram.buckets()
    return dict(buckets) | {"sum": sum_s}


def test_a_histogram_is_empty_at_first() -> None:
    assert set(samples(Histogram()).values()) == {0.0}


def test_each_bound_counts_what_took_no_longer() -> None:
    histogram = Histogram()
    histogram.add_all([90.0, 99.0, 99.96, 100.0], 100.0)  # 10 s, 1 s, 40 ms and nothing
    histogram.add(400.0)
    found = samples(histogram)
    counted = {bound: found[bound] for bound in ("0.0025", "0.05", "1.0", "5.0", "10.0", "+Inf")}
    assert counted == {"0.0025": 1, "0.05": 2, "1.0": 3, "5.0": 3, "10.0": 4, "+Inf": 5}
    assert histogram.count == 5
    assert found["sum"] == pytest.approx(411.04)


@given(st.lists(st.integers(0, 500_000)))
def test_many_are_counted_as_each_by_itself(took: list[int]) -> None:
    together, alone = Histogram(), Histogram()
    began_s = sorted(1000 - each / 1024 for each in took)  # exact, as are the differences
    together.add_all(began_s, 1000.0)
    for began in began_s:
        alone.add(1000.0 - began)
    assert [count for _, count in together.buckets()[0]] == [count for _, count in alone.buckets()[0]]
    assert together.buckets()[1] == pytest.approx(alone.buckets()[1], abs=1e-6)


def test_requests_in_flight_are_those_that_have_not_ended() -> None:
    metrics = Metrics()
    metrics.add("proxy_requests_total", 3)
    metrics.observe_request("OPENAI", 0.2)
    metrics.observe_request("ANTHROPIC", 700.0, 0.1, 0.001)
    text = metrics.exposition()
    assert "\nfarebox_proxy_in_flight 1.0\n" in text
    assert 'farebox_proxy_request_seconds_bucket{le="0.25",provider="OPENAI"} 1.0' in text
    assert 'farebox_proxy_request_seconds_bucket{le="+Inf",provider="ANTHROPIC"} 1.0' in text


def shown(metrics: Metrics) -> dict[str, str]:
    """Help texts by metric, as Prometheus reads them."""
    families = text_string_to_metric_families(metrics.exposition())
    total = {"counter": "_total"}
    return {
        f"{family.name.removeprefix('farebox_')}{total.get(family.type, '')}": family.documentation
        for family in families
    }


def test_every_metric_has_its_help_text() -> None:
    assert set(HELP) == COUNTERS | {
        *("log_durable_seconds", "proxy_added_seconds", "proxy_first_byte_seconds", "proxy_request_seconds"),
        "proxy_in_flight",
        "proxy_unknown_headers_total",
        "accounting",
        "failures",
        "warnings",
        *("deliveries_total", "scheduler_evaluated_seconds"),
        *("totals_events_waiting", "totals_complete_until_seconds", "totals_lag_seconds"),
    }
    assert shown(Metrics()) == HELP


@pytest.mark.parametrize("exported", [PROXY_METRICS, WORKER_METRICS, QUERY_METRICS, SCHEDULER_METRICS])
def test_a_service_exports_its_own_metrics_only(exported: frozenset[str]) -> None:
    metrics = Metrics(exported)
    for name in get_args(Counter):
        metrics.add(name)
    metrics.add_unknown_header("helicone-userid")
    assert set(shown(metrics)) == exported


def test_every_counter_belongs_to_a_service() -> None:
    assert set(HELP) == PROXY_METRICS | WORKER_METRICS | QUERY_METRICS | SCHEDULER_METRICS
    assert not any(name.startswith("worker_") for name in PROXY_METRICS | QUERY_METRICS)
    assert not any(name.startswith("proxy_") for name in WORKER_METRICS)


def test_large_counts_are_shown_to_the_last_one() -> None:
    metrics = Metrics()
    metrics.add("log_durable_total", 12_345_678)
    (value,) = [
        sample.value
        for family in text_string_to_metric_families(metrics.exposition())
        for sample in family.samples
        if sample.name == "farebox_log_durable_total"
    ]
    assert value == 12_345_678


def test_gauges_show_the_health_of_the_process() -> None:
    metrics = Metrics()
    metrics.health.failures["log"] = "the disk is full"
    metrics.health.warnings["journal"] = lambda: ["one", "two"]
    metrics.worker_inside = True
    lines = metrics.exposition().splitlines()
    for line in ("farebox_failures 1.0", "farebox_warnings 2.0", "farebox_accounting 1.0"):
        assert line in lines


def test_no_observation_of_several_threads_is_lost() -> None:
    histogram, rounds = Histogram(), 3000

    def observe() -> None:
        for _ in range(rounds):
            histogram.add_all([1.0, 2.0], 2.5)

    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=observe) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before_s)
    found = samples(histogram)
    assert (found["0.5"], found["30.0"], histogram.count) == (4 * rounds, 8 * rounds, 8 * rounds)
