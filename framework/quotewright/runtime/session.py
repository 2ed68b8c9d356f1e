"""One run from wiring to summary: the same steps whether a tape, a local exchange or a clock drives it."""

from __future__ import annotations

import gc
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.config.check import resolved
from quotewright.config.masking import masked
from quotewright.config.toml import to_toml
from quotewright.errors import ConfigError, NotCausalError
from quotewright.fetching.times import iso
from quotewright.kernel.codes import HALT, NEVER
from quotewright.runtime.control import Control
from quotewright.runtime.drivers import Max, Paced, WallClock
from quotewright.runtime.inputlog import InputLogWriter
from quotewright.runtime.recorder import RunRecorder
from quotewright.runtime.warming import Before, resume, warm
from quotewright.tape.coverage import require_books
from quotewright.wiring import Wired, assemble

if TYPE_CHECKING:
    from quotewright.config.model import Config
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.drivers import Clock, Driver
    from quotewright.tape.tape import Tape
    from quotewright.wiring import Market

GRACE_NS = 10_000_000_000
"""How long after the end, in market time, reports on the last cancels are waited for."""
MOST_FAULTS = 100
"""How often a plugin may raise while the run is wound down before what is left is given up."""
YOUNG_OBJECTS = 100_000
"""How many new objects the garbage collector lets a run make before it looks at them."""
SLICE_MESSAGES = 50_000
MOST_REPORT_POINTS = 2000
FINEST_SAMPLE_NS = 100_000_000
COARSEST_SAMPLE_NS = 60_000_000_000

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What ends a run in order; a closed terminal does, too."""

Watcher = Callable[["Session"], None]


@attrs.define(kw_only=True)
class Outcome:
    """How a run ended: its summary (see ``docs/run-folder.md``) and the exit code it deserves."""

    summary: dict[str, Any]
    folder: Path | None
    exit_code: int


class Session:
    """A run in the making. ``verb`` is ``backtest`` or ``paper``; *folder* None keeps everything in memory.

    *span_ns* is how much market time the run is expected to take, 0 if that is not known: it sets how often the
    record samples. *recorder* is told of everything; None: one is made. A run on a tape begins at *from_ns*, with the
    books as they stood then, and shows no row received at or after *to_ns*.
    """

    def __init__(
        self,
        verb: str,
        config: Config,
        plugins: PluginSet,
        tape: Tape | None = None,
        folder: Path | None = None,
        span_ns: int = 0,
        record_inputs: bool = False,
        live: Market | None = None,
        recorder: RunRecorder | None = None,
        from_ns: int = 0,
        to_ns: int = NEVER,
    ) -> None:
        self.verb = verb
        self.config = config
        self.plugins = plugins
        self.folder = folder
        self.recorder = recorder or RunRecorder()
        sample_ns = sampling(span_ns) if span_ns else int(config.run.sample)
        self.wired: Wired = assemble(config, plugins, tape, self.recorder, sample_ns, live, to_ns=to_ns)
        if tape is not None:
            feeds = self.wired.market.feeds
            for name, table in config.feeds.items():
                own = [view for view in self.wired.views if not feeds or feeds[view.instrument_id] == name]
                require_books(tape, own, table.where)
        if folder is not None:  # only now: a config that cannot be wired leaves nothing behind
            inputs = None
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.toml").write_text(masked(to_toml(resolved(config, plugins))), encoding="utf-8")
            if record_inputs:
                inputs = InputLogWriter(folder / "inputs.log", {"verb": verb, "seed": config.run.seed})
            self.recorder.open(folder, inputs)
        self.control = Control(folder) if folder is not None and record_inputs else None
        self.pipeline = self.wired.pipeline
        self.recorder.watch(self.wired.views)
        self.recorder.on_quit = self.interrupt
        self.recorder.on_loss = self.stop
        self.wired.gate.on_failure = self.recorder.on_rule_failure
        self.is_interrupted = False
        self.is_stopped = False
        self.is_ending = False
        self.not_causal: NotCausalError | None = None
        self.feeds: Callable[[], dict[str, Any]] | None = None
        """How the live feeds of the run stand, by table name; None if it has none."""
        self.started = time.monotonic()
        market = self.wired.market
        self.start_ns = max(market.start_ns, from_ns)
        self.end_ns = min(market.end_ns, to_ns - 1) if to_ns != NEVER else market.end_ns
        self.before = warm(self.wired, from_ns) if from_ns > market.start_ns else Before()
        """What only books and signals saw, before the beginning."""
        self.pipeline.start(self.start_ns)
        resume(self.wired)

    @property
    def now_ns(self) -> int:
        return self.pipeline.now_ns

    def advance(self, until_ns: int, most_messages: int = SLICE_MESSAGES) -> bool:
        """Take inputs up to *until_ns*, at most *most_messages* messages; return whether more may be left."""
        if self.control is not None:
            self.control.serve(self.pipeline)
        return self.pipeline.advance(until_ns, most_messages) >= most_messages and not self.is_stopped

    def run_through(self, until_ns: int, watcher: Watcher | None = None) -> None:
        """Take every input up to *until_ns* as fast as possible, telling *watcher* after every slice."""
        step_ns = max(1, (until_ns - self.now_ns) // 200)
        while not self.is_stopped and self.now_ns < until_ns:
            target = min(until_ns, self.now_ns + step_ns)
            while self.advance(target):
                if watcher is not None:
                    watcher(self)
            if watcher is not None:
                watcher(self)

    def stop(self) -> None:
        """Ask the run to end after the input at hand, as :meth:`interrupt` does, but not because a person wants it."""
        self.is_stopped = True
        self.pipeline.is_interrupted = True

    def interrupt(self) -> None:
        """Ask the run to end after the input at hand: orders are cancelled, the record is flushed and reported."""
        self.is_interrupted = True
        self.stop()

    @contextmanager
    def contained(self) -> Iterator[None]:
        """Let a plugin that raises in the middle of the pipeline, or a second Ctrl-C, end the run in order."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupt()
        except NotCausalError as error:
            self.abandon(error)
            raise
        except BaseException as error:  # a plugin may raise SystemExit, too: nothing it does loses the record
            self.recorder.on_fault(culprit(error, self.wired), error)

    def abandon(self, error: NotCausalError) -> None:
        """Close what is open; there is no summary of a run on such a tape, now or later."""
        self.not_causal = error
        if self.control is not None:
            self.control.close()
        self.recorder.close()
        for close in (*(venue.close for venue in self.wired.venues.values()), self.wired.market.source.close):
            with suppress(Exception):
                close()

    def finish(self) -> Outcome:
        """Cancel what is open, take the last reports, close the record, and return the summary.

        Raises:
            NotCausalError: the tape showed a row before it happened, as far as it was read.
        """
        from quotewright.report.strategies import write_records
        from quotewright.report.summary import summarise

        if self.not_causal is not None:
            raise self.not_causal
        if self.control is not None:
            self.control.close()
        self.wind_down()
        with self.contained():
            self.recorder.on_sample(self.now_ns)
        self.recorder.close()
        summary = summarise(self, time.monotonic() - self.started)
        if self.folder is not None:
            write_records(self, self.folder)
        for close in (*(venue.close for venue in self.wired.venues.values()), self.wired.market.source.close):
            with self.contained():
                close()
        summary["failures"] = dict(self.recorder.failures)
        return Outcome(summary=summary, folder=self.folder, exit_code=self.exit_code())

    def begin_end(self) -> None:
        """Stop the strategies and cancel every order; for venues whose answers take real time to come."""
        self.is_ending = True
        with self.contained():
            self.pipeline.finish(0)

    def wind_down(self) -> None:
        """Cancel every order and wait for the reports, as far as faulty plugins let us."""
        if self.is_ending:
            return
        until_ns = self.now_ns + GRACE_NS
        for _ in range(MOST_FAULTS):
            with self.contained():
                self.pipeline.finish(max(0, until_ns - self.now_ns))
                return

    def exit_code(self) -> int:
        """Return 130 if a person interrupted, 6 if the rules halted the run, 1 if a plugin failed, else 0."""
        if self.is_interrupted:
            return 130
        if self.recorder.failures:
            return 1
        return 6 if self.wired.gate.state >= HALT else 0


