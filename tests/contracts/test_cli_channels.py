"""What an operator types about channels: secrets go in and never come out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli.app import app

Type = Callable[..., Result]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    monkeypatch.setenv("CANARY", "https://hooks.example.com/canarypath")

    def invoke(*arguments: str, given: str = "", code: int = 0) -> Result:
        done = CliRunner().invoke(app, ["channels", *arguments, "--data", str(tmp_path)], input=given)
        assert done.exit_code == code, (done.output, done.exception)
        return done

    return invoke


def test_a_channel_is_added_tried_and_removed(typed: Type) -> None:
    added = typed("add", "hook", "--kind", "webhook", "--secret-from", "env:CANARY").output
    assert "whsec_" in added
    typed("add", "team chat", "--kind", "slack", given="https://hooks.slack.com/services/T/B/canary\n")
    typed("add", "alerts", "--kind", "slack", "--slack-channel", "#alerts")
    typed("add", "inside", "--kind", "teams", "--private", "--secret-from", "-", given="http://10.0.0.5/canary")
    shown = typed("list").output
    for line in (
        "webhook to https://hooks.example.com",
        "slack to https://hooks.slack.com",
        "slack to #alerts",
        "teams to http://10.0.0.5, may be private",
    ):
        assert line in shown
    changed = typed("change", "alerts", "--slack-channel", "#costs", "--rename", "costs").output
    assert changed == "changed costs\n"
    moved = typed("change", "hook", "--secret-from", "-", given="https://hooks.example.org/canary").output
    assert "whsec_" in moved
    shown = typed("list").output
    assert "slack to #costs" in shown
    assert "webhook to https://hooks.example.org" in shown
    assert "pass what is to change" in typed("change", "hook", code=1).output
    assert "recipients" in typed("change", "hook", "--recipient", "a@b.com", code=1).output
    tried = typed("test", "hook", "--wait-s", "0", code=1).output
    assert "no attempt yet" in tried
    typed("remove", "hook")
    assert "cancelled" in typed("log").output
    assert "canary" not in added + moved + shown + tried


def test_what_is_wrong_is_said_in_one_line_without_the_secret(typed: Type) -> None:
    refused = typed("add", "x", "--kind", "pagerduty", "--secret-from", "env:CANARY", code=1).output
    assert "routing_key" in refused
    assert "canary" not in refused
    typed("add", "x", "--kind", "email", "--recipient", "a@b.com")
    assert (
        "there is a channel with the name 'x'"
        in typed("add", "x", "--kind", "email", "--recipient", "a@b.com", code=1).output
    )
    assert "'nobody'" in typed("test", "nobody", code=1).output
