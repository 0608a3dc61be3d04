"""Anthropic's `iterations`: the turns of one request, of which some are in none of the counts beside them.

A compaction is billed at the model's own prices, an advisor's turn at those of its model; neither is in the counts of
the usage object, which are those of the other turns together. What was used is the sum of all.
Sources: https://platform.claude.com/docs/en/build-with-claude/compaction#understanding-usage,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool#usage-and-billing
"""

import re
from typing import Final

from services.domain.usage.formats.fields import UsageObject, entries

_LISTED: Final = "iterations"
_COUNTED_BESIDE: Final = (None, "message", "fallback_message")
_ADVISOR: Final = "advisor_message"
_KINDS: Final = (*_COUNTED_BESIDE, "compaction", _ADVISOR)
_DATE: Final = re.compile(r"-\d{8}$")
_INPUT: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_SUMMED: Final = (*_INPUT, "output_tokens")


def all_turns(block: UsageObject) -> list[UsageObject]:
    """The objects of a usage `block` whose tokens add up to what was used: its turns, or else the block alone."""
    turns = entries(block, _LISTED)
    return turns if any(turn.get("type") not in _COUNTED_BESIDE for turn in turns) else [block]


def largest_prompt(block: UsageObject) -> int:
    """The input of the turn in a usage `block` that read most, cached or not; 0 where no turns are listed.

    By it, and not by the input of all turns together, the price for long prompts is chosen.
    """
    return max(map(_prompt, entries(block, _LISTED)), default=0)


def _prompt(turn: UsageObject) -> int:
    return sum(value for name in _INPUT if type(value := turn.get(name)) is int and value > 0)


def advisors_turns(block: UsageObject, model: str) -> list[tuple[str, UsageObject]]:
    """The turns of advisors in a usage `block` of `model` that are other models, each with its model's name."""
    return [(str(turn["model"]), turn) for turn in entries(block, _LISTED) if _is_advisors(turn, model)]


def own_turns(block: UsageObject, model: str) -> UsageObject:
    """`block` without the counts of those turns."""
    turns = entries(block, _LISTED)
    if not any(_is_advisors(turn, model) for turn in turns):
        return block
    return {**block, _LISTED: [{"type": _ADVISOR} if _is_advisors(turn, model) else turn for turn in turns]}


def bills_apart(block: UsageObject, model: str) -> bool:
    """Whether a turn in a usage `block` is of an unknown kind, or of another model than `model`, and used anything.

    Another model's turn that is not an advisor's is that of a model that declined: it may be billed, or credited.
    """
    turns = [turn for turn in entries(block, _LISTED) if any(map(turn.get, _SUMMED))]
    known = all(turn.get("type") in _KINDS for turn in turns)
    return not known or any(_is_of_another(turn, model) for turn in turns)


def _is_advisors(turn: UsageObject, model: str) -> bool:
    return turn.get("type") == _ADVISOR and _is_of_another(turn, model)


def _is_of_another(turn: UsageObject, model: str) -> bool:
    return _undated(str(turn.get("model") or model)) != _undated(model)


def _undated(model: str) -> str:
    return _DATE.sub("", model)
