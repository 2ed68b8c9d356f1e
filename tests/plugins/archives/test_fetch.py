"""``quotewright data fetch`` against a local server of the archives' shapes, and what a tape is made of then."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from quotewright.cli.data import data
from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright.fetching.times import iso
from quotewright.kernel.codes import AGGREGATED, BEST_QUOTE, BUY, SELL, TRADE
from quotewright.tape import recording
from quotewright.tape.importing import import_files
from quotewright.tape.tape import TapeFile
from quotewright_plugins.archives.importer import nanoseconds
from tests.framework.fetching.server import Asked, Reply, file_reply, serving

T = 1_772_323_200_000_000_000
MS = T // 1_000_000


def packed(name: str, text: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, text)
    return memory.getvalue()


def run(*arguments: object, code: int = 0, environment: dict[str, str] | None = None):
    result = CliRunner().invoke(
        data, ["fetch", *map(str, arguments)], env={"TARDIS_API_KEY": None, **(environment or {})}
    )
    if code == 0:
        assert result.exception is None, result.output
    return result


CSV = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"


def tardis_csv(asked: Asked) -> Reply:
    """Answer as datasets.tardis.dev does: free first days, a key for the others, 404 for what is not there."""
    parts = asked.path.strip("/").split("/")
    exchange, _, _, _, day, symbol = parts
    if day != "01" and asked.headers.get("authorization") != "Bearer TD.good":
        return Reply(401, b'{"code":100,"message":"Invalid API key"}')
    if symbol != "BTCUSDT.csv.gz":
        return Reply(404, b'{"code":104,"message":"There is no dataset"}')
    row = f"{exchange},BTCUSDT,{T // 1000 + 1},{T // 1000 + 5000},7,buy,40000.1,0.5\n"
    return file_reply(asked, gzip.compress((CSV + row).encode(), mtime=0))


def test_the_free_first_day_is_fetched_without_a_key_and_becomes_a_tape(tmp_path):
    with serving(tardis_csv) as (url, log):
        result = run(
            *("tardis", tmp_path / "out", "--exchange", "binance-futures", "--type", "trades"),
            *("--symbol", "btcusdt", "--from", "2026-03-01", "--base-url", url),
        )
        assert "1 fetched" in result.output
        again = run(
            *("tardis", tmp_path / "out", "--exchange", "binance-futures", "--type", "trades"),
            *("--symbol", "btcusdt", "--from", "2026-03-01", "--base-url", url, "--json"),
        )
        assert json.loads(again.stdout)["there"] == 1
    assert log[0].path == "/binance-futures/trades/2026/03/01/BTCUSDT.csv.gz"
    assert "authorization" not in log[0].headers
    name = "binance-futures_trades_2026-03-01_BTCUSDT.csv.gz"
    info = import_files([tmp_path / "out" / name], tmp_path / "tape")
    assert info.kinds == {"trade": 1}


def test_other_days_need_a_key_which_is_named_by_where_it_comes_from(tmp_path):
    arguments = (
        "tardis",
        tmp_path,
        "--symbol",
        "BTCUSDT",
        "--type",
        "trades",
        "--from",
        "2026-03-01",
        "--to",
        "2026-03-03",
    )
    with serving(tardis_csv) as (url, log):
        missing = run(*arguments, "--base-url", url, code=4)
        assert isinstance(missing.exception, ConfigError)
        assert "2026-03-02 needs a key, in the variable TARDIS_API_KEY" in str(missing.exception)
        assert log == []
        wrong = run(*arguments, "--base-url", url, code=4, environment={"TARDIS_API_KEY": "TD.secret"})
        assert isinstance(wrong.exception, ConfigError)
        assert "the key from the variable TARDIS_API_KEY of the environment is refused" in str(wrong.exception)
        assert "TD.secret" not in str(wrong.exception) + wrong.output + (tmp_path / "manifest.json").read_text()
        good = run(*arguments, "--base-url", url, "--key", "env:MINE", environment={"MINE": " TD.good\n"})
        assert "1 fetched" in good.output
        assert "1 there already" in good.output


def test_what_is_not_there_is_told_and_nothing_there_at_all_is_an_error(tmp_path):
    with serving(tardis_csv) as (url, _):
        common = ("--type", "trades", "--from", "2026-03-01", "--base-url", url)
        some = run("tardis", tmp_path / "a", "--symbol", "BTCUSDT", "--symbol", "NOPE", *common)
        assert "1 fetched" in some.output
        assert "1 absent" in some.output
        nothing = run("tardis", tmp_path / "b", "--symbol", "NOPE", *common, code=2)
    assert isinstance(nothing.exception, NotFoundError)


def test_a_listing_asks_nothing_and_names_what_would_be_fetched():
    result = run("tardis", "--symbol", "A/B:C", "--type", "quotes", "--from", "2026-03-01", "--list", "--json")
    assert json.loads(result.stdout) == [
        {
            "name": "binance_quotes_2026-03-01_A-B-C.csv.gz",
            "url": "https://datasets.tardis.dev/v1/binance/quotes/2026/03/01/A-B-C.csv.gz",
        }
    ]


LISTED = {
    "binance": ("binance-futures", "aggTrades", "https://data.binance.vision/data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2026-02-27.zip"),
    "bybit": ("bybit", "trades", "https://public.bybit.com/trading/BTCUSDT/BTCUSDT2026-02-27.csv.gz"),
    "okx": ("okex", "trades", "https://www.okx.com/cdn/okex/traderecords/trades/daily/20260227/BTCUSDT-trades-2026-02-27.zip"),
}  # fmt: skip


@pytest.mark.parametrize("source", LISTED)
def test_days_are_half_open(source):
    exchange, kind, first = LISTED[source]
    result = run(
        *(source, "--exchange", exchange, "--symbol", "BTCUSDT", "--type", kind),
        *("--from", "2026-02-27", "--to", "2026-03-02", "--list", "--json"),
    )
    urls = [one["url"] for one in json.loads(result.stdout)]
    assert urls[0] == first
    assert len(urls) == 3


def test_the_books_of_bybit_lie_elsewhere_and_months_are_fetched_whole():
    books = run("bybit", "--symbol", "XRPUSDT", "--type", "ob500", "--from", "2024-12-01", "--list")
    assert "https://quote-saver.bycsi.com/orderbook/linear/XRPUSDT/2024-12-01_XRPUSDT_ob500.data.zip" in books.output
    months = run("binance", "--symbol", "BTCUSDT", "--from", "2026-01-31", "--to", "2026-02-02", "--monthly", "--list")
    assert [line.split()[0] for line in months.output.splitlines()] == [
        "binance_BTCUSDT-trades-2026-01.zip",
        "binance_BTCUSDT-trades-2026-02.zip",
    ]


WRONG = {
    "no such source": (("nothing", "x", "--from", "2026-03-01"), ConfigError, "no archive called 'nothing'"),
    "no such kind": (
        ("binance", "x", "--from", "2026-03-01", "--type", "candles", "--symbol", "A"),
        *(ConfigError, "no kind of data of binance called 'candles'; it has trades"),
    ),
    "no such exchange": (
        ("binance", "x", "--from", "2026-03-01", "--exchange", "okex", "--symbol", "A"),
        *(ConfigError, "no exchange of binance called 'okex'"),
    ),
    "no symbol": (("binance", "x", "--from", "2026-03-01"), ConfigError, "say which instruments"),
    "no zone": (
        ("binance", "x", "--from", "2026-03-01T00:00", "--symbol", "A"),
        *(InputError, "a time of day needs its zone"),
    ),
    "no span": (
        ("binance", "x", "--from", "2026-03-01", "--to", "2026-03-01", "--symbol", "A"),
        *(InputError, "the end itself is not fetched"),
    ),
    "the key itself": (
        ("tardis", "x", "--from", "2026-03-01", "--symbol", "A", "--key", "TD.secret"),
        *(ConfigError, "name of a variable"),
    ),
}


@pytest.mark.parametrize(("arguments", "kind", "text"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_fetched_is_said_before_anything_is_asked(tmp_path, monkeypatch, arguments, kind, text):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, code=1)
    assert isinstance(result.exception, kind)
    assert text in str(result.exception)
    assert "secret" not in str(result.exception)


def test_a_symbol_that_would_leave_the_folder_does_not(tmp_path):
    with serving(lambda asked: file_reply(asked, b"x")) as (url, _):
        for symbol in ("../../etc/passwd", "..", "a/../b"):
            run("binance", tmp_path / "out", "--symbol", symbol, "--from", "2026-03-01", "--base-url", url, code=1)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def archive(files: dict[str, bytes]):
    """Return a server of files, with a checksum beside each."""

    def answer(asked: Asked) -> Reply:
        name = asked.path.rsplit("/", 1)[-1]
        if name.endswith(".CHECKSUM") and name.removesuffix(".CHECKSUM") in files:
            digest = hashlib.sha256(files[name.removesuffix(".CHECKSUM")]).hexdigest()
            return Reply(200, f"{digest}  {name.removesuffix('.CHECKSUM')}\n".encode())
        return file_reply(asked, files[name]) if name in files else Reply(404)

    return answer


def rows(path) -> list[tuple[int, ...]]:
    with TapeFile.open(path) as tape:
        tape.require_causal()
        return [(row[5], row[6], row[2], row[3], row[4], row[7] & AGGREGATED, row[0]) for row in tape.array.tolist()]


DAY = "2026-03-01"
FILES = {
    "binance trades with a header": (
        *("binance", "binance-futures", "trades", f"BTCUSDT-trades-{DAY}.zip"),
        "id,price,qty,quote_qty,time,is_buyer_maker\n"
        f"7,40000.1,0.5,20000.05,{MS},true\n8,40000.20,1,1,{MS + 5},false\n",
        [(TRADE, SELL, 400001, 5, 7, 0, T), (TRADE, BUY, 400002, 10, 8, 0, T + 5_000_000)],
    ),
    "binance trades without one, in microseconds": (
        *("binance", "binance", "trades", f"BTCUSDT-trades-{DAY}.zip"),
        f"7,40000.1,0.5,20000.05,{MS}123,True,True\n",
        [(TRADE, SELL, 400001, 5, 7, 0, T + 123_000)],
    ),
    "binance aggTrades": (
        *("binance", "binance-futures", "aggTrades", f"BTCUSDT-aggTrades-{DAY}.zip"),
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
        f"7,40000.1,0.5,1,2,{MS},false\n",
        [(TRADE, BUY, 400001, 5, 7, AGGREGATED, T)],
    ),
    "binance bookTicker": (
        *("binance", "binance-futures", "bookTicker", f"BTCUSDT-bookTicker-{DAY}.zip"),
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
        f"9,40000.1,1,40000.2,2,{MS},{MS + 3}\n",
        [(BEST_QUOTE, 1, 400001, 1, 9, 0, T), (BEST_QUOTE, 2, 400002, 2, 9, 0, T)],
    ),
    "bybit trades": (
        *("bybit", "bybit", "trades", f"BTCUSDT{DAY}.csv.gz"),
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
        f"{T // 10**9}.1234,BTCUSDT,Sell,0.005,40000.10,ZeroMinusTick,77,1,1,1\n",
        [(TRADE, SELL, 400001, 5, 77, 0, T + 123_400_000)],
    ),
    "bybit spot trades": (
        *("bybit", "bybit-spot", "trades", f"BTCUSDT_{DAY}.csv.gz"),
        f"id,timestamp,price,volume,side\n1,{MS},40000.1,0.5,buy\n",
        [(TRADE, BUY, 400001, 5, 1, 0, T)],
    ),
    "okx trades": (
        *("okx", "okex", "trades", f"BTC-USDT-trades-{DAY}.zip"),
        f"trade_id/撮合id,side/交易方向,size/数量,price/价格,created_time/成交时间\n5,SELL,0.5,40000.1,{MS}\n",
        [(TRADE, SELL, 400001, 5, 5, 0, T)],
    ),
}


@pytest.mark.parametrize(("source", "exchange", "kind", "name", "text", "expected"), FILES.values(), ids=FILES)
def test_an_exchange_s_own_files_become_tapes(tmp_path, source, exchange, kind, name, text, expected):
    body = packed(name.replace(".zip", ".csv"), text) if name.endswith(".zip") else gzip.compress(text.encode())
    symbol = "BTC-USDT" if source == "okx" else "BTCUSDT"
    with serving(archive({name: body})) as (url, log):
        run(
            *(source, tmp_path / "out", "--exchange", exchange, "--type", kind, "--symbol", symbol),
            *("--from", DAY, "--base-url", url),
        )
    assert any(asked.path.endswith(".CHECKSUM") for asked in log) == (source == "binance")
    files = [path for path in (tmp_path / "out").iterdir() if path.name != "manifest.json"]
    assert len(files) == 1
    import_files(files, tmp_path / "tape")
    assert rows(tmp_path / "tape") == expected


def test_bad_rows_are_left_out_and_named(tmp_path):
    path = tmp_path / "binance-futures_BTCUSDT-trades-2026-03-01.csv"
    path.write_text(
        f"7,40000.1,0.5,1,{MS},true\n8,x,0.5,1,{MS},true\n9,1,1,1,later,true\n10,1,1,1,{MS},perhaps\n11,1,1\n"
    )
    info = import_files([path], tmp_path / "tape")
    assert info.kinds == {"trade": 1}
    assert [refused.line for refused in info.refused] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(b"1772323200", T), (b"1772323200.1234", T + 123_400_000), (b"1772323200000", T), (b"1772323200000001", T + 1000)],
)
def test_times_are_told_by_their_size_and_kept_exactly(cell, expected):
    assert nanoseconds(cell) == expected


def deribit(trades: list[tuple[int, str]], page_limit: int = 10_000):
    def answer(asked: Asked) -> Reply:
        first, end = int(asked.query["start_timestamp"]), int(asked.query["end_timestamp"])
        found = [trade for trade in sorted(trades) if first <= trade[0] <= end]
        page = found[: min(int(asked.query["count"]), page_limit)]
        rows = [{"timestamp": ms, "trade_id": id, "trade_seq": 1, "price": 40000.5, "amount": 10.0} for ms, id in page]
        return Reply(200, json.dumps({"result": {"trades": rows, "has_more": len(found) > len(page)}}).encode())

    return answer


def test_deribit_is_paged_by_time_without_losing_or_repeating(tmp_path):
    # 1,001 trades of one millisecond, so that the first page of 1,000 ends inside it.
    trades = [(MS - 1, "early"), (MS, "a"), *((MS + 5, f"{number:04}") for number in range(1_001)), (MS + 9, "z")]
    trades.append((MS + 86_400_000, "tomorrow"))
    with serving(deribit(trades)) as (url, log):
        run("deribit", tmp_path, "--symbol", "BTC-PERPETUAL", "--from", DAY, "--base-url", url)
    (file,) = tmp_path.glob("*.gz")
    found = [json.loads(line)["msg"]["params"] for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [row["data"][0]["trade_id"] for row in found] == [id for ms, id in sorted(trades)[1:-1]]
    assert found[0]["channel"] == "trades.BTC-PERPETUAL.raw"
    assert {asked.query["count"] for asked in log} == {"1000", "2000"}


def test_deribit_stops_rather_than_lose_trades(tmp_path):
    trades = [(MS, f"{number:05}") for number in range(10_001)]
    with serving(deribit(trades)) as (url, _):
        result = run("deribit", tmp_path, "--symbol", "BTC-PERPETUAL", "--from", DAY, "--base-url", url, code=1)
    assert "rows or more share the time" in str(result.exception)
    assert not list(tmp_path.glob("*.gz"))


def feed(minutes: dict[int, str], slice_size: int = 1, fail: tuple[int, ...] = ()):
    """Answer as Tardis's /data-feeds does; *fail* are statuses of the first answers."""
    failures = list(fail)

    def answer(asked: Asked) -> Reply:
        if failures:
            return Reply(failures.pop(0), b"{}", {"retry-after": "0"})
        offset = int(asked.query["offset"])
        body = "".join(minutes.get(offset + extra, "") for extra in range(slice_size)).encode()
        return Reply(200, gzip.compress(body), {"content-encoding": "gzip", "x-slice-size": str(slice_size)})

    return answer


