"""A demo keeps to its folder, and nothing leaves the machine that it runs on, whatever its environment says."""

from pathlib import Path

from services.cli.demo.run import demo_environ
from services.embedded.data_folder import DataFolder
from services.settings.otlp import STANDARD_OTLP
from services.settings.processes import ProxySettings, SchedulerSettings, WorkerSettings

FOLDER = DataFolder(Path("data/demo"))
PROVIDER = "http://127.0.0.1:8080"
AT_WORK = {
    "FAREBOX_SMTP_URL": "smtp://mail.company.com:587",
    "FAREBOX_SLACK_TOKEN": "xoxb-1",
    "FAREBOX_HEARTBEAT_URL": "https://heartbeat.company.com/1",
    "FAREBOX_OTLP_TRACES_ENDPOINT": "https://otlp.company.com/v1/traces",
    **dict.fromkeys(STANDARD_OTLP.values(), "https://otlp.company.com"),
    "otel_exporter_otlp_endpoint": "https://otlp.company.com",
}


def test_a_demo_sends_neither_mail_nor_telemetry() -> None:
    environ = demo_environ(AT_WORK, FOLDER, PROVIDER)
    delivery = SchedulerSettings.from_environ(environ)
    assert (delivery.smtp_url, delivery.slack_token, delivery.heartbeat_url) == ("", "", "")
    assert WorkerSettings.from_environ(environ).otlp_urls() == {}


def test_a_demo_keeps_what_else_its_environment_says() -> None:
    environ = demo_environ(AT_WORK | {"FAREBOX_PROXY_PORT": "9000", "PATH": "/bin"}, FOLDER, PROVIDER)
    assert (environ["FAREBOX_PROXY_PORT"], environ["PATH"]) == ("9000", "/bin")
    assert environ["FAREBOX_OPENAI_URL"] == PROVIDER


def test_a_demo_writes_to_no_store_of_the_environment() -> None:
    stores = dict.fromkeys([*FOLDER.stores, "FAREBOX_LIMITS_URL"], "redis://company.com")
    environ = demo_environ(AT_WORK | stores, FOLDER, PROVIDER)
    assert {name: environ[name] for name in FOLDER.stores} == FOLDER.stores
    assert ProxySettings.from_environ(environ).limits_url == "memory"
