"""Retry with backoff: the one way in which Farebox waits for what is unreachable.

Only `Unavailable` is retried: the same attempt may succeed later. All other errors are the operation's own.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from schemas.errors import Unavailable

LOG_INTERVAL_S: Final = 10.0

T = TypeVar("T")


class RetryPolicy(NamedTuple):
    """Delays double from the first to the last. Each is shortened by up to a half at random, so that many processes
    that lost the same server do not come back to it at once.
    """

    first_delay_s: float
    last_delay_s: float
    max_attempts: float = math.inf
    give_up_after_s: float = math.inf  # since the first attempt began


class Backoff:
    """The failures of one operation in a row. The first is logged at once, further ones once per interval."""

    def __init__(self, policy: RetryPolicy, logger: logging.Logger, message: str) -> None:
        """`message` is the log line: what is unreachable, and what happens meanwhile."""
        self._policy = policy
        self._logger = logger
        self._message = message
        self._began_s = time.monotonic()
        self._next_log_s = 0.0
        self._next_delay_s = policy.first_delay_s
        self._attempts = 0

    @property
    def elapsed_s(self) -> float:
        """Since the first attempt began."""
        return time.monotonic() - self._began_s

    def failed(self, error: Exception) -> float | None:
        """How long to wait until the next attempt, in seconds; None when the policy gives up."""
        self._attempts += 1
        if self._attempts >= self._policy.max_attempts or self.elapsed_s >= self._policy.give_up_after_s:
            return None
        delay_s = self._next_delay_s * random.uniform(0.5, 1)  # noqa: S311  # no secret
        self._next_delay_s = min(2 * self._next_delay_s, self._policy.last_delay_s)
        self._log(error, delay_s)
        return delay_s

    def _log(self, error: Exception, delay_s: float) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_log_s:
            self._next_log_s = now_s + LOG_INTERVAL_S
            self._logger.warning(self._message, extra={"reason": str(error), "retry_in_s": round(delay_s, 3)})


async def retry(
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    logger: logging.Logger,
    message: str,
    on_failure: Callable[[Unavailable, float], None] | None = None,
    stop: asyncio.Event | None = None,
) -> T:
    """What the first attempt returns that succeeds. `on_failure` gets each error and the seconds since the beginning.

    Raises: Unavailable, the last one, when `policy` gives up or once `stop` is set.
    """
    backoff = Backoff(policy, logger, message)
    while True:
        try:
            return await attempt()
        except Unavailable as error:
            delay_s = backoff.failed(error)
            if on_failure is not None:
                on_failure(error, backoff.elapsed_s)
            if delay_s is None or await _is_set_within(stop, delay_s):
                raise


async def _is_set_within(stop: asyncio.Event | None, seconds: float) -> bool:
    if stop is None:
        await asyncio.sleep(seconds)
        return False
    try:
        async with asyncio.timeout(seconds):
            return await stop.wait()
    except TimeoutError:
        return False
