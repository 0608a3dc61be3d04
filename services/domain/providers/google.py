"""Google: Gemini's own API and Vertex AI, which also sells Anthropic's models.

Sources: https://ai.google.dev/gemini-api/docs/pricing, https://cloud.google.com/vertex-ai/generative-ai/pricing
"""

from typing import Final

from services.domain.providers.anthropic import LONG_CONTEXT_ENDED
from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import Provider, Quirk, api_paths

GOOGLE: Final = Provider(
    name="GOOGLE",
    title="Google",
    aliases=(
        *("VERTEX", "VERTEX_AI", "GEMINI", "GOOGLE-AI-STUDIO", "GCP_VERTEX_AI", "GCP_GEMINI", "GCP_GEN_AI"),
        *("GOOGLE_GENAI", "GOOGLE_GENERATIVE_AI", "GOOGLE_VERTEX", "GOOGLE_VERTEX_AI", "GOOGLE_VERTEXAI"),
        *("GOOGLE_ANTHROPIC_VERTEX", "VERTEX_ANTHROPIC", "VERTEX_AI_ANTHROPIC_MODELS"),
    ),
    otel_name="gcp.gen_ai",  # Gemini's own API or Vertex AI
    operations=(("generate_content", ":(?:streamG|g)enerateContent$"), ("embeddings", ":(?:batchE|e)mbedContents?$")),
    label="google",
    log_label="googleapis",
    base_url="https://generativelanguage.googleapis.com",
    chat_path="/v1beta/openai/chat/completions",
    hosts=r"(?:generativelanguage|(?:[a-z0-9-]+-)?aiplatform|aiplatform\.[a-z]+\.rep)\.googleapis\.com",
    credential_headers=("x-goog-api-key", "Authorization"),
    credential_parameters=("key",),
    project_headers=("x-goog-user-project",),
    project_paths="/projects/([^/?]+)/",
    quirks=frozenset({Quirk.REASONING_IN_TOTAL_ALONE}),
    shared_unbilled_paths=":countTokens$",
    shared_repeat_paths=api_paths("interactions/[^/]+/cancel"),
    regional_urls=(
        r"https://(?:[a-z0-9-]+-aiplatform\.googleapis\.com|aiplatform\.[a-z]+\.rep\.googleapis\.com)/.*/anthropic/"
    ),
    prices=PriceList(
        seller="google",
        speech_models="tts",
        # One input price unless the page lists images and video apart.
        billed_as={"prompt_image_tokens": "prompt_tokens", "prompt_video_tokens": "prompt_tokens"},
        resells=frozenset({"anthropic"}),
        is_sole_seller=True,
        open_weights="gemma",
        gaps=(
            costlier("claude-4-sonnet", 200_000),
            costlier("claude-sonnet-4-6", 200_000, LONG_CONTEXT_ENDED),
        ),
    ),
)
