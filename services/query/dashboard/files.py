"""The built files of the dashboard, with what browsers need to keep them and to read them compressed."""

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

INDEX: Final = "index.html"
_SUFFIXES: Final = {"br": ".br", "gzip": ".gz"}  # the better compression first; the build makes both
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".html": "text/html; charset=utf-8", ".woff2": "font/woff2"}


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One file, by the encodings in which it is there; '' is the file as it is."""

    content_type: str
    etag: str  # without quotes, of the file as it is
    encoded: Mapping[str, bytes]
    is_immutable: bool  # its name holds a hash of its content

    def encoding_for(self, accept_encoding: str) -> str:
        """The best encoding that a client takes."""
        taken = {
            name.strip()
            for name, _, weight in (part.partition(";") for part in accept_encoding.split(","))
            if weight.replace(" ", "") not in ("q=0", "q=0.0")
        }
        return next((name for name in _SUFFIXES if name in taken and name in self.encoded), "")


class DashboardFiles:
    """What stands in `folder`, read into memory again after each build."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built_ns = 0
        self._assets: dict[str, Asset] = {}

    def find(self, path: str) -> Asset | None:
        """The file of `path`, or the page itself, which shows every other path; None when the page is not built.

        A missing file of the build is None too: an old page that asks for it must not get HTML.
        """
        self._refresh()
        if path in self._assets or path.startswith("assets/"):
            return self._assets.get(path)
        return self._assets.get(INDEX)

    def is_built(self) -> bool:
        self._refresh()
        return INDEX in self._assets

    def _refresh(self) -> None:
        try:
            built_ns = (self._folder / INDEX).stat().st_mtime_ns
        except FileNotFoundError:
            self._built_ns, self._assets = 0, {}
            return
        if built_ns != self._built_ns:
            self._assets = _assets_of(self._folder)
            self._built_ns = built_ns


def _assets_of(folder: Path) -> dict[str, Asset]:
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    return {name: _asset(name, files) for name, file in files.items() if file.suffix not in _SUFFIXES.values()}


def _asset(name: str, files: Mapping[str, Path]) -> Asset:
    plain = files[name].read_bytes()
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = {
        encoding: files[name + suffix].read_bytes() for encoding, suffix in _SUFFIXES.items() if name + suffix in files
    }
    return Asset(
        content_type=_TYPES.get(files[name].suffix, guessed),
        etag=hashlib.sha256(plain).hexdigest()[:20],
        encoded={"": plain, **compressed},
        is_immutable=name.startswith("assets/"),
    )