def test_raw_recordings_come_minute_by_minute_and_become_a_tape(tmp_path):
    def line(minute: int, frame: dict[str, object]) -> str:
        return f"{iso(T + minute * 60_000_000_000 + 5_000_000, 7)} {json.dumps(frame, separators=(',', ':'))}\n"

    def depth(first: int, last: int, minute: int, **levels: object) -> dict[str, object]:
        time = MS + minute * 60_000
        body = {"e": "depthUpdate", "E": time, "T": time, "s": "BTCUSDT", "U": first, "u": last, "pu": first - 1}
        return {"stream": "btcusdt@depth@0ms", "data": {**body, "b": [], "a": [], **levels}}

    image = {"lastUpdateId": 100, "E": MS, "T": MS, "bids": [["40000.1", "1"]], "asks": [["40000.2", "2"]]}
    snapshot = {"stream": "btcusdt@depthSnapshot", "generated": True, "data": image}
    minutes = {
        0: line(0, depth(99, 101, 0)) + line(0, snapshot),
        1: line(1, depth(102, 103, 1, b=[["40000.1", "5"]])) + "\n",  # the collector loses its connection
        3: line(3, depth(200, 201, 3)),
    }
    arguments = (
        *(
            "tardis-raw",
            tmp_path / "out",
            "--exchange",
            "binance-futures",
            "--type",
            "depth",
            "--type",
            "depthSnapshot",
        ),
        *("--symbol", "BTCUSDT", "--from", "2026-03-01", "--to", "2026-03-01T00:04Z", "--tries", "3"),
    )
    with serving(feed(minutes, fail=(503, 429))) as (url, log):
        run(*arguments, "--base-url", url)
    asked = [one for one in log if one.path == "/data-feeds/binance-futures"]
    assert [one.query["offset"] for one in asked] == ["0", "0", "0", "1", "2", "3"]
    assert json.loads(unquote(asked[0].query["filters"])) == [
        {"channel": "depth", "symbols": ["btcusdt"]},
        {"channel": "depthSnapshot", "symbols": ["btcusdt"]},
    ]
    assert asked[0].query["from"] == "2026-03-01T00:00:00.000Z"
    (file,) = (tmp_path / "out").glob("*.gz")
    assert gzip.decompress(file.read_bytes()).decode() == "".join(minutes.values())
    info = import_files([file], tmp_path / "tape")
    assert info.kinds["gap"] == 1
    assert info.kinds["snapshot_begin"] == 1
    assert info.verdicts[0].instrument == "BTC-USDT.perp@binance"


