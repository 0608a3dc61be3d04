"""Measures of one score, which have its name behind them: `average_score.accuracy`."""

from typing import Final

from schemas.amendment import MAX_NAME
from services.sql.measures import ADDED_UP, COVERAGE, MEASURES, SCORE, ZERO_OF_NOTHING, Measure

AVERAGE: Final = "average_score."
SCORED: Final = "requests_with_score."

_HAS: Final = f"mapContains(scores, {SCORE})"
_COUNT: Final = f"countIf({_HAS})"


def measure_named(name: str) -> Measure | None:
    """The measure that clients call `name`, be it of a score; None where there is none."""
    for prefix, make in ((AVERAGE, _average), (SCORED, _scored)):
        score = name.removeprefix(prefix)
        if name.startswith(prefix) and 0 < len(score) <= MAX_NAME:
            return make(score)
    return MEASURES.get(name)


def coverage_of(measure: Measure) -> tuple[Measure, ...]:
    """What stands beside `measure`, so that it is not taken for all."""
    if measure.name.startswith(AVERAGE) and measure.score is not None:
        return MEASURES["requests"], _scored(measure.score)
    return tuple(MEASURES[name] for name in COVERAGE.get(measure.name, ()))


def adds_up(name: str) -> bool:
    """Whether the figures of all groups together add up to the total's."""
    return name in ADDED_UP or name.startswith(SCORED)


def is_zero_of_nothing(name: str) -> bool:
    """Whether it is zero where there is no request at all; all others have no value then."""
    return name in ZERO_OF_NOTHING or name.startswith(SCORED)


def _average(score: str) -> Measure:
    sql = f"if({_COUNT} = 0, NULL, avgIf(scores[{SCORE}], {_HAS}))"
    return Measure(name=f"{AVERAGE}{score}", sql=sql, unit="score", meaning="of the requests that have it", score=score)


def _scored(score: str) -> Measure:
    return Measure(name=f"{SCORED}{score}", sql=_COUNT, unit="requests", meaning="that have the score", score=score)
