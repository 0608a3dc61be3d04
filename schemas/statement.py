"""SQL text and what fills its placeholders, kept apart until the driver binds them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

Scalar = str | int | float | Decimal | bool | datetime | None
Bound = Scalar | Sequence[str] | Sequence[datetime]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`sql` holds `{name:Type}` placeholders only; `parameters` fills each of them."""

    sql: str
    parameters: Mapping[str, Bound]
    organization_id: str = ""  # whose rows it reads; '' for shared tables
    is_cheap: bool = False  # it reads few rows, however many there are
