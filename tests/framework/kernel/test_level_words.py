"""Levels that begin with a word for what was done: every sink reads them alike, and refuses other words."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.kernel.codes import LEVEL_DELETE, LEVEL_SET
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.scanner import Scanner
from quotewright.kernel.sink import TapeSink
from quotewright.tape.normalise import NormaliseSink

READ = {
    "set": ('[["new",40000.0,5000.0],["change",39999.5,10]]', [(4000000, 50000), (3999950, 100)]),
    "deleted": ('[["delete",40000.5,0.0]]', [(4000050, 0)]),
    "deleted, whatever the size": ('[["delete",40000.5,7]]', [(4000050, 0)]),
    "quoted": ('[["new","1.5","2"],["delete","1.5","0"]]', [(150, 20), (150, 0)]),
    "mixed with plain levels": ('[[1,2],["delete",3,4],["5","6"]]', [(100, 20), (300, 0), (500, 60)]),
    "white space": ('[ [ "new" , 1 , 2 ] ,\n["delete"\t,3\r,4 ]]', [(100, 20), (300, 0)]),
    "further fields": ('[["new",1,2,"x",3]]', [(100, 20)]),
}
REFUSED = {
    "another word": '[["update",1,2]]',
    "a word cut short": '[["delet",1,2]]',
    "a longer word": '[["news",1,2]]',
    "upper case": '[["New",1,2]]',
    "two words": '[["new","new",1,2]]',
    "a word alone": '[["new"]]',
    "no size": '[["delete",1]]',
    "no comma": '[["new" 1,2]]',
    "a price of zero": '[["delete",0,0]]',
    "a size below zero": '[["new",1,-2]]',
    "a size of a deleted level below zero": '[["delete",1,-2]]',
    "no number": '[["new",NaN,2]]',
    "null": '[["new",1,null]]',
    "not closed": '[["new',
    "nothing behind the word": '[["change",',
}


def scanned(text: str | bytes) -> list[tuple[int, int]]:
    scanner = Scanner()
    count = scanner.levels(text, 2, 1, "bids")
    return [(scanner.pairs[2 * place], scanner.pairs[2 * place + 1]) for place in range(count)]


def normalised(text: str) -> list[tuple[float, float]]:
    sink = NormaliseSink("x")
    sink.begin("S", 1, 1)
    sink.bids(text.encode())
    sink.end()
    (message,) = sink.take()
    return [(level["price"], level["amount"]) for level in json.loads(message)["bids"]]


@pytest.mark.parametrize(("text", "want"), READ.values(), ids=READ)
def test_levels_with_words_are_read(text, want):
    assert scanned(text) == want
    assert normalised(text) == [(price / 100, size / 10) for price, size in want]


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_other_words_and_broken_levels_are_refused(text):
    with pytest.raises(InputError, match="bids"):
        scanned(text)
    with pytest.raises(InputError, match="bids"):
        normalised(text)


def test_errors_name_the_place_behind_the_word():
    with pytest.raises(InputError, match=r"bids\[1\]\[1\] should be positive, was '-3'"):
        scanned('[["new",1,2],["new",-3,4]]')
    with pytest.raises(InputError, match=r"bids\[0\]\[2\] should be a decimal number, was 'true'"):
        scanned('[["new",1,true]]')


def test_a_tape_deletes_what_the_word_deletes():
    buffer = TapeBuffer()
    sink = TapeSink(buffer, {"S": (0, 2, 1)})
    sink.begin("S", 1, 1)
    sink.bids(b'[["new",1.5,2],["delete",1.25,9]]')
    sink.end()
    kinds = [buffer.words[6 * row + 5] & 0xFF for row in range(buffer.count)]
    assert kinds == [LEVEL_SET, LEVEL_DELETE]
    assert (buffer.words[6 + 2], buffer.words[6 + 3]) == (125, 0)


def plain(rows: list[list[object]]) -> list[tuple[int, int]]:
    """Return what levels mean, the obvious way."""
    return [(int(price) * 100, 0 if word == "delete" else int(size) * 10) for word, price, size in rows]  # type: ignore[call-overload]


@given(
    st.lists(
        st.tuples(st.sampled_from(["new", "change", "delete"]), st.integers(1, 10**9), st.integers(0, 10**9)).map(list),
        max_size=200,
    )
)
def test_any_array_is_read_as_its_obvious_meaning(rows):
    text = json.dumps(rows)
    assert scanned(text) == scanned(json.dumps(rows, separators=(",", ":"))) == plain(rows)


def test_cut_and_altered_arrays_raise_nothing_but_input_errors():
    text = b'[["new",58710.20,0.5],["delete",61496.5,0.0],["change",1e3,2.5E0],["new","7","1"]]'
    for cut in range(len(text)):
        with pytest.raises(InputError):
            scanned(text[:cut])
    drawn = random.Random(4)
    refused = 0
    for _ in range(3000):
        altered = bytearray(text)
        for _ in range(drawn.randint(1, 3)):
            altered[drawn.randrange(len(altered))] = drawn.choice(b'newdlchag",[]0.-e \x00\xff')
        try:
            scanned(bytes(altered))
        except InputError:
            refused += 1
    assert 1000 < refused < 3000
