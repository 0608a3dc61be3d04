"""Messages of Protocol Buffers, field by field: what OTLP needs of them.

Source: https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

Attribute: TypeAlias = str | bool | int | float

MAX_CHARACTERS: Final = 1024  # of an attribute's text

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_UNSIGNED_64: Final = 2**64
_BYTE: Final = tuple(bytes([value]) for value in range(0x80))


def varint(value: int) -> bytes:
    """Negative numbers as their complement to 64 bits."""
    if 0 <= value < 0x80:
        return _BYTE[value]
    value %= _UNSIGNED_64
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def message(number: int, content: bytes) -> bytes:
    """A field that is a message, bytes, or a packed list."""
    return varint(number << 3 | _BYTES) + varint(len(content)) + content


def text(number: int, value: str) -> bytes:
    return message(number, value.encode("utf-8", "replace"))


def integer(number: int, value: int) -> bytes:
    """As int64, uint64, bool or an enumeration."""
    return varint(number << 3 | _VARINT) + varint(value)


def fixed64(number: int, value: int) -> bytes:
    return varint(number << 3 | _FIXED64) + struct.pack("<Q", value)


def fixed32(number: int, value: int) -> bytes:
    return varint(number << 3 | _FIXED32) + struct.pack("<I", value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def packed_fixed64(number: int, values: Iterable[int]) -> bytes:
    return message(number, b"".join(struct.pack("<Q", value) for value in values))


def packed_double(number: int, values: Iterable[float]) -> bytes:
    return message(number, b"".join(struct.pack("<d", value) for value in values))


def attributes(number: int, values: Mapping[str, Attribute]) -> bytes:
    """A repeated field of OTLP's KeyValue."""
    return b"".join([message(number, _name(name) + message(2, _any_value(value))) for name, value in values.items()])


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    return text(1, name)


def _any_value(value: Attribute) -> bytes:
    if isinstance(value, str):
        return text(1, value[:MAX_CHARACTERS])
    if isinstance(value, bool):
        return integer(2, value)
    return integer(3, value) if isinstance(value, int) else double(4, value)
