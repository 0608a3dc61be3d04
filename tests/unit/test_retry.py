"""Retry with backoff: what is retried, for how long, and what is logged."""

import asyncio
import logging

import pytest

from schemas.errors import StoreUnavailable, Unavailable
from services.retry import Backoff, RetryPolicy, retry

pytestmark = pytest.mark.anyio

logger = logging.getLogger("farebox.test")
SOON = RetryPolicy(first_delay_s=0.001, last_delay_s=0.002)


class Store:
    """Unreachable for so many attempts."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.attempts = 0
        self._error = error or StoreUnavailable("unreachable")

    async def read(self) -> str:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise self._error
        return "rows"


async def test_an_attempt_is_repeated_until_it_succeeds_and_each_failure_is_reported() -> None:
    store, reported = Store(failures=3), list[Unavailable]()
    policy, message = SOON, "unreachable, retrying"
    rows = await retry(
        store.read, policy, logger=logger, message=message, on_failure=lambda error, _: reported.append(error)
    )
    assert (rows, store.attempts, len(reported)) == ("rows", 4, 3)


async def test_other_errors_than_unavailable_are_raised_at_once() -> None:
    store = Store(failures=1, error=ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        await retry(store.read, SOON, logger=logger, message="")
    assert store.attempts == 1


@pytest.mark.parametrize(
    ("policy", "attempts"),
    [(SOON._replace(max_attempts=3), 3), (SOON._replace(max_attempts=1), 1), (SOON._replace(give_up_after_s=0), 1)],
)
async def test_the_last_error_is_raised_when_the_policy_gives_up(policy: RetryPolicy, attempts: int) -> None:
    store = Store(failures=10)
    with pytest.raises(StoreUnavailable):
        await retry(store.read, policy, logger=logger, message="")
    assert store.attempts == attempts


async def test_a_stop_ends_the_waiting() -> None:
    store, stop = Store(failures=10), asyncio.Event()
    hourly = RetryPolicy(first_delay_s=3600, last_delay_s=3600)
    retrying = asyncio.create_task(retry(store.read, hourly, logger=logger, message="", stop=stop))
    await asyncio.sleep(0)
    stop.set()
    with pytest.raises(StoreUnavailable):
        await retrying
    assert store.attempts == 1


def test_delays_double_up_to_the_last_and_are_shortened_at_random() -> None:
    processes = [Backoff(RetryPolicy(1, 8), logger, "") for _ in range(50)]
    for longest_s in (1, 2, 4, 8, 8, 8):
        delays = [backoff.failed(StoreUnavailable("no route")) or 0 for backoff in processes]
        assert all(longest_s / 2 <= delay_s <= longest_s for delay_s in delays)
        assert len(set(delays)) > 25


def test_many_failures_in_a_row_are_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    backoff = Backoff(SOON, logger, "unreachable, retrying")
    for _ in range(100):
        backoff.failed(StoreUnavailable("no route"))
    assert [(record.message, record.__dict__["reason"]) for record in caplog.records] == [
        ("unreachable, retrying", "no route")
    ]
