"""Laws of filters: the engine returns what a plain reading of the JSON returns, and the algebra of conditions holds."""

import asyncio
import copy
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidFilter
from schemas.statement import Statement
from schemas.tables import PROPERTY_SPELLING, REQUEST_RESPONSE
from schemas.timestamps import MILLISECOND
from services.ports.warehouse import Warehouse
from services.query.reports.period import Period
from services.query.requests.paging import RECENT, Page, page_of
from services.sql.changes import PARTS, compile_changes
from services.sql.compile import compile_listing, compile_report
from services.sql.measures import MEASURES
from services.sql.names import Names, compile_nearest_property, compile_nearest_value, compile_seen, names_of
from services.sql.nodes import (
    And,
    Behind,
    ByColumn,
    ByProperty,
    Compare,
    Comparison,
    Dimension,
    Everything,
    Filter,
    HasKey,
    Listing,
    Not,
    Or,
    Order,
    Report,
    UsesModel,
)
from services.sql.parse import parse_filter
from services.sql.scope import searches_bodies
from services.sql.sort import NEWEST_FIRST, OLDEST_FIRST, SORTS
from tests.builders.records import TIMESTAMP
from tests.laws.filter_rows import ORGANIZATION, ROWS, STRANGER, TIMESTAMPS, filters, kept_rows, leaf_conditions
from tests.laws.plain_filters import VALUES, holds
from tests.support.examples import examples


class Asker:
    """The rows in a warehouse, and one loop to ask it from."""

    def __init__(self, warehouse: Warehouse, runner: asyncio.Runner) -> None:
        self._warehouse = warehouse
        self._runner = runner

    def ask(self, statement: Statement) -> list[dict[str, Any]]:
        return self._runner.run(self._warehouse.query(statement))

    def ids(self, where: Filter, order: Order = NEWEST_FIRST) -> list[str]:
        listing = Listing(table=REQUEST_RESPONSE, organization_id=ORGANIZATION, where=where, order_by=order, limit=1000)
        return [str(row["request_id"]) for row in self.ask(compile_listing(listing))]

    def page(self, listing: Listing) -> Page:
        return self._runner.run(page_of(listing, self._warehouse))

    def count(self, where: Filter) -> int:
        return int(self.ask(compile_report(_counting(where)))[0]["m0"])


def _counting(where: Filter, *by: ByProperty) -> Report:
    return Report(
        table=REQUEST_RESPONSE,
        organization_id=ORGANIZATION,
        where=where,
        measures=(MEASURES["attempts"], MEASURES["cost_usd"]),
        by=by,
    )


@pytest.fixture(scope="module")
def asker(embedded_warehouse: Warehouse) -> Iterator[Asker]:
    with asyncio.Runner() as runner:
        for records, bodies in kept_rows(ROWS):
            runner.run(embedded_warehouse.insert(records, bodies))
        yield Asker(embedded_warehouse, runner)


def test_the_plain_reading_knows_every_column() -> None:
    assert set(VALUES) == set(REQUEST_RESPONSE.columns)


@given(filter_json=filters())
def test_the_engine_returns_what_a_plain_reading_returns(asker: Asker, filter_json: object) -> None:
    expected = {row.record.request_id for row in ROWS if holds(filter_json, row)}
    responded = asker.ids(parse_filter(filter_json))
    assert len(responded) == len(expected)
    assert set(responded) == expected


@given(a=filters(), b=filters())
@settings(max_examples=examples(20), deadline=None)
def test_the_algebra_of_conditions_holds(asker: Asker, a: object, b: object) -> None:
    left, right = parse_filter(a), parse_filter(b)
    assert asker.count(left) + asker.count(Not(left)) == asker.count(Everything()) == len(ROWS)
    both, either = asker.count(And((left, right))), asker.count(Or((left, right)))
    assert both + either == asker.count(left) + asker.count(right)
    assert asker.count(Not(And((left, right)))) == asker.count(Or((Not(left), Not(right))))


