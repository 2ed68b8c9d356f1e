"""Importing recordings: a survey of the data first, then the rows, causal and with what was found in the header.

An importer reads one format. It is offered by the hook ``importers``, is run twice over the same files and writes
into the sinks that its *stage* hands out: the first time they only look, the second time they write the tape.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BOOK_GOOD,
    BOOK_STATUS_NAMES,
    GAP,
    IN_SNAPSHOT,
    LAST,
    LEVEL_DELETE,
    LEVEL_SET,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows
from quotewright.kernel.sink import TapeSink
from quotewright.model.instrument import Instrument
from quotewright.tape.causality import BASE_LATENCY_NS, BOOK_KINDS, DOUBTFUL_NS, CausalRows, Connection
from quotewright.tape.inference import (
    Grid,
    Observed,
    Survey,
    decided_step,
    fields_from_symbol,
    infer,
    instrument_from_data,
    with_decimals,
)
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.recording import RecordedFile
from quotewright.tape.remarks import remark
from quotewright.tape.tape import RefusedMessage, TapeInfo, Verdict
from quotewright.tape.writer import TapeWriter

if TYPE_CHECKING:
    from quotewright.feed import FeedAdapter
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.sink import Sink

    RowArray = np.ndarray[Any, np.dtype[Any]]

DRAIN_ROWS: Final = 1 << 15
REFUSED_LISTED: Final = 100
REFUSED_SHARE: Final = 20
"""More than one refused message in so many (and over a hundred) means that the file is something else."""

Progress = Callable[[str, float], None]
Market = tuple[str, str]
"""Venue and market; within one of them a symbol means one instrument. The market is empty where a venue has one."""


class Stage:
    """What an importer is given in each of its two passes."""

    def __init__(self, plugins: PluginSet, exchange: str) -> None:
        self.plugins = plugins
        self.exchange = exchange
        self.adapters: dict[Market, FeedAdapter] = {}
        self.connections: dict[str, Connection] = {}
        self.current: Connection | None = None
        self.refused: list[RefusedMessage] = []
        self.refused_count = 0
        self.notes: dict[str, None] = {}
        self.told: dict[Market, dict[str, Instrument]] = {}

    def tell(self, market: Market, instruments: Iterable[Instrument]) -> None:
        """Take note of metadata that stand in the recording itself; a file named by the user goes before them."""
        known = self.told.setdefault(market, {})
        known.update((instrument.symbol, instrument) for instrument in instruments)

    def sink(self, venue: str, market: str = "") -> Sink:
        """Return the sink for the symbols of a market."""
        raise TypeError(f"{type(self).__name__} lacks sink()")

    def adapter(self, venue: str, market: str = "") -> FeedAdapter:
        """Return the feed adapter of a market, made once per pass; ConfigError if none is installed."""
        found = self.adapters.get((venue, market))
        if found is None:
            found = self.adapters[venue, market] = make_adapter(self.plugins, venue, market)
        return found

    def receive(self, connection: str, stamp_ns: int | None) -> int:
        """Return the receive time of a line, of whose recorder's clock *connection* is the name.

        Messages written from now on belong to this connection. 0 means that no time is known.
        """
        raise TypeError(f"{type(self).__name__} lacks receive()")

    def shift_ns(self, connection: str) -> int:
        """Return what :meth:`receive` adds to this connection's stamps: by the sum recordings are merged."""
        return 0

    def refuse(self, file: RecordedFile, reason: str, line: int = 0) -> None:
        """Take note of a message that could not be written; too many of them raise InputError."""
        self.refused_count += 1
        line = line or file.line
        if len(self.refused) < REFUSED_LISTED:
            self.refused.append(RefusedMessage(file=file.name, line=line, reason=" ".join(reason.split())[:300]))
        if self.refused_count > REFUSED_LISTED and self.refused_count * REFUSED_SHARE > line:
            raise InputError(
                f"{file.path}: {self.refused_count} of the first {line} lines cannot be read; line {line}: {reason}; "
                "is this a recording of another format?"
            )

    def note(self, text: str) -> None:
        """Keep a remark for the tape's header, once."""
        self.notes[text] = None


