"""Realtime sessions: WebSockets between clients and providers, passed on as they are, with a row for each response.

Start with `session.py`: the handshake, and who ends what; `relay.py` passes both directions on, `ledger.py`
records what the provider bills. Frames and events are understood in `domain/realtime`.
"""
