"""The guide's "free users are limited by monthlyCost", once as an application that asks and limits by itself, and once
as one budget that refuses. 25 dollars are some cents here.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from anthropic import RateLimitError

from tests.journeys.story import Story

LIMIT_USD = Decimal("0.018")  # beside what one call may cost at most, room for some
KNOWN_S = 5  # after which a proxy knows a new budget
MOST_CALLS = 40


class MonthlyLimitReached(Exception):
    """The guide's."""


def tell(story: Story, env: Mapping[str, str]) -> None:
    the_application_asks_and_limits_by_itself(story)
    one_budget_limits_each_free_user(story, env)


def the_application_asks_and_limits_by_itself(story: Story) -> None:
    first = story.message(User_Id="asks-first", Property_UserTier="free")
    limit = story.ledger[first] * Decimal("1.5")

    def call(user: str, tier: str) -> str:
        monthly_cost = spend_by_now(story, user=user)["spent_usd"]
        if tier == "free" and monthly_cost > limit:
            raise MonthlyLimitReached("Monthly limit reached. Upgrade to premium.")
        return story.message(User_Id=user, Property_UserTier=tier)

    made, reason = until_refused(lambda: call("self-limited", "free"), MonthlyLimitReached)
    total = sum(story.ledger[one] for one in made)
    assert str(reason) == "Monthly limit reached. Upgrade to premium."
    assert total - story.ledger[made[-1]] <= limit < total
    shown = spend_by_now(story, user="self-limited")
    assert (shown["spent_usd"], shown["freshness"]["source"]) == (total, "ledger")
    assert call("self-limited", "premium") in story.ledger


def one_budget_limits_each_free_user(story: Story, env: Mapping[str, str]) -> None:
    farebox(env, "create", "free tier", "--limit", f"{LIMIT_USD}", "--per", "user", "--where", "UserTier=free")
    time.sleep(KNOWN_S)
    made, refusal = until_refused(lambda: story.message(User_Id="ann", Property_UserTier="free"), RateLimitError)
    total = sum(story.ledger[one] for one in made)
    assert isinstance(refusal, RateLimitError)
    assert refusal.response.headers["X-Helicone-Error"] == "budget_exceeded"
    assert "'free tier'" in str(refusal)
    shown = spend(story, user="ann", budget="free tier")
    assert (shown["spent_usd"], shown["remaining_usd"]) == (total, LIMIT_USD - total)
    assert 0 < total <= LIMIT_USD
    for user, tier in (("ann", "premium"), ("bea", "free")):
        assert story.message(User_Id=user, Property_UserTier=tier) in story.ledger, "it is not theirs"
    farebox(env, "remove", "free tier")


def until_refused(call: Callable[[], str], refused: type[Exception]) -> tuple[list[str], Exception]:
    """The requests that were made, and how that ended."""
    made: list[str] = []
    for _ in range(MOST_CALLS):
        try:
            made.append(call())
        except refused as error:
            return made, error
    pytest.fail(f"{len(made)} calls were made, and none was refused")


def spend_by_now(story: Story, **query: str) -> dict[str, Any]:
    """Without a budget the ledger says what was spent, and until when."""
    asked_at, deadline_s = datetime.now(UTC), time.monotonic() + 30
    while True:
        found = spend(story, **query)
        until = found["freshness"]["ledger_until"]
        if until is not None and datetime.fromisoformat(until) >= asked_at:
            return found
        assert time.monotonic() < deadline_s, found
        time.sleep(0.1)


def spend(story: Story, **query: str) -> dict[str, Any]:
    given = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in query.items())
    status, response = story.ask(f"/v1/me/spend?{given}")
    assert status == 200, response
    found: dict[str, Any] = response["data"]
    return found


def farebox(env: Mapping[str, str], *words: str) -> None:
    command = [sys.executable, "-m", "services.cli", "budgets", *words]
    done = subprocess.run(command, env={**env}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
