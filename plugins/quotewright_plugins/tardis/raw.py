"""Importer of Tardis's raw recordings: a collector's time and the exchange's own message on each line.

Lines of the HTTP API (28 characters of local time with seven decimals, a blank, the message) and of tardis-machine's
``/replay`` (``{"localTimestamp":"…","message":{…}}``). An empty line says that the collector lost its connection there.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.tape.causality import Connection
from quotewright.tape.importing import Importer, Market, Stage, make_adapter
from quotewright.tape.recording import RecordedFile
from quotewright_plugins.importers.venues import TARDIS, market_of
from quotewright_plugins.tardis.messages import stamp_ns

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z [\[{]")
SERVER = re.compile(rb'\{\s*"localTimestamp"\s*:\s*"[^"]{20,30}"\s*,\s*"message"')
LOOKED_AT = 400
NAMES = sorted(TARDIS, key=len, reverse=True)


class ServerLine(msgspec.Struct):
    """One line of tardis-machine's ``/replay``."""

    localTimestamp: str
    message: msgspec.Raw


SERVER_LINE = msgspec.json.Decoder(ServerLine)


def taken_apart(line: bytes) -> tuple[int, bytes]:
    """Return the local time in ns and the exchange's message."""
    if line[:1] == b"{":
        try:
            found = SERVER_LINE.decode(line)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise InputError(f"should be an object with localTimestamp and message ({error})") from None
        return stamp_ns(found.localTimestamp), bytes(found.message)
    if line[28:29] != b" ":
        raise InputError(f"should begin with 28 characters of time and a blank, was {line[:40]!r}")
    return stamp_ns(line[:28].decode("ascii", "replace")), line[29:]


def frame_in(line: bytes) -> bytes:
    """Return the exchange's message in a line."""
    return taken_apart(line)[1]


class TardisRawImporter(Importer):
    """Reads raw recordings through the feed adapter of the exchange that they are of."""

    name = "tardis_raw"

    def recognises(self, path: Path, head: bytes) -> bool:
        for line in head.split(b"\n")[:20]:
            if line:
                return STAMP.match(line) is not None or SERVER.match(line) is not None
        return False

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        readers = [_Reader(file, stage) for file in files]
        streams = [reader.frames(number) for number, reader in enumerate(readers)]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda item: item[:2])
        for _, number, local_ns, frame in merged:
            readers[number].take(local_ns, frame)
            yield


class _Reader:
    """Hands the frames of one file to its adapter."""

    def __init__(self, file: RecordedFile, stage: Stage) -> None:
        self.file = file
        self.stage = stage
        market = exchange_of(file, stage)
        self.connection = "-".join(part for part in market if part)
        self.adapter = stage.adapter(*market)
        self.sink = stage.sink(*market)

    def frames(self, number: int) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield merged time, *number*, local time and frame; an empty frame is a lost connection."""
        clock = Connection(self.connection)
        shift_ns = self.stage.shift_ns(self.connection)
        local_ns = newest_ns = 0
        for line in self.file.lines():
            if line:
                try:
                    local_ns, frame = taken_apart(line)
                except InputError as error:
                    self.stage.refuse(self.file, str(error))
                    continue
            else:
                frame = b""
            newest_ns = max(newest_ns, clock.stamp(local_ns) + shift_ns)
            yield newest_ns, number, local_ns, frame

    def take(self, local_ns: int, frame: bytes) -> None:
        receive_ns = self.stage.receive(self.connection, local_ns or None)
        adapter = self.adapter
        if not frame:
            adapter.on_close(receive_ns, self.sink)
            return
        before = adapter.counters.errors
        adapter.on_message(frame, "ws", None, receive_ns, self.sink)
        if adapter.counters.errors > before:
            self.stage.refuse(self.file, adapter.counters.last_error)


def exchange_of(file: RecordedFile, stage: Stage, frame_of: Callable[[bytes], bytes] = frame_in) -> Market:
    """Return venue and market: as the command says, as the file's name begins, or as its first frames tell.

    *frame_of* takes the exchange's message out of a line.
    """
    if stage.exchange:
        return market_of(stage.exchange, stage.plugins)
    for name in NAMES:
        if file.name.startswith(f"{name}_"):
            return market_of(name, stage.plugins)
    detectors = {}
    for offered in stage.plugins.names("feed_adapters"):
        try:
            detectors[offered] = make_adapter(stage.plugins, offered).detect_market
        except ConfigError:  # one that cannot be imported, or needs keys that nobody can guess
            continue
    votes: Counter[Market] = Counter()
    for number, line in enumerate(file.lines()):
        try:
            frame = frame_of(line) if line else b""
        except InputError:
            continue
        for offered, detect in detectors.items():
            market = detect(frame, None) if frame else None
            if market is not None:
                votes[offered, market] += 1
        if number >= LOOKED_AT or votes.total() >= 20:
            break
    if not votes:
        raise InputError(
            f"{file.path}: no installed feed adapter ({', '.join(detectors) or 'none'}) knows its frames; name the "
            "exchange with --exchange, as Tardis calls it (binance-futures)"
        )
    return votes.most_common(1)[0][0]
