"""What processes log, and what never is in a log."""

import logging
from collections.abc import Iterator

import httpx
import pytest

from services.telemetry.json_logging import configure_logging

CLIENTS = ("httpx", "httpcore")


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in CLIENTS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_log_has_the_url_of_a_request(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level)
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        client.get("https://receiver.example.com/ping/secret")
    for name in CLIENTS:
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert "secret" not in capsys.readouterr().err
