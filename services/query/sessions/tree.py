"""One session as the tree of its paths, with what each step cost. What is below a path is in its total."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import Query, Response

from schemas.api.groups import Coverage
from schemas.api.sessions import SessionTree, Step, StepFigures
from schemas.errors import NotFound
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.reports.groups import Group, run_report
from services.query.reports.sealed import Found, run_with_shares, sealed_response
from services.query.reports.totals import SPEND, SpendTotals, spend_of, spend_totals_of, sum_of
from services.query.sessions.groups import BY_NAME, is_named
from services.sql.group_measures import LATENCY_SUM
from services.sql.measures import MEASURES
from services.sql.nodes import And, ByColumn, Everything, Report, comparison

MAX_PATHS: Final = 10_000
MAX_LEVELS: Final = 32  # what is deeper is part of the last name
_BY_PATH: Final = ByColumn(REQUEST_RESPONSE.columns["session_path"])
_TOKENS: Final = ("prompt_tokens", "completion_tokens")
_MEASURES: Final = (
    *SPEND,
    *(MEASURES[name] for name in (*_TOKENS, "requests_without_usage", "first_request_at", "last_request_at")),
    LATENCY_SUM,
)

Name = Annotated[str | None, Query(description="Where an id has several names, which one; by default all")]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of some requests; they add up. Tokens are of those with reported usage."""

    spend: SpendTotals = SpendTotals()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests_without_usage: int = 0
    latency_sum: int = 0
    first: datetime | None = None
    last: datetime | None = None


class Node(msgspec.Struct):
    """A path on its way to becoming a step."""

    path: str
    own: Figures = Figures()
    below: dict[str, "Node"] = msgspec.field(default_factory=dict)


async def session_tree(session_id: str, organization_id: Reader, service: ServiceDep, name: Name = None) -> Response:
    """What one session cost, step by step; its steps are the paths of its requests."""
    where = And((comparison("session_id", Operator.EQUALS, session_id), is_named(name)))

    def report(by: ByColumn) -> Report:
        return Report(
            table=REQUEST_RESPONSE,
            organization_id=organization_id,
            where=where,
            measures=_MEASURES,
            by=(by,),
            limit=MAX_PATHS + 1,
        )

    async def found() -> Found:
        shares, total, paths = await run_with_shares(report(_BY_PATH), service.warehouse)
        if not total.figures["attempts"] or not session_id:
            raise NotFound(f"there is no session {session_id}" + (f" named {name}" if name else ""))
        _, names = await run_report(report(BY_NAME), service.warehouse)
        view = SessionTree(
            session_id=session_id,
            session_names=sorted(group.by[0] or "" for group in names),
            root=step_of(tree_of(paths[:MAX_PATHS])),
            total=shown_figures(figures_of(total)),
            truncated=len(paths) > MAX_PATHS,
        )
        return Found(data=view, shares=shares)

    return await sealed_response(found(), service, organization_id, Everything())


def tree_of(paths: Iterable[Group]) -> Node:
    """The root, with each of `paths` below it. Levels are split by `/`; empty ones do not count."""
    root = Node(path="/")
    for group in paths:
        node = root
        for name in _levels(group.by[0] or ""):
            node = node.below.setdefault(name, Node(path=f"{node.path.rstrip('/')}/{name}"))
        node.own = sum_of_figures((node.own, figures_of(group)))
    return root


def _levels(path: str) -> Iterator[str]:
    names = [name for name in path.split("/") if name]
    yield from names[: MAX_LEVELS - 1]
    if len(names) >= MAX_LEVELS:
        yield "/".join(names[MAX_LEVELS - 1 :])


def step_of(node: Node) -> Step:
    return _step_and_total(node)[0]


def _step_and_total(node: Node) -> tuple[Step, Figures]:
    below = [_step_and_total(child) for child in node.below.values()]
    total = sum_of_figures((node.own, *(figures for _, figures in below)))
    step = Step(
        path=node.path,
        name="" if node.path == "/" else node.path.rpartition("/")[2],
        own=shown_figures(node.own),
        total=shown_figures(total),
        steps=[step for step, _ in sorted(below, key=_by_first_request)],
    )
    return step, total


def _by_first_request(part: tuple[Step, Figures]) -> tuple[datetime, str]:
    step, figures = part
    assert figures.first is not None  # a node is there for a request at it or below it
    return figures.first, step.path


def figures_of(group: Group) -> Figures:
    """Of a group with the measures of a tree."""
    figures = group.figures
    return Figures(
        spend=spend_totals_of(Group(group.by, {measure.name: figures[measure.name] for measure in SPEND})),
        prompt_tokens=figures["prompt_tokens"] or 0,
        completion_tokens=figures["completion_tokens"] or 0,
        requests_without_usage=figures["requests_without_usage"],
        latency_sum=figures[LATENCY_SUM.name],
        first=figures["first_request_at"],
        last=figures["last_request_at"],
    )


def sum_of_figures(parts: Iterable[Figures]) -> Figures:
    of = tuple(parts)
    return Figures(
        spend=sum_of(part.spend for part in of),
        prompt_tokens=sum(part.prompt_tokens for part in of),
        completion_tokens=sum(part.completion_tokens for part in of),
        requests_without_usage=sum(part.requests_without_usage for part in of),
        latency_sum=sum(part.latency_sum for part in of),
        first=min((part.first for part in of if part.first is not None), default=None),
        last=max((part.last for part in of if part.last is not None), default=None),
    )


def shown_figures(figures: Figures) -> StepFigures:
    """What is known of none of the requests is null."""
    requests, attempts = figures.spend.requests, figures.spend.attempts
    is_unknown = 0 < attempts == figures.requests_without_usage
    spend = spend_of(figures.spend)
    return StepFigures(
        cost=spend.pop("cost_usd"),
        prompt_tokens=None if is_unknown else figures.prompt_tokens,
        completion_tokens=None if is_unknown else figures.completion_tokens,
        first_request_at=figures.first,
        last_request_at=figures.last,
        average_latency_ms=figures.latency_sum / requests if requests else None,
        coverage=Coverage(**spend),
    )
