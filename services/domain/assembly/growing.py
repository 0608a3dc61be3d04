"""Values that arrive in chunks, put together in linear time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Object = dict[str, Any]

# Fields that identify what a chunk belongs to, and do not continue it: some servers repeat them in every chunk.
_IDENTIFYING: Final = frozenset({"id", "type", "role", "name", "format", "object", "call_id"})


class GrowingText:
    """A text in chunks, joined once: adding to a `str` would copy all of it with each chunk."""

    __slots__ = ("chunks",)

    def __init__(self, *chunks: str) -> None:
        self.chunks = list(chunks)


class IndexedList(dict[int, Object]):
    """A list whose items arrive by their index; a gap in the indexes is closed."""


def add_text(target: Object, name: str, chunk: object) -> None:
    """Continues the text `name` of `target`; what is no text is passed over."""
    if not isinstance(chunk, str):
        return
    before = target.get(name)
    if isinstance(before, GrowingText):
        before.chunks.append(chunk)
    else:
        target[name] = GrowingText(before, chunk) if isinstance(before, str) else GrowingText(chunk)


def merge_delta(target: Object, delta: Mapping[str, Any]) -> None:
    """Adds `delta` to `target`: texts and lists continue, objects merge, the last of anything else counts."""
    for name, value in delta.items():
        before = target.get(name)
        match value:
            case None:
                target.setdefault(name, None)
            case str() if name in _IDENTIFYING:
                target[name] = value or before
            case str():
                add_text(target, name, value)
            case dict():
                target[name] = before = before if isinstance(before, dict) else {}
                merge_delta(before, value)
            case list():
                target[name] = _continued(before, value)
            case _:
                target[name] = value


def _continued(before: object, items: Sequence[Any]) -> object:
    if items and all(isinstance(item, dict) and isinstance(item.get("index"), int) for item in items):
        indexed = before if isinstance(before, IndexedList) else IndexedList()
        for item in items:
            merge_delta(indexed.setdefault(item["index"], {}), {k: v for k, v in item.items() if k != "index"})
        return indexed
    if isinstance(before, list):
        before.extend(items)
        return before
    return before if isinstance(before, IndexedList) else list(items)


def finished(value: Any) -> Any:
    """`value` as plain JSON. Raises: RecursionError."""
    match value:
        case GrowingText():
            return "".join(value.chunks)
        case IndexedList():
            return [finished(value[index]) for index in sorted(value)]
        case dict():
            return {name: finished(one) for name, one in value.items()}
        case list():
            return [finished(one) for one in value]
    return value
