"""The simulated provider as a process of its own, so that it does not share an interpreter with the test."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from services.simulator.server import SimulatedProvider
from tests.servers.processes import Process, free_port


@contextmanager
def simulated_provider(*, error_share: float = 0.0, latency_scale: float = 0.0) -> Iterator[str]:
    """The base URL of a provider: `latency_scale` 1 has the models' latencies, 0 responds at once."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with TemporaryDirectory() as folder:
        arguments = ["-m", "tests.servers.simulated", str(port), str(error_share), str(latency_scale)]
        process = Process(arguments, env={}, log=Path(folder, "provider.log"), ready_url=f"{url}/v1/models")
        with process:
            process.ready()
            yield url


def main(port: str, error_share: str, latency_scale: str) -> None:
    with SimulatedProvider(port=int(port), error_share=float(error_share), latency_scale=float(latency_scale)):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(*sys.argv[1:])
