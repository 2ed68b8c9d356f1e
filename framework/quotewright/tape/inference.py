"""Reading an instrument's metadata off the data: decimals, tick, lot, and names told by a symbol alone.

Whatever comes from here is named in ``Instrument.inferred``. Given metadata stands unless the data contradict it
throughout: a number finer than a given step now and then is a bad number, not a new tick.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import REFERENCE_SCALE
from quotewright.kernel.scanner import Scanner
from quotewright.model.instrument import Instrument
from quotewright.tape.sink import JsonArray, OptionSummary, Text

if TYPE_CHECKING:
    import numpy.typing as npt

    from quotewright.tape.causality import Connection

MAX_DIGITS: Final = 18
REMEMBERED: Final = 20_000
"""How many different texts a survey remembers per symbol and column, so that each is looked at about once."""

QUOTES: Final = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "USDE", "BTC", "ETH", "BNB", "TRX", "XRP"),
    *("EUR", "TRY", "RUB", "GBP", "BRL", "AUD", "JPY", "UAH", "ZAR", "PLN", "USD"),
)
"""Quote assets that a symbol without a separator may end with; the first that fits wins."""

GRID: Final = np.array(sorted({part * 10**power for power in range(17) for part in (1, 2, 5, 25)}), np.int64)
"""Ticks and lots that exist: 1, 2, 5 and 2.5 times a power of ten."""
CLEAN_SHARE: Final = 0.999
"""Books hold a size off the current lot every minute or two; a grid that fits all but one in a thousand is the grid."""

_ANY: Final = -(10**18)
"""The least a number of any sign can be."""
_GREEKS: Final = ("delta", "gamma", "vega", "theta", "rho")
_OPTION_NUMBERS: Final = (
    *("open_interest", "last_price", "mark_price", "underlying_price", "bid_iv", "offer_iv", "mark_iv"),
    *_GREEKS,
)
_NUMBER = re.compile(r"[+-]?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?")
WORDS: Final = frozenset(("new", "change", "delete"))
"""What a level may begin with: what was done to it."""
_TEXT_LEVELS = msgspec.json.Decoder(list[list[str]])
_RAW_LEVELS = msgspec.json.Decoder(list[list[msgspec.Raw]])


class Decimals:
    """How finely the numbers of one column are written, trailing zeros aside, counted over different texts."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.counts = [0] * (MAX_DIGITS + 2)
        self.whole_counts = [0] * (MAX_DIGITS + 1)

    def add(self, texts: set[str], field: str) -> None:
        """Count *texts*; InputError names *field* if one is no number."""
        fresh = texts - self.seen
        if not fresh:
            return
        for text in fresh:
            match = _NUMBER.fullmatch(text)
            if match is None:
                raise InputError(f"{field} should be a decimal number, was {text[:60]!r}")
            whole, fraction, exponent = match.groups("")
            if exponent:
                whole, _, fraction = f"{Decimal(text):f}".partition(".")
            digits = len(whole.lstrip("+-0"))
            if digits > MAX_DIGITS:
                raise InputError(f"{field} should have at most {MAX_DIGITS} digits, was {text[:60]!r}")
            decimals = len(fraction.rstrip("0"))
            self.counts[min(decimals, MAX_DIGITS + 1)] += 1
            self.whole_counts[digits] += 1
        if len(self.seen) > REMEMBERED:
            self.seen.clear()
        self.seen |= fresh

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def finest(self) -> int:
        """Return the decimals at which fewest of the numbers do not fit: too fine, or too large for 18 digits.

        One absurd number costs itself, not the others. Of equal ones the coarsest: no finer than anything seen.
        """
        return min(
            range(MAX_DIGITS + 1),
            key=lambda decimals: sum(self.counts[decimals + 1 :]) + sum(self.whole_counts[MAX_DIGITS - decimals + 1 :]),
        )

    def usual(self) -> int:
        """Return the most decimals that at least one number in a thousand (and ten of them) has."""
        least = max(10, self.total // 1000)
        finer = 0
        for decimals in range(self.finest, -1, -1):
            finer += self.counts[decimals]
            if finer >= least:
                return decimals
        return 0


class Observed:
    """What a survey saw of one symbol."""

    def __init__(self) -> None:
        self.price = Decimals()
        self.size = Decimals()
        self.messages = 0


class Survey:
    """A sink that writes nothing and notes how finely numbers are written and when messages came.

    It refuses what no tape can hold, so that an adapter behaves in the survey as it will when rows are written.
    """

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self.connection = connection
        self.symbols: dict[str, Observed] = {}
        self.unlisted: dict[str, int] = {}
        self.current = Observed()
        self.symbol = ""
        self.scanner = Scanner()
        self.stamps = (0, 0, 0)
        self.has_rows = False

    def begin(
        self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0, stamp_ns: int = 0
    ) -> bool:
        observed = self.symbols.get(symbol)
        if observed is None:
            observed = self.symbols[symbol] = Observed()
        self.current = observed
        self.symbol = symbol
        self.stamps = (event_ns, receive_ns, flags)
        self.has_rows = False
        return True

    def snapshot(self) -> None:
        self.has_rows = True

    def bid(self, price: Text, size: Text) -> None:
        self._number(price, size, "level")

    def offer(self, price: Text, size: Text) -> None:
        self._number(price, size, "level")

    def bids(self, levels: JsonArray) -> None:
        self._levels(levels, "bids")

    def offers(self, levels: JsonArray) -> None:
        self._levels(levels, "offers")

    def trade(self, side: int, price: Text, size: Text, id: int, flags: int = 0, name: str = "") -> None:
        self._number(price, size, "trade")

    def best(self, bid: Text, bid_size: Text, offer: Text, offer_size: Text) -> None:
        if len(bid) and len(bid_size):
            self._number(bid, bid_size, "best bid")
        if len(offer) and len(offer_size):
            self._number(offer, offer_size, "best offer")
        self.has_rows = True

    def mark(self, price: Text) -> None:
        self._reference(price, "mark price", least=1)

    def index(self, price: Text) -> None:
        self._reference(price, "index price", least=1)

    def last(self, price: Text) -> None:
        self._reference(price, "last price")

    def funding(self, rate: Text, next_ns: int) -> None:
        self._reference(rate, "funding rate", least=_ANY)

    def predicted_funding(self, rate: Text) -> None:
        self._reference(rate, "predicted funding rate", least=_ANY)

    def liquidation(self, side: int, price: Text, size: Text, id: int = 0, name: str = "") -> None:
        self._number(price, size, "liquidation")

    def open_interest(self, size: Text) -> None:
        self._reference(size, "open interest", 0)

    def option(self, summary: OptionSummary) -> None:
        for name in _OPTION_NUMBERS:
            if text := getattr(summary, name):
                decimals = 0 if name == "open_interest" else REFERENCE_SCALE
                self._reference(text, name.replace("_", " "), decimals, _ANY if name in _GREEKS else 0)

    def status(self, status: int) -> None:
        self.has_rows = True

    def change(self, tick: Text, lot: Text) -> None:
        """Tick and lot of the time before the change may be finer; those from here on are looked at as levels are."""
        self._number(tick, lot, "tick and lot:")

    def gap(self, missing: int = 0) -> None:
        self.has_rows = True

    def resync(self) -> None:
        self.has_rows = True

    def end(self) -> None:
        if self.has_rows:
            self.has_rows = False
            self.current.messages += 1
            event_ns, receive_ns, flags = self.stamps
            self.connection().observe(event_ns, receive_ns, flags)

    def abandon(self) -> None:
        self.has_rows = False

    def _number(self, price: Text, size: Text, field: str) -> None:
        price_text = price if isinstance(price, str) else price.decode("ascii", "replace")
        size_text = size if isinstance(size, str) else size.decode("ascii", "replace")
        current = self.current
        if price_text not in current.price.seen:
            current.price.add({price_text}, f"{self.symbol} {field} price")
        if size_text not in current.size.seen:
            current.size.add({size_text}, f"{self.symbol} {field} size")
        self.has_rows = True

    def _reference(self, text: Text, field: str, decimals: int = REFERENCE_SCALE, least: int = 0) -> None:
        self.scanner.label = self.symbol
        value = self.scanner.rounded(text, decimals, field)
        if value < least:
            raise InputError(f"{self.symbol} {field} should be {'positive' if least else 'at least 0'}, was {text!r}")
        self.has_rows = True

    def _levels(self, levels: JsonArray, field: str) -> None:
        try:
            pairs = _TEXT_LEVELS.decode(levels)
            if pairs and pairs[0] and pairs[0][0] in WORDS:
                pairs = self._unquoted(levels, field)
        except msgspec.ValidationError:
            pairs = self._unquoted(levels, field)
        except msgspec.DecodeError as error:
            raise InputError(f"{self.symbol} {field} should be an array of levels ({error})") from None
        if not pairs:
            return
        try:
            prices = {level[0] for level in pairs}
            sizes = {level[1] for level in pairs}
        except IndexError:
            raise InputError(f"{self.symbol} {field}: a level should be [price, size]") from None
        self.current.price.add(prices, f"{self.symbol} {field} price")
        self.current.size.add(sizes, f"{self.symbol} {field} size")
        self.has_rows = True

    def _unquoted(self, levels: JsonArray, field: str) -> list[list[str]]:
        """Return the levels of an array whose numbers stand without quotes, or with further columns."""
        try:
            rows = _RAW_LEVELS.decode(levels)
        except msgspec.MsgspecError as error:
            raise InputError(f"{self.symbol} {field} should be an array of levels ({error})") from None
        texts = [[bytes(part).decode().strip().strip('"') for part in row[:3]] for row in rows]
        return [text[1:] if text and text[0] in WORDS else text[:2] for text in texts]


class Grid:
    """Which grid a stream of steps lies on, counted without keeping the values."""

    def __init__(self) -> None:
        self.total = 0
        self.counts = np.zeros(len(GRID), np.int64)
        self.distinct: set[int] = set()

    def add(self, values: npt.NDArray[np.int64]) -> None:
        """Count *values*, positive steps."""
        unique, repeats = np.unique(values[values > 0], return_counts=True)
        if not len(unique):
            return
        self.total += int(repeats.sum())
        if len(self.distinct) < 4096:
            self.distinct.update(unique[:8192].tolist())
        for place, step in enumerate(GRID.tolist()):
            if step > int(unique[-1]):
                break
            self.counts[place] += int(repeats[unique % step == 0].sum())

    def share(self, step: int) -> float:
        """Return the share of values on a grid of *step*, known for grids that exist and 1 for others."""
        place = int(np.searchsorted(GRID, step))
        if not self.total or place >= len(GRID) or int(GRID[place]) != step:
            return 1.0
        return int(self.counts[place]) / self.total

    def coarsest(self) -> int:
        """Return the coarsest grid that holds all but one value in a thousand; 1 if nothing was seen."""
        best = 1
        for step, count in zip(GRID.tolist(), self.counts.tolist(), strict=True):
            if self.total and count >= CLEAN_SHARE * self.total:
                best = step
        return best


def decided_step(grid: Grid, fallback: Grid, given: int | None) -> int:
    """Return the tick or lot in steps: *given* unless contradicted, else the coarsest grid of what was seen.

    *grid* holds the best prices (or the sizes of changes); with fewer than 30 different ones *fallback*, all of them,
    decides, and with fewer than 10 of those nothing can be told: 1 step. A given step is contradicted by values off
    it, or by 200 different values that all lie on a coarser grid.
    """
    used = grid if len(grid.distinct) >= 30 else fallback
    seen = used.coarsest() if len(used.distinct) >= 10 else 1
    if given is None:
        return seen
    if used.total >= 10 and used.share(given) < CLEAN_SHARE:
        return seen
    if len(used.distinct) >= 200 and seen > given and seen % given == 0:
        return seen
    return given


def infer(instrument: Instrument, **fields: Any) -> Instrument:
    """Return *instrument* with *fields* that were read off the data, and marked so."""
    return attrs.evolve(instrument, **fields, inferred=tuple(sorted({*instrument.inferred, *fields})))


def with_decimals(instrument: Instrument, observed: Observed) -> Instrument:
    """Return *instrument* with finer steps if the data use them throughout; tick and lot keep their values."""
    fields: dict[str, Any] = {}
    price_decimals = observed.price.usual()
    if price_decimals > instrument.price_decimals:
        fields["price_decimals"] = price_decimals
        fields["tick_steps"] = instrument.tick_steps * 10 ** (price_decimals - instrument.price_decimals)
    size_decimals = observed.size.usual()
    if size_decimals > instrument.size_decimals:
        factor = 10 ** (size_decimals - instrument.size_decimals)
        fields["size_decimals"] = size_decimals
        fields["lot_steps"] = instrument.lot_steps * factor
        instrument = attrs.evolve(
            instrument,
            min_quantity_steps=instrument.min_quantity_steps * factor,
            max_quantity_steps=instrument.max_quantity_steps * factor,
        )
    return infer(instrument, **fields) if fields else instrument


def instrument_from_data(fields: dict[str, Any], observed: Observed) -> Instrument:
    """Return the instrument of which only *fields* are known, told by its symbol; all of them are marked inferred."""
    measured = {
        "price_decimals": observed.price.finest,
        "size_decimals": observed.size.finest,
        "tick_steps": 1,
        "lot_steps": 1,
    }
    told = [name for name in ("base", "quote", "settle", "kind", "contract_size") if name in fields]
    return Instrument(**{**fields, **measured, "inferred": tuple(sorted({*measured, *told}))})


_DATED = re.compile(r"(\d{6}|\d{1,2}[A-Z]{3}\d{2})")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_PERPETUAL = ("PERPETUAL", "PERP", "SWAP")


def fields_from_symbol(symbol: str, venue: str, market: str = "") -> dict[str, Any]:
    """Return the fields of an Instrument that *symbol* tells by itself, for venues without an adapter to ask.

    *market* ``usdm``, ``linear``, ``inverse``, ``swap`` or ``perp`` makes a plain pair a perpetual contract.

    Raises:
        InputError: base and quote cannot be told apart.
    """
    parts = [part for part in re.split(r"[-_/:]", symbol.upper()) if part]
    suffix, kind = ("spot", "spot") if market in ("", "spot") else ("perp", "perp")
    tail: list[str] = []
    while len(parts) > 1 and (parts[-1] in _PERPETUAL or parts[-1] in ("C", "P") or parts[-1][0].isdigit()):
        tail.insert(0, parts.pop())
    if tail and tail[0] in _PERPETUAL:
        suffix, kind = "perp", "perp"
    elif tail and _DATED.fullmatch(tail[0]):
        tail[0] = _plain_date(tail[0])
        suffix, kind = "-".join(tail), "option" if len(tail) == 3 else "future"
    elif tail:
        raise InputError(f"{venue} {symbol}: '{'-'.join(tail)}' should be a date; give the venue's metadata")
    if len(parts) == 2:
        base, quote = parts
    else:
        pair = parts[0] if parts else ""
        # XBTUSD and DOTUSD are quoted in USD: with TUSD they would leave a base of two letters, which none has.
        quote = next(
            (q for q in QUOTES if pair.endswith(q) and len(pair) > len(q) + 2 * (q == "TUSD")),
            "",
        )
        base = pair[: len(pair) - len(quote)]
        if not quote:
            if not tail:
                raise InputError(f"{venue} {symbol}: base and quote cannot be told apart; give the venue's metadata")
            quote = "USD"  # a contract named by its base alone is quoted in dollars
    is_inverse = kind in ("perp", "future") and quote == "USD"
    return {
        "name": f"{base}-{quote}.{suffix}@{venue}",
        "symbol": symbol,
        "venue": venue,
        "kind": kind,
        "base": base,
        "quote": quote,
        "settle": base if is_inverse else quote,
        "is_inverse": is_inverse,
    }


def _plain_date(text: str) -> str:
    """Return a date of a symbol as yymmdd."""
    if text.isdigit():
        return text
    day, month, year = text[:-5], text[-5:-2], text[-2:]
    if month not in _MONTHS:
        raise InputError(f"'{text}' should be a date such as 25JUN27")
    return f"{year}{_MONTHS.index(month) + 1:02d}{int(day):02d}"
