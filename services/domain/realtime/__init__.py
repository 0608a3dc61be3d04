"""Realtime sessions, as far as Farebox reads them: the frames of a WebSocket, and the few events that are billed.

Start with `frames.py`, which follows a stream that is passed on unchanged; `events.py` decodes what it takes out of
it. Which event means what is in the provider's record (`providers/realtime.py`). Sockets, and who begins and ends a
session, are in `proxy/realtime/`.
"""