class Importer:
    """Base class of importers: one recorded format, offered by the hook ``importers`` under ``name``.

    A factory takes no required arguments. :meth:`read` is called twice, with a new stage each time, and must do the
    same both times.
    """

    name = ""

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether *head*, the unpacked beginning of the file at *path*, is of this format."""
        raise TypeError(f"{type(self).__name__} lacks recognises()")

    def copy(self, files: Sequence[RecordedFile], tape_path: Path, *, replace: bool) -> TapeInfo | None:
        """Write the finished tape that *files* hold to *tape_path*; None (as here) if they hold a recording to read."""
        return None

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        """Write the messages of *files* into the sinks of *stage* in order of receive time.

        Yields between messages, often enough that what is written meanwhile stays small.
        """
        raise TypeError(f"{type(self).__name__} lacks read()")


def make_adapter(plugins: PluginSet, venue: str, market: str = "") -> FeedAdapter:
    """Return a new feed adapter of a venue's market, as a config table with these keys would make it."""
    table = {"plugin": venue, "market": market} if market else {"plugin": venue}
    adapter: FeedAdapter = plugins.build("feed_adapters", table)
    return adapter


class _SurveyStage(Stage):
    """The first pass: nothing is written."""

    def __init__(self, plugins: PluginSet, exchange: str) -> None:
        super().__init__(plugins, exchange)
        self.surveys: dict[Market, Survey] = {}

    def sink(self, venue: str, market: str = "") -> Sink:
        survey = self.surveys.get((venue, market))
        if survey is None:
            survey = self.surveys[venue, market] = Survey(self._connection)
        return survey

    def _connection(self) -> Connection:
        assert self.current is not None, "an importer calls receive() before it writes"
        return self.current

    def receive(self, connection: str, stamp_ns: int | None) -> int:
        current = self.current
        if current is None or current.name != connection:
            current = self.connections.get(connection)
            if current is None:
                current = self.connections[connection] = Connection(connection)
            self.current = current
        return current.stamp(stamp_ns)


class _WriteStage(Stage):
    """The second pass: rows go into the writer's buffer, receive stamps are shifted."""

    def __init__(
        self,
        plugins: PluginSet,
        exchange: str,
        writer: TapeWriter,
        places: Mapping[Market, dict[str, tuple[int, int, int]]],
        shifts: Mapping[str, int],
        earliest: Mapping[str, int],
    ) -> None:
        super().__init__(plugins, exchange)
        self.shifts = shifts
        self.earliest = earliest
        self.newest_ns = 0
        self.sinks = {market: TapeSink(writer.buffer, symbols) for market, symbols in places.items()}
        self.writer = writer

    def sink(self, venue: str, market: str = "") -> Sink:
        sink = self.sinks.get((venue, market))
        if sink is None:
            sink = self.sinks[venue, market] = TapeSink(self.writer.buffer, {})
        return sink

    def receive(self, connection: str, stamp_ns: int | None) -> int:
        current = self.current
        if current is None or current.name != connection:
            current = self.connections.get(connection)
            if current is None:
                current = self.connections[connection] = Connection(connection)
            self.current = current
        recorded_ns = current.stamp(stamp_ns)
        earliest_ns = self.earliest.get(connection, 0)
        receive_ns = recorded_ns + self.shifts.get(connection, 0) if recorded_ns else earliest_ns
        # Before the first good stamp, the first event tells the time: no row may stand at the beginning of the epoch.
        if receive_ns < earliest_ns - DOUBTFUL_NS:
            receive_ns = earliest_ns
        if receive_ns > self.newest_ns:
            self.newest_ns = receive_ns
        return self.newest_ns

    def shift_ns(self, connection: str) -> int:
        return self.shifts.get(connection, 0)


@attrs.define
class _Examined:
    """What is learnt about one instrument while its rows pass."""

    rows: int = 0
    levels: int = 0
    snapshots: int = 0
    trades: int = 0
    gaps: int = 0
    quotes: int = 0
    book: Ladder | None = None
    best_prices: Grid = attrs.Factory(Grid)
    all_prices: Grid = attrs.Factory(Grid)
    changed_sizes: Grid = attrs.Factory(Grid)
    all_sizes: Grid = attrs.Factory(Grid)


