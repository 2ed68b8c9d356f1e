"""What ``account add`` prints to paste: each piece points at the doors alone, and runs where its client is."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import httpx
import pytest

from quotewright.cli.main import main
from quotewright_simexchange.server import opening
from quotewright_simexchange.server.serving import ServerThread
from quotewright_simexchange.server.settings import Settings

ADDRESS = re.compile(r"(?:https?|wss?)://[^/\"' ]+")
DOORS = {
    "curl": {"binance-spot", "binance-usdm"},
    "ccxt": {"binance-spot", "binance-usdm"},
    "python-binance": {"binance-spot", "binance-usdm"},
    "binance-connector": {"binance-spot"},
    "binance-sdk-spot": {"binance-spot"},
    "binance-sdk-derivatives-trading-usds-futures": {"binance-usdm"},
    "quotewright (spot)": {"binance-spot"},
    "quotewright (futures)": {"binance-usdm"},
}
RUNS = {
    "ccxt": (
        "ccxt",
        """
import asyncio

async def use():
    try:
        for symbol in ("BTC/USDT", "BTC/USDT:USDT"):
            book = await exchange.watch_order_book(symbol)
            assert book["bids"][0][0] < book["asks"][0][0]
            order = await exchange.create_order(symbol, "market", "buy", 0.01)
            order = await exchange.fetch_order(order["id"], symbol)
            assert order["status"] == "closed", order
        assert (await exchange.fetch_balance())["BTC"]["total"] > 100
    finally:
        await exchange.close()

asyncio.run(use())
""",
    ),
    "python-binance": (
        "binance.client",
        """
assert client.create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)["status"] == "FILLED"
assert client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)["orderId"]

import asyncio

async def use():
    own = await LocalAsyncClient.create(client.API_KEY, client.API_SECRET)
    sockets = LocalSockets(own)
    for stream in (sockets.depth_socket("BTCUSDT"), sockets.futures_depth_socket("BTCUSDT")):
        async with stream as told:
            assert await told.recv()
    await own.close_connection()

asyncio.run(use())
""",
    ),
    "binance-connector": (
        "binance.spot",
        'assert client.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.01)["status"] == "FILLED"\n',
    ),
    "binance-sdk-spot": (
        "binance_sdk_spot",
        'assert client.rest_api.depth(symbol="BTCUSDT").data().bids\n'
        "assert client.rest_api.get_account().data().balances\n",
    ),
    "binance-sdk-derivatives-trading-usds-futures": (
        "binance_sdk_derivatives_trading_usds_futures",
        'assert client.rest_api.order_book(symbol="BTCUSDT").data().bids\n'
        "assert client.rest_api.account_information_v3().data().assets\n",
    ),
}


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[dict[str, dict[str, str]], dict[str, str]]]:
    """The addresses of a served exchange with a market, and the snippets of an account on it."""
    with opening.opened(Settings(seed=5)) as (server, _), ServerThread(server) as thread:
        thread.call(server.control.advance, 2.0)
        balances = opening.balances_of((), server.exchange.listings)
        account = thread.call(server.control.add_account, "ann", balances)
        yield {name: dict(one) for name, one in thread.addresses().items()}, account["snippets"]


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_there_is_a_piece_for_every_client_and_each_names_its_doors_alone(told):
    addresses, snippets = told
    assert set(snippets) == set(DOORS)
    roots = {ADDRESS.match(url)[0]: door for door, one in addresses.items() for url in one.values()}
    for client, code in snippets.items():
        assert {roots[found] for found in ADDRESS.findall(code)} == DOORS[client], client


@pytest.mark.parametrize("client", [one for one in DOORS if one != "curl" and not one.startswith("quotewright")])
def test_code_is_python_that_reads_as_it_is(client, told):
    code = told[1][client]
    assert ast.parse(code).body
    assert not any(line != line.rstrip() for line in code.splitlines())


@pytest.mark.parametrize("market", ["spot", "futures"])
def test_the_tables_for_quotewright_are_a_config(market, told, tmp_path, capsys, monkeypatch):
    code = told[1][f"quotewright ({market})"]
    tables = tomllib.loads(code)
    assert tables["venues"]["main"]["market"] == {"spot": "spot", "futures": "usdm"}[market]
    names = dict(word.split("=") for word in code.splitlines()[0].split()[2:])
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "doors.toml"
    path.write_text("config_version = 1\n" + code)
    assert main(["config", "check", "examples/exchange-doors.toml", str(path)]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("client", RUNS)
def test_the_pieces_run_where_their_client_is(client, told):
    module, use = RUNS[client]
    if not is_installed(module):
        pytest.skip(reason=f"{client} is not installed: its environment in tox run -e clients has it")
    script = f"{told[1][client]}\n{use}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_first_piece_shows_both_books(told):
    for line in told[1]["curl"].splitlines():
        url = line.removeprefix('curl "').removesuffix('"')
        book = httpx.get(url, trust_env=False).json()
        assert len(book["bids"]) == len(book["asks"]) == 5


def test_with_a_certificate_the_pieces_say_what_to_trust():
    from quotewright_simexchange.dialects.binance.snippets import snippets

    door = {"rest": "https://127.0.0.1:1", "ws": "wss://127.0.0.1:1", "ws_api": "wss://127.0.0.1:1/ws-api/v3"}
    found = snippets({"binance-spot": door}, "K", "S", {"binance-spot": "BTCUSDT"})
    assert all(code.startswith("# trust what exchange serve --ca wrote") for code in found.values())
    assert "FUTURES" not in found["python-binance"]
    assert "fapi" not in found["ccxt"]


def test_futures_alone_have_pieces_of_their_own():
    from quotewright_simexchange.dialects.binance.snippets import snippets

    door = {"rest": "http://127.0.0.1:1", "ws": "ws://127.0.0.1:1", "ws_api": "ws://127.0.0.1:1/ws-fapi/v1"}
    found = snippets({"binance-usdm": door}, "K", "S", {"binance-usdm": "BTCUSDT"})
    assert set(found) == {one for one in DOORS if "binance-usdm" in DOORS[one]}
    assert '{"types": ["linear"]}' in found["ccxt"]
    assert snippets({}, "K", "S", {}) == {}
