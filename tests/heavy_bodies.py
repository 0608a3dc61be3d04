"""Bodies that are dear to look at, each as large as the proxy takes it."""

import gzip
from collections.abc import Mapping
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


def heavy_chats() -> Mapping[str, bytes]:
    """By what is dear about them."""
    names = _names(CHAT_BYTES - 200)
    return {
        "a long text": _chat(b'"messages":' + _text(b"x", CHAT_BYTES - 200)),
        "many names": _chat(names[1:-1]),
        "options of many names": _chat(b'"stream_options":' + names),
        "many objects": _chat(b'"messages":' + _objects(CHAT_BYTES - 200)),
        "a long name": _chat(_text(rb"\n", CHAT_BYTES - 200) + b":1"),
    }


def heavy_omitted() -> Mapping[str, tuple[bytes, str]]:
    """Bodies of requests that are to be omitted, with their content encoding, by what is dear about them."""
    return {
        "tools of many names": (_tools(CHAT_BYTES - 200), ""),
        "tools of many names, compressed": (gzip.compress(_tools(4 * CHAT_BYTES - 200), 1), "gzip"),
    }


def _tools(size_bytes: int) -> bytes:
    return _chat(b'"tools":[%b]' % _names(size_bytes))


def heavy_logs() -> Mapping[str, bytes]:
    """By what is dear about them."""
    room = LOG_BYTES - 600
    return {
        "a long text": _log(response=_text(b"x", room)),
        "many escapes": _log(response=_text(rb"\n", room)),
        "many objects": _log(response=_objects(room)),
        "many names": _log(request=_names(room)),
        "meta of many names": _log(meta=_names(room)),
        "meta of many headers": _log(meta=_names(room, prefix=b"helicone-")),
        "meta of many objects": _log(meta=b'{"a":%b}' % _objects(room)),
        "a step's name of many objects": _log(request=b'{"_type":"tool","toolName":%b}' % _objects(room)),
        "half characters": _log(response=_text(rb"\ud800", room)),
        "backslashes": _log(response=b'"%b\\ud800"' % (b"\\" * (room // 2 * 2))),
        "no UTF-8": _log(response=b'"\\ud800%b"' % (b"\xff" * room)),
    }