@given(filter_json=filters(), key=st.sampled_from(["feature", "usertier", "absent"]))
@settings(max_examples=examples(20), deadline=None)
def test_groups_add_up_to_the_total_and_to_a_plain_sum(asker: Asker, filter_json: object, key: str) -> None:
    total, *groups = asker.ask(compile_report(_counting(parse_filter(filter_json), ByProperty(key))))
    rows = [row.record for row in ROWS if holds(filter_json, row)]
    assert sum(group["m0"] for group in groups) == total["m0"] == len(rows)
    assert sum(group["m1"] or 0 for group in groups) == (total["m1"] or 0) == sum(row.cost_usd or 0 for row in rows)
    costs = {key_of: [row.cost_usd for row in rows if row.properties.get(key, "") == key_of] for key_of in _values(key)}
    for group in groups:
        assert (group["m1"] is None) == (set(costs[group["d0"]]) == {None})


def _values(key: str) -> set[str]:
    return {row.record.properties.get(key, "") for row in ROWS}


@given(
    filter_json=filters(),
    by=st.lists(
        st.sampled_from([ByColumn(REQUEST_RESPONSE.columns["time_to_first_token"]), ByProperty("feature")]), max_size=2
    ),
    change=st.sampled_from(TIMESTAMPS),
    gap=st.sampled_from([timedelta(0), MILLISECOND, -MILLISECOND, -RECENT]),
    groups=st.integers(1, 4),
)
@example(
    {"request_response_rmt": {"request_created_at": {"equals": TIMESTAMP.isoformat()}}}, [], TIMESTAMPS[2], -RECENT, 1
)
@example("all", [ByProperty("feature")], TIMESTAMP, timedelta(0), 2)
@settings(max_examples=examples(12), deadline=None)
def test_two_periods_read_at_once_are_what_each_is_by_itself(
    asker: Asker, filter_json: object, by: list[Dimension], change: datetime, gap: timedelta, groups: int
) -> None:
    where = parse_filter(filter_json)
    here, there = (
        And((Period(start=start, end=end).filter(), where))
        for start, end in ((change + gap, TIMESTAMP + RECENT), (TIMESTAMP - RECENT, change))
    )
    report = msgspec.structs.replace(_counting(here), measures=PARTS, by=tuple(by))
    at_once = compile_changes(Comparison(report=report, compared=there), groups)
    apart = compile_changes(Comparison(report=report, compared=Not(Not(there))), groups)
    is_one_reading = at_once.sql.count("UNION ALL") < apart.sql.count("UNION ALL")
    assert is_one_reading is (gap >= timedelta(0)) or where != Everything()
    assert asker.ask(at_once) == asker.ask(apart)


@given(filter_json=filters(), name=st.sampled_from(sorted(SORTS)), descending=st.booleans())
@settings(max_examples=examples(20), deadline=None)
def test_an_order_is_total_and_its_reverse_is_exact(
    asker: Asker, filter_json: object, name: str, descending: bool
) -> None:
    column = REQUEST_RESPONSE.columns[SORTS[name]]
    where = parse_filter(filter_json)
    page = asker.ids(where, Order(column=column, descending=descending))
    assert len(page) == len(set(page)) == asker.count(where)
    assert page == asker.ids(where, Order(column=column, descending=descending))


@given(
    filter_json=filters(),
    limit=st.integers(0, 8),
    offset=st.integers(0, 70),
    order=st.sampled_from([NEWEST_FIRST, OLDEST_FIRST]),
    after=st.none() | st.sampled_from([-RECENT, timedelta(0), RECENT, RECENT + MILLISECOND, 2 * RECENT]),
)
def test_a_page_is_the_same_wherever_it_is_looked_for_first(
    asker: Asker, filter_json: object, limit: int, offset: int, order: Order, after: timedelta | None
) -> None:
    where = parse_filter(filter_json)
    listing = Listing(
        table=REQUEST_RESPONSE,
        organization_id=ORGANIZATION,
        where=where,
        order_by=order,
        limit=limit,
        offset=offset,
        latest=None if after is None else TIMESTAMP + after,
    )
    page, ids = asker.page(listing), asker.ids(listing.shown, order)
    assert [str(row["request_id"]) for row in page.rows] == ids[offset : offset + limit]
    assert page.has_more == (len(ids) > offset + limit)
    is_uncounted = searches_bodies(where) and (page.has_more or (offset > 0 and not page.rows))
    assert page.total_rows == (None if is_uncounted else len(ids))


