"""Files that only the user who runs Farebox may read: what people said to models is in them, and who they are."""

import os
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Makes `folder` and those above it where they are missing; what is there keeps its mode. Raises: OSError."""
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def make_private_file(file: Path) -> None:
    """Makes `file`, empty, where it is missing, and its folder; what is there keeps its mode. Raises: OSError."""
    make_private_folder(file.parent)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
