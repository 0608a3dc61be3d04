"""The files of a journal: one, and after damage a fresh one beside it, which takes all further events.

`journal.sqlite` is followed by `journal.2.sqlite`, and so on. A file that has one after it gets no more segments: it is
damaged, read as far as it can be, and stays until somebody salvages it. No file is renamed while it may be in use, and
no name is used twice, so no process ever mistakes one file's write-ahead log for another's.
"""

import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import BrokerUnavailable, JournalDamaged
from services.stores.journal.file import open_journal, unavailable

logger = logging.getLogger(__name__)


class JournalFiles:
    """The journal that is known as `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._name = re.compile(rf"{re.escape(self.path.stem)}\.([1-9]\d*){re.escape(self.path.suffix)}")

    def paths(self) -> Sequence[Path]:
        """The files that are there, the oldest first; `path` alone when there are none. Raises: OSError."""
        numbers = sorted(self._numbers())
        return [self._path(number) for number in numbers] or [self.path]

    def damaged(self) -> Sequence[Path]:
        """Those that were found damaged and wait to be salvaged. Raises: OSError."""
        return self.paths()[:-1]

    def newest(self) -> Path:
        """Where events go. Raises: OSError."""
        return self.paths()[-1]

    def after(self, path: Path) -> Path:
        """What takes the events once `path` is damaged."""
        return self._path(self._number(path.name) + 1)

    def label(self, path: Path) -> str:
        """How positions in `path` begin: `journal`, then `journal.2` and so on."""
        number = self._number(path.name)
        return "journal" if number == 1 else f"journal.{number}"

    def begin_after(self, path: Path, reason: str) -> None:
        """Makes the file after `path`, which is damaged, unless somebody has. Raises: BrokerUnavailable."""
        fresh = self.after(path)
        try:
            if fresh.exists() or not _make_whole(fresh):
                return
        except OSError as error:
            raise unavailable(fresh, error) from error
        logger.error(
            "journal is damaged: events go to a fresh file, and `farebox journal salvage` saves what can be saved",
            extra={"damaged": str(path), "fresh": str(fresh), "reason": reason},
        )

    def open_newest(self) -> tuple[Path, sqlite3.Connection]:
        """Where events go, opened; a fresh file when the newest is damaged. Raises: BrokerUnavailable."""
        path = self._newest()
        try:
            return path, self.open(path)
        except JournalDamaged as error:
            self.begin_after(path, str(error))
        # Once only: a disk that damages a fresh file too would be filled with them.
        path = self._newest()
        return path, self.open(path)

    def open(self, path: Path) -> sqlite3.Connection:
        """A connection to one of the files. Only the first may be empty. Raises: BrokerUnavailable, JournalDamaged."""
        return open_journal(path, may_be_new=self._number(path.name) == 1)

    def warnings(self) -> Sequence[str]:
        """What an operator should know about these files, computed on each request."""
        try:
            return [f"journal {path} is damaged: see `farebox journal salvage`" for path in self.damaged()]
        except OSError as error:
            return [f"journal {self.path}: {error.strerror}"]

    def _newest(self) -> Path:
        try:
            return self.newest()
        except OSError as error:
            raise BrokerUnavailable(f"journal {self.path}: {error}") from error

    def _numbers(self) -> set[int]:
        try:
            names = os.listdir(self.path.parent)
        except FileNotFoundError:
            return set()
        return {number for name in names if (number := self._number(name))}

    def _number(self, name: str) -> int:
        """1 for the first file; 0 for what is none."""
        if name == self.path.name:
            return 1
        match = self._name.fullmatch(name)
        return int(match[1]) if match and int(match[1]) > 1 else 0

    def _path(self, number: int) -> Path:
        return self.path if number == 1 else self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}")


def _make_whole(file: Path) -> bool:
    """Makes the journal `file` with its tables, so that nobody ever sees it empty; False when somebody was faster.

    Raises: BrokerUnavailable, OSError.
    """
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f"{file.name}.") as folder:
        whole = Path(folder) / file.name
        open_journal(whole).close()
        try:
            os.link(whole, file)
        except FileExistsError:
            return False
    return True
