"""Event arrays of hftbacktest become tapes: clearings, snapshots, sides, floats that were decimals."""

from __future__ import annotations

import numpy as np
import pytest

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    GAP,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_SIDE,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.tape import hftbacktest as h
from quotewright.tape.importing import import_file, import_files
from quotewright.tape.tape import TapeFile
from quotewright_plugins.importers import npz
from quotewright_plugins.importers.npz import exchange_and_symbol

T = 1_772_323_200_000_000_000
BOTH = h.EXCH_EVENT | h.LOCAL_EVENT
BID, ASK = BOTH | h.BUY_EVENT, BOTH | h.SELL_EVENT
IMAGE = [(BOTH | h.DEPTH_CLEAR_EVENT, 0, 0.0, 0.0), (BID | h.DEPTH_SNAPSHOT_EVENT, 0, 100.1, 1.0)] + [
    (ASK | h.DEPTH_SNAPSHOT_EVENT, 0, price, 2.0) for price in (100.2, 100.30000000000001)
]


def saved(path, events):
    """Write events given as ``(ev, ms, px, qty)``; each is received 5 ms after it happened."""
    found = np.zeros(len(events), h.EVENT_DTYPE)
    for place, (ev, ms, px, qty) in enumerate(events):
        found[place] = (ev, T + ms * 1_000_000, T + (ms + 5) * 1_000_000, px, qty, 0, 0, 0.0)
    np.savez_compressed(path, data=found)
    return path


def rows(tmp_path, events, **options):
    path = saved(tmp_path / "binance-futures_BTCUSDT.npz", events)
    info = import_file(path, tmp_path / "tape", **options)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        return [(row[5], row[6], row[2], row[3]) for row in tape.array.tolist()], info


def test_an_image_and_changes_become_a_book(tmp_path):
    events = [
        *IMAGE,
        (BID | h.DEPTH_EVENT, 10, 100.1, 0.0),
        (BID | h.DEPTH_EVENT, 10, 100.0, 3.5),
        (ASK | h.TRADE_EVENT, 11, 100.1, 0.5),
        (BOTH | h.TRADE_EVENT, 12, 100.1, 0.5),
        (BID | h.DEPTH_BBO_EVENT, 13, 100.0, 3.5),
        (ASK | h.DEPTH_BBO_EVENT, 13, 100.2, 2.0),
    ]
    found, info = rows(tmp_path, events)
    assert found == [
        (SNAPSHOT_BEGIN, 0, 0, 0),
        *((LEVEL_SET, 1, 1001, 10), (LEVEL_SET, 2, 1002, 20), (LEVEL_SET, 2, 1003, 20)),
        *((LEVEL_DELETE, 1, 1001, 0), (LEVEL_SET, 1, 1000, 35)),
        *((TRADE, SELL, 1001, 5), (TRADE, NO_SIDE, 1001, 5)),
        *((BEST_QUOTE, 1, 1000, 35), (BEST_QUOTE, 2, 1002, 20)),
    ]
    assert info.verdicts[0].is_clean
    assert info.instruments[0].name == "BTC-USDT.perp@binance"


def test_events_of_the_exchange_alone_are_not_read_twice(tmp_path):
    late = h.EXCH_EVENT | h.BUY_EVENT | h.TRADE_EVENT
    found, _ = rows(tmp_path, [(late, 1, 100.1, 1.0), (late ^ BOTH, 1, 100.1, 1.0)])
    assert found == [(TRADE, 1, 1001, 1)]


def test_a_clearing_of_one_side_takes_that_side_s_levels_up_to_its_price(tmp_path):
    events = [*IMAGE, (ASK | h.DEPTH_CLEAR_EVENT, 10, 100.25, 0.0), (ASK | h.DEPTH_SNAPSHOT_EVENT, 10, 100.3, 7.0)]
    found, info = rows(tmp_path, events)
    assert found[4:] == [(LEVEL_DELETE, 2, 1002, 0), (LEVEL_SET, 2, 1003, 7)]
    assert info.verdicts[0].snapshots == 1


