"""Chunks of OpenAI's chat completions, and of its older completions -> the completion.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from collections.abc import Sequence
from typing import Any, Final

from services.domain.assembly.growing import Object, add_text, finished, merge_delta

_PADDING: Final = "obfuscation"  # hides the length of a text from eavesdroppers


def assemble_chat(chunks: Sequence[Object]) -> tuple[Object, bool]:
    """The completion, and whether every choice has ended."""
    completion: Object = {}
    choices: dict[int, Object] = {}
    for chunk in chunks:
        for name, value in chunk.items():
            if name == "choices":
                _add_choices(choices, value)
            elif name != _PADDING and (value or name not in completion):
                completion[name] = value
    completion["choices"] = [_shown(choices[index]) for index in sorted(choices)]
    if completion.get("object") == "chat.completion.chunk":
        completion["object"] = "chat.completion"
    return completion, bool(choices) and all(choice.get("finish_reason") for choice in choices.values())


def _add_choices(choices: dict[int, Object], chunks: object) -> None:
    for chunk in chunks if isinstance(chunks, list) else ():
        if isinstance(chunk, dict):
            index = chunk.get("index")
            index = index if isinstance(index, int) else 0
            _add_choice(choices.setdefault(index, {"index": index, "finish_reason": None}), chunk)


def _add_choice(choice: Object, chunk: Object) -> None:
    for name, value in chunk.items():
        match name, value:
            case "delta" | "logprobs", dict():
                merge_delta(_object(choice, name), value)
            case "text", str():
                add_text(choice, name, value)
            case _ if name != "index" and (value is not None or name not in choice):
                choice[name] = value


def _object(target: Object, name: str) -> Object:
    if not isinstance(target.get(name), dict):
        target[name] = {}
    found: Object = target[name]
    return found


def _shown(choice: Object) -> Object:
    plain: Object = finished(choice)
    delta: Any = plain.pop("delta", None)
    if not isinstance(delta, dict):  # of the older completions, which have a text
        return plain
    return plain | {"message": {"role": "assistant", "content": None} | delta}
