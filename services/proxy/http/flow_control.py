"""Whether the two directions of a client's connection are paused."""

import asyncio


class FlowControl:
    __slots__ = ("_reading_paused", "_transport", "writing_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reading_paused = False
        self.writing_paused = False  # the client takes what is written to it more slowly than it comes

    def pause_reading(self) -> None:
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()
