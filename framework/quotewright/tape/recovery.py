"""The tape of a run that was killed: what had reached the disk, up to the last whole message."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np

from quotewright.errors import InputError, NotFoundError
from quotewright.kernel.codes import LAST
from quotewright.tape.layout import BEGUN_FILE, BLOCK_ROWS, ROW_BYTES, ROW_DTYPE, ROWS_FILE
from quotewright.tape.tape import TapeInfo
from quotewright.tape.writer import TapeWriter


def recover(path: Path) -> TapeInfo:
    """Make the tape *path* of what a killed run left beside it, and remove that; the run must have ended.

    Raises:
        NotFoundError: nothing was left.
        InputError: there is a tape already, or the header of what was left is damaged.
    """
    left = [one for one in sorted(path.parent.glob(f".{path.name}.*.unfinished")) if (one / BEGUN_FILE).exists()]
    if not left:
        raise NotFoundError(f"{path.parent}: no unfinished tape is there; only a live run that was killed leaves one")
    if len(left) > 1:
        raise InputError(f"{path.parent}: {len(left)} unfinished tapes are there, which should be one; remove others")
    (folder,) = left
    try:
        begun = msgspec.json.decode((folder / BEGUN_FILE).read_bytes(), type=TapeInfo)
    except msgspec.MsgspecError as error:
        raise InputError(f"{folder / BEGUN_FILE} is damaged: {error}; the rows cannot be read without it") from error
    with TapeWriter(path, begun.instruments) as writer:
        copy_whole_messages(folder / ROWS_FILE, writer)
        info = writer.finish(TapeInfo(notes=("recovered from a run that was killed: rows up to the last flush",)))
    shutil.rmtree(folder)
    return info


def copy_whole_messages(rows_path: Path, writer: TapeWriter) -> None:
    """Write every whole message of the row file *rows_path* into *writer*; what is cut off behind them is left."""
    rest = np.empty(0, ROW_DTYPE)
    with rows_path.open("rb") as file:
        while data := file.read(BLOCK_ROWS * ROW_BYTES):
            rows = np.frombuffer(data[: len(data) // ROW_BYTES * ROW_BYTES], ROW_DTYPE)
            rows = np.concatenate([rest, rows])
            ends = np.flatnonzero(rows["flags"] & LAST)
            whole = int(ends[-1]) + 1 if len(ends) else 0
            writer.write(rows[:whole])
            rest = rows[whole:]
