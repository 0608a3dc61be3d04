"""What keeps two accounting processes out of one data folder, and their temporary files in it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from schemas.errors import InvalidSetting

_LOCK_S: Final = 10.0  # for an accounting process whose proxy was killed to end
_POLL_S: Final = 0.05


@contextmanager
def accounting_lock(folder: Path) -> Iterator[None]:
    """Holds what accounting keeps in `folder`. Raises: InvalidSetting when another process keeps holding it."""
    descriptor = os.open(folder / "accounting.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        deadline_s = monotonic() + _LOCK_S
        while not _locked(file.fileno()):
            if monotonic() > deadline_s:
                raise InvalidSetting(f"the data folder {folder} is in use by the accounting of another Farebox")
            sleep(_POLL_S)
        _keep_scratch_in(folder / "scratch")
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _keep_scratch_in(folder: Path) -> None:
    """The engine's driver passes batches in temporary files, prompts included: a kill must not leave them elsewhere."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    tempfile.tempdir = str(folder)
