"""Where the embedded shape keeps what it keeps: one folder, and the settings that point into it."""

import os
from collections.abc import Mapping
from pathlib import Path

ORGANIZATION = "default"  # the one organization of an embedded Farebox, unless keys for others are made


class Place:
    """The data folder. Settings given in the environment win over the ones that follow from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.key_file = self.folder / "api-key"

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ`, with what is kept in this folder unless it says otherwise."""
        kept = {
            "FAREBOX_EVENT_LOG": f"journal:{self.folder / 'journal.sqlite'}",
            "FAREBOX_WAREHOUSE": f"chdb:{self.folder / 'warehouse'}",
            "FAREBOX_KAFKA_SPILL": str(self.folder / "spill.sqlite"),
            "FAREBOX_STATE": f"sqlite:///{self.folder / 'state.sqlite'}",
        }
        return kept | dict(environ)

    def read_key(self) -> str:
        """The key that was made on the first start; '' when there was none."""
        try:
            return self.key_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def keep_key(self, secret: str) -> None:
        """Writes `secret` where only this user can read it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secret}\n")
