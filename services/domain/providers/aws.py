"""Amazon Bedrock. Source: https://aws.amazon.com/bedrock/pricing"""

from typing import Final

from services.domain.providers.anthropic import LONG_CONTEXT_ENDED
from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider, Quirk

AWS: Final = Provider(
    name="AWS",
    title="Amazon Bedrock",
    aliases=("BEDROCK",),
    quirks=frozenset({Quirk.CACHE_BESIDE_INPUT}),
    shared_unbilled_paths="/model/[^/]+/count-tokens$",
    prices=PriceList(
        seller="aws",
        gaps=(
            costlier(r"(global|regional)\.anthropic\.claude-sonnet-4-(20250514|5-20250929)-v1:0", 200_000),
            costlier(r"(global|regional)\.anthropic\.claude-(sonnet|opus)-4-6-v1:0", 200_000, LONG_CONTEXT_ENDED),
        ),
    ),
)
