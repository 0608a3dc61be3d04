"""Channels and scheduled reports on the settings page: secrets go in and are seen nowhere, tests go to a receiver."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browser import OUTPUT, Demo, sign_in
from tests.dashboard.looks import looks_right
from tests.dashboard.pages import serious_faults
from tests.dashboard.readers import ask, reader_of
from tests.servers.receivers import http_receiver

SIGNING = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


def line_of(page: Page, name: str, kind: str = "channel") -> Locator:
    return page.locator(f"[data-{kind}='{name}']")


@contextmanager
def mail_channel(demo: Demo, name: str) -> Iterator[str]:
    """The id of one, for a while."""
    body = {"name": name, "kind": "email", "recipients": ["finance@example.com"]}
    made = ask(demo, "POST", "/v1/channels", body)
    yield made["id"]
    ask(demo, "DELETE", f"/v1/channels/{made['id']}")


def test_a_channel_is_added_and_its_secrets_are_never_shown_again(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "settings")
    page.get_by_role("button", name="Add a channel").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=name]").fill("hook")
    dialog.locator("select").first.select_option("webhook")
    dialog.locator("[name=url]").fill("http://receiver.example.com/canary")
    dialog.get_by_role("button", name="Add channel").click()
    expect(dialog.get_by_role("alert")).to_contain_text("url: without TLS")
    assert not serious_faults(page)
    dialog.locator("[name=url]").fill("https://receiver.example.com/canarypath")
    dialog.get_by_role("button", name="Add channel").click()
    signing_key = page.locator("[data-secret]").inner_text()
    assert SIGNING.fullmatch(signing_key)
    dialog.get_by_role("button", name="I have it").click()
    line = line_of(page, "hook")
    for text in ("signed webhook at https://receiver.example.com/…", "URL and signing key kept", "none yet"):
        expect(line).to_contain_text(text)
    line.get_by_role("button", name="Edit").click()
    expect(dialog.locator("[name=url]")).to_have_attribute("placeholder", "•••••••• kept")
    dialog.locator("[name=name]").fill("renamed")
    page.screenshot(path=OUTPUT / "channel-edit.png")
    dialog.get_by_role("button", name="Save").click()
    expect(line_of(page, "renamed")).to_contain_text("URL and signing key kept")
    for secret in ("canarypath", signing_key):
        assert secret not in page.content()
        assert secret not in json.dumps(ask(demo, "GET", "/v1/channels"))
    line_of(page, "renamed").get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete channel").click()
    expect(line_of(page, "renamed")).to_have_count(0)


def test_a_test_reaches_its_receiver_and_the_page_shows_the_answer(page: Page, demo: Demo) -> None:
    with http_receiver() as receiver:
        # One with a private address is added by the command only.
        command = ["channels", "add", "inside", "--kind", "webhook", "--private", "--secret-from", "env:HOOK"]
        subprocess.run(
            [sys.executable, "-m", "services.cli", *command, "--data", str(demo.data)],
            env=os.environ | {"HOOK": f"{receiver.url}/hook"},
            check=True,
            capture_output=True,
            timeout=60,
        )
        receiver.responses.append((503, {}, b"busy"))
        sign_in(page, demo, "settings")
        line = line_of(page, "inside")
        line.get_by_role("button", name="Send a test").click()
        outcome = page.locator("[data-outcome]")
        expect(outcome).to_contain_text("status 503")
        expect(page.locator("[data-outcome=delivered]")).to_contain_text("status 200")
        page.screenshot(path=OUTPUT / "channel-test.png")
        page.get_by_role("button", name="Close").last.click()
        expect(line).to_contain_text("delivered")
        line.get_by_role("button", name="Log").click()
        attempts = page.locator("[data-table=deliveries] li")
        expect(attempts).to_have_count(2)
        expect(attempts.first).to_contain_text("status 503")
        page.screenshot(path=OUTPUT / "channel-log.png")
        assert not serious_faults(page)
        page.get_by_role("button", name="Close").last.click()
    assert json.loads(receiver.received[-1].body)["type"] == "test.test"
    [channel] = [one for one in ask(demo, "GET", "/v1/channels") if one["name"] == "inside"]
    ask(demo, "DELETE", f"/v1/channels/{channel['id']}")


def test_a_report_is_scheduled_changed_sent_and_deleted(page: Page, demo: Demo) -> None:
    with mail_channel(demo, "readers"):
        sign_in(page, demo, "settings")
        page.get_by_role("button", name="Schedule a report").click()
        dialog = page.get_by_role("dialog")
        dialog.locator("[name=name]").fill("Weekly costs")
        dialog.get_by_role("button", name="Schedule it").click()
        expect(dialog.get_by_role("alert")).to_contain_text("channel_ids")
        dialog.get_by_role("checkbox", name="readers").check()
        dialog.get_by_role("button", name="Schedule it").click()
        line = line_of(page, "Weekly costs", "report")
        for text in ("every Monday at 08:00 (Europe/Berlin)", "to readers", "costs by environment and feature"):
            expect(line).to_contain_text(text)
        line.get_by_role("button", name="Edit").click()
        dialog.locator("[name=what]").select_option("table")
        dialog.locator("[name=measures]").fill("no_such_measure")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_role("alert")).to_contain_text("no_such_measure")
        dialog.locator("[name=measures]").fill("cost_usd")
        page.screenshot(path=OUTPUT / "report-form.png")
        dialog.get_by_role("button", name="Save").click()
        expect(line).to_contain_text("cost by Feature")
        looks_right(page, "settings-channels")
        line.get_by_role("button", name="Preview").click()
        expect(dialog.locator("[data-preview]")).to_contain_text("Weekly costs")
        page.screenshot(path=OUTPUT / "report-preview.png")
        assert not serious_faults(page)
        dialog.get_by_role("button", name="Close").last.click()
        line.get_by_role("button", name="Send now").click()
        dialog.get_by_role("button", name="Send it now").click()
        expect(line).to_contain_text("sent")
        line.get_by_role("button", name="Delete").click()
        dialog.get_by_role("button", name="Delete report").click()
        expect(line).to_have_count(0)


def test_a_reader_sees_channels_and_their_log(page: Page, demo: Demo) -> None:
    with mail_channel(demo, "seen"), reader_of(demo) as reader:
        sign_in(page, reader, "settings")
        line_of(page, "seen").get_by_role("button", name="Log").click()
        expect(page.get_by_text("Nothing was sent through it yet.")).to_be_visible()
        page.get_by_role("button", name="Close").last.click()
        for name in ("Add a channel", "Schedule a report", "Send a test", "Delete"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
