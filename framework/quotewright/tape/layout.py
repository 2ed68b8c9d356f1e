"""The tape's format: names, version and the row as a NumPy record. See ``docs/tape.md``."""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import ROW_WORDS

FORMAT: Final = "quotewright-tape"
TAPE_VERSION: Final = 1

ROWS_FILE: Final = "rows.bin"
ORDER_FILE: Final = "event_order.bin"
INFO_FILE: Final = "tape.json"
BEGUN_FILE: Final = "begun.json"
"""Header of a tape that is being written by a run, for its recovery; a finished tape has none."""

ROW_BYTES: Final = 8 * ROW_WORDS
ORDER_BYTES: Final = 8
BLOCK_ROWS: Final = 1 << 16
"""How many rows the passes over a whole tape look at together: 3 MB."""

ROW_DTYPE: Final[np.dtype[Any]] = np.dtype(
    [
        ("event_ns", "<i8"),
        ("receive_ns", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("id", "<i8"),
        ("kind", "u1"),
        ("side", "u1"),
        ("flags", "<u2"),
        ("instrument", "<u4"),
    ]
)
"""The six int64 of a row; the last four fields are the bytes of its word."""


def require_little_endian() -> None:
    """Refuse a machine whose int64 are not the tape's."""
    if sys.byteorder != "little":
        raise InputError(
            "a tape is little-endian; this machine is big-endian and cannot map it: read it on another one"
        )
