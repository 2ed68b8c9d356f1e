"""The Python API: what the verbs of the command line do, for scripts and notebooks. ``import quotewright as qw``.

Nothing here needs an event loop, and nothing minds one that is running.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright.fetching.times import time_ns
from quotewright.kernel.codes import BUY, NEVER, SELL, TRADE
from quotewright.runtime.arrays import ArrayRecorder, records
from quotewright.runtime.drivers import Max, Paced, Step, WallClock, speed_of, steps
from quotewright.runtime.given import given_config
from quotewright.runtime.result import Result
from quotewright.tape.joined import JoinedTape
from quotewright.tape.tape import Tape, TapeFile

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.runtime.arrays import Records
    from quotewright.runtime.drivers import Clock, Driver
    from quotewright.runtime.given import ConfigLike, Overrides
    from quotewright.runtime.session import Outcome, Session
    from quotewright.runtime.walk_forward import WalkForward

TimeLike: TypeAlias = "str | int | datetime | date | None"
TapeLike: TypeAlias = "Tape | str | Path | Sequence[Tape | str | Path]"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def backtest(
    config: ConfigLike,
    tape: TapeLike,
    *,
    overrides: Overrides | None = None,
    start: TimeLike = None,
    end: TimeLike = None,
    seed: int | None = None,
    speed: str | float = "max",
    out: str | Path | None = None,
    plugins_dir: str | Path | Sequence[str | Path] = (),
    watcher: Callable[[Session], None] | None = None,
    clock: Clock | None = None,
) -> Result:
    """Run *config* on the rows of *tape* received in ``[start, end)`` and return what came of it.

    Args:
        config: A file, tables as a dict, a loaded Config, or several layers of them. A ``plugin`` may be a class or an
            object instead of a name.
        tape: A tape, the folder of one, or several that are read as one (days, or markets side by side).
        overrides: Tables over those of the config; keys may be dotted, as in ``{"strategies.mm.gamma": 0.02}``.
        start: First time of the run in UTC: a text such as ``"2026-03-01T00:05Z"``, an aware datetime, or ns.
        end: First time that is not run.
        seed: Seed of everything random in the run.
        speed: ``"max"``, ``"real"``, or seconds of market time to a second of the clock.
        out: Folder in which the run is recorded as the command does; None: nothing is written.
        plugins_dir: Folders of plugin modules.
        watcher: Called with the session after every slice.
        clock: What a paced run goes by, instead of the wall's clock.

    Raises:
        ConfigError: config, range or arguments do not fit; a datetime without a zone.
        NotFoundError: no such config or tape.
        InputError: the tape is damaged, or shows a row before it happened.
    """
    from quotewright.runtime.session import backtest as run

    factor = speed_of(speed)
    from_ns, to_ns = _range(start, end)
    loaded, plugins = given_config(config, overrides, seed, plugins_dir)
    driver: Driver = Paced(factor, watcher, clock or WallClock()) if factor > 0 else Max(watcher)
    recorder = ArrayRecorder()
    folder = _new_folder(out)
    with _Opened(tape) as opened:
        outcome = run(
            loaded, plugins, opened.tape, folder, None, _tell_failures,
            from_ns=from_ns, to_ns=to_ns, driver=driver, recorder=recorder,
        )  # fmt: skip
    return _result(outcome, recorder)


def paper(
    config: ConfigLike,
    seconds: float,
    *,
    overrides: Overrides | None = None,
    seed: int | None = None,
    speed: str | float = "max",
    out: str | Path | None = None,
    plugins_dir: str | Path | Sequence[str | Path] = (),
    watcher: Callable[[Session], None] | None = None,
    clock: Clock | None = None,
) -> Result:
    """Run *config* for *seconds* against its own market: the embedded local exchange, or a live feed.

    A live feed goes as fast as the market does, whatever *speed* says. The other arguments are those of
    :func:`backtest`.
    """
    from quotewright.runtime.paper_live import live_feed, paper_live
    from quotewright.runtime.session import paper as run

    if not seconds > 0:
        raise ConfigError(f"seconds should be positive, was {seconds}")
    factor = speed_of(speed)
    loaded, plugins = given_config(config, overrides, seed, plugins_dir)
    recorder = ArrayRecorder()
    folder = _new_folder(out)
    if live_feed(loaded, plugins) is None:
        outcome = run(loaded, plugins, seconds, factor, folder, watcher, _tell_failures, recorder=recorder, clock=clock)
        return _result(outcome, recorder)
    watched: list[Session] = []

    def prepared(session: Session) -> None:
        watched.append(session)
        _tell_failures(session)

    def interrupt() -> None:
        for session in watched:
            session.interrupt()

    outcome = _outside_the_loop(
        lambda: paper_live(loaded, plugins, seconds, folder, watcher, prepared, recorder=recorder),
        interrupt,
    )
    return _result(outcome, recorder)


def step_through(
    config: ConfigLike,
    tape: TapeLike,
    step: str = "wake",
    *,
    until: TimeLike = None,
    overrides: Overrides | None = None,
    start: TimeLike = None,
    end: TimeLike = None,
    seed: int | None = None,
    out: str | Path | None = None,
    plugins_dir: str | Path | Sequence[str | Path] = (),
) -> Stepping:
    """Return a backtest that goes on one *step* at a time: iterate over it, then take its ``result``.

    *step* is ``"message"``, ``"wake"`` or a duration such as ``"1s"``. With *until* everything up to that time is taken
    before the first step. The other arguments are those of :func:`backtest`; the commands are the same, too.
    """
    from quotewright.runtime.session import open_backtest

    wanted = Step.parse(step)
    from_ns, to_ns = _range(start, end)
    pause_ns = _ns(until, "until") or 0
    loaded, plugins = given_config(config, overrides, seed, plugins_dir)
    recorder = ArrayRecorder()
    opened = _Opened(tape)
    try:
        session = open_backtest(
            loaded, plugins, opened.tape, _new_folder(out), from_ns=from_ns, to_ns=to_ns, recorder=recorder
        )
    except BaseException:
        opened.close()
        raise
    _tell_failures(session)
    return Stepping(session, recorder, wanted, pause_ns, opened)


class Stepping:
    """A backtest that stands between two steps; iterating takes one and yields itself.

    Leaving the ``with`` block, :meth:`finish` or the last step end the run in order: orders are cancelled, the record
    is closed. ``result`` is there from then on.
    """

    def __init__(self, session: Session, recorder: ArrayRecorder, step: Step, pause_ns: int, opened: _Opened) -> None:
        self.session = session
        self._recorder = recorder
        self._opened = opened
        self._steps = steps(session, session.end_ns, step, pause_ns)
        self._result: Result | None = None

    def __iter__(self) -> Iterator[Stepping]:
        return self

    def __next__(self) -> Stepping:
        if self._result is not None:
            raise StopIteration
        found = None
        with self.session.contained():
            found = next(self._steps, None)
        if found is None or self.session.is_stopped:
            self.finish()
            raise StopIteration
        return self

    @property
    def now_ns(self) -> int:
        """Market time of the run."""
        return self.session.now_ns

    @property
    def views(self) -> dict[str, View]:
        """What strategies see, by instrument: the very objects, so look and do not touch."""
        return {view.instrument.name: view for view in self.session.wired.views}

    @property
    def messages(self) -> int:
        """Messages of the market taken so far."""
        return self.session.pipeline.messages

    @property
    def order_count(self) -> int:
        """Orders sent so far."""
        return self._recorder.orders

    @property
    def fill_count(self) -> int:
        """Fills so far."""
        return self._recorder.fill_count

    def finish(self) -> Result:
        """End the run here and return its result."""
        if self._result is None:
            try:
                self._result = _result(self.session.finish(), self._recorder)
            finally:
                self._opened.close()
        return self._result

    @property
    def result(self) -> Result:
        """What came of the run; ConfigError while it goes on."""
        if self._result is None:
            raise ConfigError("the run goes on; take its last step, or end it here with finish()")
        return self._result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()


def walk_forward(
    config: ConfigLike,
    tape: TapeLike,
    *,
    train: str,
    test: str,
    grid: Mapping[str, Sequence[Any]],
    select: str = "pnl",
    step: str | None = None,
    overrides: Overrides | None = None,
    start: TimeLike = None,
    end: TimeLike = None,
    seed: int | None = None,
    jobs: int = 1,
    plugins_dir: str | Path | Sequence[str | Path] = (),
    watcher: Callable[[str], None] | None = None,
) -> WalkForward:
    """Choose parameters on one range, run the range after it with them, go on, and return how that went.

    Args:
        train: Length of the range on which every combination of *grid* is run, such as ``"1d"`` (24 h) or ``"6h"``.
        test: Length of the range behind it that is run with the best of them.
        grid: Values by key: ``{"strategies.mm.gamma": [0.01, 0.02]}``.
        select: Figure of the summary by which the best is chosen, the highest: ``"pnl"`` or a dotted path.
        step: How far the next window begins behind; default: *test*, so that test ranges follow one another.
        jobs: Runs at a time; more than one needs joblib, and tapes in files.
        watcher: Told a line about each range that is done.

    The other arguments are those of :func:`backtest`.

    Raises:
        ConfigError: arguments do not fit, or the data is shorter than one window.
        NotFoundError: joblib is not installed.
    """
    from quotewright.runtime.walk_forward import Plan, walk

    from_ns, to_ns = _range(start, end)
    plan = Plan.parse(train=train, test=test, step=step, grid=grid, select=select)
    with _Opened(tape) as opened:
        return walk(
            plan, config, opened.tape, overrides, seed, plugins_dir, from_ns, to_ns, jobs, opened.paths, watcher
        )


def load_tape(data: TapeLike) -> Tape:
    """Return the tape in a folder, or several as one; close it when you are done, or use it in a ``with`` block."""
    if isinstance(data, Tape):
        return data
    if isinstance(data, (str, Path)):
        return TapeFile.open(data)
    tapes = [load_tape(one) for one in data]
    return tapes[0] if len(tapes) == 1 else JoinedTape(tapes)


def import_recording(files: str | Path | Sequence[str | Path], tape: str | Path, **options: Any) -> Tape:
    """Import one recording, or several of one time, into the new tape in folder *tape* and return that.

    *options* are those of :func:`quotewright.tape.importing.import_file` and ``import_files``.
    """
    from quotewright.tape.importing import import_file, import_files

    if isinstance(files, (str, Path)):
        import_file(Path(files), Path(tape), **options)
    else:
        import_files([Path(one) for one in files], Path(tape), **options)
    return TapeFile.open(tape)


def trades(tape: TapeLike, instrument: str | None = None, start: TimeLike = None, end: TimeLike = None) -> Records:
    """Return the prints on *tape* received in ``[start, end)`` as a record array.

    Columns: ``time_ns`` (received), ``event_ns``, ``instrument``, ``side`` of the taker (buy, sell or empty), ``price``
    in the currency of prices, ``quantity`` in base units or contracts, ``id``.
    """
    from_ns, to_ns = _range(start, end)
    parts = []
    with _Opened(tape) as opened:
        wanted = opened.tape.instrument_id(instrument) if instrument is not None else -1
        for _, block in opened.tape.blocks():
            mask = (block["kind"] == TRADE) & (block["receive_ns"] >= from_ns) & (block["receive_ns"] < to_ns)
            if wanted >= 0:
                mask &= block["instrument"] == wanted
            if mask.any():
                parts.append(block[mask].copy())
        instruments = opened.tape.instruments
    rows = np.concatenate(parts) if parts else np.empty(0, opened.dtype)
    number = rows["instrument"].astype(np.int64)
    prices = np.array([float(one.price_from_steps(1)) for one in instruments])
    sizes = np.array([float(one.size_from_steps(1)) for one in instruments])
    names = np.array([one.name for one in instruments], dtype=str)
    return records(
        {
            "time_ns": rows["receive_ns"],
            "event_ns": rows["event_ns"],
            "instrument": names[number],
            "side": np.select([rows["side"] == BUY, rows["side"] == SELL], ["buy", "sell"], ""),
            "price": rows["price"] * prices[number],
            "quantity": rows["size"] * sizes[number],
            "id": rows["id"],
        }
    )


class _Opened:
    """A tape as it was given: one that was opened here is closed here, one of the caller's stays open."""

    def __init__(self, data: TapeLike) -> None:
        self.mine: list[Tape] = []
        self.paths: list[Path] | None = []
        given = [data] if isinstance(data, (Tape, str, Path)) else list(data)
        tapes: list[Tape] = []
        try:
            for one in given:
                if isinstance(one, Tape):
                    tapes.append(one)
                    self._path_of(one)
                else:
                    self.mine.append(TapeFile.open(one))
                    tapes.append(self.mine[-1])
                    self._path_of(self.mine[-1])
            self.tape = tapes[0] if len(tapes) == 1 else JoinedTape(tapes)
        except BaseException:
            self.close()
            raise
        from quotewright.tape.layout import ROW_DTYPE

        self.dtype = ROW_DTYPE

    def _path_of(self, tape: Tape) -> None:
        """Note where *tape* is on disk, so that other processes can open it; None: one of them is not."""
        if isinstance(tape, JoinedTape):
            for one in tape.tapes:
                self._path_of(one)
        elif self.paths is not None and isinstance(tape, TapeFile):
            self.paths.append(tape.path.resolve())
        else:
            self.paths = None

    def close(self) -> None:
        for tape in self.mine:
            tape.close()
        self.mine = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _range(start: TimeLike, end: TimeLike) -> tuple[int, int]:
    first, last = _ns(start, "start"), _ns(end, "end")
    from_ns, to_ns = first if first is not None else 0, last if last is not None else NEVER
    if to_ns <= from_ns:
        raise ConfigError(f"end should be later than start ({start}), was {end}")
    return from_ns, to_ns


