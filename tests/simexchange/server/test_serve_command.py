"""``exchange serve`` and ``account add`` as processes: what they print, that clients can use it, how they end."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

QUOTEWRIGHT = (sys.executable, "-m", "quotewright", "exchange")


@contextmanager
def served(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``exchange serve`` and yield it with the first line it prints."""
    with subprocess.Popen(
        [*QUOTEWRIGHT, "serve", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate(timeout=60)[1]
            yield process, line
        finally:
            process.kill()


def signed(secret: str, query: str) -> str:
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_line_tells_all_that_a_client_needs(number):
    with served("--json", "--seed", "7", "--port", "0") as (process, line), httpx.Client(trust_env=False) as client:
        told = json.loads(line)
        assert set(told) == {"binance-spot", "binance-usdm", "control"}
        assert set(told["control"]) == {"url", "token"}
        for door in ("binance-spot", "binance-usdm"):
            assert set(told[door]) == {"rest", "ws", "ws_api", "api_key", "api_secret"}
        spot = told["binance-spot"]
        depth = client.get(f"{spot['rest']}/api/v3/depth", params={"symbol": "BTCUSDT", "limit": 5}).json()
        assert len(depth["bids"]) == 5
        query = signed(spot["api_secret"], f"timestamp={time.time_ns() // 1_000_000}")
        account = client.get(f"{spot['rest']}/api/v3/account?{query}", headers={"X-MBX-APIKEY": spot["api_key"]})
        assert account.status_code == 200, account.text
        assert {one["asset"] for one in account.json()["balances"]} == {"BTC", "USDT"}
        headers = {"authorization": f"Bearer {told['control']['token']}"}
        ledger = client.get(f"{told['control']['url']}/ledger", headers=headers).json()
        assert ledger["is_balanced"]
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "")
        assert "stopped; requests 2" in errors


def test_an_account_is_added_with_snippets_and_a_wrong_token_is_told():
    with served("--json", "--speed", "step", "--market", "none", "--token", "T") as (_, line):
        told = json.loads(line)
        add = [*QUOTEWRIGHT, "account", "add", "ann", "--control", told["control"]["url"], "--balance", "USDT=12.5"]
        wrong = subprocess.run([*add, "--token", "no"], capture_output=True, text=True, timeout=60, check=False)
        assert (wrong.returncode, wrong.stdout) == (4, "")
        added = subprocess.run([*add, "--token", "T"], capture_output=True, text=True, timeout=60, check=False)
        assert added.returncode == 0, added.stderr
        assert "account ann" in added.stdout
        assert "# ccxt" in added.stdout
        assert told["binance-spot"]["rest"] in added.stdout


CONFIG = """
config_version = 1

[exchange]
markets = ["agents", "scene.txt"]
seed = 7
speed = "step"
start = 2026-01-01T00:00:00Z
instruments."BTC-USDT.spot" = { price = 50000, tick = 0.5 }
instruments."ETH-USDT.spot" = {}

[exchange.accounts]
ann = { USDT = 1000.5 }
bob = {}
"""


def test_a_config_states_it_all_options_go_before_it_and_the_end_tells_of_the_script(tmp_path):
    (tmp_path / "exchange.toml").write_text(CONFIG)
    (tmp_path / "scene.txt").write_text("instrument ETHUSDT\nmaker sells 1 at 3000\nexpect bid 1")
    with served(str(tmp_path / "exchange.toml"), "--json", "--seed", "8") as (process, line):
        told = json.loads(line)
        assert set(told) == {"binance-spot", "control", "accounts"}
        assert list(told["accounts"]) == ["ann", "bob"]
        assert told["binance-spot"]["api_key"] == told["accounts"]["ann"]["api_key"]
        headers = {"authorization": f"Bearer {told['control']['token']}"}
        with httpx.Client(trust_env=False, base_url=told["control"]["url"], headers=headers) as client:
            client.post("/advance", json={"seconds": 1}).raise_for_status()
            status = client.get("/status").json()
            assert status["market_ns"] == 1_767_225_601_000_000_000
            assert status["markets"][0]["seed"] == 8
            assert client.get("/balances?account=ann").json()["USDT"][0].startswith("1000.5")
            assert 40_000 < float(client.get("/book?symbol=BTCUSDT").json()["bids"][0][0]) < 60_000
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert f"script {tmp_path / 'scene.txt'}: 2 of 2 lines done, 1 not as expected" in errors
    assert "line 3: 'expect bid 1': expected 1, came 2" in errors


CONFIGS = {
    "no version": ("[exchange]", "should begin with config_version = 1"),
    "no TOML": ("config_version =", "this is not TOML"),
    "another table": ("config_version = 1\n[exchnage]", "'exchnage' is not known here; did you mean 'exchange'?"),
    "another key": ("config_version = 1\nexchange.sped = 1", "key 'sped' is not known here; did you mean 'speed'?"),
    "no table": ("config_version = 1\nexchange.accounts = 3", "exchange.accounts should be a table, was 3"),
    "no text": ("config_version = 1\nexchange.speed = [1]", "exchange.speed should be a text or a number, was [1]"),
    "no number": ("config_version = 1\nexchange.seed = -1", "exchange.seed should be a whole number, zero or more"),
    "no port": ("config_version = 1\nexchange.port = 70000", "exchange.port should be at most 65535, was 70000"),
    "no market": ("config_version = 1\nexchange.markets = ['gone.txt']", "gone.txt': no such file or folder"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_that_is_wrong_is_told_with_exit_code_4(name, tmp_path, capsys):
    from quotewright.cli.main import main

    text, expected = CONFIGS[name]
    path = tmp_path / "exchange.toml"
    path.write_text(text)
    assert main(["exchange", "serve", str(path)]) == 4
    told = capsys.readouterr().err
    assert expected in told
    assert "gone" in text or str(path) in told


def test_a_script_that_cannot_be_read_names_file_and_line(tmp_path, capsys):
    from quotewright.cli.main import main

    path = tmp_path / "scene.txt"
    path.write_text("instrument BTCUSDT\n\nmaker sels 1 at 3000")
    assert main(["exchange", "serve", "--market", str(path)]) == 1
    told = capsys.readouterr().err
    assert f"{path}, line 3: this is not understood; did you mean 'sells'?; expected WHO buys|sells" in told
    assert told.endswith("came in 'maker sels 1 at 3000'\n")
    path.write_text("maker sells 1 DOGEUSDT at 3000")
    assert main(["exchange", "serve", "--market", str(path)]) == 4
    told = capsys.readouterr().err
    assert f"{path}, line 1: no instrument called 'DOGEUSDT' on this exchange; it lists BTCUSDT, BTCUSDT:PERP" in told


def test_a_port_that_is_taken_is_told(capsys):
    from quotewright.cli.main import main

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["exchange", "serve", "--port", port]) == 4
    assert f"127.0.0.1 port {port} cannot be listened on" in capsys.readouterr().err


def test_a_person_reads_addresses_keys_and_what_to_do_next():
    with served("--market", "none", "--speed", "step") as (process, line):
        lines = [line]
        while not lines[-1].startswith("Ctrl-C"):
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    told, lines = "".join(lines), [one.rstrip("\n") for one in lines]
    assert re.fullmatch(r"binance-spot     rest    http://127\.0\.0\.1:\d+", lines[0])
    assert [text.split()[0] for text in lines[3:7:3]] == ["binance-usdm", "control"]
    assert any(text.startswith("account trader   key     ") for text in lines)
    assert "BTCUSDT (BTC-USDT.spot@binance), BTCUSDT:PERP (BTC-USDT.perp@binance)" in told
    assert len(lines) <= 24, "it should fit a terminal"
    assert any(text.startswith('curl "http://127.0.0.1:') for text in lines)
    assert re.search(r"^quotewright exchange account add NAME --control http://\S+ --token \S+$", told, re.MULTILINE)
    assert lines[-1] == "Ctrl-C ends it."
    assert errors == "stopped; nobody came\n"


def test_two_exchanges_at_once_do_not_meet():
    with served("--json") as (_, one), served("--json", "--seed", "0") as (_, other):
        first, second = json.loads(one), json.loads(other)
    urls = {told[door]["rest"] for told in (first, second) for door in ("binance-spot", "binance-usdm")}
    assert len(urls) == 4
    assert first["control"]["token"] != second["control"]["token"]


WRONG = {
    "a token that no header carries": (["--token", "caf\u00e9"], "should be of ASCII letters"),
    "a remote host without a token": (["--host", "0.0.0.0", "--allow-remote"], "--token TOKEN; give both"),
    "a time that is none": (["--start", "soon"], "such as 2026-01-01T00:00:00Z"),
    "accounts and a balance": (["--account", "ann", "--balance", "USDT=5"], "--balance is for the account trader"),
    "another host": (["--host", "0.0.0.0"], "--allow-remote"),
    "no instrument": (["--instrument", "BTCUSDT"], "such as BTC-USDT.spot"),
    "no setting": (["--instrument", "BTC-USDT.spot,size=1"], "settings are tick"),
    "twice": (["--instrument", "BTC-USDT.spot", "--instrument", "BTC-USDT.spot"], "is there twice"),
    "no speed": (["--speed", "fast"], "max, step, or a factor"),
    "no market": (["--market", "never-made"], "should be agents"),
    "no balance": (["--balance", "USDT"], "such as USDT=1000"),
    "no file for the certificate": (["--tls"], "--ca FILE"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_served_is_told_with_exit_code_4(name, capsys):
    from quotewright.cli.main import main

    options, expected = WRONG[name]
    assert main(["exchange", "serve", *options]) == 4
    assert expected in capsys.readouterr().err
