"""Files that only the user who runs Farebox may read: prompts, responses and keys are in them."""

import os
import threading
from pathlib import Path

_creating = threading.Lock()


def make_private_folder(folder: Path) -> None:
    """Makes `folder` and those above it where they are missing; what is there keeps its mode. Raises: OSError."""
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def make_private_file(file: Path) -> None:
    """Makes `file`, empty, where it is missing, and its folder; what is there is left alone. Raises: OSError.

    A file that is there is never opened: when any descriptor of a file closes, POSIX drops all locks that this process
    holds on it, SQLite's too. Another process then takes itself for the database's last user and deletes its log.
    """
    make_private_folder(file.parent)
    with _creating:  # nobody gets to open the new file before its first descriptor is closed
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        os.close(descriptor)
