"""Weeks of traffic that might have been: the events that a small company's application would have left behind.

Each day is drawn from its own date, so the same day comes out the same whenever the demo is run, and playing it into
the log a second time changes nothing.
"""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec
import orjson

from schemas.event import ExchangeEvent, Outcome, RequestEvent, RequestTags, ResponseEvent
from schemas.usage import Usage
from services.domain.providers.anthropic import ANTHROPIC
from services.domain.providers.openai import OPENAI
from services.simulator import payloads as shapes

Weighted = Mapping[str, int]

TOP_USERS: Weighted = {"user-789": 88, "user-456": 79, "user-123": 66, "user-234": 60, "user-567": 50}
OTHER_USERS = 40
FREE_USERS = frozenset({"user-123", "user-234"})
UNPRICED_MODEL = "acme-internal-7b"
IMPORTER = "user-813"
IMPORT_AGE_DAYS = 3
IMPORTED_DOCUMENTS = 60
DOCUMENT_STEPS = (
    ("/analyze", "Summarize this document..."),
    ("/analyze/extract", "Extract key points..."),
    ("/analyze/risks", "Name the risks..."),
)


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of the application requests of its models, on an ordinary day."""

    name: str
    requests_a_day: int
    models: Weighted
    prompt_tokens: int  # typical; single requests spread around it
    completion_tokens: int
    prompt: str
    repeats: bool = False  # the same prompt each time; else each has a number of its own
    cached: bool = False  # whether the application lets Farebox respond from its cache
    steps: Sequence[tuple[str, str]] = ()  # of one session: path and prompt


FEATURES = (
    Feature(
        name="chat",
        requests_a_day=200,
        models={"gpt-4o": 5, "gpt-4.1": 3, "claude-sonnet-5": 2},
        prompt_tokens=64_000,
        completion_tokens=9_000,
        prompt="Where is my order?",
        cached=True,
    ),
    Feature(
        name="document-analysis",
        requests_a_day=93,
        models={"gpt-4o": 4, "claude-sonnet-5": 3, "o4-mini": 3},
        prompt_tokens=81_000,
        completion_tokens=6_600,
        prompt="Summarize this document...",
        steps=DOCUMENT_STEPS,
    ),
    Feature(
        name="search",
        requests_a_day=62,
        models={"gpt-4o": 60, "gpt-4.1-mini": 37, UNPRICED_MODEL: 3},
        prompt_tokens=72_000,
        completion_tokens=4_000,
        prompt="contract termination clause",
        cached=True,
    ),
    Feature(
        name="faq",
        requests_a_day=45,
        models={"claude-haiku-4-5": 1},
        prompt_tokens=20_000,
        completion_tokens=1_300,
        prompt="What are your business hours?",
        repeats=True,
        cached=True,
    ),
)

_ENVIRONMENTS: Weighted = {"production": 87, "development": 13}
_HIT_RATE = 0.23
_ERROR_SHARE = 0.015
_ENDPOINTS = {
    OPENAI.name: f"{OPENAI.base_url}/v1/chat/completions",
    ANTHROPIC.name: f"{ANTHROPIC.base_url}/v1/messages",
}


def history(organization_id: str, *, until: datetime, days: int) -> Iterator[ExchangeEvent]:
    """The exchanges of the `days` days before `until`, and of its own day so far."""
    for age in range(days, -1, -1):
        day = _Day(organization_id, until.date() - timedelta(days=age))
        for event in day.events():
            if event.request.created_at < until:
                yield event


def archive_import(organization_id: str, *, until: datetime) -> Iterator[ExchangeEvent]:
    """One night, a few days before `until`, in which a user on the free plan has a whole archive analyzed.

    It is what unusual patterns are for. The same day's import has the same exchanges, whenever the demo is run.
    """
    day = _Day(organization_id, until.date() - timedelta(days=IMPORT_AGE_DAYS), draws="import")
    documents = next(feature for feature in FEATURES if feature.steps)
    for number in range(IMPORTED_DOCUMENTS):
        yield from day.visit(documents, day.at(timedelta(hours=1, minutes=2 * number)), IMPORTER, "production")


def tier_of(user: str) -> str:
    """A user's plan; always the same one."""
    if user in TOP_USERS:
        return "free" if user in FREE_USERS else "premium"
    return "free" if user.endswith(("1", "3", "5")) else "premium"


