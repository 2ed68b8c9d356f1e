"""The role of a feed adapter: frames and time in; rows, counters and actions out. No I/O, no clock of its own.

An adapter is handed what a connection received and writes whole messages into a sink. What it wants done (a
snapshot fetched, streams subscribed, to be woken) it says as *actions*, which its caller drains and carries out,
or leaves alone when it reads a recording. See ``docs/feed-adapters.md``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import attrs

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.updates import Chain, Tally, UpdateReader
from quotewright.wiring import Market

if TYPE_CHECKING:
    from quotewright.live.settings import LiveSettings
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright.wire import Wire
    from quotewright.wiring import FeedContext

FEED_INTERFACE_VERSION = 1

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND

Source: TypeAlias = Literal["ws", "rest"]

DecodeReason = Literal["json", "shape", "number", "symbol", "market", "size", "snapshot", "venue"]
"""Why a frame was refused: not JSON, not the documented shape, a bad number, the wrong symbol for its stream, a frame
of another market, too large, a snapshot nobody can place, an error told by the venue."""


@attrs.frozen
class FetchSnapshot:
    """Fetch the full book of *symbol* over REST and hand the body in as source ``rest`` with its URL."""

    symbol: str


Channel = Literal["book", "best", "trades", "reference", "liquidations", "options", "status"]
"""What a stream carries. ``reference``: mark, index, funding, open interest; ``status``: instruments and venue."""


@attrs.frozen
class Stream:
    """One subscription: its name on the wire, the symbol it is about (empty: many), what it carries.

    *category* names the endpoint it is served on where a venue has several; *needs_login* that the venue serves it
    to accounts only.
    """

    name: str
    symbol: str = ""
    channel: Channel = "book"
    category: str = ""
    needs_login: bool = False


@attrs.frozen
class Subscribe:
    """Ask for *streams*."""

    streams: tuple[Stream, ...]


@attrs.frozen
class Resubscribe:
    """End the book stream of *symbol* and ask for it anew: its first message will be a snapshot."""

    symbol: str


@attrs.frozen
class WakeAt:
    """Call :meth:`FeedAdapter.on_wake` at or after this time; replaces every earlier one."""

    at_ns: int


@attrs.frozen
class Reconnect:
    """Close the connection and open it again."""

    reason: str


Action: TypeAlias = FetchSnapshot | Subscribe | Resubscribe | WakeAt | Reconnect


class BookState(IntEnum):
    """Where one book stands: only a synchronised one is written to."""

    WAITING = 0
    """No snapshot yet; updates are buffered."""
    SYNCHRONISED = 1
    STALE = 2
    """A gap or an unreadable update; updates are buffered until the next snapshot."""


@attrs.define
class Counters(Tally):
    """What an adapter has seen since it was made; ``messages`` and ``updates`` beside the fields below."""

    snapshots: int = 0
    snapshots_refused: int = 0
    buffered: int = 0
    buffer_dropped: int = 0
    stale_dropped: int = 0
    gaps: int = 0
    resyncs: int = 0
    thin: int = 0
    trades: int = 0
    duplicate_trades: int = 0
    missing_trades: int = 0
    aggregated_dropped: int = 0
    empty_trades: int = 0
    unlisted: int = 0
    ignored: dict[str, int] = attrs.Factory(dict)
    decode_errors: dict[DecodeReason, int] = attrs.Factory(dict)
    last_error: str = ""

    def __attrs_pre_init__(self) -> None:
        Tally.__init__(self)

    def ignore(self, kind: str) -> None:
        """Count a frame that is none of ours by its kind; past 64 kinds they are counted together."""
        ignored = self.ignored
        if kind not in ignored and len(ignored) >= 64:
            kind = "other"
        ignored[kind[:40]] = ignored.get(kind[:40], 0) + 1

    def error(self, reason: DecodeReason, text: str) -> None:
        """Count a refused frame and keep the sentence about it (control characters escaped, bounded)."""
        self.decode_errors[reason] = self.decode_errors.get(reason, 0) + 1
        self.last_error = text.encode("unicode_escape").decode("ascii")[:300]

    @property
    def errors(self) -> int:
        return sum(self.decode_errors.values())


def is_symbol(text: str) -> bool:
    """Return whether *text* may be a venue's symbol: other than empty, overlong and unprintable ones."""
    return 0 < len(text) <= 64 and text.isprintable()


