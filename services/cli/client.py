"""Requests to a running Farebox over HTTP: responses with exact Decimals, failures in plain words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import httpx
import msgspec

from schemas.errors import FareboxError

_TIMEOUT_S: Final = 60

# What JSON leaves as it is: controls above ASCII, ends of lines, and marks that turn the direction of writing.
_STEERING: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class NoResponse(FareboxError):
    """There is no usable response; the text states what to do."""


class Unreachable(NoResponse):
    """Nothing responds at the address."""


class QueryApi:
    """The query service at `url`, requested with one key."""

    def __init__(self, url: str, key: str, *, missing: str = "no key") -> None:
        """`missing` is the error when `key` is empty and one was needed. Raises: NoResponse when `url` is not a URL."""
        if not url.startswith(("http://", "https://")):
            raise NoResponse(f"{url!r} is not a URL: it starts with http:// or https://")
        self.url = url.rstrip("/")
        self._key = key
        self._missing = missing

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._data("GET", path, parameters=parameters)

    def post(self, path: str, body: object) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._data("POST", path, content=_encoder.encode(body))

    def _data(
        self, method: str, path: str, *, parameters: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Any:
        response = self._response(method, path, parameters, content)
        if not response.is_success:
            raise NoResponse(self._refusal(response))
        try:
            return _decoder.decode(response.content)["data"]
        except (msgspec.DecodeError, LookupError, TypeError) as error:
            raise NoResponse(f"what responds at {self.url} is not Farebox's query service") from error

    def _response(
        self, method: str, path: str, parameters: Mapping[str, str] | None, content: bytes | None
    ) -> httpx.Response:
        authorization = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            return httpx.request(
                method,
                self.url + path,
                params=parameters,
                content=content,
                headers={"Content-Type": "application/json"} | authorization,
                timeout=_TIMEOUT_S,
                follow_redirects=True,
            )
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unreachable(
                f"nothing responds at {self.url}: start Farebox with `farebox up`, or name it: --url"
            ) from error

    def _refusal(self, response: httpx.Response) -> str:
        if response.status_code == 401 and not self._key:
            return self._missing
        if response.status_code == 401:
            return f"the key was refused by {self.url}: give one with --key, or FAREBOX_KEY"
        try:
            reason = msgspec.json.decode(response.content)["error"]
        except (msgspec.DecodeError, LookupError, TypeError):
            reason = f"HTTP {response.status_code}"
        if isinstance(reason, dict):  # the form of the proxy and of other services
            reason = reason.get("message", f"HTTP {response.status_code}")
        return f"{self.url} refused: {reason}"


def as_json(response: object) -> str:
    """A response as JSON for people: amounts digit for digit, names without what would steer a terminal."""
    text = msgspec.json.format(_encoder.encode(response), indent=2).decode()
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
