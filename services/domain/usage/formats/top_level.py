"""Usage in rare places: LangChain's under a name of its own; Llama's, Titan's and Vertex's embeddings' at top level;
the length of what Groq transcribed.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html,
.../model-parameters-titan-embed-text.html, https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
"""

from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from schemas.usage import Usage
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.formats.fields import ParsedUsage, UsageObject, count_field, first_count_field
from services.domain.usage.formats.unrecognized import Names

_INPUT_NAMES: Final = ("prompt_token_count", "inputTextTokenCount", "token_count")
_OUTPUT_NAME: Final = "generation_token_count"
BARE_NAMES: Final[Names] = {"": frozenset((*_INPUT_NAMES, _OUTPUT_NAME))}


class _Statistics(msgspec.Struct):
    token_count: float = 0


class _Embeddings(msgspec.Struct):
    statistics: _Statistics


class _Prediction(msgspec.Struct):
    embeddings: _Embeddings


class _Response(msgspec.Struct):
    prompt_token_count: Any = None
    generation_token_count: Any = None
    titan_input_tokens: Any = msgspec.field(default=None, name="inputTextTokenCount")
    results: msgspec.Raw = msgspec.Raw(b"")  # Titan's texts: the output is counted in each
    predictions: list[_Prediction] = []
    usage_metadata: dict[str, Any] | None = None  # LangChain's
    task: Any = None
    duration: Any = None  # in seconds, of a verbose transcription


_responses = msgspec.json.Decoder(_Response)


def block_of(body: bytes, provider: str) -> UsageObject | None:
    """The counts at the top level of a response, as a usage object; None when it has none."""
    try:
        response = _responses.decode(body)
    except UNDECODABLE:
        return None
    if response.usage_metadata is not None:
        return response.usage_metadata
    if response.predictions:
        return {"token_count": sum(one.embeddings.statistics.token_count for one in response.predictions)}
    if response.titan_input_tokens is not None and not response.results:
        return {"inputTextTokenCount": response.titan_input_tokens}
    if has_quirk(provider, Quirk.DURATION_IS_BILLED) and _is_transcription(response):
        return {"seconds": response.duration}
    if response.prompt_token_count is None or response.generation_token_count is None:
        return None
    return {"prompt_token_count": response.prompt_token_count, _OUTPUT_NAME: response.generation_token_count}


def _is_transcription(response: _Response) -> bool:
    return response.task in ("transcribe", "translate") and type(response.duration) in (int, float)


def bare_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    return ParsedUsage(
        Usage(prompt_tokens=first_count_field(block, *_INPUT_NAMES), completion_tokens=count_field(block, _OUTPUT_NAME))
    )
