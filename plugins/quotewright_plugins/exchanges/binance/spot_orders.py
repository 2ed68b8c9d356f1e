"""Orders on Binance spot: one line of the WebSocket API carries private events and, if wanted, orders."""

from __future__ import annotations

from collections.abc import Sequence

from quotewright.execution import Amending, BalanceSeen, Line, Message, Placing, Told
from quotewright.wire import Request
from quotewright_plugins.exchanges.binance import order_messages as messages
from quotewright_plugins.exchanges.binance.order_wire import KEEP_ALIVE, SIDE_WORDS, TIFS, BinanceOrders, Params

USER = "user"
MICROSECONDS = {"X-MBX-TIME-UNIT": "MICROSECOND"}


class BinanceSpotOrders(BinanceOrders):
    """Spot has no reduce-only orders and no dead-man switch; an amend only makes the quantity less, in place.

    Times are asked for in µs.
    """

    market = "spot"
    api = "/api/v3"
    time_headers = MICROSECONDS
    order_weight = 4
    open_orders_weight = 6
    fills_weight = 20
    fills_path = "myTrades"
    entry_line = USER

    def lines(self) -> tuple[Line, ...]:
        return (Line(name=USER, is_entry=self.entry == "websocket", keep_alive=KEEP_ALIVE),)

    def url(self, line: str, token: str) -> str:
        return f"{self.addresses.ws_api}?timeUnit=MICROSECOND"

    def greeting(self, line: str, stamp_ns: int, number: int) -> tuple[bytes, ...]:
        """Ask for the account's events; the line serves once that is answered."""
        return (self._frame(line, "userDataStream.subscribe.signature", (), stamp_ns, number, 2).data,)

    def place(self, order: Placing, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        params: list[tuple[str, object]] = [("symbol", order.symbol), ("side", SIDE_WORDS[order.side])]
        if not order.price:
            params.append(("type", "MARKET"))
        elif order.post_only:
            params += [("type", "LIMIT_MAKER"), ("price", order.price)]
        else:
            params += [("type", "LIMIT"), ("timeInForce", TIFS[order.time_in_force]), ("price", order.price)]
        params += [
            ("quantity", order.quantity),
            ("newClientOrderId", order.client_id),
            ("newOrderRespType", "FULL"),
        ]
        return self._write("POST", "order", "order.place", params, stamp_ns, number, 1, by_rest)

    def amend(self, order: Amending, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message | None:
        if not order.keeps_price:
            return None
        params: Params = [
            ("symbol", order.symbol),
            ("origClientOrderId", order.client_id),
            ("newClientOrderId", order.client_id),  # else the venue invents a new one
            ("newQty", order.quantity),
        ]
        path, method = "order/amend/keepPriority", "order.amend.keepPriority"
        return self._write("PUT", path, method, params, stamp_ns, number, 4, by_rest)

    def cancel(self, symbol: str, client_id: str, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        params = [("symbol", symbol), ("origClientOrderId", client_id)]
        return self._write("DELETE", "order", "order.cancel", params, stamp_ns, number, 1, by_rest)

    def cancel_all(self, symbol: str, stamp_ns: int) -> Request:
        return self._signed("DELETE", f"{self.api}/openOrders", [("symbol", symbol)], stamp_ns)

    def account(self, stamp_ns: int) -> Sequence[Request]:
        params = [("omitZeroBalances", "true")]
        return (self._signed("GET", f"{self.api}/account", params, stamp_ns, 20),)

    def _read_order(self, body: bytes) -> Sequence[Told]:
        if b'"amendedOrder"' in body:
            amended = messages.AMENDED.decode(body)
            return self._told_of(amended.amendedOrder, amended.transactTime)
        return super()._read_order(body)

    def _read_login(self, body: bytes) -> Sequence[Told]:
        """Read the answer to the greeting."""
        messages.SUBSCRIPTION.decode(body)
        return ()

    def _read_account(self, body: bytes) -> Sequence[Told]:
        return [BalanceSeen(one.asset, one.free, one.locked) for one in messages.ACCOUNT.decode(body).balances]
