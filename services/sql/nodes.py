"""The queries that can be compiled: a Filter tree, and the two shapes Listing and Report around it."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from schemas.statement import Scalar
from schemas.tables import REQUEST_RESPONSE, Column, Operator, Table
from services.sql.measures import Measure


class Everything(msgspec.Struct, frozen=True):
    """Holds for every row."""


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    """One column, or one key of a map column, against one value. None stands for "has no value"."""

    column: Column
    operator: Operator  # never a negation
    value: Scalar | tuple[str, ...]  # already the Python type of the column; a tuple for ONE_OF
    key: str | None = None


class And(msgspec.Struct, frozen=True):
    terms: tuple["Filter", ...]


class Or(msgspec.Struct, frozen=True):
    terms: tuple["Filter", ...]


class Not(msgspec.Struct, frozen=True):
    term: "Filter"


class Key(msgspec.Struct, frozen=True):
    """What identifies a row of its organization. An id alone does not: clients may use one again."""

    request_created_at: datetime
    request_id: str


def key_of(row: Mapping[str, Any]) -> Key:
    """Of a row as the warehouse returns it."""
    return Key(row["request_created_at"], str(row["request_id"]))


class HasKey(msgspec.Struct, frozen=True):
    """Holds for the rows with one of these keys."""

    keys: tuple[Key, ...]


class Behind(msgspec.Struct, frozen=True):
    """Holds for the rows behind `key` in the order of time, or in the opposite one."""

    key: Key
    descending: bool = False


class UsesModel(msgspec.Struct, frozen=True):
    """Holds for the rows in which another model took part whose name is like a `pattern` of ILIKE."""

    pattern: str


Filter: TypeAlias = Everything | Compare | And | Or | Not | HasKey | Behind | UsesModel


def comparison(name: str, operator: Operator, value: Scalar | tuple[str, ...]) -> Compare:
    """Of the column of requests that clients call `name`."""
    return Compare(column=REQUEST_RESPONSE.columns[name], operator=operator, value=value)


def _until(latest: datetime) -> Compare:
    return comparison("request_created_at", Operator.LTE, latest)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """By a column, by one key of a map column, or, without a column, at random."""

    column: Column | None = None
    key: str | None = None
    descending: bool = True


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, each request once.

    Rows created after `latest` are not shown. There are few of those, if any, so that to count them and take them off
    is cheaper than to look at the timestamp of every row.

    With a `reach` only the first so many stored versions that fulfil the filter are looked at, which is fast and may
    miss rows behind them; see `compile_candidates`. It needs an order by creation timestamp: no version changes that.
    """

    table: Table
    organization_id: str
    where: Filter
    order_by: Order
    limit: int
    offset: int = 0
    latest: datetime | None = None
    reach: int | None = None

    @property
    def shown(self) -> "Filter":
        """What holds for its rows."""
        return self.where if self.latest is None else And((self.where, _until(self.latest)))


class ByColumn(msgspec.Struct, frozen=True):
    column: Column


class ByProperty(msgspec.Struct, frozen=True):
    key: str  # lower case


class ByTime(msgspec.Struct, frozen=True):
    bucket: str  # a key of compile.BUCKETS
    time_zone: str  # IANA name


Dimension: TypeAlias = ByColumn | ByProperty | ByTime


class Having(msgspec.Struct, frozen=True, kw_only=True):
    """A condition on a figure of a group, by its position in `measures`. None stands for "is unknown"."""

    measure: int
    operator: Operator  # never a negation
    value: Decimal | float | datetime | None
    param_type: str
    negated: bool = False


class ValueRows(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned from `start` on, before `end`, by what fulfils `where`, which is about users and properties.

    Entries are spread over their periods evenly, and cut at `cuts`, where buckets of time begin.
    """

    start: datetime
    end: datetime
    where: Filter
    cuts: tuple[datetime, ...] = ()
    of_groups: bool = True  # else of the total only: groups have none that is known


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, and the total over all of them. `order_by` is a position in `measures`, or None: by the dimensions.

    Groups that do not fulfil every condition of `having` are left out, and stay in the total.
    Measures of value are unknown where `value` is None.
    """

    table: Table
    organization_id: str
    where: Filter
    measures: tuple[Measure, ...]
    by: tuple[Dimension, ...] = ()
    having: tuple[Having, ...] = ()
    order_by: int | None = 0
    descending: bool = True
    limit: int = 1000
    value: ValueRows | None = None


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """The buckets in which two periods start: the n-th of the one stands beside the n-th of the other."""

    first: datetime | date  # an instant, or for days and longer a date
    compared_first: datetime | date


class Ranked(StrEnum):
    """By which figure of a measure groups are ordered."""

    VALUE = "value"
    PREVIOUS = "previous"
    CHANGE = "change"
    RELATIVE = "relative"  # of what it was; unknown where that is zero


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and beside each group its figures among the rows that fulfil `compared`: those of another period.

    Groups of either are in it. `having` is about the report's own figures.
    """

    report: Report
    compared: Filter
    compared_value: ValueRows | None = None
    alignments: Mapping[int, Alignment] = {}  # of the dimensions by time, by their positions
    ranked: Ranked = Ranked.VALUE
