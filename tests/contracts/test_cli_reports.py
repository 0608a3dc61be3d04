"""What an operator types about scheduled reports."""

import json

from typer.testing import CliRunner

from services.cli.app import app
from tests.servers.querying import Client


def typed(client: Client, *arguments: str, code: int = 0) -> str:
    here = ("--url", f"http://127.0.0.1:{client.service.port}", "--key", client.key)
    done = CliRunner().invoke(app, ["reports", *arguments, *here], env={"COLUMNS": "160"})
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_a_report_is_made_shown_sent_and_deleted(admin: Client) -> None:
    mail = {"name": "finance", "kind": "email", "recipients": ["finance@example.com"]}
    status, channel = admin.service.ask("/v1/channels", mail, key=admin.key)
    assert status == 201
    assert "no scheduled reports yet" in typed(admin, "list")
    typed(admin, "create", "Summary", "--channel", "finance", "--every", "month", "--day", "31", "--zone", "Asia/Tokyo")
    asked = ("--by", "Feature,model", "--measures", "cost_usd,requests", "--filter", "Environment=production")
    when = ("--weekday", "5", "--at", "17:30")
    made = typed(admin, "create", "Weekly", "--channel", channel["data"]["id"], *when, *asked)
    assert "warning: no request has the property 'environment'" in made
    listed = typed(admin, "list")
    assert "on day 31 of every month at 08:00 (Asia/Tokyo), next at " in listed
    assert "every Friday at 17:30 (UTC), next at " in listed
    shown = typed(admin, "show", "Weekly")
    for text in ("cost_usd, requests by Feature, model", "to finance", "never due yet"):
        assert text in shown
    query = json.loads(typed(admin, "show", "Weekly", "--json"))["query"]
    assert query["filter"] == {"properties": {"Environment": {"equals": "production"}}}
    changed = typed(admin, "change", "Weekly", "--weekday", "2", "--zone", "Europe/Berlin")
    assert "every Tuesday at 17:30 (Europe/Berlin), next at " in changed
    assert json.loads(typed(admin, "show", "Weekly", "--json"))["query"] == query
    assert "pass what is to change" in typed(admin, "change", "Weekly", code=1)
    previewed = typed(admin, "preview", "Weekly")
    assert "Weekly" in previewed.splitlines()[0]
    assert "with report-1.csv; nothing was sent" in previewed
    assert "made within seconds" in typed(admin, "send", "Weekly")
    assert typed(admin, "delete", "Weekly") == "deleted\n"
    assert "'Weekly'" in typed(admin, "show", "Weekly", code=1)
    assert "--at '25:00'" in typed(admin, "create", "x", "--channel", "finance", "--at", "25:00", code=1)
    assert "'nobody'" in typed(admin, "create", "x", "--channel", "nobody", code=1)
