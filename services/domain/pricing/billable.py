"""Which requests no provider bills: those that only look or manage, and what is kept, counted or judged.

A response that is made in the background, or in a batch, is begun by a request that cannot say yet what it will use,
and is looked at afterwards, as often as anybody likes. So the request that began it stays unknown, which every total
shows, and looking is free, whatever usage is seen: no look is counted twice, and nothing that was spent looks free.
"""

import re
from functools import lru_cache
from typing import Final

from schemas.event import RequestEvent
from schemas.usage import ParsedResponse
from services.domain.pricing.management_paths import only_manages

_ANYBODY: Final = "CUSTOM"  # calls logged without a provider: nobody knows what their paths mean

# Each up to the end of the path, since what stands before it is a host's or a gateway's own and may hold any name.
_VERSION: Final = r"/(?:v\d[a-z0-9]*|openai)/"
_UNBILLED: Final = re.compile(
    rf"{_VERSION}(?:files|uploads(?:/[^/]+/(?:parts|complete))?|vector_stores(?:/vs_[^/]+(?:/[a-z_]+(?:/[^/]+)*)?)?"
    r"|messages/count_tokens|responses/input_tokens|tokenize)/?$"
    r"|:countTokens$|/model/[^/]+/count-tokens$|//[^/]+/tokenize$"
)
# These answer with a thing that was made before, and with what that used.
_ONLY_CHANGES: Final = re.compile(
    rf"{_VERSION}(?:"
    r"(?:responses|interactions|batches|messages/batches|fine_tuning/jobs|uploads|threads/[^/]+/runs)/[^/]+/cancel"
    r"|chat/completions/chat[^/]+|threads/[^/]+/runs/run_[^/]+)/?$"
)
_MODERATIONS: Final = re.compile(rf"{_VERSION}moderations/?$")  # free with OpenAI, and billed by Mistral


def request_generates(request: RequestEvent, reading: ParsedResponse) -> bool:
    """Whether a request makes a provider generate, as far as path and method tell. A response that says what it used
    was billed, wherever it was asked for, unless it only shows another one's usage."""
    if request.method.upper() != "POST" or _only_changes(request.target_url):
        return False
    return reading.usage is not None or not _is_unbilled(request.provider, request.target_url)


@lru_cache(maxsize=1024)
def _only_changes(target_url: str) -> bool:
    return _ONLY_CHANGES.search(target_url) is not None


@lru_cache(maxsize=1024)
def _is_unbilled(provider: str, target_url: str) -> bool:
    if provider == _ANYBODY:
        return False
    if provider == "OPENAI" and _MODERATIONS.search(target_url) is not None:
        return True
    return only_manages(provider, target_url) or _UNBILLED.search(target_url) is not None
