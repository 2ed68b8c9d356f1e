"""Recorded sessions of Bybit, and generated ones of the same shape, import and verify: good books, no gaps."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest

from quotewright.errors import InputError
from quotewright.feed import BookState
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.plugin.registry import PluginSet
from quotewright.tape.normalise import NormaliseSink
from quotewright.tape.tape import TapeFile
from quotewright.testing.frames import write_capture
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter
from quotewright_plugins.exchanges.bybit.frames import SYMBOLS, BybitSession, session_lines
from tests.plugins.bybit.support import MARKETS, capture_lines
from tests.recorded import recorded

CAPTURES = {  # how many books there are, their messages, trades
    "legacy_v2/linear_20210417T1643_30s": (8, 3_260, 66 + 48),
    "linear/xrpusdt_ob500_20241201_2s": (1, 25, 0),
}
MUTATIONS = 2_000


def read(name: str) -> BybitAdapter:
    adapter = BybitAdapter("linear")
    lines = list(capture_lines(recorded(f"bybit/{name}.jsonl.gz")))
    symbols = sorted({json.loads(line.raw).get("topic", "").rpartition(".")[2] for line in lines} - {""})
    sink = TapeSink(TapeBuffer(), {symbol: (number, 5, 8) for number, symbol in enumerate(symbols)})
    for line in lines:
        adapter.on_message(line.raw, line.source, line.url, line.receive_ns, sink)
    return adapter


@pytest.mark.parametrize(("name", "figures"), CAPTURES.items(), ids=CAPTURES)
def test_recorded_books_are_good_to_the_last_line(name, figures):
    adapter = read(name)
    counters = adapter.counters
    assert (counters.gaps, counters.errors, counters.stale_dropped, counters.buffer_dropped) == (0, 0, 0, 0)
    assert {book.state for book in adapter.books.values()} == {BookState.SYNCHRONISED}
    assert (len(adapter.books), sum(book.messages for book in adapter.books.values())) == figures[:2]
    assert (counters.trades > 0) is (figures[2] > 0)


def test_recorded_best_quotes_are_read_whole():
    adapter = read("spot/orderbook1_20250613T1651_28s")
    assert adapter.counters.errors == 0
    assert adapter.counters.ignored == {"repeat": 16, "reply": 4}


@pytest.mark.parametrize("market", MARKETS)
def test_a_generated_capture_imports_without_being_told_its_market(market, tmp_path):
    from quotewright.cli.main import main

    session = BybitSession(market=market, seed=3)
    count = write_capture(session_lines(session, 120), str(tmp_path / "a.jsonl.gz"))
    assert count > 120
    assert main(["data", "import", str(tmp_path / "a.jsonl.gz"), str(tmp_path / "tape")]) == 0
    with TapeFile.open(tmp_path / "tape") as tape:
        (instrument,) = tape.instruments
        (verdict,) = tape.info.verdicts
    assert (instrument.symbol, instrument.venue) == (SYMBOLS[market], "bybit")
    assert instrument.is_inverse is (market == "inverse")
    assert (verdict.is_clean, verdict.book, verdict.gaps) == (True, "good", 0)


def amounts(market: str, price: Decimal, size: Decimal) -> dict[str, Decimal]:
    """Return the quantities of a level or trade: inverse contracts are of 1 USD each, linear sizes are coins."""
    if market.startswith("Inverse"):
        return {"quantity_contract": size, "quantity_quote": size, "quantity_base": size / price}
    return {"quantity_contract": size, "quantity_base": size, "quantity_quote": size * price}


def test_the_arithmetic_of_another_parser_holds():
    compared = 0
    for line in recorded("pairs/crypto_msg_parser/bybit.jsonl").read_bytes().splitlines():
        case = json.loads(line, parse_float=Decimal)
        if case["message_kind"] not in ("l2_event", "l2_orderbook", "trade"):
            continue
        adapter = BybitAdapter("linear")
        adapter.is_sequenced = False
        sink = NormaliseSink("bybit")
        raw = json.dumps(case["input"], default=float).encode()
        adapter.on_message(raw, "ws", None, 1, sink)
        told = json.loads(sink.take()[0], parse_float=Decimal, parse_int=Decimal)
        assert adapter.guess_instrument(told["symbol"])["is_inverse"] is case["market_type"].startswith("Inverse")
        for place, expected in case["asserts"]:
            compared += holds(case, told, place, expected)
    assert compared > 60


def holds(case: dict, told: dict, place: str, expected: object) -> int:
    """Compare one assertion of theirs with what we say; those about other things than market data are none."""
    if place.endswith("timestamp"):
        return 0
    if place == "orderbook.snapshot":
        assert told["isSnapshot"] is expected
    elif place.endswith(".len()"):
        entries = {"trades": [told], "orderbook.asks": told.get("asks"), "orderbook.bids": told.get("bids")}
        assert len(entries[place.removesuffix(".len()")]) == expected
    elif place == "trade.side":
        assert told["side"] == str(expected).lower()
    else:
        where, _, key = place.rpartition(".")
        if where == "trade":
            price, size = told["price"], told["amount"]
        else:
            side, number = where.removeprefix("orderbook.").rstrip("]").split("[")
            levels = sorted(told[side], key=lambda level: level["price"], reverse=side == "bids")
            price, size = levels[int(number)]["price"], levels[int(number)]["amount"]
        found = price if key == "price" else amounts(case["market_type"], price, size)[key]
        assert abs(found - Decimal(str(expected))) <= abs(found) * Decimal("1e-9")
    return 1


@pytest.mark.parametrize("market", MARKETS)
def test_altered_frames_end_in_the_declared_error_alone(market):
    frames = [line.raw for line in session_lines(BybitSession(market=market, seed=5), 60)]
    drawn = random.Random(1)
    adapter = BybitAdapter(market)
    sink = TapeSink(TapeBuffer(), {SYMBOLS[market]: (0, 2, 3)})
    for _ in range(MUTATIONS):
        frame = bytearray(drawn.choice(frames))
        for _ in range(drawn.randint(1, 4)):
            at = drawn.randrange(len(frame))
            change = drawn.randrange(3)
            if change == 0:
                frame[at] = drawn.randrange(256)
            elif change == 1:
                del frame[at : at + drawn.randint(1, 8)]
            else:
                frame[at:at] = frame[drawn.randrange(len(frame)) :][: drawn.randint(1, 8)]
            if not frame:
                break
        adapter.on_message(bytes(frame), "ws", None, 1, sink)
    assert adapter.counters.messages == MUTATIONS
    assert adapter.counters.errors > MUTATIONS // 4


def test_the_bybit_adapter_is_found_by_its_folder():
    assert "bybit" in PluginSet.discover(strict=False).names("feed_adapters")
    with pytest.raises(InputError):
        BybitAdapter("option").guess_instrument("BTCUSDT")
