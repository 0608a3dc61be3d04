"""The statements of a re-pricing: rows to charge again, and rows written anew with other money and all else as it was.

All of them go through keys in order, a chunk at a time, so that neither a process nor a join holds more than a chunk.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.reprice import ChargedRow, Criteria
from schemas.statement import Statement
from schemas.tables import COST_CORRECTION, REQUEST_RESPONSE, Operator
from schemas.usage import USAGE_CLASSES
from schemas.versions import AMENDMENT_BITS, LOGGED_BELOW_US, LOGGED_LESS_US, MAX_AMENDMENTS
from services.sql.amendments import STORED
from services.sql.filters import compile_filter
from services.sql.nodes import And, Everything, Filter, Key, Or, UsesModel, comparison
from services.sql.scope import Scope, from_rows

CHARGED: Final = tuple(name for name in ChargedRow.__struct_fields__ if name not in ("organization_id", "usage"))
_MONEY: Final = ("cost_usd", "cost_state", "price_id", "other_models", "original_cost_usd")
_KEY: Final = "request_created_at, request_id"


class Span(msgspec.Struct, frozen=True):
    """The rows from one key to another, both among them."""

    first: Key
    last: Key


def criteria_filter(criteria: Criteria) -> Filter:
    """Every row that `criteria` are about."""
    terms: list[Filter] = [
        comparison("request_created_at", Operator.GTE, criteria.since),
        comparison("request_created_at", Operator.LT, criteria.until),
    ]
    if criteria.model != "*":
        pattern = like_pattern(criteria.model)
        terms.append(Or((comparison("model", Operator.ILIKE, pattern), UsesModel(pattern))))
    if criteria.provider not in ("", "*"):
        terms.append(comparison("provider", Operator.ILIKE, like_pattern(criteria.provider)))
    return And(tuple(terms))


def like_pattern(wanted: str) -> str:
    """What LIKE takes for `wanted`: `*` for any text; what else means something in a pattern stands for itself."""
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def compile_charged_rows(organization_id: str, where: Filter, after: Key | None, limit: int) -> Statement:
    """The next rows behind `after`, as their cost needs them."""
    scope = Scope(organization_id, where)
    names = ", ".join((*CHARGED, *USAGE_CLASSES))
    rows = from_rows(REQUEST_RESPONSE, f"{compile_filter(where, scope)} AND {_behind(after, scope)}", scope)
    return scope.statement(f"SELECT {names} {rows} ORDER BY {_KEY} LIMIT {scope.bind(limit, 'UInt64')}")


def compile_correction_keys(organization_id: str, reprice_id: str, after: Key | None, limit: int) -> Statement:
    """The next keys behind `after` that the run has corrections of."""
    scope = Scope(organization_id, Everything())
    corrections = _corrections(reprice_id, _behind(after, scope), scope)
    return scope.statement(f"SELECT {_KEY} {corrections} ORDER BY {_KEY} LIMIT {scope.bind(limit, 'UInt64')}")


def compile_correction_count(organization_id: str, reprice_id: str) -> Statement:
    scope = Scope(organization_id, Everything())
    return scope.statement(f"SELECT count() AS corrections {_corrections(reprice_id, '1', scope)}")


def compile_later_runs(organization_id: str, reprice_id: str) -> Statement:
    """Ids of the runs that corrected rows which this run had corrected last, undone ones among them."""
    scope = Scope(organization_id, Everything())
    prior = f"prior_reprice_id = {scope.bind(reprice_id, 'String')}"
    on_top = from_rows(COST_CORRECTION, prior, scope, final=False)
    return scope.statement(f"SELECT DISTINCT reprice_id {on_top}")


def compile_corrected(organization_id: str, reprice_id: str, span: Span) -> Statement:
    """Writes the rows of `span` that the run has corrections of: copies of the versions that those were decided on."""
    scope = Scope(organization_id, Everything())
    corrections = _corrections(reprice_id, _within(span, scope), scope)
    replaced = {name: f"c.{name}" for name in ("reprice_id", *_MONEY)}
    replaced["version"] = _with_amendments_of_row(_charged("c.version"))
    copied = f"SELECT {_KEY}, {_charged('row_version')} {corrections}"
    return scope.statement(_copies(scope, span, replaced, corrections, copied))


def compile_restored(organization_id: str, reprice_id: str, span: Span, least_us: int) -> Statement:
    """Writes the rows of `span` that are as the run left them as they were before it, in still newer versions.

    A row whose call was logged again since is not: the later log is a charge of its own, which the run did not change.
    `least_us`: the unix microseconds that a version is made from at least.
    """
    scope = Scope(organization_id, Everything())
    replaced = {name: f"c.prior_{name}" for name in ("reprice_id", *_MONEY)}
    charged_us = _charged("r.version")
    least = f"{scope.bind(least_us, 'UInt64')} - if({charged_us} < {LOGGED_BELOW_US}, {LOGGED_LESS_US}, 0)"
    after_us = f"greatest({charged_us} + 1, toUInt64({least}))"
    replaced["version"] = _with_amendments_of_row(after_us)
    # FINAL: where a row has been restored or corrected since, the version that the run wrote may still be there.
    as_left = f"{_within(span, scope)} AND reprice_id = {scope.bind(reprice_id, 'String')}"
    left = from_rows(REQUEST_RESPONSE, as_left, scope)
    corrections = _corrections(reprice_id, _within(span, scope), scope)
    return scope.statement(_copies(scope, span, replaced, corrections, f"SELECT {_KEY}, {_charged('version')} {left}"))


def compile_not_restored_count(organization_id: str, reprice_id: str, span: Span) -> Statement:
    """How many of the rows of `span` that the run has corrections of do not cost what they did before it."""
    scope = Scope(organization_id, Everything())
    joined = _joined(_corrections(reprice_id, _within(span, scope), scope))
    differs = "(r.cost_usd IS NULL) != (c.prior_cost_usd IS NULL) OR ifNull(r.cost_usd != c.prior_cost_usd, 0)"
    condition = f"{_within(span, scope, 'r.')} AND (r.cost_state != c.prior_cost_state OR {differs})"
    rows = from_rows(REQUEST_RESPONSE, condition, scope, alias="r", joined=joined)
    return scope.statement(f"SELECT count() AS not_restored {rows}")


def _copies(scope: Scope, span: Span, replaced: Mapping[str, str], corrections: str, copied: str) -> str:
    """Inserts the charges `copied` of rows again, with what is `replaced` taken from their corrections.

    A charge may have several versions, as it was amended meanwhile: the one with the most amendments is copied.
    """
    values = ", ".join(replaced.get(name, f"r.{name}") for name in STORED)
    condition = (
        f"{_within(span, scope, 'r.')} AND (r.request_created_at, r.request_id, {_charged('r.version')}) IN ({copied})"
    )
    rows = from_rows(REQUEST_RESPONSE, condition, scope, final=False, alias="r", joined=_joined(corrections))
    # The same version of a row may lie in several parts until they are merged.
    once = "ORDER BY r.version DESC LIMIT 1 BY r.request_created_at, r.request_id"
    return f"INSERT INTO {REQUEST_RESPONSE.name} ({', '.join(STORED)}) SELECT {values} {rows} {once}"


def _charged(version: str) -> str:
    """A version without its amendments: that of the charge."""
    return f"bitShiftRight({version}, {AMENDMENT_BITS})"


def _with_amendments_of_row(charged: str) -> str:
    """The version of a row `r` that is copied under the charge `charged`."""
    return f"bitShiftLeft({charged}, {AMENDMENT_BITS}) + bitAnd(r.version, {MAX_AMENDMENTS})"


def _joined(corrections: str) -> str:
    """Beside each row `r` its correction `c`."""
    key = "r.request_created_at = c.request_created_at AND r.request_id = c.request_id"
    return f" INNER JOIN (SELECT * {corrections}) AS c ON {key}"


def _corrections(reprice_id: str, condition: str, scope: Scope) -> str:
    return from_rows(COST_CORRECTION, f"reprice_id = {scope.bind(reprice_id, 'String')} AND {condition}", scope)


def _behind(after: Key | None, scope: Scope) -> str:
    return "1" if after is None else _compared(">", after, scope)


def _within(span: Span, scope: Scope, of: str = "") -> str:
    return f"{_compared('>=', span.first, scope, of)} AND {_compared('<=', span.last, scope, of)}"


def _compared(symbol: str, key: Key, scope: Scope, of: str = "") -> str:
    """The timestamp by itself too, which is what partitions and granules are skipped by."""
    timestamp, id_ = scope.bind(key.request_created_at, "DateTime64(3, 'UTC')"), scope.bind(key.request_id, "UUID")
    at_timestamp = f"{of}request_created_at {symbol[0]}= {timestamp}"
    return f"{at_timestamp} AND ({of}request_created_at, {of}request_id) {symbol} ({timestamp}, {id_})"
