"""Chunks of Google's streams -> one GenerateContentResponse.

Source: https://ai.google.dev/api/generate-content
"""

from collections.abc import Sequence
from typing import Final

from services.domain.assembly.growing import Object, add_text, finished

_TEXT: Final = frozenset({"text", "thought"})  # a part with nothing else continues the one before it


def assemble_generated(chunks: Sequence[Object]) -> tuple[Object, bool]:
    """The response, and whether every candidate has ended, or the prompt was refused."""
    response: Object = {}
    candidates: dict[int, Object] = {}
    for chunk in chunks:
        for name, value in chunk.items():
            if name == "candidates":
                _add_candidates(candidates, value)
            elif value is not None:
                response[name] = value
    if candidates:
        response = {"candidates": [finished(candidates[index]) for index in sorted(candidates)]} | response
    feedback = response.get("promptFeedback")
    refused = isinstance(feedback, dict) and bool(feedback.get("blockReason"))
    ended = bool(candidates) and all(one.get("finishReason") for one in candidates.values())
    return response, ended or refused


def _add_candidates(candidates: dict[int, Object], chunks: object) -> None:
    for chunk in chunks if isinstance(chunks, list) else ():
        if not isinstance(chunk, dict):
            continue
        index = chunk.get("index")
        candidate = candidates.setdefault(index if isinstance(index, int) else 0, {})
        for name, value in chunk.items():
            if name == "content":
                if isinstance(value, dict):
                    _add_content(candidate.setdefault("content", {"parts": []}), value)
            elif value is not None:
                candidate[name] = value


def _add_content(content: Object, chunk: Object) -> None:
    for name, value in chunk.items():
        if name != "parts":
            content[name] = value
            continue
        for part in value if isinstance(value, list) else ():
            if isinstance(part, dict):
                _add_part(content["parts"], part)


def _add_part(parts: list[Object], part: Object) -> None:
    last = parts[-1] if parts else {}
    if _is_text(part) and _is_text(last) and bool(part.get("thought")) == bool(last.get("thought")):
        add_text(last, "text", part["text"])
    elif part != {"text": ""}:
        parts.append(dict(part))


def _is_text(part: Object) -> bool:
    return "text" in part and part.keys() <= _TEXT
