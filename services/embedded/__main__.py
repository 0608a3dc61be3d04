"""The accounting process of `farebox up`, which its proxy's process starts; not to be started by hand.

Arguments: descriptors of the channel and of the query service's socket, and the data folder.
"""

import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from services.embedded.accounting import run_accounting
from services.embedded.channel import ParentChannel
from services.process import raise_descriptor_limit
from services.settings.processes import Settings
from services.telemetry.json_logging import configure_logging


def main() -> None:
    """Ends with 1 when it stopped by itself; its last message has the reason."""
    channel_descriptor, query_descriptor, folder = sys.argv[1:]
    # Ctrl-C and service managers signal both processes; this one ends when the other one says so.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    configure_logging(Settings.from_environ(os.environ).log_level)
    raise_descriptor_limit()
    with socket.socket(fileno=int(query_descriptor)) as listening:
        ended_well = uvloop.run(
            run_accounting(
                os.environ, folder=Path(folder), listening=listening, channel=ParentChannel(int(channel_descriptor))
            )
        )
    sys.exit(0 if ended_well else 1)


if __name__ == "__main__":
    main()
