"""Spot tickers of other times than a day: rolling windows and the trading day since midnight."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import illegal
from quotewright_simexchange.dialects.binance.routes import Call
from quotewright_simexchange.dialects.binance.streams import TimeOf
from quotewright_simexchange.dialects.binance.tape import Candle, Tapes, bounds
from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

SECOND_NS = 1_000_000_000
LEGAL = "^([1-9]|[1-5][0-9])m$|^([1-9]|1[0-9]|2[0-3])h$|^[1-7]d$"
UNITS = {"m": 60, "h": 3_600, "d": 86_400}
ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-9]{2}))?", re.ASCII)
MINI = (
    *("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume"),
    *("openTime", "closeTime", "firstId", "lastId", "count"),
)


class SpotWindows:
    """Sums of the prints since a moment."""

    def __init__(self, exchange: Exchange, tapes: Tapes) -> None:
        self.exchange = exchange
        self.tapes = tapes

    def rolling(self, symbol: str, call: Call) -> dict[str, Any]:
        """Answer with the window that is asked for, a day unless told otherwise."""
        if not (call.parameters.has("symbol") or call.parameters.has("symbols")):
            raise ApiError(-1128, "Combination of optional parameters invalid. Send 'symbol' or 'symbols'.")
        return self._answer(symbol, call, self.exchange.now_ns - length_ns(call.parameters.text("windowSize", "1d")))

    def trading_day(self, symbol: str, call: Call) -> dict[str, Any]:
        """Answer with what was traded since midnight of the time zone."""
        shift_ns = zone_ns(call.parameters.text("timeZone", "0"))
        return self._answer(symbol, call, bounds("1d", self.exchange.now_ns + shift_ns)[0] - shift_ns)

    def _answer(self, symbol: str, call: Call, start_ns: int) -> dict[str, Any]:
        window = self._window(symbol, start_ns)
        last, opened, count = window.close, window.open, window.count
        answer = {
            "symbol": symbol,
            "priceChange": fixed(last - opened),
            "priceChangePercent": fixed((last - opened) * 100 / opened if opened else None, 3),
            "weightedAvgPrice": fixed(window.value / window.volume if window.volume else None),
            "openPrice": fixed(opened),
            "highPrice": fixed(window.high),
            "lowPrice": fixed(window.low),
            "lastPrice": fixed(last),
            "volume": fixed(window.volume),
            "quoteVolume": fixed(window.value),
            "openTime": call.time(start_ns),
            "closeTime": call.time(self.exchange.now_ns),
            "firstId": window.first,
            "lastId": window.last,
            "count": count,
        }
        if call.parameters.text("type", "FULL") == "MINI":
            return {key: answer[key] for key in MINI}
        return answer

    def event(self, symbol: str, size: str, now_ns: int, time: TimeOf) -> dict[str, Any]:
        """Return a rolling window as its stream tells it."""
        start_ns = now_ns - length_ns(size)
        window = self._window(symbol, start_ns)
        opened, last = window.open, window.close
        return {
            "e": f"{size}Ticker",
            "E": time(now_ns),
            "s": symbol,
            "p": fixed(last - opened),
            "P": fixed((last - opened) * 100 / opened if opened else None, 2),
            "o": fixed(opened),
            "h": fixed(window.high),
            "l": fixed(window.low),
            "c": fixed(last),
            "w": fixed(window.value / window.volume if window.volume else None),
            "v": fixed(window.volume),
            "q": fixed(window.value),
            "O": time(start_ns),
            "C": time(now_ns),
            "F": window.first,
            "L": window.last,
            "n": window.count,
        }

    def _window(self, symbol: str, start_ns: int) -> Candle:
        """Return the prints from *start_ns* on in one candle, flat at the last price if there are none."""
        found: list[Candle] = []
        for second in reversed(self.tapes.of(symbol).seconds):
            if second.end_ns <= start_ns:
                break
            found.append(second)
        if not found:
            price = self.exchange.statistics(symbol).last or Decimal(0)
            return Candle(start_ns, start_ns, price, price, price, price)
        window = attrs.evolve(found[-1])
        for second in found[-2::-1]:
            window.join(second)
        return window


def length_ns(text: str) -> int:
    """Return the length of a window such as ``7d``."""
    if not re.fullmatch(LEGAL, text, re.ASCII):
        raise illegal("windowSize", LEGAL)
    return int(text[:-1]) * UNITS[text[-1]] * SECOND_NS


def zone_ns(text: str) -> int:
    """Return how far a time zone such as ``-1:00`` or ``8`` is ahead of UTC."""
    found = ZONE.fullmatch(text)
    seconds = (int(found[2]) * 3_600 + int(found[3] or 0) * 60) * (-1 if found[1] == "-" else 1) if found else 1 << 40
    if not -12 * 3_600 <= seconds <= 14 * 3_600:
        raise ApiError(-1130, "Data sent for parameter 'timeZone' is not valid.")
    return seconds * SECOND_NS
