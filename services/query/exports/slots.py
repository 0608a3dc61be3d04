"""How many exports run at once: each holds a page in memory and takes one turn after another at the warehouse."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from schemas.errors import Busy

MAX_EXPORTS: Final = 8
MAX_OF_ONE: Final = 2  # organization


class ExportSlots:
    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    @contextmanager
    def slot(self, organization_id: str) -> Iterator[None]:
        """For as long as an export runs. Raises: Busy."""
        if self._running[organization_id] >= MAX_OF_ONE:
            raise Busy(f"{MAX_OF_ONE} exports of this organization are running; try again when one has ended")
        if self._running.total() >= MAX_EXPORTS:
            raise Busy("too many exports are running; try again later")
        self._running[organization_id] += 1
        try:
            yield
        finally:
            self._running[organization_id] -= 1
            self._running += Counter()  # forgets who has none
