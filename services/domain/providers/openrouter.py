"""OpenRouter. Source: https://openrouter.ai/models"""

from datetime import UTC, datetime
from typing import Final

from services.domain.providers.anthropic import LONG_CONTEXT_ENDED
from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider

_TIERS_SHIPPED: Final = datetime(2026, 10, 19, tzinfo=UTC)  # from then on the package has them for Gemini

OPENROUTER: Final = Provider(
    name="OPENROUTER",
    title="OpenRouter",
    credential_headers=("Authorization",),
    prices=PriceList(
        seller="openrouter",
        gaps=(
            costlier("anthropic/claude-sonnet-4", 200_000),
            costlier(r"anthropic/claude-(sonnet|opus)-4\.6(:batch)?", 200_000, LONG_CONTEXT_ENDED),
            costlier(r"google/gemini-(2\.5-pro|3\.1-pro-preview)", 200_000, _TIERS_SHIPPED),
        ),
    ),
)