class BadFrame(InputError):
    """A frame that cannot be used, with the reason it is counted under."""

    def __init__(self, reason: DecodeReason, text: str) -> None:
        super().__init__(text)
        self.reason: DecodeReason = reason


class FeedBook(Chain):
    """Sequencing state of one book: where it stands, the last update id applied, what waits for a snapshot."""

    __slots__ = (
        "asked",
        "asked_ns",
        "buffer",
        "chain_id",
        "checksums_bad",
        "checksums_good",
        "gaps",
        "is_wanted",
        "resyncs",
        "symbol",
        "was_good",
    )

    state: BookState

    def __init__(self, symbol: str, buffer_limit: int) -> None:
        super().__init__()
        self.symbol = symbol
        self.state = BookState.WAITING
        self.chain_id = -1
        """Last id of the update stream itself, which goes on while a newer snapshot replaces the book."""
        self.was_good = False
        self.is_wanted = False
        """A snapshot is needed and none has come."""
        self.asked_ns = -1
        """When the snapshot that is under way was asked for; -1 none."""
        self.asked: deque[int] = deque()
        self.buffer: deque[Any] = deque(maxlen=buffer_limit)
        self.gaps = 0
        self.resyncs = 0
        self.checksums_good = 0
        self.checksums_bad = 0


