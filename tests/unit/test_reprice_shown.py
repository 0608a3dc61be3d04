"""What people are reported of a re-pricing that was undone."""

import io
from typing import Any

from rich.console import Console

from schemas.api.reprices import RepriceView
from schemas.reprice import RepriceState
from services.cli.reprice.render import compile_run
from tests.builders.records import TIMESTAMP


def reported(**changes: Any) -> str:
    run: dict[str, Any] = {
        "id": "9c0e5d6e-2f0b-4d1c-8a7e-2b9f0a1c3d4e",
        "state": RepriceState.UNDONE,
        "dry_run": False,
        "model": "gpt-4o*",
        "provider": "",
        "since": TIMESTAMP,
        "until": TIMESTAMP,
        "started_at": TIMESTAMP,
        "ended_at": TIMESTAMP,
        "undone_at": TIMESTAMP,
        "rows_total": 40,
        "rows_done": 40,
        "rows_left": 0,
        "error": "",
        "total": None,  # its process died before it could say
        "days": [],
    }
    console = Console(file=io.StringIO(), width=100)
    compile_run(RepriceView(**(run | changes)), console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_an_undoing_that_put_everything_back_says_so() -> None:
    assert "40 requests put back to the cost before the run." in reported()
    assert "not put back" not in reported()


def test_an_undoing_says_what_it_left() -> None:
    assert "38 requests put back" in reported(rows_done=38, rows_left=2)
    assert "2 requests not put back: logged again after the run" in reported(rows_done=38, rows_left=2)
