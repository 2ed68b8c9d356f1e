"""Every driver makes the same commands, byte for byte; ranges, days and markets side by side run as one tape would."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import attrs
import numpy as np
import pytest

import quotewright as qw
from quotewright.config.load import load_config
from quotewright.errors import ConfigError, NotCausalError
from quotewright.kernel.causal import IS_COMPILED
from quotewright.kernel.codes import BID, FUNDING, LAST, LAST_BIT, NEVER, OFFER, TRADE, pack
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.strategy import Strategy
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.drivers import Max, Paced, Step, Stepped, speed_of, steps, wakes
from quotewright.runtime.session import backtest, drive, open_backtest, paper
from quotewright.tape.joined import JoinedTape
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.tape import MemoryTape, Tape, TapeFile

ROOT = Path(__file__).resolve().parents[3]
TAPE = ROOT / "examples" / "synthetic-tape"
CONFIG = ROOT / "examples" / "backtest.toml"
DEMO = ROOT / "simexchange" / "quotewright_simexchange" / "demo.toml"
SECOND = 1_000_000_000
SPAN = 40 * SECOND


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


@pytest.fixture(scope="module")
def tape():
    with TapeFile.open(TAPE) as opened:
        yield opened


@pytest.fixture(scope="module")
def end_ns(tape):
    return tape.info.start_ns + SPAN


@pytest.fixture(scope="module")
def whole(plugins, tape, end_ns):
    """Return the summary of the first 40 s of the shipped tape, run as fast as possible."""
    return backtest(load_config([CONFIG]), plugins, tape, to_ns=end_ns).summary


class HandClock:
    """A clock that only a sleep moves, and *busy* seconds between two looks at it."""

    def __init__(self, busy: float = 0.0) -> None:
        self.time = 100.0
        self.busy = busy
        self.slept = 0.0

    def now(self) -> float:
        self.time += self.busy
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept += seconds


def counted(*answers):
    """Return what looks at a stepped run: these answers, then on to the end."""
    left = list(answers)
    return lambda session: left.pop(0) if left else None


DRIVERS = {
    "real time": Paced(1.0, None, HandClock()),
    "ten times": Paced(10.0, None, HandClock(0.013)),
    "message by message": Stepped(Step("message"), lambda session: Step("message")),
    "wake by wake": Stepped(Step("wake"), lambda session: Step("wake")),
    "by 0.7 s": Stepped(Step.parse("0.7s"), lambda session: Step.parse("0.7s")),
    "as it comes": Stepped(Step("wake"), counted(Step("message"), 1_767_225_612_345_678_901, Step.parse("3s"))),
    "from a stop on": Stepped(Step("message"), lambda session: Step("wake"), 1_767_225_620_000_000_000),
}


def at_random(seed: int) -> Stepped:
    """Return a driver whose every step is drawn: a message, a wake, some time, or a moment to go on to."""
    drawn = random.Random(seed)

    def look(session):
        kind = drawn.randrange(4)
        if kind == 3:
            return session.now_ns + drawn.randrange(SECOND // 2)
        return (Step("message"), Step("wake"), Step("span", drawn.randrange(1, SECOND)))[kind]

    return Stepped(Step("message"), look)


DRIVERS |= {f"at random, seed {seed}": at_random(seed) for seed in range(4)}


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_every_driver_makes_the_same_commands(plugins, tape, end_ns, whole, driver):
    summary = backtest(load_config([CONFIG]), plugins, tape, to_ns=end_ns, driver=driver).summary
    assert summary["order_log_sha256"] == whole["order_log_sha256"]
    for key in ("rows", "messages", "fills", "pnl", "instruments", "venues", "strategies"):
        assert summary[key] == whole[key]
    assert whole["fills"] > 0


def test_a_paced_run_takes_its_time_and_does_not_catch_up_with_a_pause(plugins, tape, end_ns):
    clock = HandClock()

    def watcher(session):
        if clock.slept > 1.0 and clock.time < 1000:
            clock.time += 3600.0  # someone stands at a breakpoint

    summary = backtest(load_config([CONFIG]), plugins, tape, to_ns=end_ns, driver=Paced(4.0, watcher, clock)).summary
    assert clock.slept == pytest.approx(SPAN / SECOND / 4 - 1.0, abs=0.1)  # of the hour one second counts
    assert summary["market_seconds"] == pytest.approx(SPAN / SECOND, abs=0.1)


def test_paper_is_paced_by_the_same_clock(plugins):
    clock = HandClock()
    paced = paper(load_config([DEMO]), plugins, seconds=6, speed=2.0, clock=clock).summary
    assert clock.slept == pytest.approx(3.0, abs=0.1)
    assert paced["order_log_sha256"] == paper(load_config([DEMO]), plugins, seconds=6).summary["order_log_sha256"]


def test_a_step_stops_after_a_message_a_wake_or_a_span(plugins, tape, end_ns):
    session = open_backtest(load_config([CONFIG]), plugins, tape, to_ns=end_ns)
    seen = [run.pipeline.messages for run in zip(range(5), steps(session, end_ns, Step("message")), strict=False)
            for run in run[1:]]  # fmt: skip
    assert seen == [1, 2, 3, 4, 5]
    before = wakes(session)
    assert Step("wake").take(session, end_ns)
    assert wakes(session) == before + 1
    at_ns = session.now_ns
    assert Step.parse("250ms").take(session, end_ns)
    assert session.now_ns == at_ns + 250_000_000
    stop_ns = session.now_ns + SECOND
    assert next(steps(session, end_ns, Step("message"), stop_ns)).now_ns == stop_ns
    drive(session, end_ns, Max())
    assert not Step("message").take(session, end_ns)


def test_a_run_in_a_range_sees_what_lies_in_it_and_the_books_as_they_stood(plugins, tape, end_ns):
    start_ns = tape.info.start_ns + 7 * SECOND + 123
    book = Ladder()
    before = 0
    for first, last, receive_ns in messages(tape):
        if receive_ns >= start_ns:
            break
        book.apply(tape.rows, first, last)
        before = last
    session = open_backtest(load_config([CONFIG]), plugins, tape, from_ns=start_ns, to_ns=end_ns)
    (view,) = session.wired.views
    assert view.book.levels(BID, 1000) == book.levels(BID, 1000)
    assert view.book.levels(OFFER, 1000) == book.levels(OFFER, 1000)
    assert (session.start_ns, session.before.rows, wakes(session)) == (start_ns, before, 0)
    summary = drive(session, session.end_ns, Max()).summary
    assert summary["start_ns"] == start_ns
    times = tape.array["receive_ns"]
    mine = tape.array[(times >= start_ns) & (times < end_ns)]
    (figures,) = summary["instruments"].values()
    assert summary["rows"] == len(mine)
    assert figures["trades"] == int((mine["kind"] == TRADE).sum())
    assert figures["printed"] == tape.instruments[0].size_from_steps(int(mine["size"][mine["kind"] == TRADE].sum()))
    assert figures["book_messages"] == summary["messages"] == int((mine["flags"] & LAST != 0).sum())
    assert summary["orders"] > 0
    assert summary["order_log_sha256"] == backtest(
        load_config([CONFIG]), plugins, tape, from_ns=start_ns, to_ns=end_ns, driver=DRIVERS["message by message"]
    ).summary["order_log_sha256"]  # fmt: skip


def test_signals_know_the_market_before_the_beginning(plugins, tape):
    start_ns = tape.info.start_ns + 100 * SECOND
    config = load_config([CONFIG])
    warm = open_backtest(config, plugins, tape, from_ns=start_ns).wired.views[0]
    assert [signal.is_ready for signal in warm.signals] == [True] * len(warm.signals)
    cold = open_backtest(config, plugins, tape).wired.views[0]
    assert not any(signal.is_ready for signal in cold.signals)


class BuysAndSells(Strategy):
    """Buy once, and sell after the time of funding; it asks for no signal, so that nothing else looks at the clock."""

    wake_every_ns = SECOND
    until_ns = 0

    def on_wake(self, view, quotes):
        if view.now_ns < self.until_ns and view.position_lots == 0:
            quotes.bid(view.best_offer_ticks() - 1, 1000)
        elif view.now_ns > self.until_ns and view.position_lots > 0:
            quotes.offer(view.best_bid_ticks() + 1, view.position_lots)


def test_funding_told_before_the_beginning_is_paid_at_its_time(tape):
    """On what was held then, though it has been sold when the next markout falls due."""
    due_ns = tape.info.start_ns + 70 * SECOND
    perp = attrs.evolve(tape.instruments[0], name="BTC-USDT.perp@local", kind="perp", settle="USDT")
    buffer = TapeBuffer()
    for first, last, receive_ns in messages(tape):
        buffer.extend(tape.rows, first, last)
        if first < 5000 <= last:
            buffer.append(receive_ns, receive_ns, 10**11, due_ns, 0, pack(FUNDING, 0, LAST, 0))
    funded = MemoryTape((perp,), buffer)
    told_ns = int(funded.array["receive_ns"][funded.array["kind"] == FUNDING][0])
    BuysAndSells.until_ns = due_ns
    tables = {
        "feeds": {"market": {"plugin": "tape"}},
        "venues": {"main": {"plugin": "replay"}},
        "strategies": {"one": {"plugin": BuysAndSells}},
    }
    done = qw.backtest(tables, funded, start=told_ns + 1, end=due_ns + 8 * SECOND)
    (figures,) = done.summary["instruments"].values()
    (payment,) = figures["payments"]
    held = done.fills.time_ns < due_ns
    assert payment["time_ns"] == due_ns
    assert float(payment["position"]) == pytest.approx(done.fills.quantity[held].sum())
    assert done.fills.side.tolist() == ["buy"] * int(held.sum()) + ["sell"] * int((~held).sum())
    assert figures["position"] == 0


RANGES = {
    "after its end": ({"from_ns": NEVER - 2}, "nothing of the tape lies in the range"),
    "before its beginning": ({"to_ns": 5}, "nothing of the tape lies in the range: it holds 2026-01-01T00"),
}


@pytest.mark.parametrize(("limits", "message"), RANGES.values(), ids=RANGES)
def test_a_range_without_rows_is_refused(plugins, tape, limits, message):
    with pytest.raises(ConfigError, match=message):
        backtest(load_config([CONFIG]), plugins, tape, **limits)


def messages(tape: Tape):
    """Yield (first row, row after the last, receive time) of every message."""
    words = np.asarray(tape.rows.words).reshape(-1, 6)
    first = 0
    for end in (np.flatnonzero(words[:, 5] & LAST_BIT) + 1).tolist():
        yield first, end, int(words[first, 1])
        first = end


def cut(tape: Tape, at_ns: int) -> list[MemoryTape]:
    """Return the rows of *tape* received before *at_ns* and the others as two tapes."""
    buffers = [TapeBuffer(), TapeBuffer()]
    for first, last, receive_ns in messages(tape):
        buffers[receive_ns >= at_ns].extend(tape.rows, first, last)
    return [MemoryTape(tape.instruments, buffer) for buffer in buffers]


def under_another_name(tape: Tape, name: str) -> MemoryTape:
    """Return the same rows as those of another instrument."""
    buffer = TapeBuffer()
    buffer.extend(tape.rows, 0, tape.rows.count)
    return MemoryTape((attrs.evolve(tape.instruments[0], name=name, venue=name.partition("@")[2]),), buffer)


@pytest.mark.parametrize("window", [64, 32768])
def test_days_run_as_the_one_tape_they_were_cut_from(plugins, tape, end_ns, whole, window):
    days = JoinedTape(cut(tape, tape.info.start_ns + 13 * SECOND), window)
    summary = backtest(load_config([CONFIG]), plugins, days, to_ns=end_ns).summary
    for key in ("order_log_sha256", "rows", "fills", "pnl", "instruments", "venues"):
        assert summary[key] == whole[key]


def test_the_local_exchange_fills_on_several_tapes_as_on_one(plugins, tape, end_ns):
    config = load_config([CONFIG], ["venues.main.plugin=simexchange"])
    days = JoinedTape(cut(tape, tape.info.start_ns + 13 * SECOND), 512)
    summaries = [backtest(config, plugins, one, to_ns=end_ns).summary for one in (tape, days)]
    assert summaries[0]["order_log_sha256"] == summaries[1]["order_log_sha256"]
    assert summaries[0]["fills"] == summaries[1]["fills"] > 0


def test_markets_side_by_side_fill_as_each_does_alone(plugins, tape, end_ns, whole, tmp_path):
    """The other instrument's name sorts before ours, so that ours is another number than on its own tape."""
    text = CONFIG.read_text()
    (tmp_path / "two.toml").write_text(text)
    instrument = tape.instruments[0].name
    maker = next(iter(load_config([CONFIG]).strategies))
    other = under_another_name(tape, "AAA-USDT.spot@aaa")
    config = load_config([CONFIG], [f"strategies.{maker}.instrument={instrument}"])
    for tapes in ([tape, other], [other, tape]):
        joined = JoinedTape(tapes, 777)
        assert joined.instrument_id(instrument) == 1
        summary = backtest(config, plugins, joined, to_ns=end_ns).summary
        assert summary["fills"] == whole["fills"]
        figures, alone = summary["instruments"][instrument], whole["instruments"][instrument]
        assert {**figures, "id": 0} == alone
        assert summary["messages"] == 2 * whole["messages"]


