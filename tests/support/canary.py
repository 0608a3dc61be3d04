"""Exchanges full of things that nobody may keep: what people said, and keys. And where to look for them afterwards."""

import asyncio
import contextlib
import gzip
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from services.stores.journal.file import unpack_segment
from tests.builders.logged_calls import a_log
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.scripted_provider import Do, ScriptedProvider, Step, chunked, http_response

SAID: Final = "canarysang"  # what people said, in requests, responses and errors
PROVIDER_KEY: Final = "sk-provider-canarykey"
OTHER_KEY: Final = "canaryapikey"
QUERY_KEY: Final = "canaryquerykey"
SIGNING_KEY: Final = "canarysigningkey"
SECRETS: Final = (PROVIDER_KEY, OTHER_KEY, QUERY_KEY, SIGNING_KEY)

_USAGE: Final = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200, "note": SAID, SAID: 3}
_LONG: Final = f"{SAID} " * 20_000  # read in a thread, and cut by the capture
HEADERS: Final = {
    "Authorization": f"Bearer {PROVIDER_KEY}",
    "api-key": OTHER_KEY,
    "x-api-key": OTHER_KEY,
    "aws-access-key": "AKIA",
    "aws-secret-key": SIGNING_KEY,
    "aws-session-token": SIGNING_KEY,
}
OMIT: Final = {"Helicone-Omit-Request": "true", "Helicone-Omit-Response": "true"}


def _request(text: str = SAID, **more: Any) -> bytes:
    tool = {"type": "function", "function": {"name": SAID, "parameters": {SAID: {}}}}
    message = {"role": "user", "content": text}
    return json.dumps({"model": "gpt-4o-mini", "messages": [message], "tools": [tool], **more}).encode()


def _response(text: str = SAID) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    response = {"id": SAID, "model": "gpt-4o-mini", "choices": [choice], "usage": _USAGE, "service_tier": "default"}
    return json.dumps(response).encode()


def _events(text: str = SAID) -> list[bytes]:
    said = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    stop = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    last = {"model": "gpt-4o-mini", "choices": [], "usage": _USAGE}
    return [b"data: %b\n\n" % json.dumps(one).encode() for one in (said, stop, last)] + [b"data: [DONE]\n\n"]


_ERROR: Final = json.dumps({"error": {"message": f"{SAID}: Incorrect API key provided: {PROVIDER_KEY}"}}).encode()
_BEGINNING: Final = chunked(_events()[0], end=b"")
_GZIP: Final = "Content-Encoding: gzip\r\n"

Exchange = tuple[str, bytes, dict[str, str], list[Step]]
EXCHANGES: Final[list[Exchange]] = [
    ("plain", _request(), {}, [http_response(_response())]),
    ("large", _request(_LONG), {}, [http_response(_response(_LONG))]),
    ("streamed", _request(stream=True), {}, [chunked(*_events())]),
    ("a large stream", _request(stream=True), {}, [chunked(*[_events(_LONG)[0]] * 4, *_events())]),
    ("compressed", _request(), {}, [http_response(gzip.compress(_response()), more=_GZIP)]),
    (
        "both compressed",
        gzip.compress(_request()),
        {"Content-Encoding": "gzip"},
        [http_response(gzip.compress(_response(_LONG)), more=_GZIP)],
    ),
    ("cut by the provider", _request(stream=True), {}, [_BEGINNING, Do.CLOSE]),
    ("cut while compressed", _request(), {}, [http_response(gzip.compress(_response()), more=_GZIP)[:-40], Do.CLOSE]),
    ("failed", _request(), {}, [http_response(_ERROR, status="401 Unauthorized")]),
    (
        "failed badly",
        _request(),
        {},
        [http_response(_ERROR, status="500 Internal Server Error", content_type="text/plain")],
    ),
    ("no JSON", f"{SAID} {{".encode(), {}, [http_response(f"<{SAID}".encode(), content_type=f"text/html; {SAID}")]),
]


