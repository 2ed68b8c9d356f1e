"""The config table ``latency`` of the replay venue, and the files that it may name."""

from __future__ import annotations

import csv
import zipfile
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from quotewright.config.units import Duration, Percent
from quotewright.errors import ConfigError
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_simexchange.latency import ConstantLatency, InterpolatedLatency, LatencyModel
from quotewright_simexchange.latency_models import Distribution, DrawnLatency, StampLatency, lognormal, quantiles

ROUND_TRIP = ("request_ns", "venue_ns", "response_ns")
QUANTILES = ("probability", "entry_ns", "response_ns")


@configured
class LatencyTable:
    """``latency``: how long market data, commands and reports are under way."""

    model: Literal["constant", "interpolated", "tape", "lognormal", "quantiles"] = setting(
        default="constant", doc="latency model: constant, measured rows, the tape's own stamps, or drawn by seed"
    )
    feed: Duration | int = setting(
        default="0ms", doc="how much later than the tape says the strategy sees the market; a bare number is ns"
    )
    entry: Duration | int = setting(
        default="5ms", doc="time from here to the venue (lognormal: its median); a bare number is nanoseconds"
    )
    response: Duration | int = setting(
        default="5ms", doc="time from the venue back here (lognormal: its median); a bare number is nanoseconds"
    )
    file: str = setting(
        default="",
        doc="CSV or npz; interpolated: request_ns,venue_ns,response_ns (venue_ns 0: refused); "
        "quantiles: probability,entry_ns,response_ns",
    )
    entry_multiplier: Decimal = setting(
        default=Decimal(1), doc="tape: entry latency as a multiple of the feed's", check=at_least(0)
    )
    response_multiplier: Decimal = setting(
        default=Decimal(1), doc="tape: response latency as a multiple of the feed's", check=at_least(0)
    )
    extra: Duration | int = setting(default="0ms", doc="tape: what every command and every report takes on top")
    sigma: Decimal = setting(
        default=Decimal("0.5"), doc="lognormal: standard deviation of the logarithm", check=between(0, 5)
    )
    least: Duration | int = setting(default="0ms", doc="lognormal: the least that entry and response each take")
    refused: Percent = setting(
        default="0%", doc="lognormal, quantiles: share of requests that the venue is too busy to take"
    )
    keeps_order: bool = setting(
        default=True, doc="whether commands reach the venue in the order in which they were sent"
    )

    def make(self, where: str, seed: int = 0) -> LatencyModel:
        """Return the model; ConfigError naming the key that does not fit."""
        made = self._make(where, seed)
        if int(self.feed) < 0:
            raise ConfigError(f"{where}.latency.feed: expected 0 or more, came {int(self.feed)} ns")
        made.feed_ns = int(self.feed)
        made.keeps_order = self.keeps_order
        return made

    def _make(self, where: str, seed: int) -> LatencyModel:
        entry, response, least = int(self.entry), int(self.response), int(self.least)
        if self.model == "constant":
            return ConstantLatency(entry, response)
        if self.model == "tape":
            return StampLatency(self.entry_multiplier, self.response_multiplier, int(self.extra))
        if self.model == "lognormal":
            there, back = lognormal(entry, self.sigma, least), lognormal(response, self.sigma, least)
            return DrawnLatency(there, back, seed, Decimal(self.refused))
        if not self.file:
            what = "an interpolated latency needs the file of its round trips"
            if self.model == "quantiles":
                what = "a latency of measured quantiles needs their file"
            raise ConfigError(f"{where}.latency.file: {what}")
        if self.model == "interpolated":
            return InterpolatedLatency(read_round_trips(Path(self.file), f"{where}.latency.file"))
        there, back = read_quantiles(Path(self.file), f"{where}.latency.file")
        return DrawnLatency(there, back, seed, Decimal(self.refused))


def read_round_trips(path: Path, where: str) -> list[tuple[int, int, int]]:
    """Return the rows of a file of round trips: CSV, or npz with arrays of those names or one of three columns."""
    return [(int(one), int(two), int(three)) for one, two, three in _read(path, ROUND_TRIP, where, is_whole=True)]


def read_quantiles(path: Path, where: str) -> tuple[Distribution, Distribution]:
    """Return the distributions of entry and response that a file of quantiles holds."""
    rows = _read(path, QUANTILES, where, is_whole=False)
    return (
        quantiles([(share, int(entry)) for share, entry, _ in rows], where),
        quantiles([(share, int(response)) for share, _, response in rows], where),
    )


def _read(path: Path, columns: tuple[str, str, str], where: str, is_whole: bool) -> list[tuple[Decimal, ...]]:
    if path.suffix.lower() == ".npz":
        return _read_npz(path, columns, where, is_whole)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
    except OSError as error:
        raise ConfigError(f"{where}: {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{where}: {path} is no CSV file of {','.join(columns)}") from error
    found = []
    for number, cells in enumerate(lines, 1):
        if not any(cell.strip() for cell in cells) or (number == 1 and cells[0].strip().startswith(columns[0][:7])):
            continue
        row = [_number(cell) for cell in cells]
        if len(row) != 3 or None in row or any(cell % 1 for cell in (row if is_whole else row[1:]) if cell is not None):
            kind = "three whole numbers" if is_whole else "a probability and two whole numbers"
            raise ConfigError(f"{path}:{number}: expected {kind} {','.join(columns)}, came '{','.join(cells)}'")
        found.append(tuple(cell for cell in row if cell is not None))
    return found


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _read_npz(path: Path, columns: tuple[str, str, str], where: str, is_whole: bool) -> list[tuple[Decimal, ...]]:
    import numpy as np

    expected = f"three arrays {', '.join(columns)}, or one array of three columns"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
    except OSError as error:
        raise ConfigError(f"{where}: {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{where}: {path} is no npz file of numbers: {error}") from error
    if set(columns) <= arrays.keys():
        parts = [arrays[name] for name in columns]
    elif len(arrays) == 1:
        (table,) = arrays.values()
        if table.dtype.names is not None and len(table.dtype.names) >= 3:
            parts = [table[name] for name in table.dtype.names[:3]]
        elif table.ndim == 2 and table.shape[1] == 3:
            parts = [table[:, number] for number in range(3)]
        else:
            raise ConfigError(f"{where}: {path} should hold {expected}; its one array has the shape {table.shape}")
    else:
        raise ConfigError(f"{where}: {path} should hold {expected}; came {', '.join(sorted(arrays)) or 'none'}")
    numeric = all(part.ndim == 1 and part.dtype.kind in "iuf" for part in parts)
    if not numeric or len({len(part) for part in parts}) != 1:
        raise ConfigError(f"{where}: {path}: the three columns should be numbers of one length")
    rows = [tuple(Decimal(str(cell)) for cell in row) for row in zip(*(part.tolist() for part in parts), strict=True)]
    for number, row in enumerate(rows):
        if not all(cell.is_finite() for cell in row) or any(cell % 1 for cell in (row if is_whole else row[1:])):
            shown = ",".join(map(str, row))
            raise ConfigError(f"{path}: row {number}: times should be whole nanoseconds, came '{shown}'")
    return rows
