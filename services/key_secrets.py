"""Secrets of API keys and of webhooks: how they are drawn, what is kept of them, and which given ones can be one."""

import hashlib
import re
import secrets
import string
from base64 import b64encode
from typing import Final

from schemas.errors import InvalidRequest

# As they stand in a header: the proxy takes nothing else. Shorter ones could be guessed.
_SECRET: Final = re.compile(r"[!-~]{16,256}")


def hash_of(secret: str) -> str:
    """What is stored of a key: SHA-256 of the header that carries it, as hex. Helicone's stored keys have this form."""
    return hashlib.sha256(f"Bearer {secret}".encode(errors="surrogatepass")).hexdigest()


def new_secret() -> str:
    """145 random bits in the shape that Helicone's clients check for."""
    alphabet = string.ascii_lowercase + string.digits
    groups = ("".join(secrets.choice(alphabet) for _ in range(7)) for _ in range(4))
    return f"sk-helicone-{'-'.join(groups)}"


def new_signing_key() -> str:
    """256 random bits as https://www.standardwebhooks.com has them, by which messages to a webhook are signed."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def check_secret(secret: str) -> None:
    """Whether a secret that exists can be that of a key. Raises: InvalidRequest, which does not repeat it."""
    if not _SECRET.fullmatch(secret):
        raise InvalidRequest("a secret has 16 to 256 characters of ASCII, without spaces")
