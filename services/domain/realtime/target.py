"""Whether a target is one of a provider's realtime API, and which model its URL names."""

import re
from urllib.parse import parse_qsl

from msgspec.structs import replace

from services.domain.exchange.target import Target
from services.domain.providers.catalog import provider_named
from services.domain.providers.realtime import RealtimeApi


def realtime_target(target: Target) -> tuple[Target, RealtimeApi] | None:
    """The target to connect to, and how its events are read; None where no realtime API is there.

    Helicone's clients leave out the version that the provider's paths begin with.
    """
    provider = provider_named(target.provider)
    if provider.realtime is None:
        return None
    for version in ("", provider.sdk_path):
        found = _below(target, version)
        if re.search(provider.realtime.paths, found.url):
            return found, provider.realtime
    return None


def _below(target: Target, version: str) -> Target:
    origin = target.origin
    path = origin.path + version + target.path_and_query.decode("ascii").removeprefix(origin.path)
    site = origin.url.removesuffix(origin.path)
    return replace(target, path_and_query=path.encode(), url=site + path.partition("?")[0])


def model_in_query(target: Target, api: RealtimeApi) -> str:
    """'' where the URL names none."""
    query = dict(parse_qsl(target.path_and_query.partition(b"?")[2].decode("ascii")))
    return next((query[name] for name in api.model_parameters if query.get(name)), "")
