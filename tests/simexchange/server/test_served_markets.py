"""What stands behind a served door: tapes, scripts, several markets, accounts, instruments, and the clock's start."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import attrs
import httpx
import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BID, LEVEL_DELETE, LEVEL_SET, SELL, SNAPSHOT_BEGIN, TRADE
from quotewright.tape.importing import import_file
from quotewright.tape.tape import TapeFile
from quotewright_simexchange.local import LocalExchange
from quotewright_simexchange.record import record_market
from quotewright_simexchange.server import opening
from quotewright_simexchange.server.serving import Server
from quotewright_simexchange.server.settings import Settings, read_settings
from tests.recorded import recorded

SECOND = 1_000_000_000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tapes") / "made"
    record_market(path, LocalExchange(), 11, 20.0)
    return path


@attrs.frozen
class Served:
    """A server that is listening, and what a client and its owner ask it."""

    server: Server
    keys: dict[str, Any]
    client: httpx.AsyncClient

    def root(self, door: str = "binance-spot") -> str:
        return self.server.addresses()[door]["rest"]

    async def advance(self, seconds: float) -> None:
        answer = await self.client.post(
            f"{self.server.control_url}/advance",
            json={"seconds": seconds},
            headers={"authorization": f"Bearer {self.server.token}"},
        )
        assert answer.status_code == 200, answer.text

    async def book(self, symbol: str = "BTCUSDT", door: str = "binance-spot") -> dict[tuple[str, Decimal], Decimal]:
        path = "/api/v3/depth?limit=5000" if door == "binance-spot" else "/fapi/v1/depth?limit=1000"
        told = (await self.client.get(f"{self.root(door)}{path}&symbol={symbol}")).json()
        found = {("bid", Decimal(price)): Decimal(size) for price, size in told["bids"]}
        return found | {("offer", Decimal(price)): Decimal(size) for price, size in told["asks"]}

    async def signed(self, method: str, path: str, account: str = "trader", **parameters: object) -> Any:
        key = self.keys[account]
        query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
        query += f"&signature={hmac.new(key['api_secret'].encode(), query.encode(), hashlib.sha256).hexdigest()}"
        url = f"{self.root()}{path}?{query}"
        answer = await self.client.request(method, url, headers={"X-MBX-APIKEY": key["api_key"]})
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Served]:
    with opening.opened(Settings(**{"speed": "step", **settings})) as (server, keys):
        async with server, httpx.AsyncClient(trust_env=False) as client:
            yield Served(server, keys, client)


def served(work: Callable[[Served], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with serving(**settings) as found:
            await work(found)

    asyncio.run(run())


class Told:
    """A tape's book and prints, read from its rows by themselves: what stood there at a time since its first event."""

    def __init__(self, path: Path, wanted: int = 0) -> None:
        self.rows: list[tuple[int, int, int, Decimal, Decimal]] = []
        with TapeFile.open(path) as tape:
            instrument = tape.instruments[wanted]
            words = tape.rows.words
            first = words[tape.event_order[0] * 6]
            for number in tape.event_order:
                event_ns, _, price, size, _, word = words[number * 6 : number * 6 + 6]
                if word >> 32 != wanted:
                    continue
                kind, side = word & 255, word >> 8 & 255
                at = (event_ns - first, kind, side)
                self.rows.append((*at, instrument.price_from_steps(price), instrument.size_from_steps(size)))

    def book(self, until_ns: int) -> dict[tuple[str, Decimal], Decimal]:
        found: dict[tuple[str, Decimal], Decimal] = {}
        for at_ns, kind, side, price, size in self.rows:
            if at_ns > until_ns:
                break
            place = ("bid" if side == BID else "offer", price)
            if kind == SNAPSHOT_BEGIN:
                found.clear()
            elif kind == LEVEL_SET:
                found[place] = size
            elif kind == LEVEL_DELETE:
                found.pop(place, None)
        return found

    def sold(self, from_ns: int, until_ns: int, price: Decimal) -> Decimal:
        """Return what sellers sold at *price* or below."""
        rows = (row for row in self.rows if from_ns < row[0] <= until_ns)
        return sum(
            (size for _, kind, side, at, size in rows if kind == TRADE and side == SELL and at <= price), Decimal(0)
        )


