"""Conditions on the figures of groups, as clients write them: `{measure: {operator: value}}`. All must hold."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from schemas.errors import InvalidFilter
from schemas.tables import OPERATORS, PARAM_TYPES, Column, Kind, Operator
from services.sql.measures import Measure
from services.sql.nodes import Having
from services.sql.values import parse_value, shown

_FLOAT: Final = "Float64"  # of counts, shares and durations, which are below 2**53
_KINDS: Final[Mapping[str, Kind]] = {"USD": Kind.MONEY, "timestamp": Kind.TIMESTAMP}
_OPERATORS: Final = OPERATORS[Kind.NUMBER]


def parse_having(json: Mapping[str, Mapping[str, object]], measures: Sequence[Measure], place: str) -> Iterator[Having]:
    """`measures` are those of the report, with every one that `json` names.

    Raises: InvalidFilter, which names `place` and the culprit.
    """
    names = [measure.name for measure in measures]
    for name, conditions in json.items():
        position = names.index(name)
        if not conditions:
            raise InvalidFilter(f"{place}.{name} is given without a condition")
        for operator, given in conditions.items():
            yield _condition(position, measures[position], operator, given, f"{place}.{name}")


def _condition(position: int, measure: Measure, operator: str, given: object, place: str) -> Having:
    if operator not in _OPERATORS:
        raise InvalidFilter(f"unknown operator {shown(operator)} of {place}: known are {', '.join(sorted(_OPERATORS))}")
    negated = operator == Operator.NOT_EQUALS
    positive = Operator.EQUALS if negated else Operator(operator)
    value, param_type = _value(measure, positive, given, f"{place} {operator}")
    return Having(measure=position, operator=positive, value=value, param_type=param_type, negated=negated)


def _value(
    measure: Measure, operator: Operator, given: object, place: str
) -> tuple[Decimal | float | datetime | None, str]:
    """What is compared with a figure, and the type that it is bound as."""
    kind = _KINDS.get(measure.unit, Kind.MONEY)
    figure = Column(name=measure.name, sql=measure.name, kind=kind, param_type=PARAM_TYPES[kind], nullable=True)
    value = parse_value(figure, operator, given, place)
    assert value is None or isinstance(value, Decimal | datetime)
    if isinstance(value, Decimal) and measure.unit not in _KINDS:
        return float(value), _FLOAT
    return value, figure.param_type
