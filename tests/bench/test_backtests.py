"""The backtest's bench runs at a tiny size, both makers of ours trade alike, and a peer that is absent is told."""

from __future__ import annotations

import json

from bench.backtests import __main__ as bench


def test_ours_is_measured_and_an_absent_peer_has_a_row_and_an_exit_code(tmp_path, capsys):
    arguments = ["--rows", "12000", "--rounds", "1", "--data", str(tmp_path), "--json"]
    wanted = ["shipped", "plain Python", "whole command", "ladder", "jitted"]
    python = tmp_path / "absent" / "python"
    code = bench.main([*arguments, *(f"--only={word}" for word in wanted), f"--python=hftbacktest={python}"])
    rows = {row["program"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert code == 1
    assert "No such file" in rows["hftbacktest, jitted strategy"]["missing"]
    shipped, plain = rows["quotewright, shipped strategy"], rows["quotewright, plain Python strategy"]
    assert shipped["ratio"] == 1.0
    assert shipped["rows"] == plain["rows"] > 12_000
    assert plain["orders"] > 0
    assert plain["orders"] <= shipped["orders"] < 3 * plain["orders"]
    assert rows["quotewright, whole command"]["process_s"] > 0
    assert rows["ladder, in bulk"]["cpu_ns"] > 0
    bench.show(list(rows.values()))
    assert "missing: " in capsys.readouterr().out