def test_a_served_tape_shows_its_book_at_each_time(tape: Path):
    told = Told(tape)

    async def work(found: Served) -> None:
        for step in range(1, 16):
            await found.advance(0.7)
            assert await found.book() == told.book(step * 700_000_000)
        trades = (await found.client.get(f"{found.root()}/api/v3/trades?symbol=BTCUSDT")).json()
        assert trades
        markets = found.server.control.status()["markets"]
        assert markets[0]["symbols"]["BTCUSDT"]["book"] == "good"

    served(work, markets=(str(tape),))


def test_an_own_order_queues_behind_a_served_tape_and_takes_from_it(tape: Path):
    told = Told(tape)

    async def work(found: Served) -> None:
        await found.advance(1.0)
        now_ns = SECOND
        book = await found.book()
        best = max(price for side, price in book if side == "bid")
        terms = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "newClientOrderId": "mine"}
        await found.signed("POST", "/api/v3/order", type="LIMIT", timeInForce="GTC", price=str(best), **terms)
        assert (await found.book())["bid", best] == book["bid", best] + Decimal("0.001")
        filled_ns = 0
        while not filled_ns and now_ns < 19 * SECOND:
            await found.advance(0.1)
            now_ns += SECOND // 10
            order = await found.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")
            if order["status"] != "NEW":
                filled_ns = now_ns
            elif told.book(now_ns).get(("bid", best), Decimal(0)) == book["bid", best]:
                # Nothing has come and gone at the price: everything that stood in front of us still does.
                assert told.sold(SECOND, now_ns, best) < book["bid", best]
        assert filled_ns, "20 s of this tape sell through the best bid of its first second"
        assert told.sold(SECOND, filled_ns, best) > 0
        # Taking: the levels that we took are gone until the tape tells them again.
        book = await found.book()
        offers = sorted((price, size) for (side, price), size in book.items() if side == "offer")
        wanted = offers[0][1] + offers[1][1] / 2
        wanted -= wanted % Decimal("0.00001")
        bought = await found.signed(
            "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=str(wanted)
        )
        assert bought["status"] == "FILLED"
        left = await found.book()
        assert ("offer", offers[0][0]) not in left
        assert left["offer", offers[1][0]] == offers[0][1] + offers[1][1] - wanted
        assert found.server.control.ledger()["is_balanced"]

    served(work, markets=(str(tape),))


