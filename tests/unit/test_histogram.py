"""A histogram's figures, as Prometheus takes them."""

from services.telemetry import Histogram


def figures(histogram: Histogram) -> dict[str, str]:
    lines = [line for line in histogram.exposition("took").splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_it_is_empty_at_first() -> None:
    told = figures(Histogram())
    assert {value for name, value in told.items() if name != "took_sum"} == {"0"}
    assert told["took_sum"] == "0.000000"


def test_each_bound_counts_what_took_no_longer() -> None:
    histogram = Histogram()
    histogram.observe([90.0, 99.0, 99.96, 100.0], 100.0)  # 10 s, 1 s, 40 ms and nothing
    histogram.observe([0.0], 100.0)
    told = figures(histogram)
    counted = {
        bound: told[f'took_bucket{{le="{bound}"}}'] for bound in ("0.0025", "0.05", "1.0", "5.0", "10.0", "+Inf")
    }
    assert counted == {"0.0025": "1", "0.05": "2", "1.0": "3", "5.0": "3", "10.0": "4", "+Inf": "5"}
    assert (told["took_count"], told["took_sum"]) == ("5", "111.040000")
