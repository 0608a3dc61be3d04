"""Where requests go: a provider's server, as the operator's settings name it."""

from enum import Enum

import msgspec


class Reach(Enum):
    """To which addresses a server's name may lead."""

    ANY = "what the operator's settings name: any"
    INTERNAL = "any but link-local, multicast and metadata addresses"
    PUBLIC = "those that are reachable from everywhere"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One server and the path below which its API lies. Connections to it may be reused for any request to it."""

    url: str  # scheme, host, port unless it is the scheme's own, and path without a trailing slash
    tls: bool
    host: str  # a name or an address, without brackets
    port: int
    path: str  # "" or "/below/this"
    reach: Reach = Reach.ANY

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"
