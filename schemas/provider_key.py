"""The provider's key of one request, where it is not simply among the headers that the client sent.

Values of these types hold secrets, so they never show what is in them.
"""

from typing import TypeAlias

import msgspec


class HeaderKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is sent as it is."""

    name: bytes  # of the header
    value: bytes
    credential: bytes  # the part by which the key is told from others

    def __repr__(self) -> str:
        return "HeaderKey(...)"


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that requests to one service in one region are signed with."""

    key_id: bytes
    secret: bytes
    session_token: bytes = b""  # of a temporary key
    region: bytes
    service: bytes

    @property
    def credential(self) -> bytes:
        return self.key_id

    def __repr__(self) -> str:
        return "SigningKey(...)"


ProviderKey: TypeAlias = HeaderKey | SigningKey
