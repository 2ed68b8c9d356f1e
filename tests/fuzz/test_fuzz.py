"""A small share of the damage that ``tox run -e fuzz`` does: every adapter refuses, counts and goes on."""

from __future__ import annotations

import random

import pytest

from quotewright.feed import BadFrame, FeedAdapter
from quotewright.plugin.registry import PluginSet
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
