"""What starts Farebox scaled out holds together where no container engine runs: the files name each other and agree."""

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.settings.processes import ALL_SETTINGS, ProxySettings, QuerySettings, ReportSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
PROCESSES = {"migrate", "proxy", "worker", "query", "scheduler"}
SERVERS = {"kafka", "clickhouse", "postgres"}
CACHE = "valkey"  # processes start and work without it, and it keeps nothing


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    composed: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return composed


def _configured(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What compose says to the file, with no variables but `environ`. Skips the test where there is no compose."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode != 0
    ):
        pytest.skip("no docker compose here: the structure is tested instead")
    command = [docker, "compose", "--env-file", os.devnull, "-f", str(COMPOSE), "config", "--quiet"]
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_PASSWORD")}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=kept | environ)


def test_compose_itself_accepts_the_file() -> None:
    checked = _configured({"CLICKHOUSE_PASSWORD": "a", "POSTGRES_PASSWORD": "b"})
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("given", ["CLICKHOUSE_PASSWORD", "POSTGRES_PASSWORD"])
def test_compose_itself_refuses_to_start_without_a_password(given: str) -> None:
    refused = _configured({given: "a"})
    assert (refused.returncode != 0, "set it in .env" in refused.stderr) == (True, True)


def test_there_are_the_three_servers_the_cache_and_the_five_processes(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == PROCESSES | SERVERS | {CACHE}
    for name in PROCESSES:
        assert services[name]["command"] == [f"services.{name}"]
        assert (ROOT / f"services/{name}.py").exists() or (ROOT / f"services/{name}/__main__.py").exists()


def test_whatever_stays_up_says_whether_it_is_well_and_starts_again(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name != "migrate":
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped", name
            assert service["mem_limit"], name


def test_migrate_waits_for_the_servers_and_everything_waits_for_migrate(services: dict[str, dict[str, Any]]) -> None:
    assert services["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in SERVERS}
    assert services["migrate"]["restart"] == "no"
    for name in PROCESSES - {"migrate"}:
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_every_setting_it_gives_is_one_that_the_processes_read(services: dict[str, dict[str, Any]]) -> None:
    filled = {name: _filled(services[name]["environment"]) for name in PROCESSES}
    for kind, name in zip(ALL_SETTINGS, ("proxy", "worker", "query", "scheduler", "migrate"), strict=False):
        assert services[name]["env_file"] == [{"path": "farebox.env", "required": False}]
        settings = kind.from_environ(filled[name])
        assert settings.event_log == "kafka://kafka:9092"
        assert settings.warehouse == "http://farebox:given@clickhouse:8123/farebox"
        assert settings.state == "postgresql+psycopg://farebox:given@postgres/farebox"
        assert settings.cache_url == f"redis://{CACHE}:6379"


def _filled(environment: dict[str, str]) -> dict[str, str]:
    """With the defaults that compose would fill in, and `given` for what it requests."""
    given = {name: re.sub(r"\$\{\w+:\?[^}]*}", "given", value) for name, value in environment.items()}
    return {name: re.sub(r"\$\{\w+:-([^}]*)}", r"\1", value) for name, value in given.items()}


def test_processes_can_be_watched_and_asked_from_other_containers(services: dict[str, dict[str, Any]]) -> None:
    for name in ("proxy", "worker", "query", "scheduler"):
        assert services[name]["environment"][f"FAREBOX_{name.upper()}_HOST"] == "0.0.0.0"
    requested = ReportSettings.from_environ(_filled(services["query"]["environment"])).service_url
    assert requested == f"http://query:{QuerySettings.from_environ({}).query_port}"


def test_only_the_proxy_and_the_query_service_are_published_and_only_to_this_machine(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"proxy", "query"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_there_is_no_password_to_start_with(services: dict[str, dict[str, Any]]) -> None:
    """A password is what the environment gives: without it compose refuses, and says where it belongs."""
    requested = set()
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or ("://" in str(value) and "@" in value):
                (variable,) = re.findall(r"\$\{(\w+_PASSWORD):\?set it in \.env}", value)
                assert value.count("${") == 1, name
                requested.add(variable)
    assert requested == {"CLICKHOUSE_PASSWORD", "POSTGRES_PASSWORD"}
    assert "/.env" in (ROOT / ".gitignore").read_text().split()


def test_no_container_may_gain_privileges_or_write_beside_its_volumes(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["logging"] == {"driver": "local"}, name  # which is of bounded size
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(service), name
        assert any(place.startswith("/tmp:") for place in service["tmpfs"]), name
        assert all("size=" in place for place in service["tmpfs"]), name
    # Whose image begins as root and then becomes another user, which takes privileges that are not there any more.
    for name in ("clickhouse", "postgres", CACHE):
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", services[name]["user"]), name


def test_data_outlives_containers(services: dict[str, dict[str, Any]]) -> None:
    declared = set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    kept = {name: service["volumes"][0].split(":") for name, service in services.items() if "volumes" in service}
    assert {place for place, *_ in kept.values()} == declared
    assert set(kept) == SERVERS | {"proxy", "query"}
    assert kept["proxy"] == kept["query"], "both take events, and either empties what waits"
    spill = Path("/var/lib/farebox", ProxySettings.from_environ({}).kafka_spill)
    assert spill.parent == Path(kept["proxy"][1])
    assert f"WORKDIR {spill.parent.parent}\n" in DOCKERFILE


def test_images_are_pinned_by_digest(services: dict[str, dict[str, Any]]) -> None:
    images = [services[name]["image"] for name in SERVERS] + re.findall(r"^ARG PYTHON=(\S+)", DOCKERFILE, re.MULTILINE)
    assert len(images) == 4
    assert all(re.fullmatch(r"[\w./-]+:\d[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images), images
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*", services[CACHE]["image"])
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}"}


def test_the_cache_is_of_bounded_size_evicts_by_use_and_writes_nothing(services: dict[str, dict[str, Any]]) -> None:
    options = " ".join(services[CACHE]["command"])
    assert all(option in options for option in ("--maxmemory 512mb", "--maxmemory-policy allkeys-lru"))
    assert services[CACHE]["command"][1:5] == ["--save", "", "--appendonly", "no"]


def test_the_image_holds_what_it_names_and_runs_as_nobody_in_particular() -> None:
    for source in re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in (ROOT / ".dockerignore").read_text().split()
    assert re.search(r"^USER (?!root)\w+$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE


@pytest.mark.parametrize("file", sorted((ROOT / "deploy/clickhouse").glob("*.xml")), ids=lambda file: file.name)
def test_the_servers_settings_are_well_formed_and_mounted(file: Path) -> None:
    assert ElementTree.parse(file).getroot().tag == "clickhouse"
    assert f"./deploy/clickhouse/{file.name}:/etc/clickhouse-server/" in COMPOSE.read_text()


def test_the_server_keeps_to_its_memory_and_keeps_no_logs_about_itself_but_one() -> None:
    settings = ElementTree.parse(ROOT / "deploy/clickhouse/server.xml").getroot()
    assert float(settings.findtext("max_server_memory_usage_to_ram_ratio", "1")) < 0.9
    removed = {entry.tag for entry in settings if entry.get("remove")}
    assert {"metric_log", "trace_log", "text_log", "asynchronous_metric_log", "part_log"} <= removed
    assert settings.findtext("backups/allowed_path") == "/var/lib/clickhouse/backups/"  # in the volume
    query_log = settings.find("query_log")
    assert query_log is not None
    assert "TTL" in query_log.findtext("engine", "")


def test_ci_and_the_scripts_can_be_run() -> None:
    run = ROOT / ".ci/run"
    assert os.access(run, os.X_OK)
    assert subprocess.run(["bash", "-n", str(run)], check=False, capture_output=True).returncode == 0