def top(book: dict[tuple[str, Decimal], Decimal]) -> dict[tuple[str, Decimal], Decimal]:
    """Return the best levels of *book*, as many a side as every door shows."""
    bids, offers = (sorted(place for place in book if place[0] == side) for side in ("bid", "offer"))
    return {place: book[place] for place in (*bids[-1000:], *offers[:1000])}


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "seconds"), [("binance/spot/multi4_20211012T0028_30s", 15), ("binance/usdm/btcusdt_20240808T2354_6m", 3)]
)
def test_a_recorded_tape_is_served_as_its_book(name: str, seconds: int, tmp_path: Path):
    path = tmp_path / "tape"
    with gzip.open(recorded(f"{name}.jsonl.gz")) as file:
        (tmp_path / "beginning.jsonl").write_bytes(b"".join(islice(file, 2000)))
    import_file(tmp_path / "beginning.jsonl", path)
    door = f"binance-{name.split('/')[1]}"
    with TapeFile.open(path) as opened:
        symbols = {number: one.symbol for number, one in enumerate(opened.instruments)}

    async def work(found: Served) -> None:
        seen = 0
        for step in range(1, 4):
            await found.advance(seconds / 3)
            for number, symbol in symbols.items():
                book = top(Told(path, number).book(step * seconds * SECOND // 3))
                assert await found.book(symbol, door) == book
                seen += len(book)
        assert seen > 500

    served(work, markets=(str(path),))


SCENE = """
instrument BTCUSDT
at 1s maker sells 2 at 60010 as m1
at 2s halts
      maker sells 1 at 60000
"""


def test_a_served_script_trades_at_its_times_and_its_failures_are_told(tmp_path: Path):
    path = tmp_path / "scene.txt"
    path.write_text(SCENE)

    async def work(found: Served) -> None:
        assert await found.book() == {}
        await found.advance(1.5)
        assert await found.book() == {("offer", Decimal(60010)): Decimal(2)}
        await found.advance(1.0)
        told = found.server.control.status()
        assert told["instruments"]["BTCUSDT"] == "halt"
        (market,) = told["markets"]
        assert (market["done"], market["steps"]) == (3, 3)
        assert f"{path}, line 5: 'maker sells 1 at 60000' was refused" in market["refused"][0]

    served(work, markets=(str(path),))


def test_markets_stand_together_on_one_exchange(tmp_path: Path, tape: Path):
    path = tmp_path / "scene.txt"
    path.write_text("instrument ETHUSDT\nmaker sells 2 at 3001")

    async def work(found: Served) -> None:
        await found.advance(2.0)
        assert len(await found.book()) > 10
        assert ("offer", Decimal(3001)) in await found.book("ETHUSDT")

    served(work, markets=("agents", str(path)), instruments=("BTC-USDT.spot", "ETH-USDT.spot"))


def test_several_accounts_have_keys_and_balances_of_their_own():
    async def work(found: Served) -> None:
        assert list(found.keys) == ["ann", "bob"]
        ann = await found.signed("GET", "/api/v3/account", "ann", omitZeroBalances="true")
        assert [(one["asset"], Decimal(one["free"])) for one in ann["balances"]] == [("USDT", Decimal("12.5"))]
        bob = await found.signed("GET", "/api/v3/account", "bob")
        assert {one["asset"] for one in bob["balances"]} == {"BTC", "USDT"}

    served(work, markets=("none",), accounts=("ann,USDT=12.5", "bob"))


def session(seed: int) -> tuple[list[bytes], str]:
    """Return what a session told its client byte for byte, and the exchange's state at its end."""
    told: list[bytes] = []

    async def work(found: Served) -> None:
        for number in range(6):
            await found.advance(0.5)
            terms = {"symbol": "BTCUSDT", "side": "BUY" if number % 2 else "SELL", "newClientOrderId": f"n{number}"}
            await found.signed("POST", "/api/v3/order", type="MARKET", quantity="0.01", **terms)
            for path in ("depth?symbol=BTCUSDT", "trades?symbol=BTCUSDT", "klines?symbol=BTCUSDT&interval=1s"):
                told.append((await found.client.get(f"{found.root()}/api/v3/{path}")).content)
            for path in ("/api/v3/allOrders", "/api/v3/myTrades"):
                told.append(json.dumps(await found.signed("GET", path, symbol="BTCUSDT")).encode())
        told.append(found.keys["trader"]["api_key"].encode())
        states.append(found.server.exchange.state_hash())

    states: list[str] = []
    served(work, start="2026-01-01T00:00:00Z", seed=seed)
    return told, states[0]


def test_a_stepped_session_with_a_start_repeats_byte_for_byte():
    first, again, other = session(7), session(7), session(8)
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert b'"time":17672256' in first[0][1]


def test_the_documented_config_is_served(tmp_path: Path):
    page = (ROOT / "docs" / "exchange-server.md").read_text(encoding="utf-8")
    (tmp_path / "exchange.toml").write_text(page.split("```text\n# exchange.toml\n")[1].partition("```")[0])

    async def work(found: Served) -> None:
        assert list(found.keys) == ["ann", "bob"]
        assert list(found.server.addresses()) == ["binance-spot", "binance-usdm"]
        assert found.server.exchange.now_ns == 1_767_225_600 * SECOND
        told = (await found.client.get(f"{found.root('binance-usdm')}/fapi/v1/exchangeInfo")).json()
        assert [one["symbol"] for one in told["symbols"]] == ["ETHUSDT"]

    served(work, **read_settings(tmp_path / "exchange.toml") | {"speed": "step"})


WRONG = {
    "a tape and a symbol it has not": ({"markets": ("TAPE",), "instruments": ("ETH-USDT.spot",)}, "none of which is"),
    "two tapes": ({"markets": ("TAPE", "TAPE")}, "one tape at a time"),
    "no tape to begin with": ({"start": "tape"}, "for a market that is a tape"),
    "no time": ({"start": "yesterday"}, "such as 2026-01-01T00:00:00Z"),
    "a time before all": ({"start": "1960-01-01"}, "from 1970"),
    "no account": ({"accounts": ("USDT=5",)}, "such as ann"),
    "no market": ({"markets": ("agents", "nowhere.txt")}, "no such file or folder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_opened_is_told(name: str, tape: Path):
    settings, says = WRONG[name]
    given = {key: tuple(str(tape) if one == "TAPE" else one for one in value) if key == "markets" else value
             for key, value in settings.items()}  # fmt: skip
    with pytest.raises(ConfigError, match=says), opening.opened(Settings(**given)):
        pass


def test_a_tape_may_begin_at_its_own_time(tape: Path):
    async def work(found: Served) -> None:
        with TapeFile.open(tape) as opened:
            assert found.server.exchange.now_ns == opening.begin_of_tape(opened)

    served(work, markets=(str(tape),), start="tape")
