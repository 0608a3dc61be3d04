"""The settings of rate limits, as fields of the classes in `processes.py`."""

from typing import Any, Final

from pydantic import Field

LIMITS_URL: Final[Any] = Field(
    "memory",
    pattern=r"^(memory|rediss?://[^/\s]+(/\d+)?)$",
    description="Levels of rate limits: memory of one proxy; or redis://USER:PASSWORD@HOST:PORT/NUMBER of Valkey or "
    "Redis for many, rediss:// with TLS. One that evicts keys (`allkeys-lru`) may forget a level, and so allow more",
)
LIMITS_FAILURE: Final[Any] = Field(
    "open",
    description="A request whose rate limit cannot be applied (a policy that means nothing, a user or property that "
    "is not there, a server of the levels that is unavailable) passes, `open`, or is refused, `closed`",
)
LIMITS_TIMEOUT_S: Final[Any] = Field(
    0.5, gt=0, description="Seconds allowed to that server; after it the limit of the request cannot be applied"
)