def test_a_quota_that_is_used_up_is_final(tmp_path):
    with serving(lambda asked: Reply(429, b"{}", {"retry-after": "301"})) as (url, log):
        result = run(
            "tardis-raw", tmp_path, "--from", "2026-03-01", "--to", "2026-03-01T00:01Z", "--base-url", url, code=1
        )
    assert "so the quota is used up" in str(result.exception)
    assert len(log) == 1


def test_a_server_s_replay_is_imported(tmp_path):
    stamps = '"timestamp":"2026-03-01T00:00:00.000Z","localTimestamp":"2026-03-01T00:00:00.005Z"'
    head = '"symbol":"BTCUSDT","exchange":"binance-futures"'
    lines = f'{{"type":"trade",{head},"id":"1","price":40000.10,"amount":1,"side":"buy",{stamps}}}\n'

    def answer(asked: Asked) -> Reply:
        assert asked.path == "/replay-normalized"
        options = json.loads(asked.query["options"])
        assert options["dataTypes"] == ["trade"]
        assert (options["from"], options["to"]) == ("2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z")
        return Reply(200, lines.encode())

    with serving(answer) as (url, _):
        run(
            *(
                "tardis-machine",
                tmp_path / "out",
                "--exchange",
                "binance-futures",
                "--type",
                "trade",
                "--symbol",
                "BTCUSDT",
            ),
            *("--from", "2026-03-01", "--base-url", url),
        )
    (file,) = (tmp_path / "out").glob("*.gz")
    assert import_files([file], tmp_path / "tape").kinds == {"trade": 1}