async def tell(provider: ScriptedProvider, proxy_url: str, key: str, headers: dict[str, str]) -> int:
    """All exchanges through the proxy, and as logged calls; how many were recorded. `headers` omit the bodies, or the
    operator does."""
    async with httpx.AsyncClient(base_url=proxy_url, timeout=30, trust_env=False, verify=TRUSTS_NOBODY) as client:
        for name, body, more, script in EXCHANGES:
            provider.script = script
            await _ask(client, f"/oai/v1/chat/completions?key={QUERY_KEY}&x={name}", body, headers | more, key)
        provider.script = [http_response(_response())]
        await _ask(client, f"/oai/{key}/v1/chat/completions?api_key={QUERY_KEY}", _request(), headers, "")
        await _hang_up(client, provider, headers, key)
        logs = _logs(key, dict(headers))
        for log in logs:
            reported = await client.post("/custom/v1/log", json=log, headers={"Authorization": f"Bearer {key}"})
            assert reported.status_code == 200, reported.text
        refused = await client.post("/custom/v1/log", content=json.dumps(logs[0])[:-20], headers=HEADERS)
        assert refused.status_code == 401
    return len(EXCHANGES) + 2 + len(logs)


async def _ask(client: httpx.AsyncClient, path: str, body: bytes, headers: dict[str, str], key: str) -> None:
    auth = {"Helicone-Auth": f"Bearer {key}"} if key else {}
    with contextlib.suppress(httpx.RemoteProtocolError):  # where the provider broke off
        await client.post(path, content=body, headers=HEADERS | headers | auth)


async def _hang_up(client: httpx.AsyncClient, provider: ScriptedProvider, headers: dict[str, str], key: str) -> None:
    provider.script = [_BEGINNING, Do.HANG]
    cancelled = HEADERS | headers | {"Helicone-Auth": f"Bearer {key}", "Helicone-On-Disconnect": "cancel"}
    path = f"/oai/v1/chat/completions?key={QUERY_KEY}"
    async with client.stream("POST", path, content=_request(stream=True), headers=cancelled) as response:
        async for _piece in response.aiter_raw():
            break


def _logs(key: str, meta: dict[str, str]) -> list[dict[str, Any]]:
    requested, meta = json.loads(_request()), meta | {"authorization": f"Bearer {PROVIDER_KEY}", "prompt": SAID}
    url = f"https://user:{OTHER_KEY}@gateway.example/oai/{key}/v1/chat/completions?key={QUERY_KEY}#{SAID}"
    whole = json.loads(_response())
    return [
        a_log(requested=requested, response=whole, meta=meta, url=url),
        a_log(requested=requested, response={}, text=b"".join(_events()).decode(), meta=meta),
        a_log(requested=requested, response={}, text=b"".join(_events()[:1]).decode(), status=-3, meta=meta),
        a_log(requested=requested, response=json.loads(_ERROR), status=500, meta=meta),
        a_log(requested={"input": _LONG}, response=whole | {"service_tier": f"{SAID} {SAID}"}, meta=meta),
        a_log(requested=[SAID], response={}, text=f"{SAID} {{", meta=meta),
    ]


def files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, by its path; of journals also what is in them, decompressed."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file), file.read_bytes()
            if file.name.endswith(".sqlite"):
                yield from _tables_in(file)


def _tables_in(file: Path) -> Iterator[tuple[str, bytes]]:
    connection = sqlite3.connect(file)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f"SELECT * FROM {table}").fetchall():
            for value in row:
                for one in _read(value):
                    yield f"{file}: {table}", one
    connection.close()


def _read(value: object) -> list[bytes]:
    if isinstance(value, bytes):
        return [value, *(unpack_segment(value) or ())]
    return [str(value).encode()]


def assert_nothing_kept(places: Iterator[tuple[str, bytes]], *secrets: str) -> list[str]:
    """The places that were looked at. Raises: AssertionError, which names where something was found."""
    looked_at = []
    for place, content in places:
        looked_at.append(place)
        lowered = content.lower()
        for hidden in (SAID, *SECRETS, *secrets):
            assert hidden.lower().encode() not in lowered, f"{hidden} in {place}"
        assert b"canary" not in lowered, f"in {place}: {lowered[max(0, lowered.index(b'canary') - 200) :][:400]!r}"
    return looked_at


async def eventually(holds: Callable[[], Awaitable[bool]], what: str, within_s: float = 60) -> None:
    for _ in range(int(within_s / 0.1)):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(what)
