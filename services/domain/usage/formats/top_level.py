"""Usage where few put it: LangChain's under a name of its own; Llama's, Titan's and Vertex's embeddings' in no block.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html,
.../model-parameters-titan-embed-text.html, https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
"""

from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from schemas.usage import Usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject, count_field, first_count_field
from services.domain.usage.formats.unrecognized import Names

_GIVEN: Final = ("prompt_token_count", "inputTextTokenCount", "token_count")
_MADE: Final = "generation_token_count"
BARE_NAMES: Final[Names] = {"": frozenset((*_GIVEN, _MADE))}


class _Statistics(msgspec.Struct):
    token_count: float = 0


class _Embeddings(msgspec.Struct):
    statistics: _Statistics


class _Prediction(msgspec.Struct):
    embeddings: _Embeddings


class _Answer(msgspec.Struct):
    prompt_token_count: Any = None
    generation_token_count: Any = None
    titans: Any = msgspec.field(default=None, name="inputTextTokenCount")
    results: msgspec.Raw = msgspec.Raw(b"")  # Titan's texts: what it made is counted in each
    predictions: list[_Prediction] = []
    usage_metadata: dict[str, Any] | None = None  # LangChain's


_answers = msgspec.json.Decoder(_Answer)


def block_of(body: bytes) -> UsageObject | None:
    """The figures of a response, as if they stood in a block where they do not; None when it has none."""
    try:
        answer = _answers.decode(body)
    except UNDECODABLE:
        return None
    if answer.usage_metadata is not None:
        return answer.usage_metadata
    if answer.predictions:
        return {"token_count": sum(one.embeddings.statistics.token_count for one in answer.predictions)}
    if answer.titans is not None and not answer.results:
        return {"inputTextTokenCount": answer.titans}
    if answer.prompt_token_count is None or answer.generation_token_count is None:
        return None
    return {"prompt_token_count": answer.prompt_token_count, _MADE: answer.generation_token_count}


def bare_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """What the block of a response without one says. Raises: InvalidUsage."""
    return ParsedUsage(
        Usage(prompt_tokens=first_count_field(block, *_GIVEN), completion_tokens=count_field(block, _MADE))
    )
