"""What a run of the Python API comes to: figures as a dict, the record as NumPy record arrays, a report on demand."""

from __future__ import annotations

import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quotewright.errors import ConfigError, NotFoundError
from quotewright.runtime.arrays import records

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.runtime.arrays import ArrayRecorder, Records
    from quotewright.runtime.session import Outcome

TABLES = ("fills", "orders", "samples", "equity", "quotes", "markouts")
QUOTE_COLUMNS = ["time_ns", "instrument", "best_bid", "best_offer", "own_bid", "own_offer", "is_good", "risk_state"]


class Result:
    """A run that is over.

    ``summary`` holds the figures of ``docs/run-folder.md``; ``fills``, ``orders``, ``samples``, ``equity``, ``quotes``
    and ``markouts`` are record arrays, whose columns ``docs/python-api.md`` lists; ``folder`` is where the run was
    recorded, None if nowhere.
    """

    def __init__(self, outcome: Outcome, recorder: ArrayRecorder) -> None:
        self.summary: dict[str, Any] = outcome.summary
        self.folder: Path | None = outcome.folder
        self.exit_code: int = outcome.exit_code
        self._recorder = recorder

    @property
    def failures(self) -> dict[str, str]:
        """What raised, by name; empty if all went well."""
        return dict(self.summary["failures"])

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments of the run by name."""
        return self._recorder.instruments_by_name()

    @cached_property
    def fills(self) -> Records:
        """Every fill."""
        return self._recorder.fills_array()

    @cached_property
    def orders(self) -> Records:
        """Every order that was sent, and what became of it."""
        return self._recorder.orders_array()

    @cached_property
    def samples(self) -> Records:
        """Market, own quotes, position and profit of every instrument, at most 4,096 points of each."""
        return self._recorder.samples_array()

    @cached_property
    def equity(self) -> Records:
        """Profit over time by currency, fees taken off."""
        return self._recorder.equity_array(self.samples)

    @property
    def quotes(self) -> Records:
        """The best prices and our own at the sample times; own prices are 0 where we did not quote."""
        samples = self.samples
        return records({name: samples[name] for name in QUOTE_COLUMNS})

    @property
    def markouts(self) -> Records:
        """How far the mid moved in favour of our fills, by instrument and seconds, in basis points; NaN without one."""
        rows = [
            (name, row["seconds"], row["fills"], np.nan if row["bps"] is None else row["bps"])
            for name, figures in self.summary["instruments"].items()
            for row in figures["markouts"]
        ]
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        return records(
            {
                "instrument": np.array(columns[0], dtype=str),
                "seconds": np.array(columns[1], dtype=np.int64),
                "fills": np.array(columns[2], dtype=np.int64),
                "bps": np.array(columns[3], dtype=float),
            }
        )

    def to_pandas(self, table: str | None = None) -> Any:
        """Return one of the record arrays as a pandas DataFrame, or all of them by name.

        Columns that end in ``_ns`` get a companion ``time``, ``event`` or ``end`` of UTC timestamps.

        Raises:
            NotFoundError: pandas is not installed, or there is no such table.
        """
        try:
            import pandas
        except ImportError as error:
            raise NotFoundError(
                "pandas is not installed: pip install pandas; without it result.fills, result.equity, ... are NumPy "
                "record arrays that need nothing more"
            ) from error
        if table is None:
            return {name: self.to_pandas(name) for name in TABLES}
        if table not in TABLES:
            raise NotFoundError(f"no table called '{table}'; there are {', '.join(TABLES)}")
        array = getattr(self, table)
        columns: dict[str, Any] = {}
        for name in array.dtype.names:
            values = np.asarray(array[name])
            if name in ("time_ns", "event_ns", "end_ns"):
                columns[name.removesuffix("_ns")] = pandas.to_datetime(values, unit="ns", utc=True)
            columns[name] = values.astype(object) if values.dtype.kind == "U" else values
        return pandas.DataFrame(columns)

    def report(self, path: str | Path) -> Path:
        """Write the HTML report of the run to *path*, one file that needs no network, and return the path."""
        from quotewright.report.html import write_report
        from quotewright.runtime.folder import write_summary
        from quotewright.runtime.recorder import save_samples

        path = Path(path)
        if path.is_dir():
            raise ConfigError(f"{path}: should be the file of a report, is a folder; write {path / 'report.html'}")
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            write_summary(folder, self.summary)
            save_samples(folder / "samples.npz", self._recorder)
            shutil.copyfile(write_report(folder), path)
        return path

    def __repr__(self) -> str:
        summary = self.summary
        return (
            f"<Result of {summary['verb']} '{summary['name']}': {summary['market_seconds']:,.0f} s of market, "
            f"{summary['orders']} orders, {summary['fills']} fills, pnl {summary['pnl']}>"
        )
