"""Why an alert fires, or is silent: each reason that there can be, with its numbers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from fastapi import Response

from schemas.alert import Alert, AlertProgress, Condition, Direction, Evaluation
from schemas.api.alerts import ChannelState, Check, ExplainView
from schemas.api.requests import instant
from schemas.api.seal import seal_view
from schemas.seal import Seal
from services.alerting.figures import Question, question_of, run
from services.alerting.observe import observe
from services.domain.alerts.machine import Observation, may_still_pass, rank, reached_threshold
from services.domain.alerts.metrics import METRICS
from services.domain.alerts.rule import shown_value
from services.domain.alerts.windows import Window, whole_minute, window_at
from services.query.alerts.endpoints import found_alert
from services.query.alerts.views import alert_view, evaluation_view
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.sql.measures import MEASURES
from services.sql.nodes import Everything

_OVERDUE: Final = timedelta(minutes=10)
_FILTERS: Final = "filters"
_PRICES: Final = "prices"
_THRESHOLD: Final = "threshold and time window"
_COUNTS: Final = ("requests", "attempts", "unpriced_requests")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of an alert now."""

    alert: Alert
    progress: AlertProgress
    now: datetime
    window: Window
    seen: Mapping[str, Observation]
    matched: int
    attempts: int  # of these
    unpriced: int  # of the attempts
    all_requests: int
    evaluation: Evaluation | None
    seal: Seal
    channels: Sequence[ChannelState]

    @property
    def furthest(self) -> Observation | None:
        """Of the group that comes first."""
        return next(iter(self.seen.values()), None)


async def explain_alert(alert_id: UUID, organization_id: Reader, service: ServiceDep) -> Response:
    """The last evaluation, and the guide's list for troubleshooting with the answers to it."""
    alert, progress = await found_alert(alert_id, organization_id, service)
    facts = await _facts(alert, progress, service)
    furthest = facts.furthest
    view = ExplainView(
        alert=alert_view(alert, progress, facts.evaluation, await service.channels.channels_of(organization_id)),
        summary=_summary(facts),
        evaluation=None if facts.evaluation is None else evaluation_view(facts.evaluation),
        seal_now=seal_view(facts.seal, priced_request_share=None, priced_token_share=None),
        matched_requests=facts.matched,
        window_requests=facts.all_requests,
        value_now=None if furthest is None else furthest.value if furthest.actual is None else furthest.actual,
        channels=list(facts.channels),
        checks=checks(facts),
    )
    return data_response(view)


async def _facts(alert: Alert, progress: AlertProgress, service: Service) -> Facts:
    now = service.clock.now()
    seal = await service.seals.current()
    question = question_of(alert.organization_id, alert.rule)
    window = window_at(alert.rule.window, whole_minute(now) + timedelta(minutes=1))
    matched, attempts, unpriced = await _counted(question, window, service)
    everything, *_ = await _counted(msgspec.structs.replace(question, where=Everything()), window, service)
    evaluations = await service.alerts.evaluations_of(alert.id, limit=1)
    return Facts(
        alert=alert,
        progress=progress,
        now=now,
        window=window,
        seen=await observe(question, window, service.warehouse),
        matched=matched,
        attempts=attempts,
        unpriced=unpriced,
        all_requests=everything,
        evaluation=evaluations[0] if evaluations else None,
        seal=seal,
        channels=[await _channel_state(channel_id, alert, service) for channel_id in alert.channel_ids],
    )


async def _counted(question: Question, window: Window, service: Service) -> tuple[int, int, int]:
    """Requests, attempts, and those of the attempts whose cost is unknown."""
    measures = tuple(MEASURES[name] for name in _COUNTS)
    total, _ = await run(question, window.start, window.end, service.warehouse, by=(), measures=measures)
    requests, attempts, unpriced = (int(total.figures[name]) for name in _COUNTS)
    return requests, attempts, unpriced


async def _channel_state(channel_id: str, alert: Alert, service: Service) -> ChannelState:
    channel = await service.channels.channel(alert.organization_id, channel_id)
    if channel is None:
        return ChannelState(id=channel_id, name="", kind="removed", last_delivery="", last_delivery_at=None, error="")
    sent = await service.channels.deliveries_of(alert.organization_id, channel_id=channel_id, limit=1)
    last = sent[0] if sent else None
    attempt = last.attempts[-1] if last is not None and last.attempts else None
    return ChannelState(
        id=channel_id,
        name=channel.name,
        kind=channel.kind.value,
        last_delivery="" if last is None else last.state.value,
        last_delivery_at=None if last is None else last.ended_at or last.created_at,
        error="" if attempt is None else attempt.error,
    )


def checks(facts: Facts) -> list[Check]:
    """The guide's four, and what else keeps an alert silent."""
    return [
        _evaluated(facts),
        _threshold(facts),
        _minimum(facts),
        _filter(facts),
        _channels(facts),
        _muted(facts),
        _complete(facts),
        *_priced(facts),
    ]


