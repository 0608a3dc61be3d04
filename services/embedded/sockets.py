"""Where `farebox up` listens, and how an address is written."""

import socket
from typing import Final

from schemas.errors import InvalidSetting

_ANY: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - connected to, not bound


def listen(name: str, host: str, port: int) -> socket.socket:
    """A socket for the process `name`. Raises: InvalidSetting when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        setting = f"FAREBOX_{name.upper()}"
        advice = f"{setting}_HOST names another address, {setting}_PORT another port, 0 any free one"
        reason = (error.strerror or str(error)).partition(" (")[0]  # the rest of it is the address once more
        raise InvalidSetting(f"cannot listen on {_named(host)}:{port}: {reason}; {advice}") from error


def url_of(listening: socket.socket) -> str:
    """The URL of `listening`, from this machine."""
    host, port = listening.getsockname()[:2]
    return web_address(host, port)


def web_address(host: str, port: int) -> str:
    """The URL of what listens at `host`, from this machine."""
    return f"http://{_ANY.get(host) or _named(host)}:{port}"


def _named(host: str) -> str:
    return f"[{host}]" if ":" in host else host
