"""The record of a run: the order log and its digest, fills, refusals, samples for the report."""

from __future__ import annotations

import hashlib
import traceback
from array import array
from bdb import BdbQuit
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from quotewright.kernel.codes import BUY
from quotewright.kernel.counts import own_quotes
from quotewright.kernel.portfolio import money
from quotewright.kernel.record import Record
from quotewright.runtime.scorecard import Scorecard

if TYPE_CHECKING:
    from quotewright.kernel.orders import Order
    from quotewright.kernel.rules import Refusal, RiskRule
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Fill, Report
    from quotewright.runtime.inputlog import InputLogWriter

MOST_SAMPLES = 4096
MOST_REFUSALS_TOLD = 200

SAMPLE_COLUMNS = (
    "time_ns",
    "mid2",
    "best_bid",
    "best_offer",
    "own_bid_ticks",
    "own_offer_ticks",
    "position_lots",
    "equity",
    "spread",
    "fees",
    "funding",
    "is_good",
    "risk_state",
)
FILL_COLUMNS = ("time_ns", "event_ns", "order_number", "side", "price_ticks", "quantity_lots", "is_maker", "mid2")
_FLOATS = ("equity", "spread", "fees", "funding")
MONEY = 1e-18


class Samples:
    """Points in time of one instrument, at most :data:`MOST_SAMPLES`: when full, every second one is dropped."""

    def __init__(self) -> None:
        self._columns: dict[str, array[Any]] = {name: array("d" if name in _FLOATS else "q") for name in SAMPLE_COLUMNS}
        self._newest: list[Sequence[float]] = []
        self._count = 0
        self.every = 1
        self._skip = 0

    @property
    def columns(self) -> dict[str, array[Any]]:
        """The points kept, column by column."""
        for column, values in zip(self._columns.values(), zip(*self._newest, strict=True), strict=bool(self._newest)):
            column.extend(values)
        self._newest.clear()
        return self._columns

    def add(self, values: Sequence[float]) -> None:
        """Keep one point, or pass it over while only every n-th one is kept."""
        if self._skip:
            self._skip -= 1
            return
        self._skip = self.every - 1
        self._newest.append(values)
        self._count += 1
        if self._count >= MOST_SAMPLES:
            for name, column in self.columns.items():
                self._columns[name] = column[::2]
            self._count = len(self._columns["time_ns"])
            self._skip = self.every - 1  # the newest one was dropped
            self.every *= 2


