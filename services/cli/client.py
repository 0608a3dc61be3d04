"""Requests to a running Farebox over HTTP: responses with exact Decimals, failures in plain words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import httpx
import msgspec

from schemas.errors import FareboxError

_TIMEOUT_S: Final = 60
_STREAM_S: Final = 120  # between two parts of a response

# What JSON leaves as it is: controls above ASCII, ends of lines, and marks that turn the direction of writing.
_STEERING: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class NoResponse(FareboxError):
    """There is no usable response; the text states what to do."""


class Unreachable(NoResponse):
    """Nothing responds at the address."""


class Interrupted(NoResponse):
    """A response broke off before its end."""


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
        return self._whole(self._response("GET", path, parameters=parameters))["data"]

    def get_sealed(self, path: str, parameters: Mapping[str, str] | None = None) -> tuple[Any, Any]:
        """The `data` of the response, and its `seal`. Raises: NoResponse, also when it has none."""
        whole = self._whole(self._response("GET", path, parameters=parameters))
        try:
            return whole["data"], whole["seal"]
        except LookupError as error:
            raise NoResponse(f"the query service at {self.url} is of another version") from error

    def post(self, path: str, body: object, *, timeout_s: float = _TIMEOUT_S) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._whole(self._response("POST", path, content=_encoder.encode(body), timeout_s=timeout_s))["data"]

    def post_whole(self, path: str, body: object) -> dict[str, Any]:
        """The `data` of the response, and what stands beside it. Raises: NoResponse."""
        return self._whole(self._response("POST", path, content=_encoder.encode(body)))

    def put(self, path: str, body: object) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._whole(self._response("PUT", path, content=_encoder.encode(body)))["data"]

    def patch(self, path: str, body: object) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._whole(self._response("PATCH", path, content=_encoder.encode(body)))["data"]

    def delete(self, path: str) -> Any:
        """The `data` of the response. Raises: NoResponse."""
        return self._whole(self._response("DELETE", path))["data"]

    def post_csv(self, path: str, body: object) -> tuple[str, list[str]]:
        """The response as CSV, and the warnings that came with it. Raises: NoResponse."""
        response = self._response("POST", path, content=_encoder.encode(body), accept="text/csv")
        if not response.headers.get("Content-Type", "").startswith("text/csv"):
            self._whole(response)
            raise NoResponse(f"what responds at {self.url} sends no CSV")
        return response.text, warnings_in(response.headers)

    @contextmanager
    def stream(self, path: str, body: object) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """The headers of a response, and its body as it comes. Raises: NoResponse; Interrupted, while it is read."""
        try:
            with httpx.stream(
                "POST", self.url + path, content=_encoder.encode(body), headers=self._headers("*/*"), timeout=_STREAM_S
            ) as response:
                if not response.is_success:
                    response.read()
                    raise NoResponse(self._refusal(response))
                yield response.headers, response.iter_bytes()
        except (httpx.ConnectError, httpx.InvalidURL, UnicodeError) as error:
            raise self._unreachable() from error
        except httpx.HTTPError as error:
            raise Interrupted(f"the response of {self.url} broke off: {error}") from error

    def _whole(self, response: httpx.Response) -> dict[str, Any]:
        try:
            whole: dict[str, Any] = _decoder.decode(response.content)
            whole["data"]
        except (msgspec.DecodeError, LookupError, TypeError) as error:
            raise NoResponse(f"what responds at {self.url} is not Farebox's query service") from error
        return whole

    def _response(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: str = "application/json",
        timeout_s: float = _TIMEOUT_S,
    ) -> httpx.Response:
        """One that is no refusal."""
        response = self._sent(method, path, parameters, content, accept, timeout_s)
        if not response.is_success:
            raise NoResponse(self._refusal(response))
        return response

    def _sent(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None,
        content: bytes | None,
        accept: str,
        timeout_s: float,
    ) -> httpx.Response:
        try:
            return httpx.request(
                method,
                self.url + path,
                params=parameters,
                content=content,
                headers=self._headers(accept),
                timeout=timeout_s,
                follow_redirects=True,
            )
        except httpx.ReadTimeout as error:
            raise NoResponse(
                f"{self.url} did not respond within {timeout_s:g} s, and may still be at work: try again later"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._unreachable() from error

    def _headers(self, accept: str) -> dict[str, str]:
        authorization = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"Content-Type": "application/json", "Accept": accept} | authorization

    def _unreachable(self) -> Unreachable:
        return Unreachable(f"nothing responds at {self.url}: start Farebox with `farebox up`, or name it: --url")

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


def warnings_in(headers: Mapping[str, str]) -> list[str]:
    """The messages that came with a file."""
    return msgspec.json.decode(headers.get("Farebox-Warnings", "[]"), type=list[str])


def as_json(response: object) -> str:
    """A response as JSON for people: amounts digit for digit, names without what would steer a terminal."""
    text = msgspec.json.format(_encoder.encode(response), indent=2).decode()
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
