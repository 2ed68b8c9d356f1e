"""What a folder of downloads holds: ``manifest.json`` with the origin, size and checksum of every file."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import attrs
import msgspec

from quotewright.errors import FormatVersionError, InputError

MANIFEST: Final = "manifest.json"
MANIFEST_VERSION: Final = 1
PART: Final = ".part"
FORBIDDEN: Final = frozenset('\\:*?"<>|')


@attrs.frozen(kw_only=True)
class Entry:
    """One file: complete, or begun (then only ``etag`` and ``modified`` of what was begun are known)."""

    url: str
    bytes: int = 0
    sha256: str = ""
    etag: str = ""
    modified: str = ""
    is_complete: bool = False


class _Stored(msgspec.Struct):
    version: int
    files: dict[str, Entry] = {}


class Manifest:
    """The manifest of one folder; written anew, whole, with every change. Used from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / MANIFEST
        self.files: dict[str, Entry] = {}
        self._lock = threading.Lock()
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            stored = msgspec.json.decode(self.path.read_bytes(), type=_Stored)
        except msgspec.MsgspecError as error:
            raise InputError(
                f"{self.path} is damaged ({error}); move it away: files that are complete are then fetched again"
            ) from None
        if stored.version != MANIFEST_VERSION:
            raise FormatVersionError(
                f"{self.path} is of version {stored.version}, this program reads {MANIFEST_VERSION}; fetch elsewhere"
            )
        self.files = stored.files

    def keep(self, name: str, entry: Entry) -> None:
        """Keep what is known of the file *name*."""
        with self._lock:
            self.files[name] = entry
            stored = _Stored(MANIFEST_VERSION, dict(sorted(self.files.items())))
            text = msgspec.json.format(msgspec.json.encode(stored), indent=2) + b"\n"
            unfinished = self.path.with_name(f".{MANIFEST}.unfinished")
            with unfinished.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)


def safe_path(folder: Path, name: str) -> Path:
    """Return where the file *name* goes within *folder*.

    Raises:
        InputError: the name would lead out of the folder, hide the file, or stand for something of ours.
    """
    parts = name.split("/")
    for part in parts:
        is_plain = (
            part and part.isprintable() and part not in (".", "..") and not any(sign in part for sign in '\\:*?"<>|')
        )
        if not is_plain or part[0] in ".~ " or part[-1] in ". " or len(part.encode()) > 200:
            raise InputError(f"{name[:80]!r} is no name for a file in {folder}; it is not fetched")
    if len(parts) > 8 or name == MANIFEST or name.endswith(PART):
        raise InputError(f"{name[:80]!r} is no name for a file in {folder}; it is not fetched")
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{name[:80]!r} leads out of {folder} (through a link); it is not fetched")
    return path
