"""xAI. Source: https://docs.x.ai/docs/models ("higher context pricing")"""

from typing import Final

from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider

XAI: Final = Provider(
    name="X",
    title="xAI",
    aliases=("XAI", "X-AI"),
    credential_headers=("Authorization",),
    prices=PriceList(
        seller="x-ai",
        billed_as={"prompt_image_tokens": "prompt_tokens"},  # one input price for text and images
        is_sole_seller=True,
        gaps=(costlier(r"grok-4-(0709|(1-)?fast-(non-)?reasoning)", 127_999),),
    ),
)