class _Examiner:
    """Runs a book over the rows of every instrument and counts what a verdict tells."""

    def __init__(self, instruments: int) -> None:
        self.found = [_Examined() for _ in range(instruments)]

    def examine(self, rows: RowArray) -> None:
        """Take note of *rows*, whole messages, already corrected."""
        words: Any = np.ascontiguousarray(rows).view(np.int64)
        view = Rows(memoryview(words), len(rows))
        ends = np.flatnonzero(rows["flags"] & LAST) + 1
        starts = np.concatenate(([0], ends[:-1]))
        kind, instrument = rows["kind"], rows["instrument"]
        for number in np.unique(instrument).tolist():
            found = self.found[number]
            mine = instrument == number
            self._count(found, rows[mine], kind[mine])
            has_book = np.isin(kind[starts], BOOK_KINDS)
            picked = np.flatnonzero((instrument[starts] == number) & has_book)
            if not len(picked):
                continue
            if found.book is None:
                found.book = Ladder()
            self._apply(found, view, starts[picked].tolist(), ends[picked].tolist())

    @staticmethod
    def _count(found: _Examined, rows: RowArray, kind: RowArray) -> None:
        counts = np.bincount(kind, minlength=32)
        found.rows += len(rows)
        found.levels += int(counts[LEVEL_SET] + counts[LEVEL_DELETE])
        found.snapshots += int(counts[SNAPSHOT_BEGIN])
        found.trades += int(counts[TRADE])
        found.gaps += int(counts[GAP])
        found.quotes += int(counts[BEST_QUOTE])
        is_touch = (kind == TRADE) | (kind == BEST_QUOTE)
        is_any = is_touch | (kind == LEVEL_SET)
        found.best_prices.add(rows["price"][is_touch])
        found.all_prices.add(rows["price"][is_any])
        found.changed_sizes.add(rows["size"][is_any & ((rows["flags"] & IN_SNAPSHOT) == 0)])
        found.all_sizes.add(rows["size"][is_any])

    @staticmethod
    def _apply(found: _Examined, view: Rows, starts: list[int], ends: list[int]) -> None:
        book = found.book
        assert book is not None
        touched: list[int] = []
        for start, end in zip(starts, ends, strict=True):
            if book.apply(view, start, end):
                touched.append(book.best_bid)
                touched.append(book.best_offer)
        if not found.quotes:  # without a ticker the book itself tells the best prices
            found.best_prices.add(np.array(touched, np.int64))

    def verdicts(self, instruments: Sequence[Instrument], late_events: Sequence[int]) -> tuple[Verdict, ...]:
        verdicts = []
        for instrument, found, late in zip(instruments, self.found, late_events, strict=True):
            book = found.book
            crossings = book.crossings if book is not None else 0
            has_good_book = book is None or book.status == BOOK_GOOD
            verdicts.append(
                Verdict(
                    instrument=instrument.name,
                    rows=found.rows,
                    messages=book.messages if book is not None else 0,
                    levels=found.levels,
                    snapshots=found.snapshots,
                    trades=found.trades,
                    gaps=found.gaps,
                    crossings=crossings,
                    late_events=int(late),
                    book=BOOK_STATUS_NAMES[book.status] if book is not None else "none",
                    is_clean=found.gaps == 0 and crossings == 0 and has_good_book,
                )
            )
        return tuple(verdicts)


def import_file(path: str | Path, tape_path: str | Path, **options: Any) -> TapeInfo:
    """Import one recorded file; see :func:`import_files`."""
    return import_files([path], tape_path, **options)


