"""Sort JSON into an Order, and names into the dimensions of a Report."""

from collections.abc import Mapping

from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Column, Kind
from services.sql.nodes import ByColumn, ByProperty, Order
from services.sql.parse import property_target
from services.sql.values import MAX_VALUE, known_names, shown

# What clients write, and the column that it stands for.
SORTS: Mapping[str, str] = {
    "created_at": "request_created_at",
    "request_created_at": "request_created_at",
    "latency": "latency",
    "time_to_first_token": "time_to_first_token",
    "total_tokens": "total_tokens",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "user_id": "user_id",
    "body_model": "model",
    "is_cached": "cached",
    "cost": "cost",
    "cost_usd": "cost",
}
NEWEST_FIRST = Order(column=REQUEST_RESPONSE.columns["request_created_at"])
OLDEST_FIRST = Order(column=REQUEST_RESPONSE.columns["request_created_at"], descending=False)

_GROUPABLE = frozenset({Kind.TEXT, Kind.FLAG, Kind.NUMBER, Kind.MONEY, Kind.TIMESTAMP, Kind.UUID})


def parse_order(json: Mapping[str, object]) -> Order:
    """One key and its direction; the newest first when there is none. Raises: InvalidRequest."""
    if not json:
        return NEWEST_FIRST
    if len(json) > 1:
        raise InvalidRequest(f"sort takes one key, not {len(json)}")
    ((name, direction),) = json.items()
    if name == "random":
        return _random(direction)
    if name == "properties":
        return _by_property(direction)
    if name not in SORTS:
        raise InvalidRequest(f"unknown sort {shown(name)}: {known_names(name, (*SORTS, 'properties', 'random'))}")
    return Order(column=REQUEST_RESPONSE.columns[SORTS[name]], descending=_descending(name, direction))


def group_by_column(name: str) -> ByColumn:
    """Raises: InvalidRequest."""
    groupable = groupable_columns()
    if name not in groupable:
        raise InvalidRequest(f"unknown column {shown(name)} to group by: {known_names(name, groupable)}")
    return ByColumn(groupable[name])


def group_by_property(name: str) -> ByColumn | ByProperty:
    """Raises: InvalidRequest."""
    column, key = _property(name)
    return ByColumn(column) if key is None else ByProperty(key)


def groupable_columns() -> Mapping[str, Column]:
    """Columns with one plain value a row that is not the same for all rows."""
    return {
        name: column
        for name, column in REQUEST_RESPONSE.columns.items()
        if column.kind in _GROUPABLE and not column.sql.startswith(("'", "CAST", "false"))
    }


def _random(json: object) -> Order:
    if json is not True:
        raise InvalidRequest(f"sort random takes true, not {shown(json)}")
    return Order()


def _by_property(json: object) -> Order:
    if not isinstance(json, dict) or len(json) != 1:
        raise InvalidRequest(f"sort properties takes one name and its direction, not {shown(json)}")
    ((name, direction),) = json.items()
    column, key = _property(name)
    return Order(column=column, key=key, descending=_descending(f"properties {shown(name)}", direction))


def _property(name: str) -> tuple[Column, str | None]:
    if len(name) > MAX_VALUE:
        raise InvalidRequest(f"the name of a property has at most {MAX_VALUE} characters, not {shown(name)}")
    return property_target(name)


def _descending(name: str, direction: object) -> bool:
    if direction not in ("asc", "desc"):
        raise InvalidRequest(f"sort {name} takes asc or desc, not {shown(direction)}")
    return direction == "desc"
