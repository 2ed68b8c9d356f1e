"""What a person sees and presses: the live view, colours, the debugger, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time

import pytest

from tests.end_to_end.command import EXAMPLES, TREE, command, environment, quotewright

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
HERE = "tests.end_to_end.faulty_plugins:"
PATIENCE_SECONDS = 60
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m")
SHOW_CURSOR = "\x1b[?25h"


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments, **variables):
        import fcntl
        import struct
        import termios

        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=TREE,
            env=environment(TERM="xterm-256color", **variables),
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def read_until(self, pattern: str) -> str:
        """Return everything shown so far once *pattern* is in it; None waits for the end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while pattern is None or not re.search(pattern, self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {pattern!r}, saw: {self.text[-2000:]}"
            if not select.select([self.master], [], [], left)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                assert pattern is None, f"ended before {pattern!r}, saw: {self.text[-2000:]}"
                break
            self.text += data.decode("utf-8", "replace")
        return self.text

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        self.read_until(None)
        os.close(self.master)
        return self.process.wait(PATIENCE_SECONDS)


def paper(plugin: str, out, *more):
    """Return the arguments of a run in step with the clock with this strategy."""
    swap = f"strategies.maker={{plugin='{HERE}{plugin}'}}"
    return ["paper", EXAMPLES / "paper.toml", "--set", swap, "--speed", "5", "--no-report", "--out", out, *more]


def test_the_live_view_shows_book_quotes_position_profit_and_risk_and_leaves_no_trace(tmp_path):
    terminal = Terminal("demo", "--speed", "20", "--seconds", "30", "--no-report", "--out", tmp_path / "run")
    terminal.read_until("Ctrl-C stops")
    assert terminal.end() == 0
    shown = terminal.text
    for words in ("╭─", "BTC-USDT.spot@local", "position", "pnl", "inventory", "working", "NORMAL", "refused: "):
        assert words in shown, words
    assert COLOUR.search(shown)
    assert "Traceback" not in shown
    after = shown[shown.rindex(SHOW_CURSOR) :]
    assert "╭" not in after
    assert "╰" not in after
    assert re.search(r"order log +[0-9a-f]{64}\r\n", after)


def test_no_color_is_obeyed_by_the_live_view(tmp_path):
    terminal = Terminal(
        "demo", "--speed", "20", "--seconds", "10", "--no-report", "--out", tmp_path / "run", NO_COLOR="1"
    )
    assert terminal.end() == 0
    assert "Ctrl-C stops" in terminal.text
    assert not COLOUR.search(terminal.text)


def test_a_backtest_shows_its_progress_in_one_line_that_goes_away(tape, tmp_path):
    arguments = ["backtest", EXAMPLES / "backtest.toml", "--data", tape, "--no-report", "--out", tmp_path / "run"]
    terminal = Terminal(*arguments)
    assert terminal.end() == 0
    assert re.search(r"\r +\d+ %  [\d,]+ s of market  [\d,]+ rows  [\d,]+ rows/s", terminal.text)
    assert terminal.text.count("\n") < 25
    assert re.search(r"\r\x1b\[K(?:\x1b\[1m)?BTC-USDT", terminal.text)


def test_what_is_no_terminal_gets_no_escape_codes_and_no_progress(tape, tmp_path):
    ran = quotewright("backtest", EXAMPLES / "backtest.toml", "--data", tape, "--no-report", "--out", tmp_path / "run")
    assert "\x1b" not in ran.out + ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_breakpoint_in_a_strategy_stops_at_its_line_and_goes_on(tmp_path):
    terminal = Terminal(*paper("Breaks", tmp_path / "run", "--seconds", "2"))
    shown = terminal.read_until(r"\(Pdb\) ")
    assert re.search(r"> .*faulty_plugins\.py\(\d+\)on_wake\(\)", shown)
    terminal.type("p marker\n")
    terminal.read_until("'seen from the debugger'")
    terminal.type("c\n")
    assert terminal.end() == 0
    assert "Traceback" not in terminal.text
    assert json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))["orders"] > 0


def test_quitting_the_debugger_ends_the_run_in_order(tmp_path):
    terminal = Terminal(*paper("Breaks", tmp_path / "run"))
    terminal.read_until(r"\(Pdb\) ")
    terminal.type("q\n")
    terminal.read_until(r"\(y/n\)|interrupted after")  # a newer debugger asks
    if "(y/n)" in terminal.text:
        terminal.type("y\n")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.text
    assert (tmp_path / "run" / "summary.json").exists()


def test_a_print_of_a_strategy_stands_above_the_live_view(tmp_path):
    terminal = Terminal(*paper("Prints", tmp_path / "run", "--seconds", "2"))
    assert terminal.end() == 0
    assert terminal.text.count("a word from the strategy\r\n") == 2


@pytest.fixture
def started(tmp_path):
    """Start a run without end in a process of its own and give it once its strategy says a word."""
    running = []

    def start(plugin, word, *more):
        process = subprocess.Popen(
            command(*paper(plugin, tmp_path / "run", "--json", *more)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=TREE,
            env=environment(),
        )
        running.append(process)
        for line in process.stderr:
            if word in line:
                return process
        raise AssertionError("the run ended early")

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "SIGHUP"])
def test_an_interrupt_cancels_flushes_and_still_reports(started, tmp_path, number):
    process = started("Prints", "a word from the strategy")
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    said = json.loads(out)
    assert said["interrupted"]
    assert said["orders"] > 0
    assert said["open_orders"] == said["venues"]["main"]["open_orders"] == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text("utf-8")) == said
    orders = (tmp_path / "run" / "orders.jsonl").read_text("utf-8").splitlines()
    assert len(orders) == said["orders"] + said["cancels"] + said["amends"]
    assert "Traceback" not in err


def test_a_second_ctrl_c_ends_a_strategy_that_never_returns_and_still_cancels(started, tmp_path):
    process = started("Hangs", "the strategy hangs")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    said = json.loads(out)
    assert said["interrupted"]
    assert said["open_orders"] == said["venues"]["main"]["open_orders"] == 0
    assert "Traceback" not in err


def test_the_report_is_written_after_an_interrupt(tmp_path):
    arguments = ["demo", "--speed", "real", "--out", tmp_path / "run"]
    terminal = Terminal(*arguments)
    terminal.read_until("Ctrl-C stops")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert re.search(r"interrupted after [\d.]+ s of market: the orders were cancelled", terminal.text)
    assert (tmp_path / "run" / "report.html").stat().st_size > 1_000_000
