"""The settings of the response cache, as fields of the classes in `processes.py`."""

from typing import Any, Final

from pydantic import Field

CACHE_URL: Final[Any] = Field(
    "sqlite:data/cache.sqlite",
    pattern=r"^(off|sqlite:.+|rediss?://[^/\s]+(/\d+)?)$",
    description="Cached responses: sqlite:FILE for one proxy; redis://USER:PASSWORD@HOST:PORT/NUMBER of Valkey or "
    "Redis for many, rediss:// with TLS; or off",
)
CACHE_BYTES: Final[Any] = Field(
    2**30,
    gt=0,
    description="Bytes of all responses in the file of the cache: above it those not used for longest are deleted. Of "
    "Valkey and Redis their own `maxmemory` decides",
)
CACHE_ENTRY_BYTES: Final[Any] = Field(
    4 * 2**20, gt=0, description="Bytes of a request, and of its response, that are cached; larger ones pass"
)
CACHE_SCOPE: Final[Any] = Field(
    "credentials",
    description="Which responses a request may get from the cache: those to the same key of the provider, or those to "
    "any key within its organization",
)
CACHE_TIMEOUT_S: Final[Any] = Field(
    0.5, gt=0, description="Seconds allowed to the cache; after it a request goes to its provider"
)
CACHE_WAIT_S: Final[Any] = Field(
    30, gt=0, description="Seconds for which a request with Helicone-Cache-Coalesce waits for an identical one"
)
