"""A real Kafka for tests: one that was given, one in Docker, or Apache Kafka's own jars as a process."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.servers.clickhouse import NoServer, docker_responses

KAFKA = "4.1.1"
START_TIMEOUT_S = 60

# Automatic topics are off: they would hide a topic that nobody made. A group starts without waiting for more members,
# and a broker that was killed is let back in soon.
_PROPERTIES = """
process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={folder}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>farebox</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version>
</dependency></dependencies></project>"""


@contextlib.contextmanager
def kafka_server() -> Iterator[str]:
    """The address of a running broker, `HOST:PORT[,HOST:PORT...]`; prints where it came from. Raises: NoServer."""
    with contextlib.ExitStack() as stack:
        given = os.environ.get("FAREBOX_TEST_KAFKA")
        if given:
            address, origin = given, "FAREBOX_TEST_KAFKA"
        elif docker_responses():
            address, origin = stack.enter_context(_in_docker()), "in Docker"
        else:
            address, origin = stack.enter_context(kafka_process()).address, f"Apache Kafka {KAFKA} as a process"
        print(f"Kafka at {address}: {origin}")
        yield address


@contextlib.contextmanager
def _in_docker() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    with KafkaContainer().with_kraft() as container:  # the image that testcontainers itself is tested with
        yield container.get_bootstrap_server()


@contextlib.contextmanager
def kafka_process() -> Iterator["KafkaProcess"]:
    """A broker of one's own on this machine, which may be stopped and started. Raises: NoServer."""
    jars = kafka_jars()
    with tempfile.TemporaryDirectory(prefix="farebox-kafka-") as folder:
        broker = KafkaProcess(jars, Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()


class KafkaProcess:
    """One broker, its own controller, with its data in `folder`: address and data outlive a stop."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self._jars = jars
        self._folder = folder
        self._properties = folder / "server.properties"
        port, controller_port = _free_ports(2)
        self.address = f"127.0.0.1:{port}"
        self._properties.write_text(_PROPERTIES.format(port=port, controller_port=controller_port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None
        self._format()

    def start(self) -> None:
        """Returns when the broker responses."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
            )
        self._wait_until_it_responses()

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _java(self, *arguments: str) -> list[str]:
        quick_to_start = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        return ["java", "-Xmx512m", *quick_to_start, "-cp", f"{self._jars}/*", *arguments]

    def _format(self) -> None:
        cluster_id = uuid.uuid4().hex[:22]
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id, "-c", str(self._properties)]
        formatted = subprocess.run(self._java(*tool), check=False, capture_output=True, text=True, cwd=self._folder)
        if formatted.returncode != 0:
            raise NoServer(f"Kafka's storage cannot be made: {(formatted.stdout + formatted.stderr).strip()[-300:]}")

    def _wait_until_it_responses(self) -> None:
        host, port = self.address.split(":")
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            time.sleep(0.1)
        raise NoServer(f"Kafka does not start: {(self._folder / 'output').read_text()[-300:]}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def kafka_jars() -> Path:
    """The folder of Kafka's jars, fetched into the cache when it is not there yet. Raises: NoServer."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farebox"
    kept = cache / f"kafka-{KAFKA}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _fetch_jars(kept)
    return kept


def _fetch_jars(kept: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None or shutil.which("java") is None:
        raise NoServer("no FAREBOX_TEST_KAFKA, no Docker, and no Maven and Java to run Kafka with")
    with tempfile.TemporaryDirectory(dir=kept.parent) as name:
        folder = Path(name)
        (folder / "pom.xml").write_text(_POM)
        copy = [maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
        copied = subprocess.run(copy, check=False, cwd=folder, capture_output=True, text=True)
        if copied.returncode != 0:
            raise NoServer(f"Maven cannot fetch Kafka {KAFKA}: {copied.stdout.strip()[-300:]}")
        # In one step, so that nobody ever sees half a folder; who comes second keeps what is there.
        with contextlib.suppress(OSError):
            (folder / "jars").rename(kept)
