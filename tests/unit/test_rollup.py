"""Which reports can be had from sums of whole buckets."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.tables import REQUEST_RESPONSE, Operator
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import And, ByTime, Dimension, Everything, Filter, Not, Or, Report, comparison
from services.sql.parse import parse_filter
from services.sql.rollup.grains import folded
from services.sql.rollup.reading import RolledRows, rolled_rows
from services.sql.sort import group_by_column, group_by_property

START = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
END = START + timedelta(days=60)
EVERYTHING = Everything()


def at(operator: Operator, timestamp: datetime) -> Filter:
    return comparison("request_created_at", operator, timestamp)


def rolled(
    *by: Dimension, where: Filter = EVERYTHING, measure: str = "cost_usd", end: datetime = END
) -> RolledRows | None:
    period = And((at(Operator.GTE, START), at(Operator.LT, end)))
    return rolled_rows(REQUEST_RESPONSE, And((period, where)), by, [MEASURES[measure]])


USER, MODEL, FEATURE = group_by_column("user_id"), group_by_column("model"), group_by_property("Feature")
OF_ANN = parse_filter({"request": {"user_id": {"equals": "ann"}}})


@pytest.mark.parametrize(
    ("by", "where", "grain"),
    [
        ((), EVERYTHING, "model"),
        ((MODEL, ByTime("hour", "Europe/Berlin")), EVERYTHING, "model"),
        ((ByTime("day", "America/New_York"),), EVERYTHING, "model"),
        ((ByTime("day", "Fixed/UTC-07:00:00"),), EVERYTHING, "model"),
        ((USER,), EVERYTHING, "user"),
        ((ByTime("week", "UTC"),), OF_ANN, "user"),
        ((FEATURE, MODEL), EVERYTHING, "feature"),
        ((ByTime("day", "UTC"), FEATURE), EVERYTHING, "feature"),
        ((MODEL,), parse_filter({"properties": {"Feature": {"not-equals": "chat"}}}), "feature"),
    ],
)
def test_the_grain_has_all_that_is_asked_for(by: tuple[Dimension, ...], where: Filter, grain: str) -> None:
    found = rolled(*by, where=where)
    assert found is not None
    assert found.grain.name == grain


@pytest.mark.parametrize(
    "by",
    [
        (ByTime("minute", "UTC"),),
        (ByTime("hour", "Asia/Kolkata"),),  # its hours begin at half past
        (ByTime("day", "Asia/Kolkata"),),
        (ByTime("day", "Fixed/UTC+05:30:00"),),
        (ByTime("day", "Australia/Lord_Howe"),),  # for half of the year
        (ByTime("day", "Europe/Berlin"), FEATURE),
        (ByTime("day", "UTC"), USER),
        (USER, FEATURE),
        (group_by_column("session_id"),),
        (group_by_column("outcome"),),
    ],
)
def test_what_whole_buckets_cannot_tell_is_read_from_rows(by: tuple[Dimension, ...]) -> None:
    assert rolled(*by) is None


@pytest.mark.parametrize(
    "measure", ["p95_latency_ms", "sessions", "scored_requests", "margin_usd", "cost_per_user_usd"]
)
def test_a_measure_that_does_not_add_up_is_read_from_rows(measure: str) -> None:
    assert rolled(measure=measure) is None


@pytest.mark.parametrize(
    "where",
    [
        parse_filter({"request_response_rmt": {"status": {"equals": 500}}}),
        Or((at(Operator.LT, END), OF_ANN)),
        Not(at(Operator.LT, END)),
        at(Operator.GT, START),  # the first millisecond of a bucket is not in it
        at(Operator.EQUALS, START),
    ],
)
def test_a_condition_that_divides_groups_is_read_from_rows(where: Filter) -> None:
    assert rolled(where=where) is None


def test_whole_buckets_lie_within_the_period() -> None:
    hours, weeks = rolled(), rolled(USER)
    assert hours is not None
    assert weeks is not None
    assert (hours.start, hours.end) == (START.replace(hour=6, minute=0), END.replace(minute=0))
    assert (weeks.start.weekday(), weeks.end.weekday()) == (0, 0)
    assert START < weeks.start < START + timedelta(weeks=1)
    assert END - timedelta(weeks=1) < weeks.end < END
    assert rolled(end=START + timedelta(hours=3)) is None  # there are too few


def test_every_measure_of_cost_tokens_and_errors_adds_up() -> None:
    names = {name for name, measure in MEASURES.items() if folded(measure) is not None}
    assert names >= {
        "requests",
        "cost_usd",
        "priced_token_share",
        "total_tokens",
        "errors",
        "error_rate",
        "cache_hit_rate",
    }
    assert names >= {"cache_savings_usd", "average_latency_ms", "active_users", "first_request_at", "web_searches"}


def test_a_statement_about_rows_that_are_not_requests_has_one_form() -> None:
    report = Report(
        table=REQUEST_RESPONSE, organization_id="org", where=EVERYTHING, measures=(MEASURES["p50_latency_ms"],)
    )
    assert compile_report(report).rolled is None
