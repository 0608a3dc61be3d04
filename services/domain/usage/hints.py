"""What of a request's body decides a charge, whether the body is at hand or was omitted."""

from typing import Protocol

from schemas.usage import RequestInfo


class Hints(Protocol):
    """RequestHints, or the same worked out of a body when it is wanted."""

    @property
    def asked(self) -> RequestInfo: ...

    @property
    def may_last_an_hour(self) -> bool: ...

    @property
    def may_be_cached(self) -> bool: ...

    @property
    def search_depth(self) -> str: ...

    @property
    def may_cost_more(self) -> bool: ...

    @property
    def text_characters(self) -> int: ...
