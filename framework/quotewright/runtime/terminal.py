"""What a person sees while a run goes on: a live view, or one line of progress. All of it on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO, cast

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from quotewright.kernel.codes import BID, BOOK_STATUS_NAMES, BUY, OFFER
from quotewright.kernel.portfolio import money
from quotewright.model.orders import RiskState
from quotewright.report.table import amount
from quotewright.report.venues import venue_line, venue_warnings

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.runtime.session import Session

LEVELS = 6
REFRESH_SECONDS = 0.1
PROGRESS_SECONDS = 0.25
STATE_STYLES = {0: "green", 1: "yellow", 2: "yellow", 3: "red", 4: "bold white on red"}


def tell_failures(session: Session, view: Display | None) -> None:
    """Tell a plugin's failure once, at once, traceback and all."""

    def tell(text: str) -> None:
        if view is not None:
            view.clear()
        click.echo(text.rstrip(), err=True)

    session.recorder.on_failure = tell


class Aside:
    """Standard output or error while a display is shown: whatever a plugin writes first clears the display away.

    So a print, a warning and a debugger's prompt stand where they would without us; the display comes back below.
    """

    def __init__(self, stream: TextIO, clear: Callable[[], None]) -> None:
        self._stream = stream
        self._clear = clear

    def write(self, text: str) -> int:
        self._clear()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Display:
    """Base of what is drawn on standard error during a run; :meth:`clear` takes it off until it is drawn next."""

    def __init__(self) -> None:
        self.shown = 0.0
        self._streams = (sys.stdout, sys.stderr)
        self._hook: Any = None

    def clear(self) -> None:
        """Take the display off the screen."""
        raise TypeError(f"{type(self).__name__} lacks clear()")

    def __enter__(self) -> Self:
        stdout, stderr = self._streams = (sys.stdout, sys.stderr)
        sys.stdout = cast(TextIO, Aside(stdout, self.clear))
        sys.stderr = cast(TextIO, Aside(stderr, self.clear))
        self._hook = sys.breakpointhook
        sys.breakpointhook = self._break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        sys.stdout, sys.stderr = self._streams
        sys.breakpointhook = self._hook

    def _break(self, *arguments: Any, **options: Any) -> Any:
        """Clear the screen for a debugger: a breakpoint in a strategy behaves as anywhere else."""
        self.clear()
        sys.stdout, sys.stderr = self._streams  # the debugger edits lines only on the terminal itself
        if self._hook is not sys.__breakpointhook__ or os.environ.get("PYTHONBREAKPOINT") or arguments or options:
            return self._hook(*arguments, **options)
        import pdb

        return pdb.Pdb().set_trace(sys._getframe(1))  # the frame that called breakpoint(), not this one

    def is_due(self, seconds: float) -> bool:
        """Return whether it is time to draw again, at most every *seconds*."""
        now = time.monotonic()
        if now - self.shown < seconds:
            return False
        self.shown = now
        return True


