"""What helps where a cost is unknown. Most of it helps later requests only, and says so."""

from collections.abc import Mapping
from typing import Final

from schemas.unpriced import Cause

PRICE_HELPS: Final = frozenset({Cause.MODEL_UNPRICED, Cause.PARTIALLY_UNPRICED})

_ADVICE: Final[Mapping[Cause, str]] = {
    Cause.RESPONSE_TRUNCATED: (
        "The responses were larger than what is captured. Raise FAREBOX_CAPTURE_BYTES for later ones; the usage of "
        "these is unknown."
    ),
    Cause.CLIENT_DISCONNECTED: (
        "Clients disconnected before the provider reported usage. For later requests have such responses read to their "
        "end: FAREBOX_ON_DISCONNECT=drain, with enough in FAREBOX_DRAIN_TIMEOUT_S, FAREBOX_DRAIN_BYTES and "
        "FAREBOX_DRAIN_COUNT. The usage of these is unknown."
    ),
    Cause.RESPONSE_INCOMPLETE: (
        "The responses broke off, or timed out, before the provider reported usage. Longer timeouts may help later "
        "requests (FAREBOX_IDLE_TIMEOUT_S, FAREBOX_TOTAL_TIMEOUT_S); the cost of these is on the invoice only."
    ),
    Cause.STREAM_USAGE_MISSING: (
        "The streams did not report usage. Request it for later ones: FAREBOX_STREAM_USAGE=inject, or "
        '"stream_options": {"include_usage": true} in the request. The usage of these is unknown.'
    ),
    Cause.USAGE_MISSING: (
        "The responses report no usage, so there is nothing to charge by. Speech of models that are billed by tokens "
        'reports it if later requests ask for events: "stream_format": "sse". And if each request has one price, '
        "add it with no other beside it (`farebox prices add MODEL --per-request USD`, or `usd_per_request` in "
        "`POST /v1/prices`), and re-price."
    ),
    Cause.USAGE_UNRECOGNIZED: (
        "Something was used that no price can be applied to: a count that Farebox has no class for, a model that "
        "declined, images of which no tokens were recorded, turns of which only some may be longer than what costs "
        "more, or calls that the provider counts nowhere (code interpreters, maps). `provider_usage` in "
        "`GET /v1/request/{example}/cost` shows what was counted, and the invoice what it cost. If prompts were cached "
        "and the requests are larger than what is captured, the lifetime of the cache is unknown: raise "
        "FAREBOX_CAPTURE_BYTES for later ones."
    ),
    Cause.USAGE_INCONSISTENT: (
        "The provider's figures contradict each other, so a price does not help: `provider_usage` in "
        "`GET /v1/request/{example}/cost` shows them."
    ),
    Cause.MODEL_MISSING: (
        "Nothing names the model. Have clients of later requests name it: Helicone-Model-Override; for images that a "
        'tool draws, the `model` of the tool "image_generation".'
    ),
    Cause.MODEL_UNPRICED: (
        "Add a price for the model, valid from the first of these requests on (`farebox prices add`, or "
        "`POST /v1/prices`), and charge again (`farebox reprice`, or `POST /v1/reprice`)."
    ),
    Cause.PARTIALLY_UNPRICED: (
        "See in `GET /v1/request/{example}/cost` what has no price, of which model or service tier; add a price that "
        "has it (`farebox prices add MODEL --price CLASS=USD` for each class), and charge again (`farebox reprice`, or "
        "`POST /v1/reprice`)."
    ),
}


def advice_on(cause: Cause, example_id: str) -> str:
    """For people. `example_id` is one of the requests."""
    return _ADVICE[cause].replace("{example}", example_id)
