"""The command `farebox` as an operator types it: in this process, or as one of its own."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from services.cli.app import app

REPO = Path(__file__).parents[1]


def farebox(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command, in an environment that holds nothing of ours but `environ`.

    It runs in this process: most of what a command costs is the start of a process, and `started` proves that one.
    """
    env = {**dict.fromkeys(os.environ), "COLUMNS": "120", **environ}
    done = CliRunner().invoke(app, arguments, env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def started(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, in such an environment."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env={"PYTHONPATH": str(REPO), "COLUMNS": "120", **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