class RunRecorder(Record):
    """Keeps the record of a run, in memory until :meth:`open` names a folder. It sees everything and changes nothing.

    The order log holds pipeline time, order numbers and commands, one JSON line each, and nothing that differs between
    two runs of the same inputs; ``order_log_sha256`` is its digest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder: Path | None = None
        self.inputs: InputLogWriter | None = None
        self.views: tuple[View, ...] = ()
        self.samples: dict[int, Samples] = {}
        self.scorecards: dict[int, Scorecard] = {}
        self.refusals_told: list[tuple[int, str, str, str]] = []
        self.failures: dict[str, str] = {}
        self.on_failure: Callable[[str], None] | None = None
        self.on_quit: Callable[[], None] | None = None
        self.on_loss: Callable[[], None] | None = None
        self._digest = hashlib.sha256()
        self._encoder = msgspec.json.Encoder()
        self._orders_file: IO[bytes] | None = None
        self._fills_file: IO[str] | None = None

    def open(self, folder: Path, inputs: InputLogWriter | None = None) -> None:
        """Keep the record in *folder* as well; called once, before the run starts."""
        self.folder = folder
        self.inputs = inputs
        self.writes_at_once = inputs is not None
        self.writes_fills = True
        self._orders_file = (folder / "orders.jsonl").open("wb")
        self._fills_file = (folder / "fills.csv").open("w", encoding="utf-8", newline="")
        self._fills_file.write(
            "time_ns,event_ns,instrument,order_number,side,price,quantity,is_maker,fee,fee_currency,mid\n"
        )

    def watch(self, views: tuple[View, ...]) -> None:
        """Say which views there are; called once after wiring."""
        self.views = views
        self.samples = {view.instrument_id: Samples() for view in views}
        self.scorecards = {view.instrument_id: Scorecard() for view in views}
        self.counts = {number: card.orders for number, card in self.scorecards.items()}
        self.fills = {name: array("q") for name in ("instrument", *FILL_COLUMNS)}

    def write_commands(self, now_ns: int, rows: int) -> None:
        last = self.pending[-1][1]
        self._settle()
        if self.inputs is not None:
            self._write(self.inputs.intent, now_ns, rows, last)

    def write_report(self, now_ns: int, rows: int, report: Report) -> None:
        if self.inputs is not None:
            self._write(self.inputs.report, now_ns, rows, report)

    def write_timer(self, now_ns: int, rows: int, timer: int) -> None:
        if self.inputs is not None:
            self._write(self.inputs.timer, now_ns, rows, timer)

    def write_fill(self, now_ns: int, report: Fill, order: Order) -> None:
        if self._fills_file is not None:
            self._write(self._fills_file.write, _fill_line(now_ns, report, order, order.view))

    def on_operator(self, now_ns: int, rows: int, action: str) -> None:
        if self.inputs is not None:
            self._write(self.inputs.operator, now_ns, rows, action)

    def on_refusal(self, now_ns: int, command: Command, refusal: Refusal, view: View) -> None:
        if len(self.refusals_told) < MOST_REFUSALS_TOLD:
            self.refusals_told.append((now_ns, refusal.rule, refusal.reason, refusal.text))

    def on_sample(self, now_ns: int) -> None:
        for view in self.views:
            own_bid, own_offer = own_quotes(view)
            book = view.book
            portfolio = view.portfolio
            known = view.known_mid2
            self.samples[view.instrument_id].add(
                (
                    now_ns,
                    known,
                    book.best_bid,
                    book.best_offer,
                    own_bid,
                    own_offer,
                    portfolio.position_lots,
                    portfolio.equity_at(known) * MONEY,
                    portfolio.spread() * MONEY,
                    portfolio.fees_at(known) * MONEY,
                    portfolio.funding * MONEY,
                    int(view.is_book_good),
                    view.risk_state,
                )
            )
            card = self.scorecards[view.instrument_id]
            card.quotes.add(view, own_bid, own_offer)
            card.inventory.add(now_ns, portfolio.position_lots)

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None:
        """Note that a strategy raised; the pipeline has stopped it. Quitting a debugger ends the run instead."""
        if isinstance(error, BdbQuit) and self.on_quit is not None:
            self.on_quit()
            return
        self.fail(strategy, f"strategy {strategy} raised and is stopped, its orders are cancelled", error)

    def on_rule_failure(self, rule: RiskRule, error: BaseException) -> None:
        """Note that a rule raised; the gate makes it fail closed."""
        self.fail(rule.name, f"risk rule {rule.name} raised and fails closed: nothing but cancels passes", error)

    def on_fault(self, what: str, error: BaseException) -> None:
        """Note that *what* raised where nothing can go on without it; the session ends the run."""
        if error is self.lost:
            return
        self.fail(what, f"{what} raised and the run was ended; every order that could be was cancelled", error)

    def fail(self, name: str, sentence: str, error: BaseException) -> None:
        """Keep a plugin's failure and tell it once, traceback and all."""
        if name in self.failures:
            return
        text = "".join(traceback.format_exception(error))
        self.failures[name] = f"{sentence}: {type(error).__name__}: {error}"
        if self.on_failure is not None:
            self.on_failure(f"{text}{sentence}")

    @property
    def order_log_sha256(self) -> str:
        self._settle()
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Hand what was written to the system, so that a kill does not take it away."""
        self._settle()
        for file in (self._orders_file, self._fills_file, self.inputs):
            if file is not None and self.lost is None:
                self._write(file.flush)

    def close(self) -> None:
        """Flush and close what is on disk, and write the samples beside it."""
        self._settle()
        files = [file for file in (self._orders_file, self._fills_file, self.inputs) if file is not None]
        self._orders_file = self._fills_file = self.inputs = None
        self.writes_at_once = self.writes_fills = False
        for file in files:
            self._write(file.close)
        if self.folder is not None and self.lost is None:
            self._write(save_samples, self.folder / "samples.npz", self)

    def _settle(self) -> None:
        """Write the commands that are not in the order log yet."""
        if not self.pending:
            return
        lines = self._encoder.encode_lines(self.pending)
        self.pending.clear()
        self._digest.update(lines)
        if self._orders_file is not None:
            self._write(self._orders_file.write, lines)

    def _write(self, write: Callable[..., object], *values: object) -> None:
        """Write something; if the disk does not take it, nothing more is written and the run is asked to end."""
        try:
            write(*values)
        except OSError as error:
            if self.lost is not None:
                return
            self.lost = error
            self.fail("record", "the record cannot be written, so the run was ended and its orders cancelled", error)
            self.close()
            if self.on_loss is not None:
                self.on_loss()


def save_samples(path: Path, recorder: RunRecorder) -> None:
    """Write samples and fills of every instrument as NumPy columns named ``<table>/<instrument id>/<column>``."""
    import numpy as np

    columns: dict[str, Any] = {}
    for number, samples in recorder.samples.items():
        for name, column in samples.columns.items():
            columns[f"samples/{number}/{name}"] = np.array(column)
    for name, filled in recorder.fills.items():
        columns[f"fills/{name}"] = np.array(filled)
    with path.open("wb") as file:
        np.savez_compressed(file, **columns)


def _fill_line(now_ns: int, report: Fill, order: Order, view: View) -> str:
    instrument = view.instrument
    return (
        f"{now_ns},{report.event_ns},{instrument.name},{order.number},{'buy' if order.side == BUY else 'sell'},"
        f"{instrument.price(report.price_ticks)},{instrument.quantity(report.quantity_lots)},{int(report.is_maker)},"
        f"{money(report.fee):f},{report.fee_currency},{instrument.price_from_steps(view.known_mid2) / 2:f}\n"
    )
