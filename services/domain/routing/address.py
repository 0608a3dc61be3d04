"""Which addresses a server may have whose name a client chose, or an operator who may not reach everything.

A name may lead to any address, and to another one in a moment, so the address itself is checked, each time that a
connection is opened, and connected to. Sources: https://www.iana.org/assignments/iana-ipv6-special-registry,
https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from schemas.origin import Reach

Address: TypeAlias = IPv4Address | IPv6Address

# What clouds answer on that belongs to the machine itself: credentials, user data, keys.
_METADATA: Final = frozenset(
    map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
)
# IPv6 that stands for IPv4: compatible, translated (NAT64), and translated behind a prefix of an operator's own.
_LAST_32_BITS: Final = (IPv6Network("::/96"), IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"))
_NEVER_PUBLIC: Final = (IPv6Network("64:ff9b:1::/48"), IPv6Network("fec0::/10"), IPv6Network("100::/64"))
_LOOPBACK: Final = IPv6Address("::1")


@lru_cache(maxsize=1024)
def is_reachable(reach: Reach, text: str) -> bool:
    """Whether a connection may be opened to the address `text`; False for what is no address."""
    if reach is Reach.ANY:
        return True
    try:
        address = _meant(ip_address(text))
    except ValueError:
        return False
    if address is None:
        return False
    return _is_internal(address) and (reach is Reach.INTERNAL or _is_public(address))


def _meant(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one stands for; None for one that is tunnelled to wherever it says."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo is not None:
        return None
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    if address != _LOOPBACK and any(address in network for network in _LAST_32_BITS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return IPv6Address(int(address))  # without its zone


def _is_internal(address: Address) -> bool:
    """Whether it is one machine, be it this one, and not its cloud's."""
    special = address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA
    if isinstance(address, IPv4Address):
        return not special and address not in _ALL_IPV4 and not _is_reserved(address)
    return not special


_ALL_IPV4: Final = frozenset([IPv4Address("255.255.255.255")])


def _is_reserved(address: IPv4Address) -> bool:
    return address.packed[0] == 0 or address.packed[0] >= 240


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and any(address in network for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not address.is_private and not address.is_reserved
