"""Where the embedded shape keeps what it keeps: one folder, and the settings that point into it."""

import os
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import InvalidSetting
from services.stores.journal.files import JournalFiles
from services.stores.private_files import make_private_folder

_FILES = ("journal:", "sqlite:///")

ORGANIZATION = "default"  # the one organization of an embedded Farebox, unless keys for others are made


def existing(url: str) -> str:
    """`url`, if what it names is there. Raises: InvalidSetting when it is a file that is not.

    For what is only looked at: opening a file makes it, and an empty one would say that there is nothing.
    """
    for kind in _FILES:
        file = Path(url.removeprefix(kind))
        # The first file of a journal is set aside once it was salvaged: others follow it.
        if url.startswith(kind) and not JournalFiles(file).newest().is_file():
            raise InvalidSetting(f"{file} does not exist: --data names the folder of a Farebox")
    return url


class DataFolder:
    """What is kept where in it. Settings given in the environment win over the ones that follow from it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.key_file = self.path / "api-key"

    @property
    def stores(self) -> dict[str, str]:
        """The settings of all that is kept in this folder."""
        return {
            "FAREBOX_EVENT_LOG": f"journal:{self.path / 'journal.sqlite'}",
            "FAREBOX_WAREHOUSE": f"chdb:{self.path / 'warehouse'}",
            "FAREBOX_KAFKA_SPILL": str(self.path / "spill.sqlite"),
            "FAREBOX_CACHE_URL": f"sqlite:{self.path / 'cache.sqlite'}",
            "FAREBOX_BUDGETS_URL": f"sqlite:{self.path / 'budgets.sqlite'}",
            "FAREBOX_STATE": f"sqlite:///{self.path / 'state.sqlite'}",
        }

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ`, with what is kept in this folder unless it says otherwise."""
        return self.stores | dict(environ)

    def read_key(self) -> str:
        """The key that was made on the first start; '' when there was none. Raises: InvalidSetting."""
        try:
            return self.key_file.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            raise InvalidSetting(f"{self.key_file} cannot be read: {error.strerror}") from error

    def keep_key(self, secret: str) -> None:
        """Writes `secret` where only this user can read it."""
        make_private_folder(self.path)
        descriptor = os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secret}\n")
