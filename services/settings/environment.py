"""The variables of an environment that are ours: which of them are settings is decided in `processes.py`."""

import re
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "FAREBOX_"

# Of a Service `farebox` or `farebox-proxy`. Source: https://kubernetes.io/docs/concepts/services-networking/service/
_LINK = re.compile(
    PREFIX + r"(\w+?_)??(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|(?P<url>PORT))"
)
_LINK_URL = re.compile(r"(tcp|udp|sctp)://\S+")


def service_links(environ: Mapping[str, str]) -> list[str]:
    """The variables that Kubernetes, or a container engine with links, adds for services whose names begin alike.

    FAREBOX_PROXY_PORT is a setting of ours, and theirs only with an address as its value.
    """
    found = {name: _LINK.fullmatch(name) for name in environ}
    return sorted(
        name for name, match in found.items() if match and (not match["url"] or _LINK_URL.fullmatch(environ[name]))
    )
