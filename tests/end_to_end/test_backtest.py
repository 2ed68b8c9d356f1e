"""``quotewright backtest`` on generated and recorded markets, ``report``, and what both refuse."""

from __future__ import annotations

import json
import re
import shutil
import tomllib

import numpy as np
import pytest

from quotewright.tape.layout import ROW_DTYPE
from tests.end_to_end.command import EXAMPLES, quotewright
from tests.end_to_end.conftest import backtest_of
from tests.recorded import recorded


def test_a_backtest_fills_and_says_what_it_stands_on(backtested):
    ran, folder = backtested
    assert ran.code == 0, ran.err
    said = ran.json
    assert said["fills"] > 0
    assert said["tape"]["is_synthetic"]
    assert any("queue" in sentence.lower() for sentence in said["assumptions"])
    assert sorted(entry.name for entry in folder.iterdir()) == [
        "config.toml",
        "fills.csv",
        "orders.jsonl",
        "report.html",
        "samples.npz",
        "summary.json",
    ]


def test_the_same_backtest_twice_gives_the_same_orders_and_figures(backtested, tape, tmp_path):
    ran = quotewright(*backtest_of(tape), "--json", "--no-report", "--out", tmp_path / "again")
    first = backtested[0].json
    second = ran.json
    for differs in ("wall_seconds", "report"):
        first.pop(differs)
        second.pop(differs)
    assert first == second
    for name in ("orders.jsonl", "fills.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (backtested[1] / name).read_bytes()


def test_a_seed_and_a_set_key_change_what_they_say(tape, tmp_path, backtested):
    ran = quotewright(
        *backtest_of(tape), "--seed", "9", "--set", "strategies.maker.levels=1", "--json", "--out", tmp_path / "run"
    )
    assert ran.json["seed"] == 9
    assert ran.json["orders"] < backtested[0].json["orders"]
    written = tomllib.loads((tmp_path / "run" / "config.toml").read_text("utf-8"))
    assert (written["run"]["seed"], written["strategies"]["maker"]["levels"]) == (9, 1)


def test_profit_is_its_parts_and_a_passive_maker_earns_no_fortune(backtested):
    said = backtested[0].json
    (figures,) = said["instruments"].values()
    assert figures["pnl_spread"] + figures["pnl_inventory"] - figures["fees"] == said["pnl"]
    assert abs(figures["pnl_bps_of_turnover"]) < 50
    assert figures["maker_fills"] == figures["fills"]
    assert said["open_orders"] == 0


def test_backtest_and_paper_differ_only_in_name_feed_and_venue():
    one, other = (tomllib.loads((EXAMPLES / name).read_text("utf-8")) for name in ("backtest.toml", "paper.toml"))
    assert {key for key in {*one, *other} if one.get(key) != other.get(key)} == {"run", "feeds", "venues"}
    assert {key for key in {*one["run"], *other["run"]} if one["run"].get(key) != other["run"].get(key)} == {"name"}


def test_the_same_strategy_trades_on_the_local_exchange(tmp_path):
    arguments = ["--seconds", "20", "--set", "strategies.maker.volatility_window=5s", "--no-report", "--json"]
    ran = quotewright("paper", EXAMPLES / "paper.toml", *arguments, "--out", tmp_path / "run")
    assert ran.code == 0
    assert ran.json["fills"] > 0
    assert ran.json["tape"] is None


@pytest.mark.recorded
@pytest.mark.slow
def test_the_example_on_a_recorded_market_gives_sensible_figures(tmp_path):
    path = recorded("binance/usdm/btcusdt_20240808T2354_6m.jsonl.gz")
    assert quotewright("data", "import", path, tmp_path / "tape").code == 0
    arguments = ["backtest", EXAMPLES / "backtest.toml", "--data", tmp_path / "tape", "--json", "--no-report"]
    ran = quotewright(*arguments, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    said = ran.json
    (figures,) = said["instruments"].values()
    assert said["fills"] >= 20
    assert abs(figures["pnl_bps_of_turnover"]) < 20
    assert figures["book_crossings"] == 0
    assert not said["tape"]["is_synthetic"]
    assert all(count == 0 for count in said["integrity"].values())


def test_a_finished_run_is_not_overwritten(backtested, tape):
    ran = quotewright(*backtest_of(tape), "--out", backtested[1])
    assert ran.code == 4
    assert re.search(r"--out .* holds another run; name a new folder", ran.last)


def test_the_report_is_written_again_and_is_the_same(backtested, tmp_path):
    _, folder = backtested
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (copy / "report.html").unlink()
    again = quotewright("report", copy, "--json")
    assert again.code == 0
    assert again.json == {"report": str(copy / "report.html")}
    plain = [
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", (one / "report.html").read_text("utf-8")) for one in (copy, folder)
    ]
    assert plain[0] == plain[1]


def test_the_report_needs_no_network_and_shows_what_is_promised(backtested):
    page = (backtested[1] / "report.html").read_text("utf-8")
    assert not re.findall(r"<(?:script|img|iframe|link)[^>]+(?:src|href)\s*=", page)
    assert not re.findall(r"@import|url\(\s*['\"]?https?:", page)
    for title in (
        "Price, own quotes and fills",
        "Inventory",
        "Profit and where it came from",
        "Where the profit came from",
        "Spread captured, taken back, left",
        "Quote uptime",
        "Time to the first fill",
        "Drawdown",
        "Markouts",
    ):
        assert title in page, title
    for words in (
        "What this run assumes",
        "Latency model",
        "Queue model",
        "Own quotes",
        "at the touch",
        "Refused by rule",
    ):
        assert words in page, words
    for seconds in (1, 5, 30, 60):
        assert f"<td>{seconds} s</td>" in page
    assert "fills from" in page  # why there were few, if there were


REFUSED = {
    "no such tape": (
        lambda home: home / "none",
        2,
        "no market data at .*none; make a tape with: quotewright data import",
    ),
    "a folder that is no tape": (lambda home: home, 1, "data is no tape: it has no tape.json"),
    "a file of nothing known": (lambda home: write(home / "x.csv", "a,b\n1,2\n"), 1, "x.csv"),
}


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("make", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_market_data_that_cannot_be_used_is_told_in_one_line_and_leaves_no_folder(tmp_path, make, code, said):
    home = tmp_path / "data"
    home.mkdir()
    ran = quotewright("backtest", EXAMPLES / "backtest.toml", "--data", make(home), "--out", tmp_path / "run")
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert re.search(said, ran.last), ran.last
    assert len(ran.err.splitlines()) == 2
    assert not (tmp_path / "run").exists()


def test_a_tape_that_shows_a_row_before_it_happened_is_refused_by_the_driver(tape, tmp_path):
    planted = tmp_path / "tape"
    shutil.copytree(tape, planted)
    rows = np.memmap(planted / "rows.bin", ROW_DTYPE, "r+")
    rows["event_ns"][1000] = rows["receive_ns"][1000] + 1
    rows.flush()
    del rows
    about = json.loads((planted / "tape.json").read_text("utf-8"))
    ran = quotewright(*backtest_of(planted), "--out", tmp_path / "run")
    assert ran.code == 1
    assert "row 1000" in ran.last.replace(",", ""), ran.last
    assert not (tmp_path / "run").exists()
    assert about["version"] == 1


def test_a_tape_of_another_version_is_refused(tape, tmp_path):
    newer = tmp_path / "tape"
    shutil.copytree(tape, newer)
    about = json.loads((newer / "tape.json").read_text("utf-8"))
    (newer / "tape.json").write_text(json.dumps({**about, "version": 2}), encoding="utf-8")
    ran = quotewright(*backtest_of(newer), "--out", tmp_path / "run")
    assert ran.code == 1
    assert "version 2" in ran.last


def test_a_recording_can_be_given_as_it_is(tmp_path):
    path = recorded("binance/spot/multi4_20211012T0028_30s.jsonl.gz")
    ran = quotewright("backtest", EXAMPLES / "backtest.toml", "--data", path, "--out", tmp_path / "run", "--no-report")
    assert ran.code == 4
    assert "strategies.maker.instrument: name one of " in ran.last