@given(filter_json=filters())
def test_a_value_was_seen_when_some_row_has_it(asker: Asker, filter_json: object) -> None:
    names = names_of(parse_filter(filter_json))
    values = names.values + names.searched
    if values:
        seen = {row["place"] for row in asker.ask(compile_seen(ORGANIZATION, values))}
        assert seen == {place for place, value in enumerate(values) if asker.count(value)}
    for statement in _nearest(names, ORGANIZATION):
        assert all(0 <= row["distance"] <= 8 for row in asker.ask(statement))


def _nearest(names: Names, organization_id: str) -> list[Statement]:
    found = [compile_nearest_property(organization_id, key) for key in names.properties]
    found += [compile_nearest_value(organization_id, value) for value in names.values]
    return [statement for statement in found if statement is not None]


MARK = "zq7"


@given(filter_json=filters(MARK), data=st.data())
def test_no_value_of_a_client_is_sql_and_every_reading_names_the_tenant(
    filter_json: object, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(["feature", f"{MARK}' OR 1"]))
    order = Order(column=REQUEST_RESPONSE.columns["properties"], key=key)
    where = parse_filter(filter_json)
    listing = Listing(table=REQUEST_RESPONSE, organization_id=MARK, where=where, order_by=order, limit=1)
    for statement in (compile_listing(listing), compile_report(_counting(where, ByProperty(key)))):
        assert MARK not in statement.sql
        tables = len(re.findall(r"FROM (?!\()", statement.sql))
        assert tables == statement.sql.count("WHERE organization_id = {p0:String} AND ") > 0
        assert statement.parameters["p0"] == listing.organization_id or statement.parameters["p0"] == ORGANIZATION
        assert "%" not in statement.sql
    names = names_of(where, [ByProperty(key)])
    for statement in (compile_seen(MARK, names.values + names.searched), *_nearest(names, MARK)):
        assert MARK not in statement.sql
        tables = sum(statement.sql.count(f"FROM {table.name}") for table in (REQUEST_RESPONSE, PROPERTY_SPELLING))
        assert tables == statement.sql.count("WHERE organization_id = {p0:String} AND ")
        assert statement.parameters["p0"] == MARK


def conditions(node: Filter) -> int:
    match node:
        case Everything():
            return 0
        case Compare() | HasKey() | Behind() | UsesModel():
            return 1
        case Not(term):
            return conditions(term)
        case And(terms) | Or(terms):
            return sum(conditions(term) for term in terms)


@given(filter_json=filters())
def test_no_condition_is_ignored(filter_json: object) -> None:
    assert conditions(parse_filter(filter_json)) == leaf_conditions(filter_json)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("all"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged_filters(draw: st.DrawFn) -> object:
    """A filter with one part of it replaced by any JSON."""
    filter_json = copy.deepcopy(draw(filters()))
    if not isinstance(filter_json, dict) or not filter_json:
        return draw(JSON)
    part = filter_json
    while True:
        name = draw(st.sampled_from(sorted(part)))
        if not isinstance(part[name], dict) or not part[name] or draw(st.booleans()):
            part[name] = draw(JSON)
            return filter_json
        part = part[name]


@given(filter_json=JSON | damaged_filters())
def test_any_json_is_a_filter_or_refused_with_a_reason(filter_json: object) -> None:
    try:
        node = parse_filter(filter_json)
    except InvalidFilter as error:
        reason = str(error)
    else:
        reason = "" if conditions(node) == leaf_conditions(filter_json) else "ignored"
    assert reason == "" or 10 < len(reason) < 2000


def test_a_strangers_rows_are_there_but_never_seen(asker: Asker) -> None:
    stranger = Report(
        table=REQUEST_RESPONSE, organization_id=STRANGER, where=Everything(), measures=(MEASURES["attempts"],)
    )
    assert asker.ask(compile_report(stranger))[0]["m0"] == len(ROWS)
    assert asker.count(parse_filter({"request": {"org_id": {"equals": STRANGER}}})) == 0