SPEEDS = {"max": 0.0, "real": 1.0, "10": 10.0, "2.5x": 2.5, 3: 3.0}


@pytest.mark.parametrize(("text", "factor"), SPEEDS.items())
def test_speeds(text, factor):
    assert speed_of(text) == factor


@pytest.mark.parametrize("text", ["fast", "0", "-1", "1e9", "nan"])
def test_what_is_no_speed(text):
    with pytest.raises(ConfigError, match=f"speed should be real, max, or a factor such as 10, was '{text}'"):
        speed_of(text)


@pytest.mark.parametrize("text", ["msg", "0s", "-1s", "1"])
def test_what_is_no_step(text):
    with pytest.raises(ConfigError, match="a step should be message, wake or a duration such as 1s, was"):
        Step.parse(text)


def test_a_tape_that_shows_the_future_late_ends_the_run_without_a_result(plugins, tape, tmp_path, monkeypatch):
    monkeypatch.setattr("quotewright.tape.tape.WINDOW_ENTRIES", 500)
    shutil.copytree(TAPE, tmp_path / "tape")
    rows = np.memmap(tmp_path / "tape" / "rows.bin", ROW_DTYPE, "r+")
    rows["event_ns"][20_000] = rows["receive_ns"][20_000] + 1
    rows.flush()
    del rows
    folder = tmp_path / "run"
    with TapeFile.open(tmp_path / "tape") as planted:
        with pytest.raises(NotCausalError, match="row 20000 is received at"):
            backtest(load_config([CONFIG]), plugins, planted, folder)
        assert not (folder / "summary.json").exists()
        assert sorted(entry.name for entry in folder.glob("*")) in (
            [], ["config.toml", "fills.csv", "orders.jsonl", "samples.npz"]
        )  # fmt: skip
        with pytest.raises(NotCausalError, match="row 20000"), qw.step_through(CONFIG, planted, "1s") as run:  # noqa: PT012
            with suppress(NotCausalError):
                for _ in run:
                    pass
            run.finish()
        # Whoever stops before it never meets it where kernels are compiled; interpreted ones look at once.
        before_ns = int(planted.array["receive_ns"][5_000])
        if IS_COMPILED:
            short = backtest(load_config([CONFIG]), plugins, planted, to_ns=before_ns).summary
            sound = backtest(load_config([CONFIG]), plugins, tape, to_ns=before_ns).summary
            assert short["order_log_sha256"] == sound["order_log_sha256"]
