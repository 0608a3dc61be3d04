"""What is logged of requests that were no HTTP."""

import logging
from time import monotonic
from typing import Final

LOGGED_EVERY_S: Final = 10.0

logger = logging.getLogger(__name__)


class RefusedRequests:
    """Requests that were no HTTP: one line for many, since any client can send them."""

    def __init__(self) -> None:
        self._count = 0
        self._logged_s = float("-inf")

    def add(self, reason: str) -> None:
        self._count += 1
        now_s = monotonic()
        if now_s - self._logged_s >= LOGGED_EVERY_S:
            logger.warning("malformed requests refused", extra={"count": self._count, "latest": reason})
            self._count, self._logged_s = 0, now_s
