"""Tapes of one instrument as event arrays of hftbacktest (2.x), and what such arrays mean.

Layout and flags: hftbacktest's documentation and type definitions, read in November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BUY,
    IN_SNAPSHOT,
    LEVEL_DELETE,
    LEVEL_SET,
    OFFER,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
)

if TYPE_CHECKING:
    from quotewright.tape.export import Selection

    Array = np.ndarray[Any, np.dtype[Any]]

EVENT_DTYPE: Final[np.dtype[Any]] = np.dtype(
    [
        ("ev", "<u8"),
        ("exch_ts", "<i8"),
        ("local_ts", "<i8"),
        ("px", "<f8"),
        ("qty", "<f8"),
        ("order_id", "<u8"),
        ("ival", "<i8"),
        ("fval", "<f8"),
    ],
    align=True,
)
DEPTH_EVENT: Final = 1
TRADE_EVENT: Final = 2
DEPTH_CLEAR_EVENT: Final = 3
DEPTH_SNAPSHOT_EVENT: Final = 4
DEPTH_BBO_EVENT: Final = 5
KIND_MASK: Final = 0xFF
EXCH_EVENT: Final = 1 << 31
LOCAL_EVENT: Final = 1 << 30
BUY_EVENT: Final = 1 << 29
SELL_EVENT: Final = 1 << 28

EXACT_DIGITS: Final = 15
"""Every decimal of so many digits comes through a float unharmed."""


def events(selection: Selection) -> tuple[Array, int]:
    """Return the events of the one instrument of *selection*, and how many rows hftbacktest has no event for.

    Events are processed by the exchange in order of ``exch_ts`` and locally in order of ``local_ts``. Where the two
    orders agree one event stands for both; where they do not, it stands twice, once for each.

    Raises:
        InputError: there is more than one instrument, or a number has more digits than a float can hold.
    """
    if len(selection.ids) != 1:
        raise InputError(f"an hftbacktest file holds one instrument, the selection has {len(selection.ids)}")
    (instrument,) = selection.instruments
    parts = []
    left_out = first = 0
    for rows in selection.blocks():
        part = _events(rows, instrument.price_decimals, instrument.size_decimals, first)
        left_out += len(rows) - len(part)
        first += len(rows)
        parts.append(part)
    found = np.concatenate(parts) if parts else np.empty(0, EVENT_DTYPE)
    return ordered(found), left_out


def _events(rows: Array, price_decimals: int, size_decimals: int, first: int) -> Array:
    kind, flags, side = rows["kind"], rows["flags"], rows["side"]
    ev = np.zeros(len(rows), np.uint64)
    is_level = (kind == LEVEL_SET) | (kind == LEVEL_DELETE)
    ev[is_level] = DEPTH_EVENT
    ev[is_level & ((flags & IN_SNAPSHOT) != 0)] = DEPTH_SNAPSHOT_EVENT
    ev[kind == SNAPSHOT_BEGIN] = DEPTH_CLEAR_EVENT
    ev[kind == TRADE] = TRADE_EVENT
    ev[(kind == BEST_QUOTE) & (rows["size"] > 0)] = DEPTH_BBO_EVENT
    has_side = ev != DEPTH_CLEAR_EVENT
    ev[has_side & (ev != 0) & (side == BID)] |= np.uint64(BUY_EVENT)
    ev[has_side & (ev != 0) & (side == OFFER)] |= np.uint64(SELL_EVENT)
    picked = np.flatnonzero(ev)
    for name in ("price", "size"):
        values = rows[name][picked]
        is_long = np.abs(values) >= 10**EXACT_DIGITS
        if is_long.any():
            at = int(picked[int(np.argmax(is_long))])
            raise InputError(
                f"row {first + at}: a {name} of {int(rows[name][at])} steps has more than {EXACT_DIGITS} digits, which "
                "a float does not hold exactly; export as parquet instead"
            )
    found = np.zeros(len(picked), EVENT_DTYPE)
    found["ev"] = ev[picked] | np.uint64(EXCH_EVENT | LOCAL_EVENT)
    found["exch_ts"] = rows["event_ns"][picked]
    found["local_ts"] = rows["receive_ns"][picked]
    # Dividing two whole numbers below 2^53 gives the float that the decimal text itself would give.
    found["px"] = rows["price"][picked] / 10.0**price_decimals
    found["qty"] = np.where(kind[picked] == LEVEL_DELETE, 0, rows["size"][picked]) / 10.0**size_decimals
    return found


def ordered(found: Array) -> Array:
    """Return events in local order so that exchange times too never decrease among those the exchange processes."""
    exch = found["exch_ts"]
    if not len(found) or (exch[1:] >= exch[:-1]).all():
        return found
    before = np.maximum.accumulate(exch)
    after = np.minimum.accumulate(exch[::-1])[::-1]
    agrees = (before == exch) & (after == exch)
    pieces = []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (~agrees).astype(np.int8), [0]))))
    done = 0
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        pieces.append(found[done:start])
        there = found[start:end][np.argsort(exch[start:end], kind="stable")].copy()
        here = found[start:end].copy()
        there["ev"] &= ~np.uint64(LOCAL_EVENT)
        here["ev"] &= ~np.uint64(EXCH_EVENT)
        pieces += [there, here]
        done = end
    pieces.append(found[done:])
    return np.concatenate(pieces)


def write(path: Path, found: Array) -> None:
    """Write *found* as ``data`` of a compressed ``.npz`` file at *path*, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, data=found)
    unfinished.replace(path)


