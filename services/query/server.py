"""How the query service listens: as a process of its own, and inside `farebox up`."""

from typing import Final

import uvicorn
from fastapi import FastAPI

MAX_HEAD_BYTES: Final = 64 * 2**10  # of one request; of the trailer behind its body too


def query_server(app: FastAPI, *, grace_s: int, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Server:
    """`app`, which answers for `grace_s` what is under way when it is told to stop.

    By h11, which bounds heads and trailers. httptools, which uvicorn would take, does not, and joins what comes in
    pieces anew with each piece: one connection could keep all callers waiting.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="h11",
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace_s,
        )
    )