def import_files(
    paths: Iterable[str | Path],
    tape_path: str | Path,
    *,
    importer: str = "",
    instruments: str | Path | None = None,
    exchange: str = "",
    symbols: Iterable[str] = (),
    base_latency_ns: int = BASE_LATENCY_NS,
    allow_truncated: bool = False,
    replace: bool = False,
    plugins: PluginSet | None = None,
    progress: Progress | None = None,
) -> TapeInfo:
    """Write the recording in *paths* as a tape and return its header.

    Args:
        paths: Files of one format; several are merged by receive time.
        tape_path: The directory to make.
        importer: Name of the format's importer; empty: the one that recognises the first file.
        instruments: A file with the venue's metadata answer, plain or as a line of a capture.
        exchange: Where the recording was made, such as ``binance`` or ``binance-futures``; empty: told by the data.
        symbols: Only these; the others are counted as unlisted. Empty: all.
        base_latency_ns: What the smallest difference between receive and event time becomes.
        allow_truncated: Import the whole lines of a file that ends too early.
        replace: Replace a tape that stands at *tape_path*.
        plugins: Where importers and feed adapters are looked up; None: all that are installed.
        progress: Called with what is being done and the share of it done, 0 to 1.

    Raises:
        NotFoundError, InputError, ConfigError: with what to do; no tape is written then.
    """
    if base_latency_ns < 0:
        raise InputError(f"the base latency should be 0 ns or more, was {base_latency_ns}")
    files = [RecordedFile(Path(path), allow_truncated) for path in paths]
    if not files:
        raise InputError("there is no file to import")
    if plugins is None:
        from quotewright.plugin.registry import PluginSet

        plugins = PluginSet.discover(strict=False)
    reader = _importer(plugins, importer, files)
    if (copied := reader.copy(files, Path(tape_path), replace=replace)) is not None:
        return copied
    survey = _SurveyStage(plugins, exchange)
    _run(reader, files, survey, progress, "survey", lambda: None)
    listed = _instruments(survey, plugins, instruments, set(symbols))
    places: dict[Market, dict[str, tuple[int, int, int]]] = {}
    for number, (market, instrument) in enumerate(listed):
        symbol_places = places.setdefault(market, {})
        symbol_places[instrument.symbol] = (number, instrument.price_decimals, instrument.size_decimals)
    shifts = {name: found.shift_ns(base_latency_ns) for name, found in survey.connections.items()}
    earliest = {
        name: found.first_event_ns + base_latency_ns
        for name, found in survey.connections.items()
        if found.first_event_ns
    }
    names = [instrument for _, instrument in listed]
    with TapeWriter(tape_path, names, replace=replace, capacity=DRAIN_ROWS + 8192) as writer:
        stage = _WriteStage(plugins, exchange, writer, places, shifts, earliest)
        stage.notes = survey.notes
        causal = CausalRows(len(names), base_latency_ns)
        examiner = _Examiner(len(names))

        def drain() -> None:
            buffer = writer.buffer
            if buffer.count:
                rows = np.frombuffer(buffer.words, dtype=ROW_DTYPE, count=buffer.count).copy()
                buffer.truncate(0)
                causal.correct(rows)
                examiner.examine(rows)
                writer.write(rows)

        def drain_if_full() -> None:
            if writer.buffer.count >= DRAIN_ROWS:
                drain()

        _run(reader, files, stage, progress, "rows", drain_if_full)
        drain()
        if not writer.row_count:
            raise InputError(_nothing(files, stage, survey))
        writer.instruments = tuple(
            _with_grid(instrument, found, stage) for instrument, found in zip(names, examiner.found, strict=True)
        )
        remark(stage, survey, files, base_latency_ns)
        return writer.finish(
            TapeInfo(
                sources=tuple(file.source(reader.name) for file in files),
                connections=tuple(found.clock(base_latency_ns) for found in survey.connections.values()),
                verdicts=examiner.verdicts(writer.instruments, causal.late_events.tolist()),
                unlisted=_unlisted(stage),
                refused=tuple(stage.refused),
                refused_count=stage.refused_count,
                notes=tuple(stage.notes),
            )
        )


def _importer(plugins: PluginSet, name: str, files: Sequence[RecordedFile]) -> Importer:
    """Return the importer called *name*, or the first by name that recognises the first file."""
    names = [name] if name else plugins.names("importers")
    first = files[0]
    head = first.head()
    for offered in names:
        found = plugins.get("importers", offered)()
        if not isinstance(found, Importer):
            raise ConfigError(f"importer '{offered}' should make a quotewright.tape.importing.Importer, was {found!r}")
        found.name = offered
        if name or found.recognises(first.path, head):
            for file in files[1:]:
                if not name and not found.recognises(file.path, file.head()):
                    raise InputError(f"{file.path} is not of the format of {first.path} ({offered}); import it alone")
            return found
    if not head:
        raise InputError(f"{first.path} is empty, or not one byte of it can be unpacked; fetch it again")
    raise InputError(
        f"{first.path}: no importer recognises it (it begins {head[:40]!r}); installed: {', '.join(names) or 'none'}; "
        "choose one with --importer"
    )


def _run(
    reader: Importer,
    files: Sequence[RecordedFile],
    stage: Stage,
    progress: Progress | None,
    what: str,
    between: Callable[[], None],
) -> None:
    """Run *reader* once over *files*, calling *between* wherever it pauses."""
    total = sum(file.size for file in files) or 1
    try:
        for count, _ in enumerate(reader.read(files, stage)):
            between()
            if progress is not None and count & 4095 == 0:
                progress(what, min(1.0, sum(file.position for file in files) / total))
    finally:
        for file in files:
            file.close()
    if progress is not None:
        progress(what, 1.0)