def test_clearings_of_both_sides_make_an_image(tmp_path):
    events = [
        *((BID | h.DEPTH_CLEAR_EVENT, 0, 100.0, 0.0), (BID | h.DEPTH_SNAPSHOT_EVENT, 0, 100.0, 1.0)),
        *((ASK | h.DEPTH_CLEAR_EVENT, 0, 101.0, 0.0), (ASK | h.DEPTH_SNAPSHOT_EVENT, 0, 101.0, 1.0)),
    ]
    found, _ = rows(tmp_path, events)
    assert [row[0] for row in found] == [SNAPSHOT_BEGIN, LEVEL_SET, LEVEL_SET]


def test_a_float_that_is_no_decimal_names_its_event_and_makes_the_book_stale(tmp_path):
    found, info = rows(
        tmp_path, [*IMAGE, (BID | h.DEPTH_EVENT, 10, 100 / 3, 1.0), (BID | h.DEPTH_EVENT, 11, 99.0, 1.0)]
    )
    assert found[4:] == [(GAP, 0, 0, 0)]
    assert info.refused[0].line == 5
    assert "event 5: 33.333333333333336 is no decimal number of up to 15 digits" in info.refused[0].reason


def test_changes_before_an_image_are_left_out(tmp_path):
    found, _ = rows(tmp_path, [(BID | h.DEPTH_EVENT, -10, 99.0, 1.0), *IMAGE])
    assert [row[0] for row in found] == [SNAPSHOT_BEGIN, LEVEL_SET, LEVEL_SET, LEVEL_SET]


def test_pieces_of_a_large_file_give_the_same_tape(tmp_path, monkeypatch):
    events = IMAGE + [(BID | h.DEPTH_EVENT, 10 + number // 3, 90.0 + number, 1.0) for number in range(10)]
    whole, _ = rows(tmp_path, events)
    monkeypatch.setattr(npz, "CHUNK", 2)
    again, _ = rows(tmp_path, events, replace=True)
    assert again == whole


@pytest.mark.parametrize(
    ("stem", "exchange", "expected"),
    [
        ("binance-futures_BTCUSDT", "", ("binance-futures", "BTCUSDT")),
        ("okex-swap_BTC-USDT-SWAP", "", ("okex-swap", "BTC-USDT-SWAP")),
        ("btcusdt_20240808", "binance", ("binance", "BTCUSDT")),
    ],
)
def test_the_name_tells_the_instrument(stem, exchange, expected):
    assert exchange_and_symbol(stem, exchange) == expected


def test_files_that_are_none_of_these_are_refused(tmp_path):
    with pytest.raises(InputError, match="say --exchange"):
        import_file(saved(tmp_path / "btcusdt.npz", IMAGE), tmp_path / "tape")
    np.savez_compressed(tmp_path / "binance_A.npz", data=np.zeros(3))
    with pytest.raises(InputError, match=r"should hold the events of hftbacktest 2\.x"):
        import_file(tmp_path / "binance_A.npz", tmp_path / "tape")
    whole = saved(tmp_path / "binance_B.npz", IMAGE * 50).read_bytes()
    (tmp_path / "binance_C.npz").write_bytes(whole[:-100])
    with pytest.raises(InputError, match="binance_C"):
        import_file(tmp_path / "binance_C.npz", tmp_path / "tape")


def test_several_instruments_are_merged(tmp_path):
    paths = [saved(tmp_path / f"binance_{name}.npz", IMAGE) for name in ("BTCUSDT", "ETHUSDT")]
    info = import_files(paths, tmp_path / "tape")
    assert [instrument.symbol for instrument in info.instruments] == ["BTCUSDT", "ETHUSDT"]
    assert info.kinds["snapshot_begin"] == 2
