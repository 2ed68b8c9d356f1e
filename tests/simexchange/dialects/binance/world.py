"""A spot door on an exchange of its own, requests signed as clients do."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from quotewright.model.cards import load_card
from quotewright_simexchange.dialects.binance.auth import frame_text, sign
from quotewright_simexchange.dialects.binance.dialect import SPOT_CARD, BinanceDialect
from quotewright_simexchange.dialects.binance.parameters import text_of
from quotewright_simexchange.dialects.binance.spot import SpotDoor
from quotewright_simexchange.doors import HttpRequest, HttpResponse, Session
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import Listing
from tests.simexchange.dialects.binance.support import Wire

SECOND = 1_000_000_000
START = 1_700_000_040 * SECOND
CARD = Path(__file__).parents[4] / "plugins/quotewright_plugins/exchanges/binance/binance-spot.toml"


def listing(symbol: str = "BTCUSDT", base: str = "BTC", **settings: object) -> Listing:
    """Return a spot instrument with a tick of 0.01 and a lot of 0.00001."""
    return Listing(
        symbol=symbol,
        name=f"{base}-USDT.spot@binance",
        kind="spot",
        base=base,
        quote="USDT",
        settle="USDT",
        settings={
            "kind": "spot",
            "tick": "0.01",
            "lot": "0.00001",
            "min_notional": "5",
            "base": base,
            "quote": "USDT",
            "maker_fee": "0.001",
            "taker_fee": "0.001",
            "fee_mode": "received",
            **settings,
        },
        price_decimals=2,
        size_decimals=5,
    )


class World:
    """A spot door on an exchange with two rich accounts, *me* and *other*, each with a key of its name."""

    def __init__(self) -> None:
        self.exchange = Exchange([listing(), listing("ETHUSDT", "ETH")], start_ns=START)
        for name in ("me", "other"):
            self.exchange.open_account(name, {"BTC": Decimal(100), "ETH": Decimal(100), "USDT": Decimal(10_000_000)})
            self.exchange.add_key(name, f"{name}-key", f"{name}-secret")
        self.dialect = BinanceDialect(self.exchange, {SPOT_CARD: load_card(CARD)})
        door = self.dialect.doors()["binance-spot"]
        assert isinstance(door, SpotDoor)
        self.door = door
        self.now_ns = START

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on."""
        self.now_ns += round(seconds * SECOND)
        self.exchange.advance(self.now_ns)

    def ask(self, verb: str, path: str, query: str = "", body: str = "", **headers: str) -> HttpResponse:
        """Send a request as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.door.http(HttpRequest(verb, path, query.encode(), body.encode(), named), self.now_ns)

    def sent(
        self, verb: str, path: str, text: str = "", *, name: str = "me", in_body: bool = False, status: int = 200
    ) -> Any:
        """Send a signed request of *name* and return its JSON, which must come with *status*."""
        text = f"{text}&timestamp={self.now_ns // 1_000_000}".lstrip("&")
        text += f"&signature={sign(f'{name}-secret', text.encode())}"
        query, body = ("", text) if in_body else (text, "")
        answer = self.ask(verb, path, query, body, x_mbx_apikey=f"{name}-key")
        assert answer.status == status, answer
        return json.loads(answer.body)

    def got(self, path: str, query: str = "", status: int = 200) -> Any:
        """Ask for market data and return its JSON."""
        answer = self.ask("GET", path, query)
        assert answer.status == status, answer
        return json.loads(answer.body)

    def limit(
        self, side: str, price: str, quantity: str, *, name: str = "me", symbol: str = "BTCUSDT", more: str = ""
    ) -> Any:
        """Place a limit order over REST."""
        text = f"symbol={symbol}&side={side}&type=LIMIT&timeInForce=GTC&price={price}&quantity={quantity}{more}"
        return self.sent("POST", "/api/v3/order", text, name=name)

    def connected(self, path: str, query: str = "") -> tuple[Session, Wire]:
        """Open a WebSocket connection."""
        wire = Wire()
        session = self.door.connect(path, query.encode(), {}, "127.0.0.1", wire, self.now_ns)
        assert isinstance(session, Session), session
        return session, wire

    def framed(self, session: Session, wire: Wire, method: str, *, name: str = "me", **params: Any) -> Any:
        """Send a signed request of the WebSocket API and return its answer, the last frame."""
        params |= {"apiKey": f"{name}-key", "timestamp": self.now_ns // 1_000_000}
        text = frame_text({key: text_of(value) for key, value in params.items()})
        params["signature"] = sign(f"{name}-secret", text)
        session.heard(json.dumps({"id": "1", "method": method, "params": params}).encode(), self.now_ns)
        return wire.last()