def _summary(facts: Facts) -> str:
    if rank(facts.progress.state):
        return f"it fires: {facts.progress.state}"
    found = checks(facts)
    # What has no price keeps no alert silent whose threshold is reached without it.
    is_reached = any(one.check == _THRESHOLD and one.ok for one in found)
    wrong = [one for one in found if one.ok is False and not (is_reached and one.check == _PRICES)]
    if not wrong:
        return "nothing keeps it silent: it fires at its next evaluation"
    # No threshold is reached by what no request fulfils.
    reason = next((one for one in wrong if one.check == _FILTERS), wrong[0])
    return f"it is silent: {reason.answer}"


def _evaluated(facts: Facts) -> Check:
    last = facts.evaluation
    if last is None:
        since = instant(facts.alert.active_since)
        text = f"not evaluated yet since {since}: the scheduler evaluates each minute; is it running?"
        return Check(check="evaluation", ok=facts.now - facts.alert.active_since < _OVERDUE, answer=text)
    if last.detail and not last.complete and last.groups == 0:
        return Check(check="evaluation", ok=False, answer=f"the last evaluation failed: {last.detail}")
    is_recent = facts.now - last.evaluated_at < _OVERDUE
    text = f"last evaluated at {instant(last.evaluated_at)}"
    return Check(
        check="evaluation", ok=is_recent, answer=text if is_recent else f"{text}: the scheduler seems not to run"
    )


def _threshold(facts: Facts) -> Check:
    rule, seen = facts.alert.rule, facts.furthest
    unit = METRICS[rule.metric].unit
    window = f"from {instant(facts.window.start)} to now"
    if rule.condition is Condition.ANOMALY:
        is_unusual = any(reached_threshold(rule, one) for one in facts.seen.values())
        text = "something is unusual" if is_unusual else "nothing is unusual"
        return Check(check=_THRESHOLD, ok=is_unusual, answer=f"{text} {window}")
    first = rule.thresholds[0]
    if seen is None or seen.value is None:
        why = (seen.detail if seen is not None else "") or "there is no value"
        return Check(check=_THRESHOLD, ok=False, answer=f"{why}, {window}")
    reached = [(one, threshold) for one in facts.seen.values() if (threshold := reached_threshold(rule, one))]
    at, closes = facts.window.end, facts.window.closes
    is_reached = any(not may_still_pass(rule, threshold, one, at, closes) for one, threshold in reached)
    side = "at or above" if rule.direction is Direction.ABOVE else "at or below"
    what = "the forecast" if rule.condition is Condition.FORECAST else "the value"
    text = f"{what} is {shown_value(seen.value, unit)} {window}; it fires {side} {shown_value(first.value, unit)}"
    if reached and not is_reached:
        text += " when the window is over"
    return Check(check=_THRESHOLD, ok=is_reached, answer=text)


def _minimum(facts: Facts) -> Check:
    minimum = facts.alert.rule.minimum_requests
    most = max((one.requests for one in facts.seen.values()), default=0)
    text = f"{most:,} requests in the window, at least {minimum:,} are needed"
    return Check(check="minimum request count", ok=most >= minimum, answer=text)


def _filter(facts: Facts) -> Check:
    text = f"{facts.matched:,} of {facts.all_requests:,} requests in the window fulfil the filter"
    if facts.matched == 0 and facts.all_requests:
        text += ": it may be too restrictive, or name a value that no request has"
    return Check(check=_FILTERS, ok=facts.matched > 0 or facts.alert.rule.filter in ("all", {}), answer=text)


def _channels(facts: Facts) -> Check:
    if not facts.channels:
        return Check(check="notification channels", ok=False, answer="it has no channel: nobody is notified")
    for one in facts.channels:
        if one.kind == "removed" or (one.error and one.last_delivery in ("failed", "waiting")):
            what = "was removed" if one.kind == "removed" else f"failed last: {one.error}"
            return Check(check="notification channels", ok=False, answer=f"channel {one.name or one.id} {what}")
    names = ", ".join(one.name for one in facts.channels)
    return Check(check="notification channels", ok=True, answer=f"no delivery to {names} has failed last")


def _muted(facts: Facts) -> Check:
    until = facts.alert.muted_until
    is_muted = until is not None and facts.now < until
    text = f"it is muted until {instant(until)}" if is_muted and until is not None else "it is not muted"
    return Check(check="mute", ok=not is_muted, answer=text)


def _complete(facts: Facts) -> Check:
    until = facts.seal.complete_until
    if until is None:
        return Check(
            check="completeness", ok=None, answer=f"until when requests are counted is unknown: {facts.seal.reason}"
        )
    is_recent = facts.now - until < _OVERDUE
    text = f"all requests until {instant(until)} are counted"
    return Check(
        check="completeness", ok=is_recent, answer=text if is_recent else f"{text}; what came later waits to be counted"
    )


def _priced(facts: Facts) -> list[Check]:
    """Of metrics of money only: what has no price is in no sum."""
    if METRICS[facts.alert.rule.metric].unit.value != "usd":
        return []
    text = f"the cost of {facts.unpriced:,} of {facts.attempts:,} attempts is unknown, and not in the value"
    return [Check(check=_PRICES, ok=facts.unpriced == 0, answer=text)]
