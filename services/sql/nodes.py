"""The queries that can be compiled: a Filter tree, and the two shapes Listing and Report around it."""

from collections.abc import Mapping
from datetime import datetime
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


Filter: TypeAlias = Everything | Compare | And | Or | Not | HasKey


def comparison(name: str, operator: Operator, value: Scalar | tuple[str, ...]) -> Compare:
    """Of the column of requests that clients call `name`."""
    return Compare(column=REQUEST_RESPONSE.columns[name], operator=operator, value=value)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """By a column, by one key of a map column, or, without a column, at random."""

    column: Column | None = None
    key: str | None = None
    descending: bool = True


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, each request once.

    With a `reach` only the first so many stored versions that fulfil the filter are looked at, which is fast and may
    miss rows behind them; see `compile_candidates`. It needs an order by creation timestamp: no version changes that.
    """

    table: Table
    organization_id: str
    where: Filter
    order_by: Order
    limit: int
    offset: int = 0
    reach: int | None = None


class ByColumn(msgspec.Struct, frozen=True):
    column: Column


class ByProperty(msgspec.Struct, frozen=True):
    key: str  # lower case


class ByTime(msgspec.Struct, frozen=True):
    bucket: str  # a key of compile.BUCKETS
    time_zone: str  # IANA name


Dimension: TypeAlias = ByColumn | ByProperty | ByTime


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, and the total over all of them. `order_by` is a position in `measures`, or None: by the dimensions."""

    table: Table
    organization_id: str
    where: Filter
    measures: tuple[Measure, ...]
    by: tuple[Dimension, ...] = ()
    order_by: int | None = 0
    descending: bool = True
    limit: int = 1000
