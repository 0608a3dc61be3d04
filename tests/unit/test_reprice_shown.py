"""What people are told of a re-pricing that was undone."""

import io
from typing import Any

from rich.console import Console

from schemas.api.reprices import RepriceView
from schemas.reprice import RepriceState
from services.cli.reprice.render import compile_run
from tests.builders import MOMENT


def told(**changes: Any) -> str:
    run: dict[str, Any] = {
        "id": "9c0e5d6e-2f0b-4d1c-8a7e-2b9f0a1c3d4e",
        "state": RepriceState.UNDONE,
        "dry_run": False,
        "model": "gpt-4o*",
        "provider": "",
        "since": MOMENT,
        "until": MOMENT,
        "started_at": MOMENT,
        "ended_at": MOMENT,
        "undone_at": MOMENT,
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
    assert "40 requests put back to what it cost before." in told()
    assert "not put back" not in told()


def test_an_undoing_says_what_it_left() -> None:
    assert "38 requests put back" in told(rows_done=38, rows_left=2)
    assert "2 requests not put back: logged again after the run" in told(rows_done=38, rows_left=2)
