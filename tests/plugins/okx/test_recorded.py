"""Recordings of OKX: every checksum matches, no gap; instruments of every market; asserts of another parser."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import msgspec
import pytest

from quotewright.cli.main import main
from quotewright.errors import InputError
from quotewright.model.cards import load_card
from quotewright.tape.normalise import NormaliseSink
from quotewright.testing.frames import write_capture
from quotewright_plugins import bundle
from quotewright_plugins.exchanges.okx.adapter import OkxAdapter
from quotewright_plugins.exchanges.okx.frames import SYMBOLS, OkxSession, session_lines
from quotewright_plugins.exchanges.okx.instruments import guess_instrument, read_instruments
from tests.plugins.binance.support import capture_lines
from tests.recorded import recorded

CAPTURES = {"multi3_books_20220513T1627_11s": (3, 290, 74), "multi10_books_l2_tbt_20210722T2315_30s": (10, 1504, 36)}


@pytest.mark.parametrize("name", CAPTURES)
def test_every_checksum_of_a_recording_matches(name):
    adapter, sink = OkxAdapter(), NormaliseSink("okex")
    for line in capture_lines(recorded(f"okx/{name}.jsonl.gz")):
        adapter.on_message(line.raw, line.source, line.url, line.receive_ns, sink)
        sink.take()
    books, messages, trades = CAPTURES[name]
    good = sum(book.checksums_good for book in adapter.books.values())
    bad = sum(book.checksums_bad for book in adapter.books.values())
    assert (len(adapter.books), good, bad) == (books, messages, 0)
    assert {book.state.name for book in adapter.books.values()} == {"SYNCHRONISED"}
    assert (adapter.counters.gaps, adapter.counters.errors, adapter.counters.trades) == (0, 0, trades)


@pytest.mark.parametrize("has_ids", [True, False])
def test_a_capture_of_several_markets_is_known_and_verified_without_naming_it(tmp_path, capsys, has_ids):
    sessions = [OkxSession(symbol=symbol, has_ids=has_ids, has_checksums=True) for symbol in SYMBOLS.values()]
    lines = [line for session in sessions for line in session_lines(session, 20)]
    write_capture(lines, str(tmp_path / "mixed.jsonl.gz"))
    assert main(["data", "verify", str(tmp_path / "mixed.jsonl.gz"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["instruments"]
    assert set(told) == set(SYMBOLS.values())
    for verdict in told.values():
        assert (verdict["gaps"], verdict["checksums_ok"], verdict["checksums_bad"]) == (0, 21, 0)


def test_the_recorded_instruments_are_read():
    found = {}
    with gzip.open(recorded("reference/okx_v5_instruments_20220513.jsonl.gz")) as file:
        for text in file:
            body = msgspec.json.decode(text, type=dict[str, msgspec.Raw])["msg"]
            found |= {instrument.symbol: instrument for instrument in read_instruments(bytes(body))}
    assert len(found) == 1479
    assert len({instrument.name for instrument in found.values()}) == 1479
    swap, option, spot = found["BTC-USD-SWAP"], found["BTC-USD-220930-120000-P"], found["BTC-USDT"]
    assert (swap.contract_size, swap.is_inverse, swap.settle, swap.name) == (100, True, "BTC", "BTC-USD.perp@okx")
    assert (option.contract_size, option.is_inverse, option.name) == (
        Decimal("0.1"),
        False,
        "BTC-USD.220930-120000-P@okx",
    )
    assert (spot.tick_size, spot.lot_size, spot.quantity(1000)) == (Decimal("0.1"), Decimal("1e-8"), Decimal("1e-5"))
    for symbol in ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-SWAP", "ETH-USD-SWAP", "ZRX-USDT-SWAP"):
        assert guess_instrument(symbol)["contract_size"] == found[symbol].contract_size


@pytest.mark.parametrize("side", ["ask", "bid"])
def test_contract_sizes_agree_with_another_parser(side):
    checked = 0
    for text in recorded("pairs/crypto_msg_parser/okx.jsonl").read_bytes().splitlines():
        pair = json.loads(text)
        asserts = dict(pair["asserts"])
        if f"bbo_msg.{side}_quantity_contract" not in asserts:
            continue
        adapter, sink = OkxAdapter(), NormaliseSink("okex")
        adapter.on_message(json.dumps(pair["input"], separators=(",", ":")).encode(), "ws", None, 1, sink)
        (quote,) = (json.loads(made) for made in sink.take())
        told = guess_instrument(quote["symbol"])
        price, contracts = quote[f"{side}Price"], quote[f"{side}Amount"]
        assert price == asserts[f"bbo_msg.{side}_price"]
        size = float(told["contract_size"])
        base = contracts * size / price if told["is_inverse"] else contracts * (size if told["kind"] != "spot" else 1)
        assert base == pytest.approx(asserts[f"bbo_msg.{side}_quantity_base"])
        assert base * price == pytest.approx(asserts[f"bbo_msg.{side}_quantity_quote"])
        checked += 1
    assert checked == 4


@pytest.mark.parametrize(
    ("symbol", "name", "settle"),
    [
        ("BTC-USDT", "BTC-USDT.spot@okx", "USDT"),
        ("BTC-USDT-SWAP", "BTC-USDT.perp@okx", "USDT"),
        ("BTC-USD-261225", "BTC-USD.261225@okx", "BTC"),
        ("BTC-USD-270326-70000-C", "BTC-USD.270326-70000-C@okx", "BTC"),
        ("BTC-USD_UM_XPERP-310404", "BTC-USDUMXPERP.310404@okx", "USD"),
        ("BTC-USD_UM-SWAP", "BTC-USDUM.perp@okx", "USD"),
    ],
)
def test_a_symbol_alone_tells_its_name(symbol, name, settle):
    told = guess_instrument(symbol)
    assert (told["name"], told["settle"]) == (name, settle)


@pytest.mark.parametrize("symbol", ["", "BTC", "BTC-USD-261399", "BTC-USD-270326-70000-X"])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(InputError, match="okx"):
        guess_instrument(symbol)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code":"51001","msg":"x","data":[]}', b'{"code":"0","data":[{"instId":1}]}']
)
def test_answers_of_another_shape_are_refused(body):
    with pytest.raises(InputError, match="okx instruments"):
        read_instruments(body)


@pytest.mark.parametrize("market", ["spot", "swap", "futures", "option"])
def test_the_cards_load_and_know_the_codes_of_their_filters(market):
    card = load_card(bundle.venue_cards()[f"okx-{market}"])
    assert (card.venue, card.market) == (OkxAdapter.name, market)
    for check in card.filters:
        assert card.error(check.code) is not None
    assert card.error(50004).outcome == "unknown"
    assert card.error(51008).reason == "insufficient_funds"
    assert set(card.unverified) >= {"fees", "latency"}