def _instruments(
    survey: _SurveyStage, plugins: PluginSet, metadata: str | Path | None, wanted: set[str]
) -> list[tuple[Market, Instrument]]:
    """Return the instruments of what was surveyed in order of their names, which is that of their ids."""
    found: list[tuple[Market, Instrument]] = []
    known_anywhere = False
    for market, sink in survey.surveys.items():
        given = _metadata(plugins, market, metadata) if metadata is not None else survey.told.get(market, {})
        for symbol, observed in sink.symbols.items():
            if wanted and symbol not in wanted:
                continue
            instrument = given.get(symbol)
            known_anywhere = known_anywhere or instrument is not None
            if instrument is not None:
                found.append((market, with_decimals(instrument, observed)))
                continue
            if metadata is not None:
                survey.note(f"{symbol} is not in {Path(metadata).name}; its metadata are inferred")
            try:
                found.append((market, _inferred(plugins, market, symbol, observed)))
            except InputError as error:
                survey.note(f"{symbol} is left out: {error}")
    if metadata is not None and found and not known_anywhere:
        raise InputError(f"{metadata}: none of the recording's instruments is in it; is it of another venue or market?")
    missing = wanted - {instrument.symbol for _, instrument in found}
    if missing:
        seen = sorted(symbol for sink in survey.surveys.values() for symbol in sink.symbols)
        raise InputError(
            f"the recording has no symbol {', '.join(sorted(missing))}; it has {', '.join(seen[:20]) or 'none'}"
        )
    found.sort(key=lambda pair: pair[1].name)
    for (_, one), (_, other) in itertools.pairwise(found):
        if one.name == other.name:
            raise InputError(f"symbols {one.symbol} and {other.symbol} are both called {one.name}; import one of them")
    return found


def _inferred(plugins: PluginSet, market: Market, symbol: str, observed: Observed) -> Instrument:
    venue, part = market
    if venue in plugins.names("feed_adapters"):
        try:
            fields = make_adapter(plugins, venue, part).guess_instrument(symbol)
        except ConfigError:  # the adapter does not know this market
            fields = fields_from_symbol(symbol, venue, part)
    else:
        fields = fields_from_symbol(symbol, venue, part)
    return instrument_from_data(fields, observed)


def _metadata(plugins: PluginSet, market: Market, path: str | Path) -> dict[str, Instrument]:
    """Return the instruments of a venue's metadata answer by symbol."""
    import msgspec

    file = RecordedFile(Path(path))
    lines = list(file.lines())
    adapter = make_adapter(plugins, *market)
    found: dict[str, Instrument] = {}
    body = b"\n".join(lines)
    try:
        envelopes = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines if line.strip()]
        bodies = [bytes(envelope["msg"]) for envelope in envelopes if "msg" in envelope]
    except msgspec.MsgspecError:
        bodies = []
    for answer in bodies or [body]:
        try:
            for instrument in adapter.instruments(answer):
                found[instrument.symbol] = instrument
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return found


def _with_grid(instrument: Instrument, found: _Examined, stage: Stage) -> Instrument:
    """Return *instrument* with the tick and lot of the data where none were given or the data contradict them."""
    is_given = "tick_steps" not in instrument.inferred
    tick = decided_step(found.best_prices, found.all_prices, instrument.tick_steps if is_given else None)
    # Prices of one band tell nothing of the finest tick.
    if tick != instrument.tick_steps and not instrument.tick_table:
        if is_given:
            stage.note(
                f"{instrument.name}: prices lie on a tick of {instrument.price_from_steps(tick).normalize():f}, "
                f"the metadata say {instrument.tick_size.normalize():f}; the data win"
            )
        instrument = infer(instrument, tick_steps=tick)
    is_given = "lot_steps" not in instrument.inferred
    lot = decided_step(found.changed_sizes, found.all_sizes, instrument.lot_steps if is_given else None)
    if lot != instrument.lot_steps:
        if is_given:
            stage.note(
                f"{instrument.name}: sizes lie on a lot of {instrument.size_from_steps(lot).normalize():f}, "
                f"the metadata say {instrument.lot_size.normalize():f}; the data win"
            )
        instrument = infer(instrument, lot_steps=lot)
    return instrument


def _unlisted(stage: _WriteStage) -> dict[str, int]:
    found: dict[str, int] = {}
    for sink in stage.sinks.values():
        for symbol, count in sink.unlisted.items():
            found[symbol] = found.get(symbol, 0) + count
    return dict(sorted(found.items()))


def _nothing(files: Sequence[RecordedFile], stage: Stage, survey: _SurveyStage) -> str:
    """Return why there is no row to write."""
    name = ", ".join(file.name for file in files)
    lines = sum(file.line for file in files)
    if stage.refused:
        first = stage.refused[0]
        return f"{name}: none of {lines} lines gives a row; line {first.line}: {first.reason}"
    if survey.notes:
        return f"{name}: none of {lines} lines gives a row; {next(iter(survey.notes))}"
    return f"{name}: none of {lines} lines gives a row; does the recording hold a book's snapshot, or trades?"