def _ns(value: TimeLike, name: str) -> int | None:
    """Return a time in ns since 1970; ConfigError if nobody could tell its zone."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise ConfigError(f"{name} should be a time, was {value}")
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, str):
        try:
            return time_ns(value)
        except InputError as error:
            raise ConfigError(f"{name}: {error}") from error
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            raise ConfigError(
                f"{name}: {value} has no time zone, so that nobody could tell what it means; make it "
                "datetime(..., tzinfo=timezone.utc)"
            )
        return (value - EPOCH) // timedelta(microseconds=1) * 1000
    if isinstance(value, date):
        return time_ns(value.isoformat())
    raise ConfigError(f"{name} should be a text such as '2026-03-01T00:05Z', an aware datetime or ns, was {value!r}")


def _new_folder(out: str | Path | None) -> Path | None:
    if out is None:
        return None
    path = Path(out)
    if (path / "summary.json").exists():
        raise ConfigError(f"out: {path} holds another run; name a new folder")
    return path


def _result(outcome: Outcome, recorder: ArrayRecorder) -> Result:
    if outcome.folder is not None:
        from quotewright.runtime.folder import write_summary

        write_summary(outcome.folder, outcome.summary)
    return Result(outcome, recorder)


def _tell_failures(session: Session) -> None:
    def tell(text: str) -> None:
        print(text.rstrip(), file=sys.stderr)

    session.recorder.on_failure = tell


def _outside_the_loop(run: Callable[[], Outcome], interrupt: Callable[[], object]) -> Outcome:
    """Return what *run*, which has an event loop of its own, comes to; in a thread of its own if one is running here.

    Ctrl-C, or a notebook's stop button, ends the run in order.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    found: list[Outcome] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(run())
        except BaseException as error:  # told to whoever waits
            failed.append(error)

    thread = threading.Thread(target=work, name="quotewright")
    thread.start()
    while thread.is_alive():
        try:
            thread.join(0.1)
        except KeyboardInterrupt:
            interrupt()
    if failed:
        raise failed[0]
    return found[0]


__all__ = [
    "ConfigError",
    "NotFoundError",
    "Result",
    "Stepping",
    "backtest",
    "import_recording",
    "load_tape",
    "paper",
    "step_through",
    "trades",
    "walk_forward",
]
