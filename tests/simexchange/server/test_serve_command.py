"""``exchange serve`` and ``account add`` as processes: what they print, that clients can use it, how they end."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
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


WRONG = {
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
