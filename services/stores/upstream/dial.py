"""Opens connections to servers: to checked addresses, and through an egress proxy where there is one.

A name is resolved once, its addresses are checked, and one of those is connected to; TLS and Host keep the name. A
resolver that answers otherwise the next time changes nothing about this connection.
"""

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import certifi
import msgspec

from schemas.errors import InvalidSetting, UpstreamUnavailable
from schemas.origin import Origin, Reach

MAX_REPLY_BYTES: Final = 16 * 2**10  # of an egress proxy
_DEFAULT_PORT: Final = 80

P = TypeVar("P", bound=asyncio.BaseProtocol)
IsReachable: TypeAlias = Callable[[Reach, str], bool]
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressRefused(UpstreamUnavailable):
    """The server's name leads to an address that nobody may be sent to by it."""

    code = "address_refused"
    permanent = True


class EgressProxy(msgspec.Struct, frozen=True, kw_only=True):
    """Through which TLS connections leave."""

    host: str
    port: int
    authorization: bytes = b""  # the value of Proxy-Authorization
    direct: tuple[str, ...] = ()  # hosts, `.suffixes` of hosts, or `*`, that are reached without it

    def carries(self, origin: Origin) -> bool:
        """Whether connections to `origin` go through it."""
        return origin.tls and not any(_is_of(origin.host, one) for one in self.direct)


def _is_of(host: str, pattern: str) -> bool:
    bare = pattern.removeprefix("*").removeprefix(".")
    return pattern == "*" or host == bare or host.endswith(f".{bare}")


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, in the system's order. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Dialer(msgspec.Struct, frozen=True, kw_only=True):
    """Opens connections. One for the process."""

    tls: ssl.SSLContext
    is_reachable: IsReachable  # of a reach and an address
    egress: EgressProxy | None = None
    resolve: Resolve = resolve

    async def connect(self, origin: Origin, protocol: Callable[[], P]) -> P:
        """Connected to `origin`. Raises: OSError, ssl.SSLError, UnicodeError, AddressRefused, UpstreamUnavailable."""
        if origin.reach is Reach.ANY:
            return await self._open(origin, origin.host, protocol)
        addresses = await self.resolve(origin.host, origin.port)
        refused = [address for address in addresses if not self.is_reachable(origin.reach, address)]
        if refused or not addresses:
            raise AddressRefused(f"{origin.authority} leads to an address that is private or not for such calls")
        return await self._open_first(origin, addresses, protocol)

    async def _open_first(self, origin: Origin, addresses: Sequence[str], protocol: Callable[[], P]) -> P:
        """At the first of the addresses that answers."""
        for address in addresses[:-1]:
            try:
                return await self._open(origin, address, protocol)
            except OSError:
                continue
        return await self._open(origin, addresses[-1], protocol)

    async def _open(self, origin: Origin, host: str, protocol: Callable[[], P]) -> P:
        loop = asyncio.get_running_loop()
        tls = self.tls if origin.tls else None
        name = origin.host if origin.tls else None
        if self.egress is None or not self.egress.carries(origin):
            return (await loop.create_connection(protocol, host, origin.port, ssl=tls, server_hostname=name))[1]
        tunnel = await self._tunnel(self.egress, host, origin.port)
        try:
            return (await loop.create_connection(protocol, sock=tunnel, ssl=tls, server_hostname=name))[1]
        except BaseException:
            tunnel.close()
            raise

    async def _tunnel(self, egress: EgressProxy, host: str, port: int) -> socket.socket:
        """A socket through the egress proxy to `host`."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(egress.host, egress.port, type=socket.SOCK_STREAM)
        family, kind, number, _, address = found[0]
        opened = socket.socket(family, kind, number)
        try:
            opened.setblocking(False)
            await loop.sock_connect(opened, address)
            await loop.sock_sendall(opened, _connect_request(egress, host, port))
            await _check_reply(opened)
        except BaseException:
            opened.close()
            raise
        return opened


def _connect_request(egress: EgressProxy, host: str, port: int) -> bytes:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1".encode(), f"Host: {authority}".encode()]
    if egress.authorization:
        lines.append(b"Proxy-Authorization: " + egress.authorization)
    return b"\r\n".join([*lines, b"", b""])


async def _check_reply(opened: socket.socket) -> None:
    """Reads the proxy's head and nothing behind it: in TLS the client speaks first. Raises: UpstreamUnavailable."""
    loop = asyncio.get_running_loop()
    reply = b""
    while b"\r\n\r\n" not in reply:
        more = await loop.sock_recv(opened, 4096)
        reply += more
        if not more or len(reply) > MAX_REPLY_BYTES:
            raise UpstreamUnavailable("the egress proxy did not answer as a proxy does")
    version, _, rest = reply.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest.startswith(b"2"):
        raise UpstreamUnavailable(f"the egress proxy refused the connection: {rest[:3].decode('latin-1')}")


def egress_proxy(url: str, direct: str) -> EgressProxy | None:
    """The proxy of a setting like http://user:password@host:3128; None for '' and `none`.

    `direct` are hosts that are reached without it, as in NO_PROXY. Raises: InvalidSetting, without the password.
    """
    if url in ("", "none"):
        return None
    wrong = InvalidSetting(
        "setting FAREBOX_EGRESS_PROXY, or else HTTPS_PROXY: expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
    )
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "http" or not host:
        raise wrong
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return EgressProxy(
        host=host,
        port=port or _DEFAULT_PORT,
        authorization=b"" if parts.username is None else b"Basic " + b64encode(user.encode()),
        direct=tuple(one.strip().lower().partition(":")[0] for one in direct.split(",") if one.strip()),
    )


@cache
def trusting_context(ca_file: str = "", *, protocol: str = "http/1.1") -> ssl.SSLContext:
    """The system's trusted authorities; where there are none, as in small images, Mozilla's. Beside them `ca_file`'s.

    `protocol` is what is spoken, as ALPN names it; '' for what has no name there. Read once: that takes tens of
    milliseconds.

    Raises: InvalidSetting.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not context.get_ca_certs():
        context.load_verify_locations(certifi.where())
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSetting(
                f"setting FAREBOX_CA_FILE: {ca_file} holds no certificates: {error.strerror or error}"
            ) from error
    if protocol:
        context.set_alpn_protocols([protocol])
    return context
