"""The settings of the providers' base URLs, made from their records."""

from typing import Any, Final

from pydantic import Field

from services.domain.providers.catalog import ROUTED
from services.domain.providers.record import Provider

_WEB: Final = r"^https?://[^/\s]\S*$"
ANY_WEB: Final = rf"^$|{_WEB}"


def base_url_fields() -> dict[str, Any]:
    """A setting a provider that calls are forwarded to."""
    return {
        provider.setting: (
            str,
            Field(
                provider.base_url,
                pattern=_WEB if provider.base_url else ANY_WEB,
                description=f"Base URL of {provider.title}, to which /{provider.label}/* goes: scheme and host, and a "
                "path if the API is below one" + _open_part(provider),
            ),
        )
        for provider in ROUTED
    }


def _open_part(provider: Provider) -> str:
    if provider.region_in_path:
        return "; {region} is the region in the path of a request"
    return "" if provider.base_url else "; when empty, each request or its key names a server"
