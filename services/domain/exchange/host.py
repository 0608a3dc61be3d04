"""The Host header of a request: what it names, and whether pages without a key may be served under that name.

A web page elsewhere can have its own DNS name resolved to our address and then read our responses in its visitor's
browser (DNS rebinding). The browser still sends that name as Host, so pages that need no key are served only under
names that no such page can have. Addresses, `localhost` and single labels (`proxy`, as containers and Kubernetes name
services) are not registered in the public DNS; other names are listed by the operator.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import msgspec

from schemas.errors import Forbidden, InvalidRequest

_AUTHORITY: Final = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_LOCAL: Final = ".localhost"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The host that a Host header names."""

    name: str  # in lower case, without brackets and without the dot of the root
    port: int | None
    is_address: bool


@lru_cache(maxsize=256)  # clients use few hosts, with every request
def parse_host(value: bytes) -> Host:
    """Raises: InvalidRequest for an empty value, user information, a path, or anything else that is not a host."""
    found = _AUTHORITY.fullmatch(value.decode("latin-1").lower())
    if found is None:
        raise InvalidRequest("the Host header must be a host name or an address, with or without a port")
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > 65535:
        raise InvalidRequest("the port of the Host header is above 65535")
    if found["ipv6"] is not None:
        return Host(name=_ipv6(found["ipv6"]), port=port, is_address=True)
    name = found["name"].removesuffix(".")
    if not _NAME.fullmatch(name):
        raise InvalidRequest("the Host header contains a name with an empty or overlong label")
    return Host(name=name, port=port, is_address=_is_ipv4(name))


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise InvalidRequest("the Host header contains an invalid address") from None


def _is_ipv4(name: str) -> bool:
    try:
        IPv4Address(name)
    except ValueError:
        return False
    return True


def host_names(setting: str) -> frozenset[str]:
    """The names in the setting FAREBOX_HOSTS, in lower case; `*.example.com` matches every subdomain."""
    return frozenset(name.strip().lower() for name in setting.split(",") if name.strip())


def is_trusted(host: Host, names: Collection[str]) -> bool:
    """Whether no web page elsewhere can own `host`: an address, a local name, or one of `names`."""
    name = host.name
    if host.is_address or "." not in name or name.endswith(_LOCAL):
        return True
    return any(name == known or (known.startswith("*.") and name.endswith(known[1:])) for known in names)


def check_trusted(value: bytes | None, names: Collection[str]) -> None:
    """For a page without a key, requested with the Host header `value`; browsers always send one.

    Raises: InvalidRequest, Forbidden.
    """
    if value is not None and not is_trusted(host := parse_host(value), names):
        raise Forbidden(
            f"this page is not served under the host name {host.name!r}: use an address, or list it in FAREBOX_HOSTS"
        )
