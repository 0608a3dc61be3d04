"""Bodies that are dear to look at, each as large as the proxy takes it."""

import gzip
from collections.abc import Callable, Mapping
from typing import Final

CHAT_BYTES: Final = 4 * 2**20 - 64  # above it the proxy does not look at a chat
LOG_BYTES: Final = 10 * 2**20 - 1024
_TIMING: Final = b'{"startTime":{"seconds":1793534400},"endTime":{"seconds":1793534401}}'


def _names(size_bytes: int, *, prefix: bytes = b"") -> bytes:
    each = len(prefix) + 12
    return b"{%b}" % b",".join(b'"%b%07d":1' % (prefix, number) for number in range(size_bytes // each - 1))


def _objects(size_bytes: int) -> bytes:
    return b"[%b]" % b",".join([b'{"a":1}'] * (size_bytes // 8 - 1))


def _text(piece: bytes, size_bytes: int) -> bytes:
    return b'"%b"' % (piece * (size_bytes // len(piece) - 1))


def _chat(rest: bytes) -> bytes:
    return b'{"model":"gpt-4o-mini","stream":true,%b}' % rest


def _log(*, request: bytes = b"{}", response: bytes = b"{}", meta: bytes = b"{}") -> bytes:
    return b'{"providerRequest":{"json":%b,"meta":%b},"providerResponse":{"status":200,"json":%b},"timing":%b}' % (
        request,
        meta,
        response,
        _TIMING,
    )


# By what is dear about them; made when they are called for, which takes seconds for all.
HEAVY_CHATS: Final[Mapping[str, Callable[[], bytes]]] = {
    "a long text": lambda: _chat(b'"messages":' + _text(b"x", CHAT_BYTES - 200)),
    "many names": lambda: _chat(_names(CHAT_BYTES - 200)[1:-1]),
    "options of many names": lambda: _chat(b'"stream_options":' + _names(CHAT_BYTES - 200)),
    "many objects": lambda: _chat(b'"messages":' + _objects(CHAT_BYTES - 200)),
    "a long name": lambda: _chat(_text(rb"\n", CHAT_BYTES - 200) + b":1"),
}

# Bodies of requests that are to be omitted, with their content encoding.
HEAVY_OMITTED: Final[Mapping[str, Callable[[], tuple[bytes, str]]]] = {
    "tools of many names": lambda: (_tools(CHAT_BYTES - 200), ""),
    "tools of many names, compressed": lambda: (gzip.compress(_tools(4 * CHAT_BYTES - 200), 1), "gzip"),
}


def _tools(size_bytes: int) -> bytes:
    return _chat(b'"tools":[%b]' % _names(size_bytes))


_ROOM: Final = LOG_BYTES - 600
HEAVY_LOGS: Final[Mapping[str, Callable[[], bytes]]] = {
    "a long text": lambda: _log(response=_text(b"x", _ROOM)),
    "many escapes": lambda: _log(response=_text(rb"\n", _ROOM)),
    "many objects": lambda: _log(response=_objects(_ROOM)),
    "many names": lambda: _log(request=_names(_ROOM)),
    "meta of many names": lambda: _log(meta=_names(_ROOM)),
    "meta of many headers": lambda: _log(meta=_names(_ROOM, prefix=b"helicone-")),
    "meta of many objects": lambda: _log(meta=b'{"a":%b}' % _objects(_ROOM)),
    "a step's name of many objects": lambda: _log(request=b'{"_type":"tool","toolName":%b}' % _objects(_ROOM)),
    "half characters": lambda: _log(response=_text(rb"\ud800", _ROOM)),
    "backslashes": lambda: _log(response=b'"%b\\ud800"' % (b"\\" * (_ROOM // 2 * 2))),
    "no UTF-8": lambda: _log(response=b'"\\ud800%b"' % (b"\xff" * _ROOM)),
}
