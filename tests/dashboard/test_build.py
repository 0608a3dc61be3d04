"""What is built is small, and says nothing to anybody else."""

import json
import re
from pathlib import Path

import pytest

from tests.dashboard.browser import DIST, ROOT

FIRST_VIEW_BYTES = 150 * 1024
MANIFEST = DIST / "manifest.json"
SOURCES = ROOT / "services/dashboard"

built = pytest.mark.skipif(not MANIFEST.exists(), reason="the dashboard is not built: make dashboard")


def _first_view() -> set[Path]:
    """The scripts that the page loads before anybody clicks: its entry and all that this imports."""
    manifest = json.loads(MANIFEST.read_text())
    waiting, found = ["index.html"], set[Path]()
    while waiting:
        chunk = manifest[waiting.pop()]
        script = DIST / chunk["file"]
        if script not in found:
            found.add(script)
            waiting += chunk.get("imports", [])
    return found


@built
def test_the_scripts_of_the_first_view_stay_within_their_budget() -> None:
    sizes = {script.name: script.with_name(f"{script.name}.gz").stat().st_size for script in _first_view()}
    assert sizes
    assert sum(sizes.values()) <= FIRST_VIEW_BYTES, sizes


@built
def test_charts_load_behind_the_tables() -> None:
    assert not [script for script in _first_view() if "engine" in script.name]


@built
def test_the_page_has_nothing_inline_and_names_no_other_site() -> None:
    page = (DIST / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?://", page)


@built
def test_every_text_file_comes_compressed_too() -> None:
    for script in DIST.rglob("*.js"):
        assert script.with_name(f"{script.name}.br").exists()
        assert script.with_name(f"{script.name}.gz").exists()


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (SOURCES / "package-lock.json").read_text()
    assert {"omit-lockfile-registry-resolved=true", "ignore-scripts=true"} <= set(
        (SOURCES / ".npmrc").read_text().splitlines()
    )
