"""Usage as OpenAI counts, in chat completions, responses, embeddings, images and audio, and all who copy it.

Cached, written, audio and image tokens are counted inside the prompt; reasoning and audio inside the completion.
Sources: https://platform.openai.com/docs/api-reference/chat/object, .../responses/object,
https://platform.openai.com/docs/guides/prompt-caching, https://api-docs.deepseek.com/guides/kv_cache,
https://docs.x.ai/docs/api-reference, https://docs.perplexity.ai/api-reference/chat-completions-post,
https://docs.mistral.ai/capabilities/audio_transcription
"""

from typing import Final

import msgspec

from schemas.usage import Usage
from services.domain.figures import Block, Counted, figure, first_figure, section
from services.domain.unread import Names, counts_more
from services.domain.usage_anthropic import SERVER_TOOLS
from services.domain.usage_openai_prompt import PROMPT_NAMES, READ_BESIDE, prompt_classes

_PROMPT: Final = ("prompt_tokens", "input_tokens")
_COMPLETION: Final = ("completion_tokens", "output_tokens")
# LangChain's is the last.
_COMPLETION_DETAILS: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")
_COMPLETION_NAMES: Final = frozenset(
    (
        *("reasoning_tokens", "reasoning", "text_tokens", "audio_tokens", "audio", "image_tokens"),
        *("accepted_prediction_tokens", "rejected_prediction_tokens"),
    )
)
OPENAI_NAMES: Final[Names] = {
    "": frozenset(
        (
            *(*_PROMPT, *_COMPLETION, *READ_BESIDE, "total_tokens", "reasoning_tokens", "prompt_cache_miss_tokens"),
            *("cache_creation_input_tokens", "prompt_audio_seconds", "citation_tokens", "num_search_queries"),
        )
    ),
    **PROMPT_NAMES,
    **dict.fromkeys(_COMPLETION_DETAILS, _COMPLETION_NAMES),
    "server_tool_use": SERVER_TOOLS,
}
_TOTAL_NAMES: Final[Names] = {"": frozenset(("total_tokens",))}
DURATION_NAMES: Final[Names] = {"": frozenset(("seconds",))}
# Names that only Perplexity uses, under whatever provider a call of it was logged.
_PERPLEXITYS: Final = frozenset(("num_search_queries", "citation_tokens", "search_context_size"))
_RARE: Final = frozenset(("server_tool_use", "num_search_queries", "prompt_audio_seconds", "citation_tokens"))


def openai_usage(block: Block, provider: str) -> Counted:
    """What `block` says. Raises: NonsenseError."""
    prompt, completion = first_figure(block, *_PROMPT), first_figure(block, *_COMPLETION)
    if not prompt and not completion and block.get("total_tokens"):
        return _total_alone(block)
    agreed, told = _agree(block, _PROMPT) and _agree(block, _COMPLETION), True
    if not prompt:
        told = any(block.get(name) is not None for name in _PROMPT)
    of_prompt, complete, sure = prompt_classes(block, prompt, completion)
    of_completion, adds_up = _completion(block, sum(of_prompt.values()), completion, provider)
    parts = of_prompt | of_completion
    if min(parts.values()) < 0:
        adds_up, parts = False, {name: max(0, count) for name, count in parts.items()}
    if not _RARE.isdisjoint(block):
        parts |= _beside(block)
    return Counted(Usage(**parts), adds_up and agreed and sure, complete and told)


def _total_alone(block: Block) -> Counted:
    """Embeddings and rankings of some providers state nothing else. Beside anything else it is no prompt."""
    return Counted(Usage(prompt_tokens=figure(block, "total_tokens")), complete=not counts_more(block, _TOTAL_NAMES))


def as_images(counted: Counted, block: Block, *, alone: bool) -> Counted:
    """`counted` for an answer of images: without details all that was put out is image.

    Where the model was not `alone`, what another one used beside it is billed too, and stands elsewhere.
    """
    usage = counted.usage
    if not section(block, *_COMPLETION_DETAILS):
        made = usage.completion_tokens
        usage = msgspec.structs.replace(usage, completion_tokens=0, completion_image_tokens=made)
    return Counted(usage, counted.adds_up, counted.complete and alone)


def tells_output(block: Block) -> bool:
    return any(name in block for name in _COMPLETION)


def _agree(block: Block, names: tuple[str, str]) -> bool:
    """Whether the two names of one thing do not say two different things. Zeros are what nobody filled in."""
    if names[0] not in block or names[1] not in block:
        return True
    one, other = (figure(block, name) for name in names)
    return one == other or not one or not other


def _beside(block: Block) -> dict[str, int]:
    """What is no token of the prompt or the completion."""
    searches = figure(section(block, "server_tool_use"), "web_search_requests")
    return {
        "prompt_audio_seconds": _seconds(block),
        "citation_tokens": figure(block, "citation_tokens"),
        "web_searches": searches + figure(block, "num_search_queries"),
    }


def duration_usage(block: Block, _provider: str) -> Counted:
    """Transcriptions that are billed by the length of the audio. Raises: NonsenseError."""
    return Counted(Usage(prompt_audio_seconds=figure(block, "seconds")))


def _seconds(block: Block) -> int:
    return figure(block, "prompt_audio_seconds") if block.get("prompt_audio_seconds") else 0


def _completion(block: Block, prompt: int, completion: int, provider: str) -> tuple[dict[str, int], bool]:
    inside = section(block, *_COMPLETION_DETAILS)
    told = figure(block, "reasoning_tokens")
    reasoning = first_figure(inside, "reasoning_tokens", "reasoning") or told
    beside = bool(told) and (provider == "PERPLEXITY" or not _PERPLEXITYS.isdisjoint(block))
    whole, adds_up = _with_reasoning(block, prompt, completion, reasoning, beside=beside)
    audio, images = first_figure(inside, "audio_tokens", "audio"), figure(inside, "image_tokens")
    parts = {
        "completion_tokens": whole - reasoning - audio - images,
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": audio,
        "completion_image_tokens": images,
    }
    return parts, adds_up


def _with_reasoning(block: Block, prompt: int, completion: int, reasoning: int, *, beside: bool) -> tuple[int, bool]:
    """The completion with the reasoning in it, and whether the provider's own total agrees.

    xAI and Perplexity count reasoning beside the completion. xAI's total says so; Perplexity's leaves it out. All
    others count it inside, wherever they name it. Mistral's total holds audio tokens that it bills by the second and
    counts nowhere else.
    """
    total = figure(block, "total_tokens")
    stated = prompt + completion
    if reasoning and (beside or total == stated + reasoning):
        return completion + reasoning, total in (0, stated, stated + reasoning)
    return completion, total in (0, stated) or (total > stated and bool(_seconds(block)))
