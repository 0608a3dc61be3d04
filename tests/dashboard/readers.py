"""A person whose key may read the demo, and nothing else."""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.dashboard.browser import Demo


def ask(demo: Demo, method: str, path: str, body: object = None) -> Any:
    """The data of a response."""
    request = urllib.request.Request(
        f"{demo.query_url}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {demo.key}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.loads(response.read())["data"]


@contextlib.contextmanager
def reader_of(demo: Demo) -> Iterator[Demo]:
    """The demo with a key that may read, for a while."""
    made = ask(demo, "POST", "/v1/api-keys", {"api_key_name": "a reader", "key_permissions": "r"})
    yield msgspec.structs.replace(demo, key=made["apiKey"])
    ask(demo, "DELETE", f"/v1/api-keys/{made['id']}")
