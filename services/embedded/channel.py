"""The accounting process's end of the channel to the proxy's process."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from services.embedded.messages import Report, Request

_ORPHANED: Final = 3  # exit code


class ParentChannel:
    """Sends reports; hands requests over. When the proxy's process has ended, this one ends at once."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)

    def send(self, report: Report) -> None:
        with suppress(OSError):  # the parent has ended; so does this process, in the thread that listens
            self._connection.send(report)

    def listen(self, on_request: Callable[[Request], None]) -> None:
        """From now on `on_request` is called with each request, in a thread of its own.

        A thread, because the event loop may be busy or stuck: an orphan must not hold the data folder. Nothing is lost
        by an end without ceremony, as nothing is by a kill.
        """
        threading.Thread(target=self._receive, args=(on_request,), name="channel", daemon=True).start()

    def _receive(self, on_request: Callable[[Request], None]) -> None:
        try:
            while True:
                on_request(self._connection.recv())
        except (EOFError, OSError):
            os._exit(_ORPHANED)
