"""Who may import whom, as pyproject.toml says it: the contracts hold, and every room is in them."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]
# One class with one state enum and all that moves it: cut in two, nobody would see the machine.
STATE_MACHINES = {"services/proxy/exchange/exchange.py"}
PURE = {"backports.zstd", "brotli", "msgspec", "pydantic"}  # dependencies that the core may use: values in, values out


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_room_is_in_a_layer() -> None:
    layers = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")
    known = {room.strip() for layer in layers for room in layer.split("|")}
    rooms = {
        path.stem
        for path in (ROOT / "services").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert rooms == known


def test_the_core_may_import_no_client_of_anything_outside() -> None:
    """What is added to the dependencies is added to the contract too, unless it is named pure."""
    forbidden = next(
        set(contract["forbidden_modules"])
        for contract in CONTRACTS
        if "services.domain" in contract.get("source_modules", [])
    )
    dependencies = {re.split(r"[^\w.-]", dependency)[0] for dependency in PYPROJECT["project"]["dependencies"]}
    assert dependencies > PURE
    assert {name.replace("-", "_") for name in dependencies - PURE} <= forbidden
    assert {"asyncio", "logging", "os", "random", "socket", "sqlite3", "time"} <= forbidden


def test_every_module_is_short_enough_to_be_read_at_once() -> None:
    modules = _modules()
    assert len(modules) > 30
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert {name for name, count in lines.items() if count > 300} <= STATE_MACHINES
    assert all(lines[name] <= 490 for name in STATE_MACHINES)


def test_every_function_is_short_enough_to_be_read_at_once() -> None:
    functions = [each for path in _modules() for each in _functions(path)]
    assert len(functions) > 500
    assert not {name for name, lines in functions if lines > 40}


def _modules() -> list[Path]:
    return [*(ROOT / "services").rglob("*.py"), *(ROOT / "schemas").rglob("*.py")]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Functions by where they stand, and the lines of their bodies.

    A call that is most of a body counts as one line: a constructor with a line a field is a table.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _lines(node.body[0], node.body[-1])
            call = max((_lines(each, each) for each in ast.walk(node) if isinstance(each, ast.Call)), default=1)
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines - call + 1 if 2 * call > lines else lines


def _lines(first: ast.stmt | ast.expr, last: ast.stmt | ast.expr) -> int:
    return (last.end_lineno or last.lineno) - first.lineno + 1


def test_every_room_says_what_lives_in_it_and_where_to_start_reading() -> None:
    for path in [path for path in _modules() if path.name == "__init__.py"]:
        assert re.search(r"\b[Ss]tart\b", ast.get_docstring(ast.parse(path.read_text())) or ""), path


def test_every_file_that_a_package_names_is_there() -> None:
    """Beside it, below it, or by its path from a folder above."""
    for package in [path.parent for path in _modules() if path.name == "__init__.py"]:
        text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
        for name in re.findall(r"`((?:[\w.]+/)*\w+\.\w+)`", text):
            above = [folder for folder in package.parents if folder.is_relative_to(ROOT)]
            assert any((folder / name).is_file() for folder in (package, *above)), (package, name)
