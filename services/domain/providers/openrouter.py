"""OpenRouter: its responses carry its bill, since it charges by the upstream that it chose.

Sources: https://openrouter.ai/models, https://openrouter.ai/docs/use-cases/usage-accounting
"""

from datetime import UTC, datetime
from typing import Final

from services.domain.providers.anthropic import LONG_CONTEXT_ENDED
from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider, Quirk

_TIERS_SHIPPED: Final = datetime(2026, 10, 19, tzinfo=UTC)  # from then on the package has them for Gemini

OPENROUTER: Final = Provider(
    name="OPENROUTER",
    title="OpenRouter",
    label="openrouter",
    base_url="https://openrouter.ai",
    chat_path="/api/v1/chat/completions",
    hosts=r"(?:api\.)?openrouter\.ai",
    credential_headers=("Authorization",),
    request_id_headers=("x-generation-id",),
    quirks=frozenset({Quirk.BILL_IN_RESPONSE}),
    prices=PriceList(
        seller="openrouter",
        free=".+:free",
        billed_as={"prompt_video_tokens": "prompt_tokens"},  # no price of video is listed for any model
        gaps=(
            costlier("anthropic/claude-sonnet-4", 200_000),
            costlier(r"anthropic/claude-(sonnet|opus)-4\.6(:batch)?", 200_000, LONG_CONTEXT_ENDED),
            costlier(r"google/gemini-(2\.5-pro|3\.1-pro-preview)", 200_000, _TIERS_SHIPPED),
        ),
    ),
)
