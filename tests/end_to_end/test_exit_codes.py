"""How a command ends tells a script what happened; what it says tells a person."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.command import EXAMPLES, quotewright

PAPER = ["paper", EXAMPLES / "paper.toml"]
BACKTEST = ["backtest", EXAMPLES / "backtest.toml"]

ENDS = {  #                        command                                          code  last line
    "no command of this name":     (["backtset"], 64, r"No such command 'backtset'"),
    "no config":                   (["paper"], 64, r"Missing argument 'CONFIG\.\.\.'"),
    "no data":                     (BACKTEST, 64, r"Missing option '--data'"),
    "no time":                     ([*PAPER, "--seconds", "0"], 64, r"0\.0 is not in the range"),
    "no such speed":               ([*PAPER, "--speed", "fast"], 64, r"--speed should be real, max, or a factor"),
    "no end":                      ([*PAPER, "--speed", "max"], 4, r"--speed max needs an end: give --seconds"),
    "no such run":                 (["report", "nowhere"], 2, r"no finished run in nowhere: it has no summary\.json"),
    "no such tape":                ([*BACKTEST, "--data", "nowhere"], 2, r"no market data at nowhere; make a tape"),
    "no such tape to look into":   (["data", "inspect", "nowhere"], 2, r"no tape at nowhere; make one with"),
    "no such recording":           (["data", "import", "nowhere", "tape"], 2, r"no file at nowhere"),
    "no such plugin":              (["plugins", "why", "nowhere"], 2, r"nothing called 'nowhere' was found"),
    "half a setting":              ([*PAPER, "--set", "run"], 4, r"--set should be table\.key=value, was 'run'"),
    "a config of the other verb":  (["paper", BACKTEST[1], "--seconds", "1"], 4, r"run a tape with: quotewright"),
    "a file for a folder":         ([*PAPER, "--out", PAPER[1]], 4, r"should be a folder, is a file"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "said"), ENDS.values(), ids=ENDS)
def test_a_command_that_cannot_begin_says_why_and_leaves_nothing(tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    ran = quotewright(*arguments)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert re.search(said, ran.last), ran.last
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
