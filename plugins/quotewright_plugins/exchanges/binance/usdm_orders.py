"""Orders on Binance USD-M futures: private events by listen key, orders over a line of their own or over REST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quotewright.execution import Amending, BalanceSeen, Line, Login, LoginRule, Message, Placing, PositionSeen, Told
from quotewright.live.deadman import BINANCE_FUTURES
from quotewright.wire import Request
from quotewright_plugins.exchanges.binance import order_messages as messages
from quotewright_plugins.exchanges.binance.order_errors import MILLISECOND, SECOND
from quotewright_plugins.exchanges.binance.order_wire import KEEP_ALIVE, SIDE_WORDS, TIFS, BinanceOrders

USER = "user"
ENTRY = "entry"
MINUTE = 60 * SECOND


class BinanceUsdmOrders(BinanceOrders):
    """USD-M futures of an account in one-way mode.

    Balances are those of the wallets; what margin ties up of them is not told by the stream, so it is never counted as
    locked. Positions that are flat are not told over REST.
    """

    market = "usdm"
    api = "/fapi/v1"
    fills_path = "userTrades"
    entry_line = ENTRY
    login_rule = LoginRule(life_ns=60 * MINUTE, renew_ns=30 * MINUTE)
    dead_man = BINANCE_FUTURES

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._readers |= {
            "cancel_all": self._read_all_canceled,
            "renew": self._read_renewed,
            "countdown": self._read_countdown,
        }

    def lines(self) -> tuple[Line, ...]:
        user = Line(name=USER, needs_login=True, keep_alive=KEEP_ALIVE)
        if self.entry == "rest":
            return (user,)
        return (user, Line(name=ENTRY, is_private=False, is_entry=True, keep_alive=KEEP_ALIVE))

    def url(self, line: str, token: str) -> str:
        if line == ENTRY:
            return self.addresses.ws_api
        return f"{self.addresses.websocket}/private/ws?listenKey={token}"

    def place(self, order: Placing, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        params: list[tuple[str, object]] = [("symbol", order.symbol), ("side", SIDE_WORDS[order.side])]
        if not order.price:
            params.append(("type", "MARKET"))
        else:
            life = "GTX" if order.post_only else TIFS[order.time_in_force]
            params += [("type", "LIMIT"), ("timeInForce", life), ("price", order.price)]
        params.append(("quantity", order.quantity))
        if order.reduce_only:
            params.append(("reduceOnly", "true"))
        params += [("newClientOrderId", order.client_id), ("newOrderRespType", "RESULT")]
        return self._write("POST", "order", "order.place", params, stamp_ns, number, 0, by_rest)

    def amend(self, order: Amending, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message | None:
        params = [
            ("symbol", order.symbol),
            ("origClientOrderId", order.client_id),
            ("side", SIDE_WORDS[order.side]),
            ("quantity", order.quantity),
            ("price", order.price),
        ]
        return self._write("PUT", "order", "order.modify", params, stamp_ns, number, 0, by_rest)

    def cancel(self, symbol: str, client_id: str, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        params = [("symbol", symbol), ("origClientOrderId", client_id)]
        return self._write("DELETE", "order", "order.cancel", params, stamp_ns, number, 1, by_rest)

    def cancel_all(self, symbol: str, stamp_ns: int) -> Request:
        return self._signed("DELETE", f"{self.api}/allOpenOrders", [("symbol", symbol)], stamp_ns)

    def account(self, stamp_ns: int) -> Sequence[Request]:
        return tuple(self._signed("GET", f"/fapi/v3/{name}", (), stamp_ns, 5) for name in ("balance", "positionRisk"))

    def login(self, stamp_ns: int) -> Request | None:
        return self._keyed("POST", f"{self.api}/listenKey")

    def renew(self, token: str, stamp_ns: int) -> Request | None:
        return self._keyed("PUT", f"{self.api}/listenKey")

    def countdown(self, symbol: str, window_ns: int, stamp_ns: int) -> Request | None:
        params = [("symbol", symbol), ("countdownTime", window_ns // MILLISECOND)]
        return self._signed("POST", f"{self.api}/countdownCancelAll", params, stamp_ns, 10)

    def _read_all_canceled(self, body: bytes) -> Sequence[Told]:
        messages.DONE.decode(body)  # the venue does not tell which orders it has cancelled
        return ()

    def _read_login(self, body: bytes) -> Sequence[Told]:
        return (Login(messages.LISTEN_KEY.decode(body).listenKey),)

    def _read_renewed(self, body: bytes) -> Sequence[Told]:
        key = messages.RENEWED.decode(body).listenKey
        return (Login(key),) if key else ()

    def _read_countdown(self, body: bytes) -> Sequence[Told]:
        messages.COUNTDOWN.decode(body)
        return ()

    def _read_account(self, body: bytes) -> Sequence[Told]:
        holdings = messages.HOLDINGS.decode(body)
        balances = [BalanceSeen(one.asset, one.balance, "0") for one in holdings if one.asset]
        positions = [PositionSeen(one.symbol, one.positionAmt, one.entryPrice) for one in holdings if one.positionAmt]
        return [*balances, *positions]
