"""A client of the futures door that signs as clients do."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import quotewright_plugins
from quotewright.model.cards import load_card
from quotewright_simexchange.dialects.binance.auth import sign
from quotewright_simexchange.dialects.binance.usdm_door import UsdmDoor
from quotewright_simexchange.doors import HttpRequest, HttpResponse, Session
from tests.simexchange.dialects.binance.handmade import START_NS, Handmade
from tests.simexchange.dialects.binance.support import Wire

CARD = Path(quotewright_plugins.__path__[0]) / "exchanges" / "binance" / "binance-usdm.toml"
KEY, SECRET = "binance-demo-key", "binance-demo-secret"


class Client:
    """A door on a handmade exchange and one account with a key."""

    def __init__(self) -> None:
        self.exchange = Handmade()
        self.exchange.keys[KEY] = SimpleNamespace(
            key=KEY, secret=SECRET, account="alice", rights=("read", "trade"), is_enabled=True
        )
        self.door = UsdmDoor(self.exchange, load_card(CARD))  # type: ignore[arg-type]
        self.now_ns = START_NS
        self.skew_ns = 0
        """How far the client's own clock is ahead."""

    def send(self, verb: str, path: str, *, in_body: bool = False, signed: bool = True, **values: Any) -> HttpResponse:
        """Send a request, signed over the text as it is sent."""
        if signed:
            values["timestamp"] = (self.now_ns + self.skew_ns) // 1_000_000
        text = urlencode(values)
        if signed:
            text += f"&signature={sign(SECRET, text.encode())}"
        query, body = ("", text) if in_body else (text, "")
        request = HttpRequest(verb, f"/fapi/{path}", query.encode(), body.encode(), {"x-mbx-apikey": KEY})
        return self.door.http(request, self.now_ns)

    def ask(self, verb: str, path: str, **values: Any) -> Any:
        """Return the answer's JSON, which must be a success."""
        answer = self.send(verb, path, **values)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def fail(self, verb: str, path: str, **values: Any) -> tuple[int, int, str]:
        """Return HTTP status, code and text of a request that must fail."""
        answer = self.send(verb, path, **values)
        body = json.loads(answer.body)
        return answer.status, body["code"], body["msg"]

    def limit(self, **values: Any) -> dict[str, Any]:
        """Return the parameters of a limit order, with *values* in place of the usual ones."""
        usual = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        return {
            key: value
            for key, value in {**usual, "quantity": "0.01", "price": "40000.0", **values}.items()
            if value is not None
        }

    def connect(self, path: str, query: str = "") -> tuple[Session, Wire]:
        wire = Wire()
        session = self.door.connect(path, query.encode(), {}, "127.0.0.1", wire, self.now_ns)
        assert isinstance(session, Session), session
        return session, wire

    def advance(self, ms: int) -> None:
        """Let market time pass."""
        self.exchange.advance(self.exchange.now_ns + ms * 1_000_000)
