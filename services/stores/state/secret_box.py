"""Secrets that have to be used again, encrypted: whoever reads the tables alone reads none of them.

The key is derived from the deployment's own secret and from the setting FAREBOX_ENCRYPTION_KEY. Without that setting
the database holds all that is needed to decrypt; with it a copy of the database is worth nothing.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import InvalidSetting
from services.stores.state.secrets import SqlSecrets

_NAME: Final = "encryption"
_NONCE_BYTES: Final = 12


class SecretBox:
    """AES-256-GCM. A text is bound to its context, such as the row it belongs to: elsewhere it cannot be decrypted."""

    def __init__(self, url: str, *, encryption_key: str = "") -> None:
        """`url` of the state database, connected to when first used. Raises: InvalidSetting where it names none."""
        self._secrets = SqlSecrets(url)
        self._encryption_key = encryption_key
        self._cipher: AESGCM | None = None

    async def encrypt(self, plain: bytes, context: str) -> str:
        """ASCII text. Raises: StoreUnavailable."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return b64encode(nonce + (await self._key()).encrypt(nonce, plain, context.encode())).decode()

    async def decrypt(self, text: str, context: str) -> bytes:
        """Raises: InvalidSetting where it was encrypted by another key; StoreUnavailable."""
        sealed = b64decode(text)
        try:
            return (await self._key()).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise InvalidSetting(
                "it was encrypted under another FAREBOX_ENCRYPTION_KEY: set that again, or the secret"
            ) from None

    async def close(self) -> None:
        await self._secrets.close()

    async def _key(self) -> AESGCM:
        if self._cipher is None:
            deployment = await self._secrets.secret(_NAME)
            self._cipher = AESGCM(hmac.digest(deployment, self._encryption_key.encode(), "sha256"))
        return self._cipher
