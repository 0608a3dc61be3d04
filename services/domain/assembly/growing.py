"""Values that arrive in pieces, put together in linear time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Object = dict[str, Any]

# Names what a piece belongs to, instead of continuing it: some servers repeat them in every chunk.
_LABELS: Final = frozenset({"id", "type", "role", "name", "format", "object", "call_id"})


class GrowingText:
    """A text in pieces, joined once: adding to a `str` would copy all of it with each piece."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: str) -> None:
        self.pieces = list(pieces)


class IndexedList(dict[int, Object]):
    """A list whose items arrive by their index; a gap in the indexes is closed."""


def add_text(target: Object, name: str, piece: object) -> None:
    """Continues the text `name` of `target`; what is no text is passed over."""
    if not isinstance(piece, str):
        return
    before = target.get(name)
    if isinstance(before, GrowingText):
        before.pieces.append(piece)
    else:
        target[name] = GrowingText(before, piece) if isinstance(before, str) else GrowingText(piece)


def merge_delta(target: Object, delta: Mapping[str, Any]) -> None:
    """Adds `delta` to `target`: texts and lists continue, objects merge, the last of anything else counts."""
    for name, value in delta.items():
        before = target.get(name)
        match value:
            case None:
                target.setdefault(name, None)
            case str() if name in _LABELS:
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
            return "".join(value.pieces)
        case IndexedList():
            return [finished(value[index]) for index in sorted(value)]
        case dict():
            return {name: finished(one) for name, one in value.items()}
        case list():
            return [finished(one) for one in value]
    return value
