"""Groq: OpenAI's API below /openai. Its streams always report usage, in `x_groq` of the last chunk.

Sources: https://console.groq.com/docs/api-reference, https://console.groq.com/docs/service-tiers, https://groq.com/pricing,
https://console.groq.com/docs/speech-to-text ("Minimum Billed Length: 10 seconds")
"""

from typing import Final

from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, Quirk

GROQ: Final = Provider(
    name="GROQ",
    title="Groq",
    label="groq",
    log_label="groq",
    base_url="https://api.groq.com",
    chat_path="/openai/v1/chat/completions",
    hosts=r"api\.groq\.com",
    sdk_path="/openai/v1",  # of OpenAI's SDK; Groq's own adds it
    credential_headers=("Authorization",),
    quirks=frozenset({Quirk.TIER_IN_EVERY_RESPONSE, Quirk.DURATION_IS_BILLED}),
    models_by_character=r"canopylabs/orpheus-.+|playai-tts.*",
    prices=PriceList(seller="groq", least_audio_ms=10_000),
)
