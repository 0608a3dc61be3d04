"""What a dashboard asks, of our table by the product's own compiler, and of Helicone's table as Helicone asks it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.api.changes import ChangesRequest
from schemas.statement import Bound, Statement
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.reports.period import Period
from services.query.reports.question import comparison_by, question_of
from services.query.requests.paging import near_looks
from services.sql.changes import PARTS, compile_changes
from services.sql.compile import compile_count, compile_listing, compile_report
from services.sql.measures import COVERAGE, MEASURES
from services.sql.nodes import And, ByTime, Dimension, Everything, Filter, Listing, Not, Report, comparison
from services.sql.parse import parse_filter
from services.sql.sort import NEWEST_FIRST, group_by_column, group_by_property
from tests.bench.query_rows import DAYS, END, HELICONE, ORGANIZATION

_REPORT_MS: Final = 200
_PAGE_MS: Final = 50
_SPEND: Final = ("cost_usd", *COVERAGE["cost_usd"])
_LATEST: Final = END + timedelta(minutes=5)
_THEIR_SPEND: Final = "sum(cost) / 1000000000 AS cost, count() AS requests"


class Question(NamedTuple):
    name: str
    ours: Statement
    theirs: Statement | None  # None where Helicone has no such question
    aim_ms: int  # of ours, p95 at 10 million rows


def questions(request_id: str) -> Iterator[Question]:
    """Over a day, 30 days and a year, by an organization with a quarter of the rows."""
    yield from _over(30, "30 days")
    yield from _over(DAYS, "a year")
    month = _days(30)
    tree = (group_by_property("Environment"), group_by_property("Feature"))
    yield Question(
        "tree of the report, 30 days",
        _report(month, *_SPEND, "cache_hits", "cache_savings_usd", by=tree),
        _theirs(30, "properties['environment'] AS a, properties['feature'] AS b", "GROUP BY a, b"),
        _REPORT_MS,
    )
    yield Question("what changed by user, 30 days", _changes(), None, _REPORT_MS)
    yield from _pages(request_id)


def _over(days: int, name: str) -> Iterator[Question]:
    period = _days(days)
    user, model, feature = group_by_column("user_id"), group_by_column("model"), group_by_property("Feature")
    premium = parse_filter({"properties": {"UserTier": {"equals": "premium"}}})
    one_user = parse_filter({"request": {"user_id": {"equals": "user-4321"}}})
    session = (group_by_column("session_id"), group_by_column("session_name"))
    in_session = Not(comparison("session_id", Operator.EQUALS, None))
    day = "toDate(request_created_at, 'Europe/Berlin') AS day"
    asked = (
        ("total", _report(period, *_SPEND), _theirs(days)),
        (
            "by day",
            _report(period, *_SPEND, by=(ByTime("day", "Europe/Berlin"),)),
            _theirs(days, day, "GROUP BY day ORDER BY day"),
        ),
        ("by model", _report(period, *_SPEND, by=(model,)), _theirs(days, "model", "GROUP BY model")),
        (
            "top users",
            _report(period, *_SPEND, by=(user,), limit=10),
            _theirs(days, "user_id", "GROUP BY user_id ORDER BY cost DESC LIMIT 10"),
        ),
        (
            "by feature of premium",
            _report(And((period, premium)), *_SPEND, by=(feature,)),
            _theirs(
                days,
                "properties['feature'] AS feature",
                "GROUP BY feature",
                "properties['usertier'] = 'premium'",
            ),
        ),
        (
            "p95 latency by model",
            _report(period, "p95_latency_ms", "requests", by=(model,)),
            _theirs(days, "model, quantile(0.95)(latency) AS p95", "GROUP BY model"),
        ),
        (
            "one user",
            _report(And((period, one_user)), *_SPEND),
            _theirs(days, where="user_id = 'user-4321'"),
        ),
        (
            "top sessions",
            _report(And((period, in_session)), *_SPEND, by=session, limit=10),
            _theirs(
                days,
                "properties['helicone-session-id'] AS session",
                "GROUP BY session ORDER BY cost DESC LIMIT 10",
                "properties['helicone-session-id'] != ''",
            ),
        ),
    )
    for question, ours, theirs in asked:
        yield Question(f"{question}, {name}", ours, theirs, _REPORT_MS)


def _pages(request_id: str) -> Iterator[Question]:
    one_user = parse_filter({"request": {"user_id": {"equals": "user-4321"}}})
    premium = parse_filter({"properties": {"UserTier": {"equals": "premium"}}})
    page = "SELECT * FROM {table} WHERE organization_id = {org} AND {where} ORDER BY request_created_at DESC LIMIT 100"
    asked = (
        ("newest 100", compile_listing(_first_look(Everything())), page.replace("{where}", "1"), _PAGE_MS),
        (
            "newest 100 of premium",
            compile_listing(_first_look(premium)),
            page.replace("{where}", "properties['usertier'] = 'premium'"),
            2 * _PAGE_MS,
        ),
        (
            "newest 100 of one user",
            compile_listing(_first_look(one_user)),
            page.replace("{where}", "user_id = 'user-4321'"),
            2 * _PAGE_MS,
        ),
        (
            "how many there are",
            compile_count(_page(Everything())),
            "SELECT count() FROM {table} WHERE organization_id = {org}",
            _PAGE_MS,
        ),
        (
            "one by its id",
            compile_listing(_by_id(request_id)),
            "SELECT * FROM {table} WHERE organization_id = {org} AND request_id = {id:UUID}",
            _PAGE_MS,
        ),
    )
    for name, ours, sql, aim_ms in asked:
        yield Question(name, ours, _statement(sql, id=request_id), aim_ms)


def a_listing() -> Statement:
    """Of the newest page."""
    return compile_listing(_first_look(Everything()))


def _days(days: int) -> Filter:
    return Period(start=END - timedelta(days=days), end=END).filter()


def _report(where: Filter, *measures: str, by: tuple[Dimension, ...] = (), limit: int = 1000) -> Statement:
    in_time = any(isinstance(part, ByTime) for part in by)
    return compile_report(
        Report(
            table=REQUEST_RESPONSE,
            organization_id=ORGANIZATION,
            where=where,
            measures=tuple(MEASURES[name] for name in measures),
            by=by,
            order_by=None if in_time else 0,
            descending=not in_time,
            limit=limit,
        )
    )


def _changes() -> Statement:
    body = ChangesRequest.model_validate(
        {
            "timeFilter": {"start": _instant(END - timedelta(days=30)), "end": _instant(END)},
            "by": [{"column": "user_id"}],
        }
    )
    question = question_of(body, ORGANIZATION, END)
    return compile_changes(comparison_by(question, body.by, PARTS, 20_000), body.limit + 1)


def _page(where: Filter) -> Listing:
    return Listing(
        table=REQUEST_RESPONSE,
        organization_id=ORGANIZATION,
        where=where,
        order_by=NEWEST_FIRST,
        limit=101,
        latest=_LATEST,
    )


def _first_look(where: Filter) -> Listing:
    """A page as the service looks for it at first; it finds whole pages."""
    return near_looks(_page(where))[0]


def _by_id(request_id: str) -> Listing:
    named = parse_filter({"request": {"id": {"equals": request_id}}})
    return Listing(table=REQUEST_RESPONSE, organization_id=ORGANIZATION, where=named, order_by=NEWEST_FIRST, limit=11)


def _theirs(days: int, by: str = "", grouped: str = "", where: str = "1") -> Statement:
    selected = f"{by}, {_THEIR_SPEND}" if by else _THEIR_SPEND
    period = "request_created_at >= {start:DateTime64(3, 'UTC')} AND request_created_at < {end:DateTime64(3, 'UTC')}"
    sql = f"SELECT {selected} FROM {{table}} WHERE organization_id = {{org}} AND {period} AND {where} {grouped}"
    return _statement(sql, start=END - timedelta(days=days), end=END)


def _statement(sql: str, **parameters: Bound) -> Statement:
    named = sql.replace("{table}", HELICONE).replace("{org}", "reinterpretAsUUID(MD5({org:String}))")
    return Statement(sql=named, parameters={"org": ORGANIZATION, **parameters})


def _instant(timestamp: datetime) -> str:
    return timestamp.isoformat()
