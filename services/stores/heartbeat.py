"""A receiver outside that is told each minute that alerts are evaluated, and notices when it is not."""

import logging
from typing import Final

import httpx

TIMEOUT_S: Final = 10.0

logger = logging.getLogger("farebox.scheduler")


class HttpHeartbeat:
    """One GET at a time, whose response is not looked at beyond its status. It never fails its caller."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def beat(self) -> bool:
        """Whether the receiver took it."""
        try:
            async with self._client.stream("GET", self._url) as response:
                is_taken = response.status_code < 400
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # The URL is a secret of its receiver.
            logger.warning("the heartbeat cannot be sent", extra={"reason": type(error).__name__})
            return False
        if not is_taken:
            logger.warning("the heartbeat was refused", extra={"status": response.status_code})
        return is_taken

    async def close(self) -> None:
        await self._client.aclose()