class _Day:
    """One day's draws."""

    def __init__(self, organization_id: str, day: date, *, draws: str = "farebox") -> None:
        self._organization_id = organization_id
        self._day = day
        self._draw = random.Random(f"{draws}:{day.isoformat()}")
        self._paid: dict[tuple[str, str], ExchangeEvent] = {}  # by feature and environment: what a cache could hold

    def events(self) -> Iterator[ExchangeEvent]:
        busy = (0.6 if self._day.weekday() >= 5 else 1.15) * self._draw.uniform(0.9, 1.1)
        for feature in FEATURES:
            visits = round(feature.requests_a_day * busy / max(1, len(feature.steps)))
            # In order, since a cache can only hold what was requested before.
            for timestamp in sorted(self._timestamp() for _ in range(visits)):
                yield from self.visit(feature, timestamp, _user(self._draw), _one_of(self._draw, _ENVIRONMENTS))

    def visit(self, feature: Feature, timestamp: datetime, user: str, environment: str) -> Iterator[ExchangeEvent]:
        """One user's visit: a single request, or the steps of a session one after the other."""
        properties = {"Feature": feature.name, "Environment": environment, "UserTier": tier_of(user)}
        tags = RequestTags(user_id=user, properties=properties, cache_enabled=feature.cached)
        if not feature.steps:
            yield self._exchange(feature, tags, timestamp, feature.prompt)
            return
        session_id = str(self._id())
        for path, prompt in feature.steps:
            step = msgspec.structs.replace(
                tags, session_id=session_id, session_name="Document Analysis", session_path=path
            )
            yield self._exchange(feature, step, timestamp, prompt)
            timestamp += timedelta(seconds=self._draw.randint(15, 90))

    def _exchange(self, feature: Feature, tags: RequestTags, timestamp: datetime, prompt: str) -> ExchangeEvent:
        key = (feature.name, tags.properties["Environment"])
        paid = self._paid.get(key)
        if feature.cached and paid is not None and self._draw.random() < _HIT_RATE:
            return self._from_cache(paid, tags, timestamp)
        event = self._request(feature, tags, timestamp, prompt)
        if event.response.outcome is Outcome.COMPLETED:
            self._paid[key] = event
        return event

    def _request(self, feature: Feature, tags: RequestTags, timestamp: datetime, prompt: str) -> ExchangeEvent:
        """An exchange with the provider: completed, but for a small share."""
        model = _one_of(self._draw, feature.models)
        provider = (ANTHROPIC if model.startswith("claude") else OPENAI).name
        content = prompt if feature.repeats else f"{prompt} ({timestamp:%y%m%d%H%M%S%f})"
        body = orjson.dumps({"model": model, "messages": [{"role": "user", "content": content}]})
        request = RequestEvent(
            organization_id=self._organization_id,
            request_id=str(self._id()),
            created_at=timestamp,
            provider=provider,
            method="POST",
            target_url=_ENDPOINTS[provider],
            tags=tags,
            content_type="application/json",
            body=body,
            body_bytes=len(body),
        )
        failed = self._draw.random() < _ERROR_SHARE
        body = _failure(provider) if failed else self._body(feature, model, provider, timestamp)
        response = ResponseEvent(
            outcome=Outcome.PROVIDER_ERROR if failed else Outcome.COMPLETED,
            status=429 if failed else 200,
            latency_ms=self._draw.randint(400, 9_000),
            content_type="application/json",
            body=body,
            body_bytes=len(body),
        )
        return ExchangeEvent(request=request, response=response)

    def _from_cache(self, paid: ExchangeEvent, tags: RequestTags, timestamp: datetime) -> ExchangeEvent:
        """The response that was paid for earlier that day, given again."""
        request = msgspec.structs.replace(paid.request, request_id=str(self._id()), created_at=timestamp, tags=tags)
        response = msgspec.structs.replace(
            paid.response, outcome=Outcome.CACHED, latency_ms=2, cache_reference_id=paid.request.request_id
        )
        return ExchangeEvent(request=request, response=response)

    def _body(self, feature: Feature, model: str, provider: str, timestamp: datetime) -> bytes:
        content = shapes.Content(
            serial=f"{self._draw.getrandbits(96):024x}",
            model=shapes.SNAPSHOTS.get(model, model),
            text="We found two matching answers in the archive.",
            usage=self._usage(feature, model),
            created=int(timestamp.timestamp()),
        )
        return orjson.dumps(shapes.message(content) if provider == ANTHROPIC.name else shapes.chat_completion(content))

    def _usage(self, feature: Feature, model: str) -> Usage:
        prompt = round(feature.prompt_tokens * self._draw.lognormvariate(0, 0.5))
        cached = prompt // 4 // 128 * 128 if self._draw.random() < 0.3 else 0
        return Usage(
            prompt_tokens=prompt - cached,
            prompt_cache_read_tokens=cached,
            completion_tokens=round(feature.completion_tokens * self._draw.lognormvariate(0, 0.5)),
            reasoning_tokens=64 * self._draw.randint(10, 60) if model.startswith("o4") else 0,
        )

    def _timestamp(self) -> datetime:
        """Mostly in office hours."""
        second = int(self._draw.triangular(0, 86_399, 50_000))
        return self.at(timedelta(seconds=second, milliseconds=self._draw.randrange(1000)))

    def at(self, since_midnight: timedelta) -> datetime:
        return datetime.combine(self._day, time(tzinfo=UTC)) + since_midnight

    def _id(self) -> uuid.UUID:
        return uuid.UUID(int=self._draw.getrandbits(128), version=4)


def _failure(provider: str) -> bytes:
    text = "Rate limit reached. Please try again later."
    return orjson.dumps(
        shapes.anthropic_error(429, text) if provider == ANTHROPIC.name else shapes.openai_error(429, text)
    )


def _user(draw: random.Random) -> str:
    if draw.random() < sum(TOP_USERS.values()) / 1000:
        return _one_of(draw, TOP_USERS)
    return f"user-{draw.randint(801, 800 + OTHER_USERS)}"


def _one_of(draw: random.Random, weighted: Weighted) -> str:
    return draw.choices(list(weighted), weights=list(weighted.values()))[0]
