"""What Prometheus is shown: every metric with its help text, and each service's own metrics only."""

import sys
import threading
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.telemetry import (
    HELP,
    PROXY_METRICS,
    QUERY_METRICS,
    WORKER_METRICS,
    Counter,
    Histogram,
    Metrics,
    Timing,
)

COUNTERS = set(get_args(Counter))


def samples(histogram: Histogram) -> dict[str, float]:
    """By bound, and by the end of the name of the others."""
    family = histogram.family("took", "How long it took")
    return {sample.labels.get("le", sample.name.removeprefix("took_")): sample.value for sample in family.samples}


def test_a_histogram_is_empty_at_first() -> None:
    assert set(samples(Histogram()).values()) == {0.0}


def test_each_bound_counts_what_took_no_longer() -> None:
    histogram = Histogram()
    histogram.observe([90.0, 99.0, 99.96, 100.0], 100.0)  # 10 s, 1 s, 40 ms and nothing
    histogram.observe([0.0], 100.0)
    found = samples(histogram)
    counted = {bound: found[bound] for bound in ("0.0025", "0.05", "1.0", "5.0", "10.0", "+Inf")}
    assert counted == {"0.0025": 1, "0.05": 2, "1.0": 3, "5.0": 3, "10.0": 4, "+Inf": 5}
    assert found["count"] == 5
    assert found["sum"] == pytest.approx(111.04)


def shown(metrics: Metrics) -> dict[str, str]:
    """Help texts by metric, as Prometheus reads them."""
    families = text_string_to_metric_families(metrics.exposition())
    total = {"counter": "_total"}
    return {
        f"{family.name.removeprefix('farebox_')}{total.get(family.type, '')}": family.documentation
        for family in families
    }


def test_every_metric_has_its_help_text() -> None:
    assert set(HELP) == COUNTERS | set(get_args(Timing)) | {
        "proxy_unknown_headers_total",
        "accounting",
        "troubles",
        "warnings",
    }
    assert shown(Metrics()) == HELP


@pytest.mark.parametrize("exported", [PROXY_METRICS, WORKER_METRICS, QUERY_METRICS])
def test_a_service_exports_its_own_metrics_only(exported: frozenset[str]) -> None:
    metrics = Metrics(exported)
    for name in get_args(Counter):
        metrics.add(name)
    metrics.add_unknown_header("helicone-userid")
    assert set(shown(metrics)) == exported


def test_every_counter_belongs_to_a_service() -> None:
    assert set(HELP) == PROXY_METRICS | WORKER_METRICS | QUERY_METRICS
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
    metrics.health.troubles["log"] = "the disk is full"
    metrics.health.warnings["journal"] = lambda: ["one", "two"]
    metrics.worker_inside = True
    lines = metrics.exposition().splitlines()
    for line in ("farebox_troubles 1.0", "farebox_warnings 2.0", "farebox_accounting 1.0"):
        assert line in lines


def test_no_observation_of_several_threads_is_lost() -> None:
    histogram, rounds = Histogram(), 3000

    def observe() -> None:
        for _ in range(rounds):
            histogram.observe([1.0, 2.0], 2.5)

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
    assert (found["0.5"], found["30.0"], found["count"]) == (4 * rounds, 8 * rounds, 8 * rounds)
