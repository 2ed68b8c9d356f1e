"""The control plane over HTTP: who is let in, what is understood, what is answered; and how the market is paced."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from quotewright.errors import ConfigError
from quotewright_simexchange.exchange.command_log import LoggedCall
from quotewright_simexchange.exchange.records import Listing, OrderRequest, Refused
from quotewright_simexchange.server.pacing import LONGEST_NS, SLICE_NS, Pacer, speed_of
from quotewright_simexchange.server.serving import Server
from tests.simexchange.server.lines import LineDoor, Lines, Market

TOKEN = "the-token-of-this-test"
SPOT = Listing(
    symbol="BTCUSDT",
    name="BTC-USDT.spot@lines",
    kind="spot",
    base="BTC",
    quote="USDT",
    settle="USDT",
    settings={"tick": "0.01", "lot": "0.001"},
    price_decimals=2,
    size_decimals=3,
)


class Ledger(Market):
    """Accounts and what was asked of them; orders are noted and refused."""

    def __init__(self) -> None:
        super().__init__()
        self.listings = {"BTCUSDT": SPOT}
        self.asked: list[OrderRequest] = []
        self.log = [LoggedCall(0, "open_account", {}), LoggedCall(1, "add_key", {"account": "ann", "secret": "s"})]
        self.phases = {"BTCUSDT": "trading"}

    def open_account(self, name: str, balances: dict[str, Decimal]) -> None:
        self.accounts[name] = {currency: (amount, Decimal(0)) for currency, amount in balances.items()}

    def add_key(self, account: str, passphrase: str, rights: tuple[str, ...]) -> Any:
        key = SimpleNamespace(key=f"key-{len(self.keys)}", secret="secret", account=account, is_enabled=True)
        self.keys[key.key] = key
        return key

    def enable_key(self, key: str, is_enabled: bool) -> None:
        self.keys[key].is_enabled = is_enabled

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        return self.accounts[account]

    def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        free, locked = self.accounts[account].get(currency, (Decimal(0), Decimal(0)))
        self.accounts[account][currency] = (free + amount, locked)

    def book(self, symbol: str, levels: int = -1) -> Any:
        return SimpleNamespace(bids=[], offers=[(Decimal(200), Decimal(1))])

    def place(self, account: str, request: OrderRequest) -> Refused:
        self.asked.append(request)
        return Refused(reason="halted", text="as the test has it")

    def phase(self, symbol: str) -> str:
        return self.phases[symbol]

    def set_phase(self, symbol: str, phase: str) -> None:
        self.phases[symbol] = phase

    def ledger_sums(self) -> dict[str, Decimal]:
        return {"USDT": Decimal("0.00")}


class Desk:
    """A client of the control plane."""

    def __init__(self, server: Server, client: httpx.AsyncClient, market: Ledger) -> None:
        self.server, self.client, self.market = server, client, market

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        given = {"authorization": f"Bearer {TOKEN}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("content-type", "application/json")
        answer = await self.client.request(method, self.server.control_url + path, content=content, headers=given)
        return answer.status_code, answer.json()


@contextlib.asynccontextmanager
async def desk(**more: Any) -> AsyncIterator[Desk]:
    market = Ledger()
    server = Server(market, [Lines(market, {}, LineDoor())], **{"speed": "step", "token": TOKEN, **more})
    async with asyncio.timeout(20), server, httpx.AsyncClient(trust_env=False) as client:
        yield Desk(server, client, market)


REFUSED = {  #              status, headers that differ
    "no token":             (401, {"authorization": ""}),
    "another token":        (401, {"authorization": "Bearer the-token-of-this-tesT"}),
    "another scheme":       (401, {"authorization": f"Basic {TOKEN}"}),
    "a rebound name":       (403, {"host": "evil.example"}),
    "another port":         (403, {"host": "127.0.0.1:1"}),
    "no port":              (403, {"host": "127.0.0.1"}),
    "a name with a user":   (403, {"host": "x@127.0.0.1:1"}),
    "another site":         (403, {"origin": "http://evil.example"}),
    "no site":              (403, {"origin": "null"}),
    "a form":               (415, {"content_type": "text/plain"}),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_who_is_not_let_in(name):
    status, headers = REFUSED[name]

    async def run() -> None:
        async with desk() as one:
            got, told = await one.ask("POST", "/add_account", {"name": "a"}, **headers)
            assert (got, list(told)) == (status, ["error"])
            assert one.market.accounts == {}

    asyncio.run(run())


def test_the_own_origin_and_the_name_localhost_are_let_in():
    async def run() -> None:
        async with desk() as one:
            port = one.server.control_url.rpartition(":")[2]
            own = f"localhost:{port}"
            assert (await one.ask("GET", "/ledger", host=own, origin=f"http://{own}"))[0] == 200
            assert (await one.ask("GET", "/ledger", origin=f"http://{own}"))[0] == 403, "Origin and Host differ"

    asyncio.run(run())


def test_a_websocket_and_a_large_body_are_refused():
    async def run() -> None:
        async with desk() as one:
            upgrade = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}
            key = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
            answer = await one.client.get(one.server.control_url + "/", headers={**upgrade, **key})
            assert answer.status_code == 404
            assert (await one.ask("POST", "/place", b" " * (2 << 20)))[0] == 413

    asyncio.run(run())


def test_an_account_is_opened_with_a_key_and_snippets():
    async def run() -> None:
        async with desk() as one:
            status, told = await one.ask("POST", "/add_account", {"name": "ann", "balances": {"USDT": "12.50"}})
            rest = one.server.addresses()["lines"]["rest"]
            assert status == 200
            assert told["api_key"] == "key-0"
            assert told["doors"]["lines"]["rest"] == rest
            assert told["snippets"] == {"curl": f"curl {rest} -H 'key: key-0'"}
            assert await one.ask("GET", "/balances?account=ann") == (200, {"USDT": ["12.50", "0"]})
            assert (await one.ask("POST", "/deposit", {"account": "ann", "currency": "USDT", "amount": 0.1}))[1] == {
                "USDT": ["12.60", "0"]
            }
            status, told = await one.ask("POST", "/add_account", {"name": "ann"})
            assert (status, told["error"][:15]) == (400, "account 'ann' i")
            await one.ask("POST", "/enable_key", {"key": "key-0", "is_enabled": False})
            assert not one.market.keys["key-0"].is_enabled

    asyncio.run(run())


WRONG = {
    "unknown command":   (404, "POST", "/explode", {}),
    "a query by POST":   (405, "POST", "/ledger", {}),
    "a command by GET":  (405, "GET", "/heal", None),
    "missing argument":  (400, "POST", "/deposit", {"account": "a"}),
    "unknown argument":  (400, "POST", "/heal", {"x": 1}),
    "no JSON":           (400, "POST", "/heal", b"{"),
    "no number":         (400, "POST", "/deposit", {"account": "a", "currency": "USDT", "amount": "much"}),
    "not finite":        (400, "POST", "/deposit", {"account": "a", "currency": "USDT", "amount": "NaN"}),
    "unknown account":   (404, "GET", "/balances?account=nobody", None),
    "unknown symbol":    (404, "GET", "/book?symbol=NONE", None),
    "unknown fault":     (400, "POST", "/inject", {"kind": "fire"}),
    "unknown door":      (404, "POST", "/inject", {"kind": "drop", "door": "elsewhere"}),
    "unknown rule":      (404, "POST", "/forget", {"number": 9}),
    "a clock backwards": (400, "POST", "/advance", {"seconds": -1}),
    "unknown speed":     (400, "POST", "/set_speed", {"speed": "fast"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_told_in_a_sentence(name):
    status, method, path, body = WRONG[name]

    async def run() -> None:
        async with desk() as one:
            got, told = await one.ask(method, path, body)
            assert got == status
            assert len(told["error"]) > 10
            assert one.server.counts()["errors"] == 0

    asyncio.run(run())


def test_orders_from_outside_are_provided_for_and_their_refusal_is_told():
    async def run() -> None:
        async with desk() as one:
            body = {"symbol": "BTCUSDT", "side": "buy", "quantity": "2", "price": "100.5"}
            assert await one.ask("POST", "/place", body) == (
                200,
                {"refused": "halted", "text": "as the test has it"},
            )
            request = one.market.asked[0]
            assert (request.side, request.quantity, request.price) == ("buy", Decimal(2), Decimal("100.5"))
            assert one.market.balances("outside")["USDT"][0] >= 2 * 200

    asyncio.run(run())


def test_clocks_phases_and_the_log():
    async def run() -> None:
        async with desk() as one:
            assert (await one.ask("POST", "/advance", {"seconds": 1.5}))[1] == {"market_ns": 1_500_000_000}
            halted = {"symbol": "BTCUSDT", "phase": "halt"}
            assert await one.ask("POST", "/set_phase", halted) == (200, halted)
            assert (await one.ask("GET", "/log?start=1"))[1] == {
                "count": 2,
                "entries": [{"at_ns": 1, "call": "add_key", "values": {"account": "ann", "secret": "***"}}],
            }
            assert (await one.ask("GET", "/ledger"))[1] == {"sums": {"USDT": "0.00"}, "is_balanced": True}
            before = one.server.now_ns()
            assert (await one.ask("POST", "/set_door_clock", {"offset_seconds": 60}))[1]["door_ns"] >= before + 60e9
            status = (await one.ask("GET", "/status"))[1]
            assert (status["market_ns"], status["speed"]) == (1_500_000_000, "step")
            assert status["instruments"] == {"BTCUSDT": "halt"}

    asyncio.run(run())


def test_faults_are_injected_counted_and_healed_over_http():
    async def run() -> None:
        async with desk() as one:
            rest = one.server.addresses()["lines"]["rest"]
            told = (await one.ask("POST", "/inject", {"kind": "5xx", "status": 502, "times": 2}))[1]
            assert told == {"number": 1, "struck": 0}
            assert (await one.client.get(rest)).status_code == 502
            faults = (await one.ask("GET", "/faults"))[1]
            assert (faults["counts"]["5xx"], faults["rules"][0]["times"]) == (1, 1)
            assert (await one.ask("POST", "/forget", {"number": 1}))[0] == 200
            await one.ask("POST", "/inject", {"kind": "outage", "delay_ms": 60_000})
            with pytest.raises(httpx.RemoteProtocolError):
                await one.client.get(rest)
            assert (await one.ask("POST", "/heal", {}))[1]["counts"]["outage"] == 1
            assert (await one.client.get(rest)).status_code == 200

    asyncio.run(run())


SPEEDS = {"1": 1.0, "20x": 20.0, "0.5": 0.5, "max": "max", "step": "step"}


@pytest.mark.parametrize("text", SPEEDS)
def test_a_speed(text):
    assert speed_of(text) == SPEEDS[text]


@pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf", "1e9"])
def test_what_is_no_speed(text):
    with pytest.raises(ConfigError, match="should be max, step, or a factor"):
        speed_of(text)


def test_a_paced_market_follows_the_wall_and_skips_what_is_too_long():
    market = Market()
    pacer = Pacer(market, 2.0)
    pacer.catch_up(10_000_000)
    assert market.now_ns == 20_000_000
    pacer.catch_up(9_000_000)
    assert market.now_ns == 20_000_000, "never back"
    pacer.catch_up(10_000_000 + LONGEST_NS + 5)
    assert market.now_ns == 20_000_000 + 2 * LONGEST_NS
    assert pacer.skipped_ns == 5
    pacer.is_paused = True
    pacer.catch_up(10**12)
    pacer.is_paused = False
    pacer.catch_up(10**12 + 1_000)
    assert market.now_ns == 20_000_000 + 2 * LONGEST_NS + 2_000, "a pause is not caught up with"


def test_as_fast_as_possible_runs_in_slices_until_its_time_is_up():
    market = Market()
    wall = iter([0, 1_000_000, 4_000_000, 5_000_000])
    Pacer(market, "max").turn(lambda: next(wall))
    assert market.now_ns == 3 * SLICE_NS
