"""Google: Gemini's own API and Vertex AI, which also sells Anthropic's models.

Sources: https://ai.google.dev/gemini-api/docs/pricing, https://cloud.google.com/vertex-ai/generative-ai/pricing
"""

from typing import Final

from services.domain.providers.anthropic import LONG_CONTEXT_ENDED
from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider, api_paths

GOOGLE: Final = Provider(
    name="GOOGLE",
    title="Google",
    aliases=("VERTEX", "VERTEX_AI", "GEMINI", "GOOGLE-AI-STUDIO"),
    label="googleapis",
    credential_headers=("x-goog-api-key", "Authorization"),
    shared_unbilled_paths=":countTokens$",
    shared_repeat_paths=api_paths("interactions/[^/]+/cancel"),
    regional_urls=(
        r"https://(?:[a-z0-9-]+-aiplatform\.googleapis\.com|aiplatform\.[a-z]+\.rep\.googleapis\.com)/.*/anthropic/"
    ),
    prices=PriceList(
        seller="google",
        billed_as={"prompt_image_tokens": "prompt_tokens"},  # one input price unless the page lists images apart
        resells=frozenset({"anthropic"}),
        is_sole_seller=True,
        open_weights="gemma",
        gaps=(
            costlier("claude-4-sonnet", 200_000),
            costlier("claude-sonnet-4-6", 200_000, LONG_CONTEXT_ENDED),
        ),
    ),
)
