"""Where the price data of `genai-prices` is known to be silent or out of date: there, unknown is the honest figure.

No prices stand here, only what the package does not say. Whoever knows a price adds a row of their own.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

_ALWAYS: Final = datetime(2020, 1, 1, tzinfo=UTC)
_FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_SATURDAY: Final = 5


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts of more than `above_tokens` have no known price from `since` on and before `until`."""

    seller: str  # by the package's name
    models: re.Pattern[str]  # of the package's names, each as a whole
    above_tokens: int = 0  # 0: no prompt has
    hours: bool = False  # only where the price is one for some hours of the day
    weekends: bool = False  # only on Saturdays and Sundays, UTC
    since: datetime = _ALWAYS
    until: datetime = _FOR_EVER
    why: str  # for people; a sentence

    def is_open(self, timestamp: datetime, *, hours: bool) -> bool:
        """Whether it is about requests of `timestamp`, priced by the hour of the day or not."""
        if not self.since <= timestamp < self.until or (self.hours and not hours):
            return False
        return not self.weekends or timestamp.astimezone(UTC).weekday() >= _SATURDAY


def gaps_of(seller: str, model: str) -> tuple[Gap, ...]:
    """What is known to be missing of a model, both by the package's names."""
    return tuple(gap for gap in _GAPS if gap.seller == seller and gap.models.fullmatch(model))


def _costlier(seller: str, models: str, above_tokens: int, until: datetime = _FOR_EVER) -> Gap:
    why = (
        f"Prompts of more than {above_tokens:,} tokens cost more, and the shipped prices do not say how much: add a "
        f"price that does, with `--above {above_tokens}:CLASS=USD` for each class."
    )
    return Gap(seller=seller, models=re.compile(models), above_tokens=above_tokens, until=until, why=why)


# Sources: https://docs.anthropic.com/en/docs/about-claude/pricing ("long context pricing", ended for the 4.6 models on
# 2026-03-13), https://aws.amazon.com/bedrock/pricing, https://cloud.google.com/vertex-ai/generative-ai/pricing,
# https://docs.x.ai/docs/models ("higher context pricing"), https://openrouter.ai/models, and
# https://api-docs.deepseek.com/quick_start/pricing ("from September 5th, 2025, 16:00 UTC"; later, peak hours
# on weekdays that are no public holiday in China).
_CLAUDE_46: Final = datetime(2026, 3, 13, tzinfo=UTC)
_OPENROUTER_TOLD: Final = datetime(2026, 10, 19, tzinfo=UTC)  # from then on the package has these tiers
_BY_THE_HOUR: Final = re.compile("deepseek-(flash|v4-flash|v4-pro)")
_WORKDAYS_ONLY: Final = "The shipped price of these hours holds on China's working days only: add your own for others."
_HOLIDAYS: Final = ((datetime(2026, 9, 25, tzinfo=UTC), 1), (datetime(2026, 10, 1, tzinfo=UTC), 7))
_GAPS: Final = (
    _costlier("anthropic", "claude-sonnet-4-0", 200_000),
    _costlier("aws", r"(global|regional)\.anthropic\.claude-sonnet-4-(20250514|5-20250929)-v1:0", 200_000),
    _costlier("aws", r"(global|regional)\.anthropic\.claude-(sonnet|opus)-4-6-v1:0", 200_000, _CLAUDE_46),
    _costlier("google", "claude-4-sonnet", 200_000),
    _costlier("google", "claude-sonnet-4-6", 200_000, _CLAUDE_46),
    _costlier("openrouter", "anthropic/claude-sonnet-4", 200_000),
    _costlier("openrouter", r"anthropic/claude-(sonnet|opus)-4\.6(:batch)?", 200_000, _CLAUDE_46),
    _costlier("openrouter", r"google/gemini-(2\.5-pro|3\.1-pro-preview)", 200_000, _OPENROUTER_TOLD),
    _costlier("x-ai", r"grok-4-(0709|(1-)?fast-(non-)?reasoning)", 127_999),
    Gap(
        seller="deepseek",
        models=re.compile("deepseek-(chat|reasoner)"),
        since=datetime(2025, 9, 5, 16, tzinfo=UTC),
        why="The shipped price ended on 2025-09-05 at 16:00 UTC, and what followed is not shipped: add your own.",
    ),
    Gap(
        seller="deepseek",
        models=_BY_THE_HOUR,
        since=datetime(2026, 8, 16, 16, tzinfo=UTC),
        until=datetime(2026, 8, 17, tzinfo=UTC),
        why="The next price began at 16:00 UTC, which the shipped one does not know: add your own for these hours.",
    ),
    Gap(seller="deepseek", models=_BY_THE_HOUR, hours=True, weekends=True, why=_WORKDAYS_ONLY),
    *(
        Gap(
            seller="deepseek",
            models=_BY_THE_HOUR,
            hours=True,
            since=first,
            until=first + timedelta(days),
            why=_WORKDAYS_ONLY,
        )
        for first, days in _HOLIDAYS
    ),
)
