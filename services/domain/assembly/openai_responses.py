"""Events of OpenAI's Responses -> the response. The last event holds all of it; without it, the sum of the deltas.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Sequence
from typing import Any, Final

from services.domain.assembly.growing import IndexedList, Object, add_text, finished

# No set: an event's type may be any JSON.
_LAST: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")

# The list of parts within an output item that a delta continues ('': the item itself), and which text of it.
_GROWING: Final = {
    "response.output_text.delta": ("content", "output_text", "text"),
    "response.refusal.delta": ("content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text", "text"),
    "response.function_call_arguments.delta": ("", "function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("", "custom_tool_call", "input"),
    "response.mcp_call_arguments.delta": ("", "mcp_call", "arguments"),
    "response.code_interpreter_call_code.delta": ("", "code_interpreter_call", "code"),
}
_INDEX: Final = {"content": "content_index", "summary": "summary_index"}


def assemble_response(events: Sequence[Object]) -> tuple[Object, bool]:
    """The response, and whether it has ended."""
    response: Object = {}
    items: dict[int, Object] = {}
    ended = False
    for event in events:
        if isinstance(event.get("response"), dict):
            response = event["response"]
        elif event.get("type") == "error":
            response = response | {"error": {name: value for name, value in event.items() if name != "type"}}
        else:
            _add_event(items, event)
        ended = ended or event.get("type") in _LAST
    if items and not (ended and response.get("output")):
        response = response | {"output": [finished(items[index]) for index in sorted(items)]}
    return response, ended


def _add_event(items: dict[int, Object], event: Object) -> None:
    index, kind = event.get("output_index"), event.get("type")
    if not isinstance(index, int):
        return
    if kind in ("response.output_item.added", "response.output_item.done"):
        if isinstance(event.get("item"), dict):
            items[index] = dict(event["item"])
        return
    growing = _GROWING.get(str(kind))
    if growing is not None:
        place, item_type, text = growing
        item = items.setdefault(index, {} if place else {"type": item_type})
        target = _part(item, place, event.get(_INDEX[place]), item_type) if place else item
        add_text(target, text, event.get("delta"))


def _part(item: Object, place: str, index: Any, part_type: str) -> Object:
    parts = item.get(place)
    if not isinstance(parts, IndexedList):
        found = parts if isinstance(parts, list) else []
        parts = item[place] = IndexedList(enumerate(dict(part) for part in found if isinstance(part, dict)))
    return parts.setdefault(index if isinstance(index, int) else 0, {"type": part_type})
