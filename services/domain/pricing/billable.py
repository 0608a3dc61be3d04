"""Which requests no provider bills: reads, uploads, token counting, moderation, and what only manages something.

A response that is generated in the background, or in a batch, is begun by a request whose usage nobody knows yet, and
is fetched afterwards, any number of times. So the request that began it stays unknown, which every total shows, and
reads are free, whatever usage they return: no read is counted twice, and nothing that was spent looks free.

Which paths these are is known by provider (`domain/providers`). `tests/unit/test_management.py` compares them with all
routes of the providers' own SDKs, so that a release of theirs shows what is new.
"""

import re
from functools import lru_cache
from typing import Final

from schemas.event import RequestEvent
from schemas.usage import ParsedResponse
from services.domain.providers.catalog import PROVIDERS, provider_named
from services.domain.providers.record import any_of

_UNBILLED: Final = re.compile(any_of(*(provider.shared_unbilled_paths for provider in PROVIDERS)))
_REPEATS: Final = re.compile(any_of(*(provider.shared_repeat_paths for provider in PROVIDERS)))


def request_generates(request: RequestEvent, reading: ParsedResponse) -> bool:
    """Whether a request makes a provider generate, as far as path and method show. A response with usage was billed,
    whatever its path, unless it only repeats the usage of an earlier one."""
    return path_generates(request.method, request.provider, request.target_url, has_usage=reading.usage is not None)


def path_generates(method: str, provider: str, target_url: str, *, has_usage: bool = False) -> bool:
    """The same, of its parts: `has_usage` is False before there is a response."""
    if method.upper() != "POST" or _only_repeats(target_url):
        return False
    return has_usage or not _is_unbilled(provider, target_url)


@lru_cache(maxsize=1024)
def _only_repeats(target_url: str) -> bool:
    return _REPEATS.search(target_url) is not None


@lru_cache(maxsize=1024)
def _is_unbilled(name: str, target_url: str) -> bool:
    provider = provider_named(name)
    if not provider.paths_are_known:
        return False
    if provider.unbilled_paths and re.search(provider.unbilled_paths, target_url):
        return True
    return _UNBILLED.search(target_url) is not None
