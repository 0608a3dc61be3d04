"""The demo's past is the same past whenever it is reported, so that telling it again changes nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from schemas.event import ExchangeEvent, Outcome, decode_event, encode_event
from services.cli.demo.history import DOCUMENT_STEPS, IMPORTED_DOCUMENTS, IMPORTER, archive_import, history

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def reported(until: datetime, days: int) -> dict[str, ExchangeEvent]:
    return {event.request.request_id: event for event in history("org-1", until=until, days=days)}


def test_a_day_is_the_same_when_it_is_reported_again_later() -> None:
    before, after = reported(NOON, 3), reported(NOON + timedelta(days=2), 5)
    assert before.items() <= after.items()
    assert len(after) > len(before) > 500


def test_nothing_happens_before_the_first_day_or_after_the_last_timestamp() -> None:
    timestamps = [event.request.created_at for event in reported(NOON, 2).values()]
    assert min(timestamps) >= datetime(2026, 11, 16, tzinfo=UTC)
    assert max(timestamps) < NOON


def test_every_cached_response_repeats_one_that_was_paid_for() -> None:
    events = reported(NOON, 5)
    cached = [event for event in events.values() if event.response.outcome is Outcome.CACHED]
    assert len(cached) > 100
    for event in cached:
        paid = events[event.response.cache_reference_id or ""]
        assert paid.response.outcome is Outcome.COMPLETED
        assert paid.request.created_at <= event.request.created_at
        assert (paid.response.body, paid.request.body) == (event.response.body, event.request.body)
        assert event.request.tags.cache_enabled


def test_only_the_faq_pays_for_a_prompt_that_was_paid_for_before() -> None:
    """So that what `farebox savings` says of the demo is not the whole bill."""
    paid = [event for event in reported(NOON, 5).values() if event.response.outcome is not Outcome.CACHED]
    prompts = Counter((event.request.tags.properties["Feature"], event.request.body) for event in paid)
    assert {feature for (feature, _), count in prompts.items() if count > 1} == {"faq"}


def test_sessions_have_all_their_steps_in_order() -> None:
    paths: dict[str, list[str]] = {}
    for event in sorted(reported(NOON, 3).values(), key=lambda event: event.request.created_at):
        if session := event.request.tags.session_id:
            paths.setdefault(session, []).append(event.request.tags.session_path or "")
    assert Counter(map(tuple, paths.values())).most_common(1)[0][0] == (
        "/analyze",
        "/analyze/extract",
        "/analyze/risks",
    )
    whole = sum(len(steps) == 3 for steps in paths.values())
    assert whole >= len(paths) - 2  # the last timestamp may cut a few


def test_every_event_survives_the_wire() -> None:
    for event in list(reported(NOON, 1).values())[:200]:
        assert decode_event(encode_event(event)) == event


def test_an_import_is_one_user_s_night_and_the_same_when_it_is_reported_again_that_day() -> None:
    events = list(archive_import("org-1", until=NOON))
    assert events == list(archive_import("org-1", until=NOON + timedelta(hours=11)))
    assert len(events) == IMPORTED_DOCUMENTS * len(DOCUMENT_STEPS)
    assert {event.request.tags.user_id for event in events} == {IMPORTER}
    assert {event.request.created_at.date() for event in events} == {(NOON - timedelta(days=3)).date()}
    assert not {event.request.request_id for event in events} & reported(NOON, 5).keys()
