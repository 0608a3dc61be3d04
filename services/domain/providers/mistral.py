"""Mistral, whose names ending in `latest` move to newer models.

Sources: https://docs.mistral.ai/resources/changelogs, https://docs.mistral.ai/models/mistral-large-3-25-12,
https://docs.mistral.ai/models/codestral-25-08, https://docs.mistral.ai/models/ministral-3-3b-25-12
"""

from datetime import UTC, datetime
from typing import Final

from services.domain.providers.price_list import MovingAlias, PriceList
from services.domain.providers.record import Provider, Quirk

_MISTRAL_3: Final = datetime(2025, 12, 2, tzinfo=UTC)  # Large 3 and the Ministral 3 family

MISTRAL: Final = Provider(
    name="MISTRAL",
    title="Mistral",
    aliases=("MISTRALAI", "MISTRAL_AI"),
    otel_name="mistral_ai",
    label="mistral",
    base_url="https://api.mistral.ai",
    chat_path="/v1/chat/completions",
    quirks=frozenset({Quirk.STREAM_OPTIONS_REFUSED}),
    hosts=r"api\.mistral\.ai",
    request_id_headers=("mistral-correlation-id", "x-request-id"),
    prices=PriceList(
        seller="mistral",
        aliases=(
            MovingAlias(name="mistral-large-latest", model="mistral-large-2512", since=_MISTRAL_3),  # not Large 4
            MovingAlias(name="ministral-3b-latest", model="ministral-3b-2512", since=_MISTRAL_3),
            MovingAlias(name="ministral-14b-latest", model="ministral-14b-2512", since=_MISTRAL_3),
            MovingAlias(name="codestral-latest", model="codestral-2508", since=datetime(2025, 7, 30, tzinfo=UTC)),
        ),
    ),
)
