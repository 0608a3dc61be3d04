"""xAI. Its responses carry its bill.

Sources: https://docs.x.ai/docs/models ("higher context pricing"),
https://docs.x.ai/developers/cost-tracking ("the actual amount billed", `cost_in_usd_ticks`)
"""

from typing import Final

from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider, Quirk

XAI: Final = Provider(
    name="X",
    title="xAI",
    aliases=("XAI", "X-AI"),
    otel_name="x_ai",
    label="x",
    base_url="https://api.x.ai",
    chat_path="/v1/chat/completions",
    hosts=r"(?:[a-z0-9-]+\.)?api\.x\.ai",
    credential_headers=("Authorization",),
    quirks=frozenset({Quirk.BILL_IN_RESPONSE}),
    prices=PriceList(
        seller="x-ai",
        billed_as={"prompt_image_tokens": "prompt_tokens"},  # one input price for text and images
        is_sole_seller=True,
        gaps=(costlier(r"grok-4-(0709|(1-)?fast-(non-)?reasoning)", 127_999),),
    ),
)
