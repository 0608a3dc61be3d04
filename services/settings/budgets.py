"""The settings of budgets, as fields of the classes in `processes.py`."""

from typing import Any, Final

from pydantic import Field

BUDGETS_URL: Final[Any] = Field(
    "sqlite:data/budgets.sqlite",
    pattern=r"^(sqlite:.+|rediss?://[^/\s]+(/\d+)?)$",
    description="Counters of budgets: sqlite:FILE for one machine; redis://USER:PASSWORD@HOST:PORT/NUMBER of Valkey or "
    "Redis for many, rediss:// with TLS; the same for proxies, workers and the query service. One that evicts keys "
    "forgets a counter until it is rebuilt from the ledger, some seconds later",
)
BUDGETS_FAILURE: Final[Any] = Field(
    "open",
    description="A request whose budgets cannot be checked, as their counters are unavailable or not rebuilt yet: it "
    "passes, `open`, or is refused with 503, `closed`",
)
BUDGETS_TIMEOUT_S: Final[Any] = Field(
    0.5, gt=0, description="Seconds allowed to the counters of budgets; after it they count as unavailable"
)
