"""Normalised lines and raw recordings in files: recognised, merged, refused line by line."""

from __future__ import annotations

import gzip
import json

import pytest

from quotewright.errors import InputError
from quotewright.fetching.times import iso
from quotewright.tape.importing import import_files
from quotewright.tape.tape import TapeFile
from quotewright_plugins.tardis.raw import taken_apart

T = 1_772_323_200_000_000_000


def trade(ms: int, id: int, exchange: str = "binance-futures") -> str:
    times = {"timestamp": iso(T + ms * 1_000_000), "localTimestamp": iso(T + (ms + 5) * 1_000_000)}
    head = {"type": "trade", "symbol": "BTCUSDT", "exchange": exchange, "id": str(id)}
    return json.dumps({**head, "price": 1.5, "amount": 2, "side": "buy", **times})


def imported(tmp_path, *texts: str, name: str = "x.ndjson", **options):
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}_{name}")
        paths[-1].write_text(text)
    info = import_files(paths, tmp_path / "tape", **options)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        return tape.array["id"].tolist(), info


def test_lines_and_arrays_are_read_and_files_are_merged_by_local_time(tmp_path):
    ids, info = imported(tmp_path, trade(0, 1) + "\n" + trade(20, 3) + "\n", f"[{trade(10, 2)},{trade(30, 4)}]\n[]\n")
    assert ids == [1, 2, 3, 4]
    assert [connection.name for connection in info.connections] == ["binance-futures"]


def test_exchanges_are_kept_apart(tmp_path):
    _, info = imported(tmp_path, trade(0, 1) + "\n" + trade(1, 2, "bybit-spot"))
    assert sorted(one.name for one in info.instruments) == ["BTC-USDT.perp@binance", "BTC-USDT.spot@bybit"]


def test_bad_lines_are_refused_and_bars_are_noted(tmp_path):
    bar = json.dumps(
        {"type": "trade_bar", "symbol": "BTCUSDT", "exchange": "binance-futures", "localTimestamp": iso(T)}
    )
    bad = json.dumps(
        {"type": "trade", "symbol": "A", "exchange": "no/name", "price": 1, "amount": 1, "localTimestamp": ""}
    )
    ids, info = imported(tmp_path, "\n".join([trade(0, 1), "{", bar, bad, trade(1, 2)]))
    assert ids == [1, 2]
    assert [refused.line for refused in info.refused] == [2, 4]
    assert any("trade_bar 1" in note for note in info.notes)


def raw(ms: int, frame: str) -> str:
    return f"{iso(T + ms * 1_000_000, 7)} {frame}"


FRAME = '{"e":"trade","E":%d,"T":%d,"s":"BTCUSDT","t":%d,"p":"40000.10","q":"1","m":true,"X":"MARKET"}'


def test_raw_lines_tell_their_exchange_by_their_frames(tmp_path):
    ms = T // 1_000_000
    lines = [raw(number + 5, FRAME % (ms + number, ms + number, number + 1)) for number in range(3)]
    ids, info = imported(tmp_path, "\n".join(lines) + "\n\n")
    assert ids == [1, 2, 3]
    assert info.sources[0].importer == "tardis_raw"


def test_a_server_s_lines_are_read_too(tmp_path):
    ms = T // 1_000_000
    lines = [
        json.dumps({"localTimestamp": iso(T + 5_000_000 + number), "message": json.loads(FRAME % (ms, ms, number + 1))})
        for number in range(3)
    ]
    ids, _ = imported(tmp_path, "\n".join(lines), exchange="binance-futures")
    assert ids == [1, 2, 3]


@pytest.mark.parametrize(
    "line", [b"2026-03-01T00:00:00.1234567Z", b"nonsense", b'{"localTimestamp":1}', b"2026-03-01T00:00:00.123456ZZ {}"]
)
def test_a_line_of_another_shape_is_refused(line):
    with pytest.raises(InputError):
        taken_apart(line)


def test_the_message_is_left_as_it_came():
    stamp, frame = taken_apart(b'2026-03-01T00:00:00.1234567Z {"p":"1.10", "q": 2.0}')
    assert stamp == T + 123_456_700
    assert frame == b'{"p":"1.10", "q": 2.0}'


def test_a_packed_file_is_recognised_by_its_content(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(gzip.compress(trade(0, 1).encode()))
    assert import_files([path], tmp_path / "tape").sources[0].importer == "normalised"