class FeedAdapter:
    """Base class of all feed adapters.

    A subclass implements :meth:`on_message`, and uses :meth:`lose`, :meth:`request` and ``counters`` so that every
    venue's gaps, retries and errors look alike. Bad input never raises out of :meth:`on_message`: the message is
    abandoned and counted, and where it was an update of a book, that book is stale and a snapshot is asked for.

    Class attributes:
        name: the venue's name, used in instrument names (``binance``).
        markets: the venue's markets that the adapter knows, the default first; empty if it has only one.
        recordings: names under which recordings call a market (Tardis's), and the market meant.
        shows_percent: the venue tells volatilities in percent: sinks are told fractions, recordings show percent.
        recovers_by: how a book is made good again: a snapshot over REST, or a new subscription that begins with one.
    """

    name = ""
    markets: tuple[str, ...] = ()
    recordings: ClassVar[Mapping[str, str]] = {}
    shows_percent: ClassVar[bool] = False
    recovers_by: ClassVar[Literal["snapshot", "subscription"]] = "snapshot"
    market_name = ""
    """Which of ``markets`` this adapter reads."""
    # An annotation at run time would make every attrs subclass resolve a module that only live feeds import.
    if TYPE_CHECKING:
        live: LiveSettings | None
    live = None
    """The keys of its live connections; None: it was made to read recordings."""

    snapshot_tries_per_minute = 6
    snapshot_timeout_ns = 10 * SECOND
    buffer_limit = 5_000
    frame_limit: ClassVar[Mapping[str, int]] = {"ws": 8 << 20, "rest": 64 << 20}
    bad_frames_in_a_row = 10
    book_limit = 5_000

    def __init__(self) -> None:
        self.counters = Counters()
        self.books: dict[str, FeedBook] = {}
        self.subscribed: dict[str, Instrument | None] = {}
        self.is_sequenced = True
        """False: updates are written as they come, with neither snapshot nor continuity asked for.

        So a stream is normalised message by message. Adapters that hold updates back until a snapshot places them
        (the venue's rule, where snapshots come over REST) do so all the same.
        """
        self._pending: dict[object, Action] = {}
        self._wake_ns = 0
        self._bad_run = 0
        self._reader: UpdateReader | None = None
        """Takes the plain updates of books ahead of everything else; without it all comes out the same, slower."""

    # What a caller uses.

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        """Write what *raw* says into *sink*.

        Args:
            raw: One frame of a websocket, or the body of a REST answer.
            source: ``ws`` or ``rest``.
            url: Where a REST answer came from, None where a recording did not keep it.
            receive_ns: When it was received here; rows released from a buffer carry the time of release.
            sink: Where whole messages go.
        """
        raise TypeError(f"{type(self).__name__} lacks on_message()")

    def market(self, context: FeedContext) -> Market:
        """Open the market of a run: the live one that was prepared for it, else the tape that it was given.

        A feed that has a market of its own, such as a local exchange in process, opens that.

        Raises:
            ConfigError: there is neither.
        """
        if context.live is not None:
            return context.live
        if context.tape is None:
            raise ConfigError(
                f"{context.where}: '{self.name or type(self).__name__}' reads frames and has no market of its own; "
                "run a tape with: quotewright backtest CONFIG --data TAPE"
            )
        info = context.tape.info
        return Market(
            source=context.tape.source(to_ns=context.to_ns),
            instruments=tuple(context.tape.instruments),
            start_ns=info.start_ns,
            end_ns=info.end_ns,
        )

    def subscribe(self, instruments: Iterable[Instrument | str]) -> None:
        """Follow only these instruments (or symbols) and ask for their streams; without it all are followed."""
        for instrument in instruments:
            if isinstance(instrument, str):
                self.subscribed.setdefault(instrument, None)
            else:
                self.subscribed[instrument.symbol] = instrument
        self._ask_streams()

    def streams(self) -> list[Stream]:
        """Return the streams that the followed instruments take, book streams first."""
        return []

    def wire(self) -> Wire:
        """Return how the venue's connections are opened, subscribed, kept alive and read.

        Raises:
            ConfigError: the adapter reads recordings only.
        """
        raise ConfigError(f"'{self.name or type(self).__name__}' reads recordings and has no live connection")

    def _ask_streams(self) -> None:
        if streams := tuple(self.streams()):
            self._pending[Subscribe] = Subscribe(streams)

    def actions(self) -> list[Action]:
        """Return what is to be done since the last call, each thing once."""
        taken = list(self._pending.values())
        self._pending.clear()
        return taken

    def on_open(self, receive_ns: int) -> None:
        """Take note that the connection is open: subscribe, and look after quiet books in three seconds."""
        self._ask_streams()
        self._wake(receive_ns + 3 * SECOND)

    def on_close(self, receive_ns: int, sink: Sink, symbols: Iterable[str] | None = None) -> None:
        """Take note that a connection is lost: the good books of *symbols* (None: all) are stale from here."""
        books = self.books
        for symbol in list(books) if symbols is None else symbols:
            book = books.get(symbol)
            if book is None:
                continue
            if book.state is BookState.SYNCHRONISED:
                self.lose(book, 0, receive_ns, sink)
            book.buffer.clear()
            book.asked_ns = -1

    def on_wake(self, now_ns: int) -> None:
        """Ask again for snapshots that did not come and for those held back by the limit of tries."""
        self._wake_ns = 0
        for symbol in self.subscribed:
            self.book(symbol)
        for book in self.books.values():
            if book.state is not BookState.SYNCHRONISED:
                self.request(book, now_ns)

    def resync(self, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Give a book up and ask for a snapshot: it stayed crossed, fell silent, or failed a check elsewhere."""
        book = self.books.get(symbol)
        if book is not None and book.state is BookState.SYNCHRONISED:
            self.lose(book, 0, receive_ns, sink)
            self.request(book, receive_ns)

    def on_thin(self, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Take note that hardly any known level of a book is left: what lies behind them must be asked for.

        A snapshot tells so many levels, later messages tell changes only; who applies the rows sees them run out.
        """
        self.counters.thin += 1
        self.resync(symbol, receive_ns, sink)

    def instruments(self, body: bytes) -> list[Instrument]:
        """Return the instruments in the venue's metadata answer; a body of another shape raises InputError."""
        raise InputError(f"{self.name}: instruments cannot be read from a file of {len(body)} bytes")

    @classmethod
    def detect_market(cls, raw: bytes, url: str | None = None) -> str | None:
        """Return which of ``markets`` a recorded frame or an address belongs to; None if that does not tell."""
        return None

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        """Return the fields of an Instrument that *symbol* alone tells: names, kind, base, quote, settle."""
        raise InputError(f"{self.name}: nothing can be told from the symbol {symbol!r} alone")

    # What a subclass uses.

    def book(self, symbol: str) -> FeedBook | None:
        """Return the state of *symbol*'s book, made at first sight; None if it is not followed (counted)."""
        book = self.books.get(symbol)
        if book is None:
            if (self.subscribed and symbol not in self.subscribed) or len(self.books) >= self.book_limit:
                self.counters.unlisted += 1
                return None
            if not is_symbol(symbol):
                raise BadFrame("symbol", f"{self.name}: {symbol[:64]!r} is not a symbol; the frame is dropped")
            book = self.books[symbol] = FeedBook(symbol, self.buffer_limit)
        return book

    def lose(self, book: FeedBook, event_ns: int, receive_ns: int, sink: Sink, id: int = 0, missing: int = 0) -> None:
        """Make *book* stale and, if it was good, write the gap; *missing* is how many updates are known to lack."""
        was_good = book.state is BookState.SYNCHRONISED
        book.state = BookState.STALE if book.was_good else BookState.WAITING
        book.is_joining = False
        book.is_wanted = True
        book.stale_run = 0
        book.buffer.clear()
        self.counters.gaps += was_good
        book.gaps += was_good
        if was_good and sink.begin(book.symbol, event_ns, receive_ns, 0, id):
            sink.gap(missing)
            sink.end()

    def request(self, book: FeedBook, now_ns: int) -> None:
        """Ask for a snapshot unless one is under way; past the tries of a minute, be woken when one is free again.

        Where the venue sends snapshots on subscribing, the book's stream is asked for anew instead.
        """
        book.is_wanted = True
        if book.asked_ns >= 0 and 0 <= now_ns - book.asked_ns < self.snapshot_timeout_ns:
            return
        asked = book.asked
        while asked and not 0 <= now_ns - asked[0] < MINUTE:
            asked.popleft()
        if len(asked) >= self.snapshot_tries_per_minute:
            self._wake(asked[0] + MINUTE)
            return
        asked.append(now_ns)
        book.asked_ns = now_ns
        action = self._recovery(book.symbol)
        self._pending[action] = action
        self._wake(now_ns + self.snapshot_timeout_ns)

    def _recovery(self, symbol: str) -> Action:
        return FetchSnapshot(symbol) if self.recovers_by == "snapshot" else Resubscribe(symbol)

    def answered(self, book: FeedBook) -> None:
        """Take note that the snapshot under way has come, good or bad."""
        book.asked_ns = -1
        self._pending.pop(self._recovery(book.symbol), None)

    def bad_frame(self, reason: DecodeReason, text: str) -> None:
        """Count a refused frame; ten in a row ask for a new connection."""
        self.counters.error(reason, text)
        self._bad_run += 1
        if self._bad_run >= self.bad_frames_in_a_row:
            self._pending[Reconnect] = Reconnect(f"{self._bad_run} frames in a row could not be read")
            self._bad_run = 0

    def _wake(self, at_ns: int) -> None:
        if not self._wake_ns or at_ns < self._wake_ns:
            self._wake_ns = at_ns
            self._pending[WakeAt] = WakeAt(at_ns)
