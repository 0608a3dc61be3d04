"""A URL that a client names as the target of its call -> the server, or a refusal.

The client chooses among hosts, and never the form of one: names are DNS names, addresses are written out, and nothing
may stand in the URL that two parsers could read differently. To which address a name leads is checked by `address.py`.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from schemas.errors import Forbidden, InvalidRequest, InvalidSetting
from schemas.origin import Origin, Reach
from services.domain.providers.catalog import provider_named, provider_of_host
from services.domain.providers.record import Provider

_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/]+)(?P<path>/[!-~]*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_.-]+))(?::(?P<port>[0-9]{1,5}))?")
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# What resolvers take for an address in another notation: 2130706433, 0x7f.1, 0177.0.0.1.
_NUMERIC: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_HTTPS: Final = 443
_HTTP: Final = 80

AllowedHosts: TypeAlias = frozenset[tuple[str, int]]  # names, patterns of names, and addresses, with their ports


class TargetNotAllowed(Forbidden):
    """The client names a server to which this proxy does not send calls."""

    code = "target_not_allowed"


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL names, in one spelling."""

    tls: bool
    host: str  # in lower case, without brackets
    port: int
    is_address: bool


class CustomTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A server that a client named, and whose it is."""

    origin: Origin
    provider: Provider


@lru_cache(maxsize=1024)  # clients name few targets, with every request
def parse_server(url: bytes) -> Server:
    """The server in `url`, whose path does not count, as with Helicone.

    Raises: InvalidRequest for what is no plain URL, without repeating it: it may hold keys.
    """
    found = _URL.fullmatch(url.decode("latin-1").strip())
    if found is None or any(mark in (found["path"] or "") for mark in "?#\\"):
        raise InvalidRequest("the target must be a URL like https://host, without a query or a fragment")
    tls = found["scheme"].lower() == "https"
    return _server(found["authority"], tls=tls)


def custom_target(server: Server, allowed: AllowedHosts) -> CustomTarget:
    """`server`, where it is a known provider's, or one of the operator's. Raises: TargetNotAllowed."""
    provider = None if server.is_address else provider_of_host(server.host)
    is_providers = provider is not None and server.tls and server.port == _HTTPS
    if not is_providers and not _is_listed(server, allowed):
        raise TargetNotAllowed(
            f"calls to {server.host} by port {server.port} are not allowed: it is no known provider's server, and not "
            "listed in FAREBOX_TARGET_HOSTS"
        )
    reach = Reach.INTERNAL if server.is_address else Reach.PUBLIC
    origin = Origin(url="", tls=server.tls, host=server.host, port=server.port, path="", reach=reach)
    url = f"{'https' if server.tls else 'http'}://{origin.authority}"
    return CustomTarget(origin=replace(origin, url=url), provider=provider or provider_named(server.host))


def _server(authority: str, *, tls: bool) -> Server:
    """Raises: InvalidRequest for user information, encoded names, and addresses in other notations than the usual."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise InvalidRequest("the target's host must be a plain DNS name or address, without user information")
    port = int(found["port"]) if found["port"] else _HTTPS if tls else _HTTP
    if not 0 < port < 65536:
        raise InvalidRequest("the target's port must be between 1 and 65535")
    if found["ipv6"] is not None:
        return Server(tls=tls, host=_ipv6(found["ipv6"]), port=port, is_address=True)
    name = found["name"].lower()
    if _NUMERIC.fullmatch(name.rpartition(".")[2]):
        return Server(tls=tls, host=_ipv4(name), port=port, is_address=True)
    if not _NAME.fullmatch(name):
        raise InvalidRequest("the target's host is no valid DNS name")
    return Server(tls=tls, host=name, port=port, is_address=False)


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise InvalidRequest("the target's host is an invalid address") from None


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise InvalidRequest("the target's host is an address in an unusual notation: write a.b.c.d") from None


def _is_listed(server: Server, allowed: AllowedHosts) -> bool:
    """Without TLS only at a port that is listed for it. An address is meant by itself only, never by a pattern."""
    if not server.tls and server.port == _HTTPS:
        return False
    hosts = [host for host, port in allowed if port == server.port]
    if server.host in hosts or server.is_address:
        return server.host in hosts
    return any(one == "*" or (one.startswith("*.") and server.host.endswith(one[1:])) for one in hosts)


def allowed_hosts(setting: str) -> AllowedHosts:
    """The hosts in the setting FAREBOX_TARGET_HOSTS.

    `NAME`, `*.NAME` for its subdomains, `*` for any name, or an address, each with `:PORT` where that is not 443.
    Raises: InvalidSetting, which names the entry.
    """
    return frozenset(_entry(one.strip()) for one in setting.split(",") if one.strip())


def _entry(text: str) -> tuple[str, int]:
    is_any = re.fullmatch(r"\*(?::[0-9]+)?", text) is not None
    is_pattern = text.startswith("*.")
    # The star of "any name" stands for one here: its port alone is parsed.
    plain = f"any{text[1:]}" if is_any else text[2:] if is_pattern else text
    try:
        server = _server(plain, tls=True)
    except InvalidRequest as error:
        raise InvalidSetting(f"setting FAREBOX_TARGET_HOSTS: {text!r}: {error}") from None
    return "*" if is_any else f"*.{server.host}" if is_pattern else server.host, server.port
