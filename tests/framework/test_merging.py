"""Rows of several sources in one total order: receive time, then the place of the source, then sequence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.codes import LAST_BIT, NEVER, ROW_WORDS, TRADE
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.source import RowSource
from quotewright.merging import MergedSource, merge_markets
from quotewright.model.instrument import Instrument
from quotewright.wiring import Market


class Listed(RowSource):
    """A source of messages that are there from the start: (receive time, ids of its rows, instrument)."""

    def __init__(self, *messages: tuple[int, str, int]) -> None:
        super().__init__()
        self.buffer = TapeBuffer()
        for receive_ns, ids, number in messages:
            for identity in ids:
                self.buffer.append(receive_ns - 1, receive_ns, 100, 1, ord(identity), TRADE | number << 32)
            self.buffer.mark_last()
        self.rows = self.buffer
        self.last = self.buffer.count
        self.is_closed = False

    def fill(self, until_ns: int) -> int:
        if self.first >= self.last:
            return NEVER
        receive_ns: int = self.buffer.words[self.first * ROW_WORDS + 1]
        return receive_ns if receive_ns <= until_ns else NEVER

    def close(self) -> bool:
        self.is_closed = True
        return True


def told(source: RowSource, until_ns: int = NEVER - 1) -> list[tuple[int, str, int]]:
    """Return what *source* tells as (receive time, ids of a message, instrument of its first row)."""
    found = []
    while (receive_ns := source.fill(until_ns)) != NEVER:
        words = source.rows.words
        ids = ""
        number = words[source.first * ROW_WORDS + 5] >> 32
        while True:
            at = source.first * ROW_WORDS
            ids += chr(words[at + 4])
            source.first += 1
            if words[at + 5] & LAST_BIT:
                break
        found.append((receive_ns, ids, number))
    return found


def instrument(name: str) -> Instrument:
    return Instrument(
        name=name, symbol="BTCUSDT", venue=name.partition("@")[2], base="BTC", quote="USDT", price_decimals=2,
        size_decimals=5, tick_steps=1, lot_steps=1, min_notional=Decimal(0),
    )  # fmt: skip


def test_messages_come_by_receive_time_then_source_then_sequence_and_stay_whole():
    one = Listed((5, "ab", 0), (5, "c", 0), (9, "d", 0))
    two = Listed((4, "x", 0), (5, "yz", 0), (9, "w", 0))
    merged = MergedSource([one, two], [[1], [0]])
    assert told(merged) == [
        (4, "x", 0), (5, "ab", 1), (5, "c", 1), (5, "yz", 0), (9, "d", 1), (9, "w", 0),
    ]  # fmt: skip


def test_two_prints_of_one_time_keep_the_order_in_which_they_arrived():
    source = Listed((1_000_000, "1", 0), (1_000_000, "2", 0))
    assert [ids for _, ids, _ in told(MergedSource([source], [[0]]))] == ["1", "2"]


def test_nothing_after_the_bound_is_told_and_what_was_made_ready_waits():
    merged = MergedSource([Listed((5, "a", 0)), Listed((3, "b", 0))], [[0], [1]])
    assert merged.fill(2) == NEVER
    assert merged.fill(4) == 3
    assert merged.fill(2) == NEVER
    assert told(merged, 4) == [(3, "b", 1)]
    assert told(merged) == [(5, "a", 0)]


def test_closing_closes_every_source():
    sources = [Listed(), Listed()]
    MergedSource(sources, [[0], [1]]).close()
    assert [source.is_closed for source in sources] == [True, True]


def test_instruments_are_numbered_by_name_and_know_their_feed():
    north = Market(source=Listed((1, "a", 0)), instruments=(instrument("BTC-USDT.spot@north"),), start_ns=1)
    east = Market(source=Listed((2, "b", 0)), instruments=(instrument("BTC-USDT.spot@east"),), start_ns=2, end_ns=9)
    merged = merge_markets({"n": north, "e": east}, "two.toml")
    assert [one.name for one in merged.instruments] == ["BTC-USDT.spot@east", "BTC-USDT.spot@north"]
    assert (merged.feeds, merged.start_ns, merged.end_ns) == (("e", "n"), 1, NEVER)
    assert told(merged.source) == [(1, "a", 1), (2, "b", 0)]
    assert merged.is_of(east.source)
    assert not merged.is_of(Listed())


def test_one_name_in_two_feeds_is_refused():
    market = Market(source=Listed(), instruments=(instrument("BTC-USDT.spot@local"),), start_ns=1)
    with pytest.raises(ConfigError, match=r"two\.toml: the feeds 'a' and 'b' both have BTC-USDT.spot@local; give"):
        merge_markets({"a": market, "b": market}, "two.toml")