def sampling(span_ns: int) -> int:
    """Return how often to sample a run of *span_ns*, so that the report has at most about 2,000 points."""
    rough = max(FINEST_SAMPLE_NS, min(COARSEST_SAMPLE_NS, span_ns // MOST_REPORT_POINTS))
    return rough // FINEST_SAMPLE_NS * FINEST_SAMPLE_NS


def culprit(error: BaseException, wired: Wired) -> str:
    """Return what raised: a plugin of this run as its config table, or ``the pipeline`` if none is in the traceback."""
    owners: list[tuple[object, str]] = [(wired.market.source, "the feed")]
    owners += [(view.book, f"the book model of {view.instrument.name}") for view in wired.views]
    owners += [(venue, f"venue {name}") for name, venue in wired.venues.items()]
    owners += [(desk.strategy, f"strategy {desk.name}") for desk in wired.desks]
    owners += [(rule, f"risk rule {rule.name}") for rule in wired.rules]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        for owner, name in owners:
            if frame.f_locals.get("self") is owner:
                return f"{name} ({type(owner).__module__}.{type(owner).__qualname__})"
    return "the pipeline"


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Let the collector of cyclic garbage look seldom, and not at what was made before: a run makes hardly any."""
    before = gc.get_threshold()
    is_ours = gc.isenabled() and gc.get_freeze_count() == 0
    if is_ours:
        gc.freeze()
        gc.set_threshold(max(before[0], YOUNG_OBJECTS), *before[1:])
    try:
        yield
    finally:
        if is_ours:
            gc.set_threshold(*before)
            gc.unfreeze()


@contextmanager
def interruptible(session: Session) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends a run in order; a second Ctrl-C raises KeyboardInterrupt where it is."""

    def stop(number: int, frame: FrameType | None) -> None:
        if session.is_interrupted and number == signal.SIGINT:
            raise KeyboardInterrupt
        session.interrupt()

    before: dict[int, Any] = {}
    for number in SIGNALS:
        try:
            before[number] = signal.signal(number, stop)
        except ValueError:  # not the main thread: whoever runs us there interrupts by calling interrupt()
            break
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def backtest(
    config: Config,
    plugins: PluginSet,
    tape: Tape,
    folder: Path | None = None,
    watcher: Watcher | None = None,
    prepared: Callable[[Session], None] | None = None,
    *,
    from_ns: int = 0,
    to_ns: int = NEVER,
    driver: Driver | None = None,
    recorder: RunRecorder | None = None,
) -> Outcome:
    """Run *config* on the rows of *tape* received in ``[from_ns, to_ns)`` and return the outcome.

    Args:
        watcher: Told after every slice of a run without *driver*, which is as fast as possible.
        driver: How fast it goes; see :mod:`quotewright.runtime.drivers`.
        recorder: Keeps the record; None: one is made.

    Raises:
        InputError: the tape shows a row before it happened.
        ConfigError: the config does not fit the tape or the plugins, or the range holds nothing of the tape.
    """
    session = open_backtest(config, plugins, tape, folder, from_ns=from_ns, to_ns=to_ns, recorder=recorder)
    return drive(session, min(tape.info.end_ns, session.end_ns), driver or Max(watcher), prepared)


def open_backtest(
    config: Config,
    plugins: PluginSet,
    tape: Tape,
    folder: Path | None = None,
    *,
    from_ns: int = 0,
    to_ns: int = NEVER,
    recorder: RunRecorder | None = None,
) -> Session:
    """Return a backtest that stands before its first input; see :func:`backtest`."""
    info = tape.info
    if info.row_count == 0:
        raise ConfigError("the tape holds no rows; nothing can be tested on it")
    first_ns, end_ns = max(info.start_ns, from_ns), min(info.end_ns, to_ns - 1)
    if first_ns > end_ns:
        raise ConfigError(
            f"nothing of the tape lies in the range: it holds {iso(info.start_ns)} to {iso(info.end_ns)}, the range is "
            f"{iso(from_ns)} to {iso(to_ns) if to_ns != NEVER else 'its end'}"
        )
    return Session(
        "backtest", config, plugins, tape, folder, end_ns - first_ns, recorder=recorder, from_ns=from_ns, to_ns=to_ns
    )


def drive(
    session: Session, until_ns: int, driver: Driver, prepared: Callable[[Session], None] | None = None
) -> Outcome:
    """Let *driver* take *session* to *until_ns*, whatever happens on the way, and end it in order."""
    if prepared is not None:
        prepared(session)
    with interruptible(session), collecting_seldom():
        with session.contained():
            driver(session, until_ns)
        return session.finish()


def paper(
    config: Config,
    plugins: PluginSet,
    seconds: float | None,
    speed: float = 0.0,
    folder: Path | None = None,
    watcher: Watcher | None = None,
    prepared: Callable[[Session], None] | None = None,
    *,
    recorder: RunRecorder | None = None,
    clock: Clock | None = None,
) -> Outcome:
    """Run *config* against its own market for *seconds* of market time (None: until interrupted).

    *speed* is market seconds per second of *clock* (the wall's); 0 is as fast as possible, which needs *seconds*.
    """
    if seconds is None and speed <= 0:
        raise ConfigError("as fast as possible needs an end: give --seconds, or --speed real")
    span_ns = round(seconds * 1e9) if seconds is not None else 0
    session = Session(
        "paper", config, plugins, None, folder, span_ns, record_inputs=folder is not None, recorder=recorder
    )
    until_ns = session.start_ns + span_ns if span_ns else NEVER
    driver: Driver = Paced(speed, watcher, clock or WallClock()) if speed > 0 else Max(watcher)
    return drive(session, until_ns, driver, prepared)
