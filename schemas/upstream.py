"""An upstream that an operator added: a server of a provider's API under a name of its own."""

from enum import StrEnum

import msgspec


class CredentialPolicy(StrEnum):
    """What becomes of the provider's keys that clients send along."""

    FORWARD = "forward"  # they are for this server
    STRIP = "strip"  # it needs none, and must see none
    STORED = "stored"  # none is forwarded: the operator's own is sent, which clients need not have


class NamedUpstream(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Requests reach it by its name, in the path or a header, or because their key is one of `key_ids`."""

    name: str  # in lower case, unique in its organization
    provider: str  # a name of domain/providers, whose rules and prices hold
    url: str  # with {region} where that stands in the host
    region: str = ""
    credentials: CredentialPolicy = CredentialPolicy.FORWARD
    private: bool = False  # may have a private address, such as 10.0.0.5 or 127.0.0.1
    key_ids: tuple[str, ...] = ()  # Farebox keys whose requests on the route of `provider` go here
