"""What was earned and paid on a USD-M account, and how its reference prices went."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.tape import Candle, Tape, bounds
from quotewright_simexchange.dialects.binance.usdm_words import MS_NS, Symbols, venue_symbol
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import BalanceEvent, Event, ReferenceEvent

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import FillRecord, Listing

MOST_FILLS = 1 << 40
WEEK_NS = 7 * 86_400_000_000_000
MOVES = {"funding": "FUNDING_FEE", "deposit": "TRANSFER", "withdrawal": "TRANSFER", "transfer": "TRANSFER"}
"""Income by why a balance changed; what fills bring is read from the fills."""


class Incomes:
    """The income of accounts: commissions and profits of fills, funding, transfers."""

    def __init__(self, exchange: Exchange, symbols: Symbols) -> None:
        self.exchange = exchange
        self.symbols = symbols
        self._moves: dict[str, list[dict[str, Any]]] = {}
        exchange.listen(self._take)

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        return {("GET", "/fapi/v1/income"): Endpoint(self.income, 30, "read")}

    def income(self, call: Call) -> object:
        parameters = call.parameters
        limit = parameters.integer("limit", 100, low=1, high=1000)
        listing = self.symbols.find(parameters.text("symbol")) if parameters.has("symbol") else None
        kind = parameters.text("incomeType", "")
        is_bounded = parameters.has("startTime") or parameters.has("endTime")
        now_ms: int = self.exchange.now_ns // MS_NS
        start = parameters.integer("startTime", 0 if is_bounded else max(0, now_ms - WEEK_NS // MS_NS))
        end = parameters.integer("endTime", now_ms)
        rows = [
            row
            for row in [*self._of_fills(call.account, listing), *self._moves.get(call.account, ())]
            if start <= row["time"] <= end
            and kind in ("", row["incomeType"])
            and (listing is None or row["symbol"] == venue_symbol(listing))
        ]
        rows.sort(key=lambda row: row["time"])
        first = (parameters.integer("page", 1, low=1) - 1) * limit
        if parameters.has("startTime") or first:
            return rows[first : first + limit]
        return rows[-limit:]

    def _of_fills(self, account: str, listing: Listing | None) -> Iterator[dict[str, Any]]:
        for one in [listing] if listing is not None else self.symbols.listings.values():
            for fill in self.exchange.fills(account, one.symbol, limit=MOST_FILLS):
                if fill.realized:
                    yield _row(one, fill, "REALIZED_PNL", fill.realized, one.settle)
                yield _row(one, fill, "COMMISSION", -fill.fee, fill.fee_currency)

    def _take(self, event: Event) -> None:
        if isinstance(event, BalanceEvent) and event.why in MOVES:
            moves = self._moves.setdefault(event.account, [])
            for asset, amount in event.delta.items():
                settled = [name for name, one in self.symbols.listings.items() if one.settle == asset]
                # An account's funding is told by currency: its instrument is known where only one has this currency.
                symbol = settled[0] if event.why == "funding" and len(settled) == 1 else ""
                moves.append(
                    {
                        "symbol": symbol,
                        "incomeType": MOVES[event.why],
                        "income": fixed(amount),
                        "asset": asset,
                        "info": MOVES[event.why],
                        "time": event.event_ns // MS_NS,
                        "tranId": event.sequence,
                        "tradeId": "",
                    }
                )


def _row(listing: Listing, fill: FillRecord, kind: str, amount: Decimal, asset: str) -> dict[str, Any]:
    return {
        "symbol": venue_symbol(listing),
        "incomeType": kind,
        "income": fixed(amount),
        "asset": asset,
        "info": str(fill.trade_id),
        "time": fill.event_ns // MS_NS,
        "tranId": fill.trade_id,
        "tradeId": str(fill.trade_id),
    }


class ReferenceTapes:
    """Candles of mark and index, and of how far the mark is from the index, by the exchange's symbol."""

    def __init__(self, exchange: Exchange) -> None:
        self.marks: dict[str, Tape] = {}
        self.indices: dict[str, Tape] = {}
        self.premiums: dict[str, Tape] = {}
        for symbol in exchange.listings:
            self._take(exchange.reference(symbol))
        exchange.listen(self._take)

    def _take(self, event: Event) -> None:
        if not isinstance(event, ReferenceEvent):
            return
        mark, index = event.mark, event.index
        if mark is not None:
            _note(self.marks, event, mark)
        if index is not None:
            _note(self.indices, event, index)
        if mark is not None and index:
            _note(self.premiums, event, (mark - index) / index)


def _note(tapes: dict[str, Tape], event: ReferenceEvent, price: Decimal) -> None:
    seconds = tapes.setdefault(event.symbol, Tape()).seconds
    start, end = bounds("1s", event.event_ns)
    candle = Candle(start, end, price, price, price, price, count=1)
    if seconds and seconds[-1].start_ns == start:
        seconds[-1].join(candle)
    else:
        seconds.append(candle)


def reference_json(candle: Candle) -> list[Any]:
    """Return a candle of a reference price: there is no volume."""
    prices = [fixed(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    return [candle.start_ns // MS_NS, *prices, "0", candle.end_ns // MS_NS - 1, "0", candle.count, "0", "0", "0"]
