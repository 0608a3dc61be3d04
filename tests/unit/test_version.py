"""The version stands in one place."""

import tomllib
from pathlib import Path

from typer.testing import CliRunner

from services import __version__
from services.cli.app import app

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())


def test_the_command_prints_the_version_of_the_package() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"farebox {__version__}\n"


def test_the_package_takes_its_version_from_the_same_place() -> None:
    assert "version" in PYPROJECT["project"]["dynamic"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "services/__init__.py"
