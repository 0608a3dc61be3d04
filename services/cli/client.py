"""Questions to a running Farebox over HTTP, with answers in exact Decimals and failures in plain words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import msgspec

from schemas.errors import FareboxError

_TIMEOUT_S: Final = 60

# What JSON leaves as it is: controls above ASCII, ends of lines, and marks that turn the direction of writing.
_STEERING: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class NoResponse(FareboxError):
    """The question was not answered; the text says what to do."""


class Unreachable(NoResponse):
    """Nothing answers at the address."""


class QueryApi:
    """The query service at `url`, asked with one key."""

    def __init__(self, url: str, key: str, *, missing: str = "no key") -> None:
        """`missing` is told when `key` is empty and one was needed. Raises: NoResponse when `url` is not a URL."""
        if not url.startswith(("http://", "https://")):
            raise NoResponse(f"{url!r} is not a URL: it starts with http:// or https://")
        self.url = url.rstrip("/")
        self._key = key
        self._missing = missing

    def get(self, path: str, asked: Mapping[str, str] | None = None) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._data(f"{path}?{urlencode(asked)}" if asked else path, None)

    def post(self, path: str, body: object) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._data(path, _encoder.encode(body))

    def _data(self, path: str, body: bytes | None) -> Any:
        try:
            return _decoder.decode(self._answer(path, body))["data"]
        except (msgspec.DecodeError, LookupError, TypeError) as error:
            raise NoResponse(f"what answers at {self.url} is not Farebox's query service") from error

    def _answer(self, path: str, body: bytes | None) -> bytes:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            with urlopen(Request(self.url + path, body, headers), timeout=_TIMEOUT_S) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except HTTPError as refusal:
            raise NoResponse(self._refused(refusal)) from refusal
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Unreachable(
                f"nothing answers at {self.url}: start Farebox with `farebox up`, or name it: --url"
            ) from error

    def _refused(self, refusal: HTTPError) -> str:
        if refusal.code == 401 and not self._key:
            return self._missing
        if refusal.code == 401:
            return f"the key was refused by {self.url}: give one with --key, or FAREBOX_KEY"
        try:
            told = msgspec.json.decode(refusal.read())["error"]
        except (msgspec.DecodeError, LookupError, TypeError):
            told = f"HTTP {refusal.code}"
        if isinstance(told, dict):  # as the proxy and other services say it
            told = told.get("message", f"HTTP {refusal.code}")
        return f"{self.url} refused: {told}"


def as_json(answer: object) -> str:
    """A response as JSON for people: amounts digit for digit, names without what would steer a terminal."""
    text = msgspec.json.format(_encoder.encode(answer), indent=2).decode()
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
