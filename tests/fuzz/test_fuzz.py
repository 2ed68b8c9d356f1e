"""A small share of the damage that ``tox run -e fuzz`` does: every adapter refuses, counts and goes on."""

from __future__ import annotations

import random

import pytest

from quotewright.feed import BadFrame, FeedAdapter
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.plugin.registry import PluginSet
from quotewright.tape.importing import make_adapter
from tests.fuzz.corpus import Corpus, corpora
from tests.fuzz.damage import Frame, Watch, damage

CORPORA = list(corpora(PluginSet.discover(strict=False)))


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.name)
def test_an_adapter_survives_damaged_frames(corpus: Corpus) -> None:
    watch = Watch(corpus.make, corpus.symbols, corpus.opening)
    assert any(watch.adapter.books.values()) or corpus.market == "option"
    few = [frame for frame in corpus.frames if len(frame.raw) < 900]
    tally = damage(watch, few, 600, random.Random(5))
    assert tally.other == 0, tally.first_fault
    assert tally.declared > tally.cuts // 2
    assert tally.cuts == sum(len(frame.raw) for frame in few)
    assert tally.mutations == 600


class Raising(FeedAdapter):
    """An adapter that lets one kind of damage through."""

    def on_message(self, raw, source, url, receive_ns, sink):
        if raw.endswith(b"x"):
            raise BadFrame("json", "it should have been counted")
        if raw.endswith(b"y"):
            sink.begin("A", 1, 1)
            sink.bid("1", "1")


@pytest.mark.parametrize(("raw", "what"), [(b"..x.", "should have been counted"), (b"..y.", "left open")])
def test_what_an_adapter_lets_through_is_found(raw: bytes, what: str) -> None:
    tally = damage(Watch(Raising, ["A"], []), [Frame(raw)], 0, random.Random(1))
    assert (tally.other, what in tally.first_fault) == (1, True)


@pytest.mark.parametrize(
    ("exchange", "start"),
    [
        ("bybit", b'{"topic":"orderbook.50.'),
        ("deribit", b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.'),
        ("okx", b'{"arg":{"channel":"books","instId":"'),
        ("binance", b'{"stream":"'),
    ],
)
def test_a_first_image_of_a_symbol_nobody_can_mean_is_counted(exchange: str, start: bytes) -> None:
    adapter = make_adapter(PluginSet.discover(strict=False), exchange)
    sink = TapeSink(TapeBuffer(), {})
    ends = (b"", b'.100ms","data":{"b":1}}', b'.100ms","data":{"b":1}}}', b'","data":[1]}}', b'","data":[1]}')
    for end in ends:
        adapter.on_message(start + b"B" * 70 + end, "ws", None, 1, sink)
    assert adapter.counters.errors >= 3
    assert adapter.books == {}
