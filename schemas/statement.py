"""SQL text and what fills its placeholders, kept apart until the driver binds them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

Scalar = str | int | float | Decimal | bool | datetime | None
Bound = Scalar | Sequence[str] | Sequence[datetime] | Sequence[int]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`sql` holds `{name:Type}` placeholders only; `parameters` fills each of them."""

    sql: str
    parameters: Mapping[str, Bound]
    organization_id: str = ""  # whose rows it reads; '' for shared tables
    is_cheap: bool = False  # it reads few rows, however many there are
    timeout_s: float | None = None  # where it is worth less time than others
    is_limited: bool = False  # a client asked for it: the limits of queries hold, and it ends when nobody waits for it
    is_patient: bool = False  # work in the background: it may take minutes and read any number of rows
    rolled: "RolledStatement | None" = None  # the same rows, read from the roll-up as far as that is complete


class RolledStatement(msgspec.Struct, frozen=True, kw_only=True):
    """The same result from sums of whole buckets, and from the rows of all others.

    Each of `estimates` finds `rows`: how many are stored in a period at most. Each of `outdated` finds one row: the
    `outdated` buckets of a period in unix seconds, how many stored rows are `remaining` to be read in these, and how
    many are `spared` in all others. `rows` lacks a parameter for each of these lists: OUTDATED with its position.
    """

    estimates: tuple[Statement, ...]
    outdated: tuple[Statement, ...]
    rows: Statement


OUTDATED = "outdated"
