"""Hashes by the deployment's secret, which is read once, and which all processes share."""

from typing import Final

from services.domain.attribution.account import credential_hash
from services.ports.state import Secrets

_NAME: Final = "attribution"  # of the secret
_MAX_CACHED: Final = 4096  # credentials: an application has few, but tokens may last for minutes only


class KeyedHashes:
    """In a process's memory only; belongs to one event loop. Until it is loaded every hash is ''."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._of_credentials: dict[bytes, str] = {}
        self.key = b""

    async def load(self) -> bytes:
        """The secret, from memory where it was read before. Raises: StoreUnavailable."""
        if not self.key:
            self.key = await self._secrets.secret(_NAME)
        return self.key

    def of_credential(self, value: bytes) -> str:
        """The hash of a header's or a parameter's `value`."""
        found = self._of_credentials.get(value)
        if found is None:
            found = credential_hash(value, self.key)
            if self.key:
                if len(self._of_credentials) >= _MAX_CACHED:
                    self._of_credentials.clear()
                self._of_credentials[value] = found
        return found
