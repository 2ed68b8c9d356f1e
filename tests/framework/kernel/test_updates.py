"""The one-pass reader takes only what a full decoder would take, and writes the same rows."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from quotewright.errors import InputError
from quotewright.feed import BookState, Counters, FeedBook
from quotewright.kernel.codes import ROW_WORDS
from quotewright.kernel.layouts import UpdateLayout
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.kernel.updates import UpdateReader

GOOD = BookState.SYNCHRONISED
LAYOUTS = {
    "overlaps": UpdateLayout(
        b'{"stream":"',
        4,
        1,
        [
            ("data", 1, "open"),
            ("e=depthUpdate", 2, "word"),
            ("E", 2, "sent"),
            ("s", 2, "symbol"),
            ("U", 2, "first"),
            ("u", 2, "last"),
            ("b", 2, "bids"),
            ("a", 2, "offers"),
            ("note", 2, "text"),
        ],
        "overlaps",
        ["word", "sent", "symbol", "first", "last", "bids", "offers"],
    ),
    "counts": UpdateLayout(
        b'{"topic":"orderbook.',
        4,
        1,
        [
            ("type=delta", 1, "word"),
            ("ts", 1, "sent"),
            ("data", 1, "open"),
            ("s", 2, "symbol"),
            ("b", 2, "bids"),
            ("a", 2, "offers"),
            ("u", 2, "last"),
            ("seq", 2, "sequence"),
            ("cts", 1, "event"),
        ],
        "counts",
        ["word", "sent", "symbol", "last", "bids", "offers"],
    ),
    "links in an array": UpdateLayout(
        b'{"arg":{"channel":"books',
        10,
        2,
        [
            ("action=update", 1, "word"),
            ("data", 1, "open_one"),
            ("asks", 2, "offers"),
            ("bids", 2, "bids"),
            ("ts", 2, "quoted event"),
            ("checksum", 2, "zero"),
            ("prevSeqId", 2, "previous"),
            ("seqId", 2, "last"),
        ],
        "links",
        ["word", "bids", "offers", "event", "previous", "last"],
    ),
    "links with actions": UpdateLayout(
        b'{"params":{"channel":"book.',
        6,
        2,
        [
            ("data", 2, "open"),
            ("type=change", 3, "word"),
            ("timestamp", 3, "event"),
            ("instrument_name", 3, "symbol"),
            ("change_id", 3, "last"),
            ("prev_change_id", 3, "previous"),
            ("bids", 3, "bids"),
            ("asks", 3, "offers"),
        ],
        "links",
        ["word", "symbol", "event", "last", "previous", "bids", "offers"],
        has_actions=True,
    ),
}


def number(chance: random.Random, decimals: int, most: int) -> str:
    whole = str(chance.randint(1, most))
    return whole if chance.random() < 0.2 else f"{whole}.{chance.randint(0, 10**decimals - 1):0{decimals}}"


def levels(chance: random.Random, kind: str) -> str:
    made = []
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        price, size = number(chance, 2, 70_000), "0" if chance.random() < 0.2 else number(chance, 3, 50)
        if kind == "links with actions":
            word = "delete" if size == "0" else chance.choice(("new", "change"))
            made.append(f'["{word}",{price},{size if chance.random() < 0.5 or size == "0" else "1.0"}]')
        elif kind == "links in an array":
            made.append(f'["{price}","{size}","0","{chance.randint(0, 40)}"]')
        else:
            made.append(f'["{price}","{size}"]')
    return "[" + ",".join(made) + "]"


def frame(kind: str, chance: random.Random, before: int, last: int, stamp: int) -> bytes:
    bids, offers = levels(chance, kind), levels(chance, kind)
    if kind == "overlaps":
        text = (
            f'{{"stream":"btc@depth","data":{{"e":"depthUpdate","E":{stamp},"s":"BTC","U":{before + 1},"u":{last},'
            f'"b":{bids},"a":{offers}}}}}'
        )
    elif kind == "counts":
        text = (
            f'{{"topic":"orderbook.50.BTC","type":"delta","ts":{stamp + 1},"data":{{"s":"BTC","b":{bids},"a":{offers},'
            f'"u":{last},"seq":{7 * last}}},"cts":{stamp}}}'
        )
    elif kind == "links in an array":
        text = (
            f'{{"arg":{{"channel":"books","instId":"BTC"}},"action":"update","data":[{{"asks":{offers},"bids":{bids},'
            f'"ts":"{stamp}","checksum":0,"prevSeqId":{before},"seqId":{last}}}]}}'
        )
    else:
        text = (
            f'{{"params":{{"channel":"book.BTC.raw","data":{{"type":"change","timestamp":{stamp},'
            f'"prev_change_id":{before},"instrument_name":"BTC","change_id":{last},"bids":{bids},"asks":{offers}}}}}}}'
        )
    return text.encode()


class Read:
    """One reader, its book, and the rows it wrote."""

    def __init__(self, kind: str, last_id: int = 100) -> None:
        self.kind = kind
        self.counters = Counters()
        self.book = FeedBook("BTC", 10)
        self.book.state = GOOD
        self.book.last_id = last_id
        self.reader = UpdateReader(LAYOUTS[kind], self.counters, GOOD)
        self.buffer = TapeBuffer(2)
        self.sink = TapeSink(self.buffer, {"BTC": (3, 2, 3)})

    def learnt(self, text: bytes) -> Read:
        assert self.reader.learn(text, "BTC", self.book)
        return self

    def rows(self) -> list[tuple[int, ...]]:
        words = list(self.buffer.words[: self.buffer.count * ROW_WORDS])
        return [tuple(words[at : at + ROW_WORDS]) for at in range(0, len(words), ROW_WORDS)]


class Text(str):
    """A JSON number as it was written."""


def decoded(kind: str, text: bytes, known: int) -> list[tuple[int, ...]] | None:
    """Return what the obvious reading of an update writes, None if it is no update that follows *known*."""
    try:
        made = json.loads(text.decode("utf-8"), parse_float=Text, parse_int=Text, parse_constant=_refuse)
        sink_kind, levels_of = kind, _levels
        if sink_kind == "overlaps":
            data = made["data"]
            word, ids = data["e"] == "depthUpdate", (int(data["U"]), int(data["u"]))
            good = ids[0] <= known + 1 <= ids[1]
            symbol, stamp, last, bids, offers = data["s"], _whole(data["E"]), ids[1], data["b"], data["a"]
        elif sink_kind == "counts":
            data = made["data"]
            word, last = made["type"] == "delta", int(data["u"])
            good = last == known + 1
            symbol, bids, offers = data["s"], data["b"], data["a"]
            stamp = _whole(made["cts"]) if "cts" in made else 0
            stamp = stamp or _whole(made["ts"])
        elif sink_kind == "links in an array":
            (data,) = made["data"]
            word, last = made["action"] == "update" and int(data.get("checksum", 0)) == 0, int(data["seqId"])
            good = int(data["prevSeqId"]) == known < last
            symbol, stamp, bids, offers = "BTC", int(data["ts"]), data["bids"], data["asks"]
        else:
            data = made["params"]["data"]
            word, last = data["type"] == "change", int(data["change_id"])
            good = int(data["prev_change_id"]) == known < last
            symbol, stamp, bids, offers = data["instrument_name"], _whole(data["timestamp"]), data["bids"], data["asks"]
        if not word or not good or symbol != "BTC":
            return None
        buffer = TapeBuffer(64)
        sink = TapeSink(buffer, {"BTC": (3, 2, 3)})
        event_ns = stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000
        assert sink.begin("BTC", event_ns, 55, 0, last)
        for write, side in ((sink.bid, bids), (sink.offer, offers)):
            for price, size in levels_of(kind, side):
                write(price, size)
        sink.end()
    except (ValueError, KeyError, TypeError, InputError, IndexError, AttributeError):
        return None
    words = list(buffer.words[: buffer.count * ROW_WORDS])
    return sorted(tuple(words[at : at + 5]) for at in range(0, len(words), ROW_WORDS))


def _refuse(word: str) -> None:
    raise ValueError(word)


def _whole(text: object) -> int:
    if not isinstance(text, Text):
        raise TypeError("a stamp should be a bare number")
    return int(text)


def _levels(kind: str, side: list[list[str]]) -> list[tuple[str, str]]:
    if kind != "links with actions":
        return [(level[0], level[1]) for level in side]
    for level in side:
        if level[0] not in ("new", "change", "delete"):
            raise ValueError(level[0])
    return [(level[1], "0" if level[0] == "delete" else level[2]) for level in side]


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_plain_update_is_read_as_the_obvious_decoder_reads_it(kind: str) -> None:
    chance = random.Random(5)
    read = Read(kind)
    known = 100
    for number_of in range(300):
        last = known + 1 if kind == "counts" else known + chance.randint(1, 9)
        text = frame(kind, chance, known, last, 1_700_000_000_000 + number_of)
        if number_of == 0:
            read.learnt(text)
        start = read.buffer.count
        assert read.reader.take(text, 55, read.sink)
        assert sorted(row[:5] for row in read.rows()[start:]) == decoded(kind, text, known)
        ends = [row[5] >> 16 & 1 for row in read.rows()[start:]]
        assert sum(ends) == ends[-1:].count(1) == bool(ends)
        known = last
    assert read.book.last_id == known
    assert (read.counters.updates, read.counters.messages, read.book.messages, read.reader.taken) == (300,) * 4


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_cut_or_altered_frame_is_left_alone_or_read_as_the_obvious_decoder_reads_it(kind: str) -> None:
    """What the reader takes, the decoder takes with the same result; what it leaves, it leaves without a trace."""
    chance = random.Random(11)
    plain = frame(kind, random.Random(3), 100, 101, 1_700_000_000_000)
    altered = [plain[:cut] for cut in range(len(plain))]
    alphabet = b'0123456789.,:"[]{}-+eE nulltrue\\\x00\xff'
    for _ in range(4_000):
        text = bytearray(plain)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            at = chance.randrange(len(text))
            what = chance.random()
            if what < 0.5:
                text[at] = chance.choice(alphabet)
            elif what < 0.75:
                del text[at]
            else:
                text.insert(at, chance.choice(alphabet))
        altered.append(bytes(text))
    taken = 0
    for text in altered:
        read = Read(kind).learnt(plain)
        if read.reader.take(text, 55, read.sink):
            taken += 1
            assert sorted(row[:5] for row in read.rows()) == decoded(kind, text, 100), text
        else:
            assert (read.buffer.count, read.book.last_id, read.counters.updates) == (0, 100, 0)
    assert taken > 100


UNUSUAL: dict[str, tuple[bytes, bytes]] = {
    "a key it does not know": (b'"b":', b'"c":1,"b":'),
    "a key twice": (b'"u":', b'"u":101,"u":'),
    "a key at another depth": (b',"data":{', b',"u":101,"data":{'),
    "a space": (b'"b":', b'"b": '),
    "another symbol": (b'"s":"BTC"', b'"s":"ETH"'),
    "another event": (b"depthUpdate", b"depthUpdatf"),
    "a number with an exponent": (b'["7.5"', b'["75e-1"'),
    "a finer price than a step": (b'["7.5"', b'["7.555"'),
    "a negative size": (b'"2.5"]', b'"-2.5"]'),
    "a zero price": (b'["7.5"', b'["0"'),
    "an escaped character": (b'"note":"x"', b'"note":"\\u0041"'),
    "a character past ASCII": (b'"note":"x"', '"note":"é"'.encode()),
    "a number of 19 digits": (b'"E":1700000000000', b'"E":1700000000000000000'),
    "a number that begins with zero": (b'"E":17', b'"E":017'),
    "a fraction for a number": (b'"u":101', b'"u":101.5'),
    "something after the end": (b"}}", b"}}}"),
    "a missing key": (b'"u":101,', b""),
}
PLAIN = (
    b'{"stream":"btc@depth","data":{"e":"depthUpdate","E":1700000000000,"s":"BTC","U":101,"u":101,"note":"x",'
    b'"b":[["7.5","2.5"]],"a":[]}}'
)


@pytest.mark.parametrize(("old", "new"), UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_left_to_the_decoder(old: bytes, new: bytes) -> None:
    read = Read("overlaps").learnt(PLAIN)
    text = PLAIN.replace(old, new)
    assert text != PLAIN
    assert not read.reader.take(text, 55, read.sink)
    assert (read.buffer.count, read.book.last_id, read.book.messages) == (0, 100, 0)
    assert read.reader.take(PLAIN, 55, read.sink)


IDS: dict[str, tuple[str, int, int, int, bool]] = {
    # rule, known, before, last, taken
    "overlaps: the next one": ("overlaps", 100, 100, 101, True),
    "overlaps: an overlap": ("overlaps", 100, 97, 103, True),
    "overlaps: an old one": ("overlaps", 100, 90, 100, False),
    "overlaps: a gap": ("overlaps", 100, 101, 105, False),
    "links: the next one": ("links with actions", 100, 100, 130, True),
    "links: a gap": ("links with actions", 100, 101, 130, False),
    "links: no progress": ("links with actions", 100, 100, 100, False),
    "counts: the next one": ("counts", 100, 100, 101, True),
    "counts: a gap": ("counts", 100, 101, 102, False),
    "counts: an old one": ("counts", 100, 99, 100, False),
}


@pytest.mark.parametrize(("kind", "known", "before", "last", "is_taken"), IDS.values(), ids=IDS)
def test_only_an_update_that_follows_is_taken(kind: str, known: int, before: int, last: int, is_taken: bool) -> None:
    text = frame(kind, random.Random(2), before, last, 1_700_000_000_000)
    read = Read(kind, known).learnt(text)
    assert read.reader.take(text, 55, read.sink) is is_taken
    assert read.book.last_id == (last if is_taken else known)


def test_only_a_good_book_that_is_not_joining_is_written_to() -> None:
    for state, is_joining in ((BookState.WAITING, False), (BookState.STALE, False), (GOOD, True)):
        read = Read("overlaps").learnt(PLAIN)
        read.book.state, read.book.is_joining = state, is_joining
        assert not read.reader.take(PLAIN, 55, read.sink)


def test_a_symbol_that_is_not_listed_and_a_message_under_way_are_left_alone() -> None:
    read = Read("overlaps").learnt(PLAIN)
    assert not read.reader.take(PLAIN, 55, TapeSink(TapeBuffer(), {}))
    assert read.sink.begin("BTC", 1, 1)
    assert not read.reader.take(PLAIN, 55, read.sink)
    read.sink.abandon()
    assert read.reader.take(PLAIN, 55, read.sink)


def test_the_same_stream_may_be_written_into_one_sink_after_another() -> None:
    read = Read("overlaps").learnt(PLAIN)
    assert read.reader.take(PLAIN, 55, read.sink)
    other = TapeBuffer()
    text = PLAIN.replace(b'"U":101,"u":101', b'"U":102,"u":102')
    assert read.reader.take(text, 56, TapeSink(other, {"BTC": (9, 1, 1)}))
    assert (other.words[2], other.words[3], other.words[5] >> 32) == (75, 25, 9)


def test_what_is_no_bytes_or_too_long_or_goes_elsewhere_is_left_alone() -> None:
    class Other(TapeSink):
        pass

    read = Read("overlaps").learnt(PLAIN)
    assert not read.reader.take(memoryview(PLAIN), 55, read.sink)
    assert not read.reader.take(PLAIN, 55, Other(TapeBuffer(), {"BTC": (3, 2, 3)}))
    for limit, is_taken in ((len(PLAIN) - 1, False), (len(PLAIN), True)):
        read.reader = UpdateReader(LAYOUTS["overlaps"], read.counters, GOOD, limit)
        assert read.learnt(PLAIN).reader.take(PLAIN, 55, read.sink) is is_taken


def test_a_stream_that_was_forgotten_is_left_alone_until_it_is_learnt_again() -> None:
    read = Read("overlaps").learnt(PLAIN)
    read.reader.forget(FeedBook("ETH", 10))
    assert read.reader.take(PLAIN, 55, read.sink)
    read.reader.forget(read.book)
    text = PLAIN.replace(b'"U":101,"u":101', b'"U":102,"u":102')
    assert not read.reader.take(text, 55, read.sink)
    assert read.learnt(PLAIN).reader.take(text, 55, read.sink)


@pytest.mark.parametrize(
    "text",
    [b'{"result":[],"id":"a"}', b'{"stream":"a\\b","data":{}}', b'{"stream":"a"'],
    ids=["start", "escape", "cut"],
)
def test_a_frame_that_begins_oddly_is_not_learnt(text: bytes) -> None:
    read = Read("overlaps")
    assert not read.reader.learn(text, "BTC", read.book) or text.endswith(b'"a"')
    assert not read.reader.take(text, 55, read.sink)


def test_a_symbol_that_is_listed_anew_is_written_as_it_is_listed_now() -> None:
    read = Read("overlaps").learnt(PLAIN)
    assert read.reader.take(PLAIN, 55, read.sink)
    read.sink.list_symbol("BTC", 4, 1, 2)
    assert read.reader.take(PLAIN.replace(b'"U":101,"u":101', b'"U":102,"u":102'), 55, read.sink)
    assert [(row[2], row[3], row[5] >> 32) for row in read.rows()] == [(750, 2500, 3), (75, 250, 4)]


def test_the_other_side_first_is_left_alone() -> None:
    read = Read("overlaps").learnt(PLAIN)
    text = PLAIN.replace(b'"b":[["7.5","2.5"]],"a":[]', b'"a":[],"b":[["7.5","2.5"]]')
    assert text != PLAIN
    assert not read.reader.take(text, 55, read.sink)


@pytest.mark.parametrize(("stamp", "is_taken"), [(999, True), (1000, True), (1001, False)])
def test_a_time_past_the_latest_is_left_alone(stamp: int, is_taken: bool) -> None:
    layout = UpdateLayout(
        b"{",
        2,
        1,
        [("E", 1, "event"), ("u", 1, "last"), ("n", 1, "sequence"), ("b", 1, "bids"), ("a", 1, "offers")],
        "counts",
        ["last"],
        latest=1000,
    )
    read = Read("overlaps")
    read.reader = UpdateReader(layout, read.counters, GOOD)
    text = b'{"k","E":%d,"u":101,"n":8,"b":[],"a":[]}' % stamp
    assert read.learnt(text).reader.take(text, 55, read.sink) is is_taken
    assert (read.book.stamp, read.book.sequence) == ((stamp, 8) if is_taken else (0, 0))


SIDES = [("b", 1, "bids"), ("a", 1, "offers")]
BAD_LAYOUTS: dict[str, tuple[Any, ...]] = {
    "no keys": ([], "counts", [], 0, "1 to 32 keys"),
    "an unknown kind": ([*SIDES, ("u", 1, "lastly")], "counts", [], 0, "kind should be one of"),
    "an unknown rule": ([*SIDES, ("u", 1, "last")], "count", [], 0, "rule should be one of"),
    "a key twice": ([*SIDES, ("u", 1, "last"), ("u", 2, "number")], "counts", [], 0, "each key once"),
    "one side": (SIDES[:1], "counts", [], 0, "one key for bids and one for offers"),
    "a side twice": ([*SIDES, ("b2", 1, "bids")], "counts", [], 0, "one key for bids and one for offers"),
    "a time that no tape holds": (SIDES, "counts", [], 1 << 62, "latest should be 0 to"),
}


def test_a_start_that_reaches_past_the_beginning_of_a_frame_is_refused() -> None:
    with pytest.raises(InputError, match="should go on behind"):
        UpdateLayout(b'{"a":"b"', 4, 1, SIDES, "counts", [])


@pytest.mark.parametrize(("keys", "rule", "needed", "latest", "told"), BAD_LAYOUTS.values(), ids=BAD_LAYOUTS)
def test_a_layout_that_makes_no_sense_is_refused(keys: Any, rule: str, needed: Any, latest: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        UpdateLayout(b"{", 4, 1, keys, rule, needed, latest=latest)
