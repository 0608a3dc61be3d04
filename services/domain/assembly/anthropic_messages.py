"""Events of Anthropic's Messages -> the message.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.assembly.growing import IndexedList, Object, add_text, finished

# The type of a block that a delta continues, and the text of it.
_GROWING: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
    "compaction_delta": ("compaction", "content"),
}
_INPUT: Final = "partial_json"  # under this name until the block is shown: then it is its `input`

_any = msgspec.json.Decoder()


def assemble_message(events: Sequence[Object]) -> tuple[Object, bool]:
    """The message, and whether it has ended."""
    message: Object = {}
    blocks = IndexedList()
    ended = False
    for event in events:
        match event:
            case {"type": "message_start", "message": dict(start)}:
                message = dict(start)
            case {"type": "content_block_start", "index": int(index), "content_block": dict(block)}:
                blocks[index] = dict(block)
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                _add_delta(blocks, index, delta)
            case {"type": "message_delta"}:
                _end(message, event)
            case {"type": "error"}:
                message["error"] = event.get("error")
            case {"type": "message_stop"}:
                ended = True
    content = [_shown(block) for block in finished(blocks)]
    return message | ({"content": content} if content else {}), ended


def _add_delta(blocks: IndexedList, index: int, delta: Object) -> None:
    kind = str(delta.get("type"))
    if kind == "citations_delta":
        block = blocks.setdefault(index, {"type": "text", "text": ""})
        if not isinstance(block.get("citations"), list):
            block["citations"] = []
        block["citations"].append(delta.get("citation"))
    elif kind in _GROWING:
        block_type, text = _GROWING[kind]
        add_text(blocks.setdefault(index, {"type": block_type}), text, delta.get(text))


def _end(message: Object, event: Object) -> None:
    """Why the message ended, and the usage until there; figures of the start that it does not repeat are kept."""
    if isinstance(event.get("delta"), dict):
        message.update(event["delta"])
    usage = event.get("usage")
    if isinstance(usage, dict):
        before = message.get("usage")
        reported = {name: value for name, value in usage.items() if value is not None}
        message["usage"] = (before if isinstance(before, dict) else {}) | reported


def _shown(block: Object) -> Object:
    """With the input of a tool as JSON; as a text where the stream broke off within it."""
    text = block.pop(_INPUT, "")
    if not text or not isinstance(text, str):
        return block
    try:
        return block | {"input": _any.decode(text)}
    except UNDECODABLE:
        return block | {"input": text}
