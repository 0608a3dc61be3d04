"""How the query service listens: uvicorn, with bounded connections."""

from functools import partial
from time import monotonic
from typing import Final

import uvicorn
from fastapi import FastAPI

from services.query.http.connection import IDLE_S, QueryConnection
from services.query.http.refused_requests import RefusedRequests

MAX_CONNECTIONS: Final = 512


class QueryServer(uvicorn.Server):
    """Ends connections that take too long."""

    async def on_tick(self, counter: int) -> bool:
        now_s = monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, QueryConnection):
                connection.sweep(now_s)
        return await super().on_tick(counter)


def http_server(
    app: FastAPI, *, grace_s: int, host: str = "127.0.0.1", port: int = 0, max_connections: int = MAX_CONNECTIONS
) -> uvicorn.Server:
    """Serves `app`. When it stops, requests in work get `grace_s` to end.

    Above `max_connections` it ends those that wait for their clients, the ones without a key first.
    """
    connection = partial(QueryConnection, refused=RefusedRequests(), max_connections=max_connections)
    return QueryServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=connection,  # type: ignore[arg-type]  # uvicorn calls it with keywords only
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(IDLE_S),
            timeout_graceful_shutdown=grace_s,
        )
    )
