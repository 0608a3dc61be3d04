"""How many requests of each key are under way, and how many may be."""

from schemas.errors import Rejected


class TooManyRequests(Rejected):
    """The key has as many requests under way as it may."""

    code = "too_many_concurrent_requests"
    status = 429


class KeyConcurrency:
    """One for the process. A request counts until its event is made, also while it is read on without its client."""

    def __init__(self, most: int) -> None:
        """`most` requests of one key at once; 0 for any number."""
        self._most = most
        self._open: dict[str, int] = {}  # by key id; those with none are not in it

    def enter(self, key_id: str) -> None:
        """Counts one more. Raises: TooManyRequests, and counts none."""
        if not self._most:
            return
        count = self._open.get(key_id, 0)
        if count >= self._most:
            raise TooManyRequests(
                f"this API key has {count} requests under way, as many as it may have: try again when one has ended"
            )
        self._open[key_id] = count + 1

    def leave(self, key_id: str) -> None:
        """The end of one that was counted."""
        if not self._most:
            return
        count = self._open.pop(key_id)
        if count > 1:
            self._open[key_id] = count - 1
