"""Decimal text to whole steps: exact, or an InputError; nothing else ever."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.kernel.scanner import Scanner
from tests.recorded import recorded

READ = {  #                    decimals  steps
    "50000.10": (2, 5_000_010),
    "50000.1": (2, 5_000_010),
    "0.50000000": (1, 5),
    "5.000000000000000000000000000000000000": (0, 5),
    "1e-07": (8, 10),
    "1E3": (0, 1000),
    "1.5e+2": (0, 150),
    "1500e-2": (0, 15),
    "0e400": (8, 0),
    "0.0e-999999999999999999999": (8, 0),
    "-0": (8, 0),
    "-0.000": (2, 0),
    "-1.25": (2, -125),
    "+7": (1, 70),
    "007": (0, 7),
    "0000000000000000000000000012": (0, 12),
    "999999999999999999": (0, 10**18 - 1),
    "0.999999999999999999": (18, 10**18 - 1),
    "9.99999999999999999": (17, 10**18 - 1),
}

NO_NUMBERS = [
    *("", "-", "+", ".", "-.", "5.", ".5", "1.2.3", "--1", "1-", "0x1", "1_000", "1,5", " 1", "1 ", "1\n", "e5", "1e"),
    *(
        "1e+",
        "1e5.5",
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        "null",
        "true",
        "\u0661",
        "\x00",
        "1\x00",
        '"1"',
        "\ud800",
        "½",
    ),
]
TOO_LONG = ["1" * 30, "1e400", "1e999999999999999999999", "1000000000000000000", "0." + "1" * 30, "9" * 5000]


@pytest.mark.parametrize(("text", "decimals", "steps"), [(text, *want) for text, want in READ.items()])
@pytest.mark.parametrize("form", [str, str.encode, lambda text: msgspec.Raw(text.encode())])
def test_a_number_is_read_exactly(text, decimals, steps, form):
    assert Scanner().number(form(text), decimals, "price") == steps


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused_by_name(text):
    scanner = Scanner()
    scanner.label = "BTCUSDT"
    with pytest.raises(InputError, match=r"^BTCUSDT bid size should be a decimal number, was "):
        scanner.number(text, 8, "bid size")
    with pytest.raises(InputError, match="decimal number"):
        scanner.rounded(text, 8, "bid size")


@pytest.mark.parametrize("text", TOO_LONG)
def test_more_than_eighteen_digits_are_refused_never_wrong(text):
    with pytest.raises(InputError, match=r"18 digits|at most 0 decimals"):
        Scanner().number(text, 0, "price")
    with pytest.raises(InputError, match="18 digits"):
        Scanner().number("1" * 11, 8, "price")


@pytest.mark.parametrize("value", [None, True, 1, 1.5, [], object()])
def test_only_text_is_scanned(value):
    with pytest.raises(InputError, match="text"):
        Scanner().number(value, 2, "price")


@pytest.mark.parametrize("text", ["0.123", "1e-3", "50000.101", "0.0000000000000000000000001", "1e-400"])
def test_a_number_finer_than_the_step_is_refused_and_shown(text):
    with pytest.raises(InputError, match=f"price should have at most 2 decimals, was '{text}'"):
        Scanner().number(text, 2, "price")


def test_prices_are_positive_and_sizes_are_not_negative():
    scanner = Scanner()
    for text in ("0", "-1", "-0", "0.00"):
        with pytest.raises(InputError, match="offer price should be positive"):
            scanner.price(text, 2, "offer price")
    assert scanner.size("-0", 2, "size") == 0
    with pytest.raises(InputError, match="offer size should not be negative, was '-1'"):
        scanner.size("-1", 2, "offer size")


ROUNDED = {
    "0.5": 0,
    "1.5": 2,
    "2.5": 2,
    "-1.5": -2,
    "-2.5": -2,
    "2.50000001": 3,
    "2.4999": 2,
    "0.04": 0,
    "9.5": 10,
    "1e-30": 0,
}


@pytest.mark.parametrize(("text", "steps"), ROUNDED.items())
def test_reference_values_round_to_the_nearest_even_step(text, steps):
    assert Scanner().rounded(text, 0, "mark price") == steps


decimal_texts = st.builds(
    lambda sign, digits, point, exponent: (
        sign + (digits[:point] or "0") + ("." + digits[point:] if digits[point:] else "") + exponent
    ),
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", min_size=1, max_size=24),
    st.integers(0, 24),
    st.one_of(st.just(""), st.integers(-30, 30).map(lambda n: f"e{n}"), st.integers(0, 9).map(lambda n: f"E+0{n}")),
)


@given(decimal_texts, st.integers(0, 18))
def test_the_scanner_agrees_with_decimal(text, decimals):
    scanner = Scanner()
    exact = Decimal(text) * 10**decimals
    if exact == exact.to_integral_value() and abs(exact) < 10**18:
        assert scanner.number(text, decimals, "price") == int(exact)
    else:
        with pytest.raises(InputError):
            scanner.number(text, decimals, "price")


LEVELS = {
    "quoted": ('[["50000.10","1.5"],["50000.00","0"]]', [(5000010, 15), (5000000, 0)]),
    "bare": ("[[50000.1,2],[1.5e1,0]]", [(5000010, 20), (1500, 0)]),
    "mixed": ('[["1",2],[3,"4"]]', [(100, 20), (300, 40)]),
    "white space": (' [ [ "1" , "2" ] ,\n[3\t,4\r] ] \n', [(100, 20), (300, 40)]),
    "four fields": ('[["411.8","10","0","4"],["411.9","1","0","1"]]', [(41180, 100), (41190, 10)]),
    "odd further fields": (r'[["1","2",null,true,-1.5e3,"a\"]b",""]]', [(100, 20)]),
    "none": ("[]", []),
    "none, with space": (" [ ] ", []),
}


@pytest.mark.parametrize(("text", "want"), LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize(
    "form", [str, str.encode, lambda text: bytearray(text.encode()), lambda text: msgspec.Raw(text.encode())]
)
def test_an_array_of_levels_is_read(text, want, form):
    assert read_levels(form(text), 2, 1) == want


def read_levels(text, price_decimals, size_decimals):
    scanner = Scanner()
    count = scanner.levels(text, price_decimals, size_decimals, "bids")
    return [(scanner.pairs[2 * place], scanner.pairs[2 * place + 1]) for place in range(count)]


REFUSED = {  # text                    a part of the sentence
    "": r"bids: expected '\[' at the start at byte 0, came the end",
    "   ": "at byte 3, came the end",
    "null": "at byte 0, came 'null'",
    "{}": "at byte 0",
    "[": "a level .* at byte 1, came the end",
    "[]]": "nothing after the array at byte 2",
    "[] x": "nothing after the array at byte 3",
    "[1,2]": "a level .* at byte 1",
    "[[]]": r"bids\[0\]\[0\] should be a decimal number, came '\]' at byte 2",
    "[[1]]": r"bids\[0\]\[0\] should be a decimal number, was '1'|',' and a size at byte 3",
    "[[1,]]": r"bids\[0\]\[1\] should be a decimal number, came '\]' at byte 4",
    "[[1,2]": "',' or ']' at byte 6, came the end",
    "[[1,2],]": "a level .* at byte 7",
    "[[1,2][3,4]]": "',' or ']' at byte 6",
    "[[1 2]]": "',' and a size at byte 4",
    "[[[1],2]]": r"bids\[0\]\[0\] should be a decimal number, came '\[' at byte 2",
    "[[1,[2]]]": r"bids\[0\]\[1\] should be a decimal number, came '\[' at byte 4",
    "[[1,2,[3]]]": "a string or a number at byte 6",
    "[[1,2,]]": "a string or a number at byte 6",
    '[["1,2]]': r"bids\[0\]\[0\] should be a closed string",
    '[["1","2]]': r"bids\[0\]\[1\] should be a closed string",
    '[["1","2","x]]': "the end of a string at byte 14",
    r'[["1","2","x\"]]': "the end of a string",
    '[["","2"]]': r"bids\[0\]\[0\] should be a decimal number, was ''",
    '[["1",null]]': r"bids\[0\]\[1\] should be a decimal number, was 'null'",
    '[["1"x,"2"]]': "',' and a size at byte 5",
    '[["NaN","2"]]': r"bids\[0\]\[0\] should be a decimal number, was 'NaN'",
    '[["1","2"],["0","2"]]': r"bids\[1\]\[0\] should be positive, was '0'",
    '[["1","2"],["-1","2"]]': r"bids\[1\]\[0\] should be positive, was '-1'",
    '[["1","-2"]]': r"bids\[0\]\[1\] should be zero or positive, was '-2'",
    '[["1.123","2"]]': r"bids\[0\]\[0\] should have at most 2 decimals, was '1.123'",
    '[["1","2.22"]]': r"bids\[0\]\[1\] should have at most 1 decimals, was '2.22'",
    '[["1e400","2"]]': r"bids\[0\]\[0\] should fit into 18 digits",
    "[[1e400,2]]": r"bids\[0\]\[0\] should fit into 18 digits",
    '\ufeff[["1","2"]]': "at byte 0",
    '[["1\x00","2"]]': "decimal number",
    "[" * 10_000: "a level|decimal number",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=[repr(text[:24]) for text in REFUSED])
def test_broken_arrays_are_refused_with_the_place(text, why):
    with pytest.raises(InputError, match=why):
        read_levels(text, 2, 1)


SAMPLE = b'[["58710.20","0.014"],["61496.50","0.010"], [61510.90,0.000],["61641.5","1.211","0","4"],[1e3,2.5E-1]]'


def frames():
    """Return level arrays as they come: made ones, and one of a recorded frame if there are recordings."""
    return [SAMPLE, json.dumps([[f"{price}.5", "1.250"] for price in range(60_000, 60_040)]).encode()]


def only_input_errors(text: bytes) -> bool:
    """Scan *text*; return whether it was read. Anything but an InputError fails the test."""
    scanner = Scanner()
    try:
        count = scanner.levels(text, 2, 3, "bids")
    except InputError as error:
        why = str(error)
    else:
        assert count == len(json.loads(text))
        return True
    assert len(why) < 400
    assert scanner.count == 0
    return False


@pytest.mark.parametrize("frame", frames(), ids=["mixed", "quoted"])
def test_a_frame_cut_at_any_byte_is_refused(frame):
    for cut in range(len(frame)):
        assert not only_input_errors(frame[:cut])
        if frame[cut:] != frame:
            assert not only_input_errors(frame[cut:])


@pytest.mark.parametrize("frame", frames(), ids=["mixed", "quoted"])
def test_mutated_frames_raise_nothing_but_input_errors(frame):
    dice = random.Random(11)
    alphabet = b'[]",.0123456789eE+-\\ \x00\xff{}:ntf'
    for _ in range(3000):
        text = bytearray(frame)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(text))
            match dice.randrange(3):
                case 0:
                    text[at] = dice.choice(alphabet)
                case 1:
                    del text[at]
                case _:
                    text.insert(at, dice.choice(alphabet))
        scan_anything(bytes(text))


@given(st.binary(max_size=60))
def test_any_bytes_raise_nothing_but_input_errors(text):
    scan_anything(text)
    scan_anything(b"[[" + text + b"]]")


def scan_anything(text: bytes) -> None:
    """Scan *text*; what is read must be what the grammar says, as far as ``json`` knows it."""
    scanner = Scanner()
    try:
        count = scanner.levels(text, 2, 3, "bids")
    except InputError:
        return
    pairs = scanner.pairs
    assert all(pairs[2 * place] > 0 <= pairs[2 * place + 1] for place in range(count))
    try:
        levels = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        # Lenient on leading zeros, a plus sign and what stands in further fields, as venues are.
        return
    want = [(Decimal(level[0]) * 100, Decimal(level[1]) * 1000) for level in levels]
    assert [(pairs[2 * place], pairs[2 * place + 1]) for place in range(count)] == want


@pytest.mark.recorded
def test_a_recorded_frame_cut_at_any_byte_is_refused():
    import gzip

    path = recorded("binance/usdm/btcusdt_20240808T2354_6m.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        frame = next(json.loads(line) for line in lines if '"depthUpdate"' in line)
    bids = frame["msg"]["data"]["b"]
    text = json.dumps(bids, separators=(",", ":")).encode()
    scanner = Scanner()
    assert scanner.levels(text, 2, 3, "bids") == len(bids)
    for cut in range(len(text)):
        assert not only_input_errors(text[:cut])
