"""Names come from clients: whatever they hold, they are shown as letters, and steer no terminal."""

import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from services.cli.client import as_json
from services.cli.terminal import columns, compile_lines, console, escape, percent, sanitize, usd

STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class Named(BaseModel):
    names: dict[str, list[str]]


@given(st.text(st.characters()))
@settings(max_examples=300, deadline=None)
def test_no_name_steers_a_terminal_or_begins_a_line(name: str) -> None:
    shown = sanitize(Named, {"names": {name: [name]}}).names
    assert shown == {escape(name): [escape(name)]}
    assert not STEERING.search(escape(name))
    assert "\n" not in escape(name)
    assert escape(escape(name)) == escape(name)


@pytest.mark.parametrize(
    "name", ["user-123", "Zoë", "漢字", "[red]x[/red]", ":smile:", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}", "a\u00a0b"]
)
def test_names_that_steer_nothing_are_shown_as_they_are(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert escape(name) == name
    compile_lines([Text(name)], console())
    console().print(name)
    assert capsys.readouterr().out == f"{name}\n" * 2


def test_what_is_written_out_can_be_distinguished() -> None:
    assert escape("a\x1b[2J\x9b\r\n\u202e") == r"a\x1b[2J\x9b\r\n\u202e"


@given(st.text(st.characters(codec="utf-8")))
@settings(max_examples=200, deadline=None)
def test_json_is_exact_and_steers_nothing(name: str) -> None:
    reported = as_json({"name": name})
    assert json.loads(reported)["name"] == name
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", reported)


names = st.text(st.sampled_from("ab 漢é"), max_size=60)
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=6).map(usd)


@given(st.lists(st.tuples(names, amounts, amounts), min_size=1, max_size=6), st.integers(1, 150))
@settings(max_examples=200, deadline=None)
def test_amounts_are_whole_and_under_each_other_at_every_width(rows: list[tuple[str, str, str]], width: int) -> None:
    out = io.StringIO()
    lines = columns([("", "Cost", "More"), *rows], width)
    compile_lines(lines, Console(file=out, width=width))
    printed = out.getvalue().splitlines()[1:]
    assert all(amount in line for line, (_, amount, _) in zip(printed, rows, strict=True))
    assert len({cell_len(line) for line in printed}) == 1
    assert not any(line.endswith(" ") for line in printed)
    needed = 14 + 2 + max(len(amount) for _, amount, _ in [*rows, ("", "Cost", "")])
    assert cell_len(printed[0]) <= max(width, needed)


def test_shares_are_never_rounded_up_to_all() -> None:
    shares: list[Any] = [None, 0.0, 0.2301, 0.99, 0.9951, 0.999999, 1.0]
    assert [percent(share) for share in shares] == ["", "0%", "23%", "99%", "99.5%", "99.9%", "100%"]
    assert usd(Decimal("0.004")) == "$0.004000"


def test_sentences_are_broken_between_words_as_far_in_as_they_begin() -> None:
    out = io.StringIO()
    compile_lines([Text("\nHead"), Text("  one two three four")], Console(file=out, width=12))
    assert out.getvalue() == "\nHead\n  one two\n  three four\n"