def number_text(value: float) -> str:
    """Return the decimal number that the float *value* was made of.

    It is the shortest one that gives this float or, where arithmetic left noise in the last bits (a tick multiplied),
    the one of 15 digits beside it, if that is a shorter number.

    Raises:
        InputError: neither is a decimal number of up to 15 digits.
    """
    text = repr(float(value))
    if _digits(text) <= EXACT_DIGITS:
        return text
    near = f"{value:.{EXACT_DIGITS}g}"
    if _digits(near) < EXACT_DIGITS and abs(float(near) - value) <= 8 * np.spacing(abs(value)):
        return near
    raise InputError(f"{text} is no decimal number of up to {EXACT_DIGITS} digits")


def _digits(text: str) -> int:
    """Return how many digits *text* has; a large number for what is no number."""
    whole = text.partition("e")[0].lstrip("-")
    digits = whole.replace(".", "").strip("0")
    return len(digits) if not digits or digits.isdigit() else 99


def messages(found: Array) -> Iterator[Array]:
    """Yield the events that a local reader sees, those of one message together.

    Events for the exchange alone are left out: each stands a second time for the local side.
    """
    local = found[(found["ev"] & np.uint64(LOCAL_EVENT)) != 0]
    if not len(local):
        return
    kind = (local["ev"] & np.uint64(KIND_MASK)).astype(np.int64)
    is_depth = np.isin(kind, (DEPTH_EVENT, DEPTH_CLEAR_EVENT, DEPTH_SNAPSHOT_EVENT))
    is_new = np.ones(len(local), bool)
    is_new[1:] = (
        (local["exch_ts"][1:] != local["exch_ts"][:-1])
        | (local["local_ts"][1:] != local["local_ts"][:-1])
        | ~(is_depth[1:] & is_depth[:-1])
        # A snapshot and a change of one time are two messages.
        | ((kind[1:] == DEPTH_EVENT) != (kind[:-1] == DEPTH_EVENT))
    )
    is_quote = kind == DEPTH_BBO_EVENT
    is_second = np.zeros(len(local), bool)
    is_second[1:] = is_quote[1:] & is_quote[:-1] & ((local["ev"][1:] & np.uint64(SELL_EVENT)) != 0)
    is_second[1:] &= (local["ev"][:-1] & np.uint64(BUY_EVENT)) != 0
    is_second[1:] &= (local["local_ts"][1:] == local["local_ts"][:-1]) & (local["exch_ts"][1:] == local["exch_ts"][:-1])
    starts = np.flatnonzero(is_new & ~is_second).tolist()
    for start, end in zip(starts, [*starts[1:], len(local)], strict=True):
        yield local[start:end]


def side_of(ev: int) -> int:
    """Return BUY (or bid), SELL (or offer) or 0."""
    return BUY if ev & BUY_EVENT else SELL if ev & SELL_EVENT else 0