class Progress(Display):
    """One line: market time, share of the span, rows and messages a second, fills so far."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = time.monotonic()
        self.is_drawn = False

    def clear(self) -> None:
        if self.is_drawn:
            self.is_drawn = False
            self._put("\r\x1b[K")

    def __call__(self, session: Session) -> None:
        if self.is_due(PROGRESS_SECONDS):
            line = progress_line(session, time.monotonic() - self.begun)
            width = shutil.get_terminal_size().columns - 1
            self._put(f"\r{line[:width]}\x1b[K")
            self.is_drawn = True

    def _put(self, text: str) -> None:
        self._streams[1].write(text)
        self._streams[1].flush()


def progress_line(session: Session, seconds: float) -> str:
    """Return the line of progress after *seconds* of wall time."""
    end_ns = session.end_ns
    done_ns = session.now_ns - session.start_ns
    span_ns = end_ns - session.start_ns
    is_open = span_ns > 10**18
    share = "" if is_open else f"{100 * done_ns / max(1, span_ns):3.0f} %  "
    rows = session.pipeline.rows_consumed
    left = "" if is_open or not done_ns else f"  {seconds * (span_ns - done_ns) / done_ns:.0f} s left"
    gaps = sum(view.book.crossings for view in session.wired.views)
    return (
        f"{share}{done_ns / 1e9:,.0f} s of market  {rows:,} rows  {rows / max(seconds, 1e-9):,.0f} rows/s  "
        f"{session.recorder.fill_count} fills  {gaps} crossings{left}"
    )


class LiveView(Display):
    """The book with our quotes in it, position, profit and risk state, refreshed while the run goes on."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self.console = console or Console(file=sys.stderr, highlight=False)
        self.live: Live | None = None

    def clear(self) -> None:
        live, self.live = self.live, None
        if live is not None:
            live.stop()

    def __call__(self, session: Session) -> None:
        if not self.is_due(REFRESH_SECONDS):
            return
        if self.live is None:
            self.live = Live(
                console=self.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self.live.start()
        self.live.update(draw(session), refresh=True)


def draw(session: Session) -> Group:
    """Return the whole view of a run as it stands."""
    return Group(*(draw_instrument(session, view) for view in session.wired.views), draw_footer(session))


def draw_instrument(session: Session, view: View) -> Panel:
    """Return one instrument: book and own quotes on the left, figures on the right."""
    grid = Table.grid(padding=(0, 4))
    grid.add_row(draw_book(view), draw_figures(session, view))
    seconds = (session.now_ns - session.start_ns) / 1e9
    title = f"[bold]{view.instrument.name}[/]  {seconds:,.1f} s"
    return Panel(grid, title=title, title_align="left", border_style="cyan")


def draw_book(view: View) -> Table:
    """Return the best levels, offers above bids; levels with a quote of ours carry its size."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("ours", justify="right", style="bold yellow", min_width=8)
    table.add_column("price", justify="right")
    table.add_column("size", justify="right")
    own: dict[tuple[int, int], int] = {}
    for order in view.live:
        place = (BID if order.side == BUY else OFFER, order.price_ticks * view.tick_steps)
        own[place] = own.get(place, 0) + order.open_lots()
    offers = [(OFFER, price, size, "red") for price, size in view.book.levels(OFFER, LEVELS)]
    bids = [(BID, price, size, "green") for price, size in view.book.levels(BID, LEVELS)]
    for side, price, size, style in [*reversed(offers), *bids]:
        ours = own.get((side, price), 0)
        table.add_row(
            f"{view.instrument.quantity(ours):f}" if ours else "",
            Text(f"{view.instrument.price_from_steps(price):f}", style=style),
            f"{view.instrument.size_from_steps(size):f}",
        )
    return table


def draw_figures(session: Session, view: View) -> Table:
    """Return position, profit and what the rules say."""
    portfolio = view.portfolio
    mid2 = view.known_mid2
    parts = portfolio.attribution_at(mid2)
    table = Table.grid(padding=(0, 2))
    status = BOOK_STATUS_NAMES[view.book.status]
    rows = [
        ("mid", f"{view.instrument.price_from_steps(mid2) / 2:f}  (book {status})"),
        ("position", f"{view.instrument.quantity(portfolio.position_lots):f} {view.instrument.base}"),
        ("pnl", f"{amount(money(parts.total))} {portfolio.quote}"),
        ("  spread", amount(money(parts.spread))),
        ("  inventory", amount(money(parts.inventory))),
        ("  fees", amount(-money(parts.fees))),
        ("  funding", amount(money(parts.funding))),
        ("fills", f"{portfolio.fills} ({portfolio.maker_fills} as maker)"),
        ("working", f"{len(view.live)} orders"),
    ]
    for name, value in rows:
        table.add_row(Text(name, style="dim"), value)
    return table


def draw_footer(session: Session) -> Text:
    """Return the line below: the risk state and why, orders sent, refusals by rule."""
    gate = session.wired.gate
    text = Text()
    text.append(f" {RiskState(gate.state).name} ", style=STATE_STYLES[gate.state])
    if gate.state:
        text.append(f" {gate.holder()}: {gate.why()}")
    refused = ", ".join(f"{rule} {sum(reasons.values())}" for rule, reasons in sorted(gate.refusals.items()))
    text.append(f"  orders {session.recorder.orders}  cancels {session.recorder.cancels}")
    text.append(f"  refused: {refused or 'none'}   Ctrl-C stops", style="dim")
    for name, feed in (session.feeds() if session.feeds is not None else {}).items():
        draw_feed(text, name, feed)
    for name, one in session.wired.venues.items():
        report = getattr(one, "report", None)  # of a venue that is reached over the network
        if callable(report):
            found = report()
            text.append(f"\n venue {name}: ", style="bold")
            text.append(venue_line(found), style="" if found["is_good"] else "yellow")
            for warning in venue_warnings(found):
                text.append(f"\n   {warning}", style="yellow")
    return text


def draw_feed(text: Text, name: str, feed: dict[str, Any]) -> None:
    """Add a line about one live feed: what comes, how late, and what is wrong."""
    opened = sum(one["state"] == "open" for one in feed["connections"])
    rate = sum(one["rate"] for one in feed["streams"].values())
    lost = sum(one["losses"] for one in feed["connections"])
    text.append(f"\n feed {name}: ", style="bold")
    text.append(
        f"{opened} of {len(feed['connections'])} connections open, {rate:,.0f} messages/s, "
        f"lag {feed['lag_ms']:.1f} ms, {feed['gaps']} gaps, {feed['resyncs']} resyncs, lost {lost} times"
    )
    for warning in feed["warnings"]:
        text.append(f"\n   {warning}", style="yellow")
