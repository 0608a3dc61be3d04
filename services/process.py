"""How a process begins and ends: settings from its environment, log lines, stores that close, an exit code."""

import logging
import os
import resource
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol, TypeVar

import uvloop

from schemas.errors import FareboxError
from services.settings.environment import service_links
from services.settings.processes import Settings
from services.telemetry.json_logging import configure_logging

GRACE_S: Final = 8  # for what is under way when a process is stopped: container engines kill after ten
MAX_DESCRIPTORS: Final = 65_536  # beyond that some libraries waste time on walking through all that may be open


class Store(Protocol):
    """What is open until it is closed."""

    async def close(self) -> None: ...


S = TypeVar("S", bound=Settings)
AnyStore = TypeVar("AnyStore", bound=Store)


def run_process(
    kind: type[S], run: Callable[[S], Coroutine[Any, Any, None]], logger: logging.Logger, *, failed: str
) -> None:
    """Runs `run` with its settings. Exits with 1 and one line, `failed` with the reason, when it cannot go on."""
    configure_logging("info")  # for errors in the settings, which decide how to log
    try:
        settings = kind.from_environ(os.environ)
        configure_logging(settings.log_level)
        warn_of_service_links(os.environ, logger)
        raise_descriptor_limit()
        uvloop.run(run(settings))
    except FareboxError as error:
        logger.error(failed, extra={"reason": str(error), "code": error.code})  # noqa: TRY400
        sys.exit(1)


def warn_of_service_links(environ: Mapping[str, str], logger: logging.Logger) -> None:
    """Variables that Kubernetes added are no settings, though one may hide a setting that somebody believes in."""
    if links := service_links(environ):
        hint = "Kubernetes adds them for a Service of that name: set enableServiceLinks: false in the pod, or rename it"
        logger.warning("variables were ignored that are no settings", extra={"variables": links, "hint": hint})


def raise_descriptor_limit() -> None:
    """Lets this process have as many open files and connections as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def descriptor_share(part: int) -> int:
    """How many connections a server may hold that has one `part`th of the descriptors: 16 to 512."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 512 if soft == resource.RLIM_INFINITY else max(16, min(512, soft // part))


def process_id(configured: str, port: int) -> str:
    """How rows name a process that listens on `port`: as `configured`, else by its host, the same after a restart."""
    return configured or f"{socket.gethostname()}:{port}"


def closed_by(stack: AsyncExitStack, store: AnyStore) -> AnyStore:
    """`store`, which closes with `stack`."""
    stack.push_async_callback(store.close)
    return store