def test_a_zip_of_several_files_and_a_bomb_are_refused(tmp_path, monkeypatch):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        file.writestr("a.csv", "1")
        file.writestr("b.csv", "2")
    path = tmp_path / "binance_BTCUSDT-trades-2026-03-01.zip"
    path.write_bytes(memory.getvalue())
    with pytest.raises(InputError, match="should hold one file, holds 2"):
        import_files([path], tmp_path / "tape", importer="archive_csv")
    line = b"7,40000.1,0.5,1,1772323200000,true\n"
    bomb = tmp_path / "binance_BTCUSDT-trades-2026-03-02.csv.gz"
    monkeypatch.setattr(recording, "RATIO_BYTES", 1 << 20)
    bomb.write_bytes(gzip.compress(line * 100_000, 9))
    with pytest.raises(InputError, match="no recording does that"):
        import_files([bomb], tmp_path / "tape")


def test_the_sources_say_what_of_them_is_unverified():
    found = {one["name"]: one for one in json.loads(run("--json").stdout)}
    assert set(found) >= {"tardis", "tardis-raw", "tardis-machine", "binance", "bybit", "okx", "deribit"}
    assert found["okx"]["unverified"]
    assert found["tardis"]["key"] == "TARDIS_API_KEY"


def test_bybit_s_archive_of_books_becomes_a_tape(tmp_path):
    def frame(kind: str, u: int, bids: list[list[str]], asks: list[list[str]]) -> str:
        book = {"s": "XRPUSDT", "b": bids, "a": asks, "u": u, "seq": u}
        told = {"topic": "orderbook.500.XRPUSDT", "type": kind, "ts": MS + u, "cts": MS + u - 1, "data": book}
        return json.dumps(told, separators=(",", ":"))

    lines = [
        frame("snapshot", 10, [["0.5", "1"]], [["0.6", "2"]]),
        frame("delta", 11, [["0.5", "0"], ["0.4", "3"]], []),
        frame("delta", 12, [], [["0.6", "5"]]),
    ]
    name = f"{DAY}_XRPUSDT_ob500.data.zip"
    with serving(archive({name: packed(name.removesuffix(".zip"), "\n".join(lines) + "\n")})) as (url, log):
        run("bybit", tmp_path / "out", "--symbol", "XRPUSDT", "--type", "ob500", "--from", DAY, "--base-url", url)
    assert log[0].path == f"/orderbook/linear/XRPUSDT/{name}"
    info = import_files([tmp_path / "out" / f"bybit_{name}"], tmp_path / "tape")
    assert info.kinds == {"level_set": 4, "level_delete": 1, "snapshot_begin": 1}
    verdict = info.verdicts[0]
    assert (verdict.instrument, verdict.book, verdict.gaps) == ("XRP-USDT.perp@bybit", "good", 0)
