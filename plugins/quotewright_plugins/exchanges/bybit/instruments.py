"""Instruments of Bybit, from the answers of ``instruments-info`` or, poorer, from a symbol alone."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright_plugins.exchanges.bybit.messages import MOST_MS

QUOTES = (
    *("USDT", "USDC", "USDE", "USDQ", "USDR", "USD1", "DAI", "EUR", "GBP", "BRL", "BRZ", "PLN", "TRY", "AED", "AUD"),
    *("JPY", "KZT", "UAH", "MXN", "BTC", "ETH", "SOL", "MNT", "XRP", "USD"),
)
"""Quote coins that a spot symbol may end with; the longest match wins."""

_BY_LENGTH = sorted(QUOTES, key=lambda quote: (-len(quote), quote))
MONTHS = {month.upper(): number for number, month in enumerate(calendar.month_abbr) if month}
CODES = {code: number for number, code in enumerate("FGHJKMNQUVXZ", 1)}
"""Letters of delivery months, as futures exchanges write them."""

_DAY = r"(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
_OPTION = re.compile(rf"(?P<base>\w+)-{_DAY}-(?P<strike>\d+(?:\.\d+)?)-(?P<right>[CP])(?:-(?P<settle>[A-Z]\w*))?")
_DATED = re.compile(rf"(?P<pair>\w+)-{_DAY}")
_QUARTER = re.compile(r"(?P<base>\w+)USD(?P<code>[FGHJKMNQUVXZ])(?P<year>\d{2})")

STATUS = {
    "Trading": "trading",
    "PreLaunch": "closed",
    "Delivering": "closed",
    "Settling": "closed",
    "Closed": "closed",
}
"""Our word for each status that Bybit documents; any other is taken for halted."""
PHASES = {
    "NotStarted": "closed",
    "CallAuction": "auction",
    "CallAuctionNoCancel": "auction",
    "CrossMatching": "auction",
    "ContinuousTrading": "trading",
    "Finished": "trading",
}
"""Phases of trading before the launch of a contract, told beside the status PreLaunch."""


@attrs.frozen
class OptionTerms:
    """What an option's symbol tells: ``BTC-26MAR27-70000-P-USDT``; without a suffix it is settled in USDC."""

    base: str
    settle: str
    day: date
    strike: str
    right: str
    expiry_ns: int


@lru_cache(maxsize=20_000)
def option_terms(symbol: str) -> OptionTerms:
    """Return the terms of the option *symbol*; InputError if it is none."""
    matched = _OPTION.fullmatch(symbol)
    day = None if matched is None else _day(matched["year"], MONTHS.get(matched["month"], 0), matched["day"])
    if matched is None or day is None:
        raise InputError(f"bybit: an option should be named like BTC-26MAR27-70000-P-USDT, was {symbol[:64]!r}")
    moment = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    return OptionTerms(
        base=matched["base"],
        settle=matched["settle"] or "USDC",
        day=day,
        strike=matched["strike"],
        right=matched["right"],
        expiry_ns=int(moment.timestamp()) * 1_000_000_000,
    )


def is_inverse(symbol: str) -> bool:
    """Return whether a contract's symbol is that of one settled in coin: ``BTCUSD``, ``BTCUSDZ26``."""
    return (symbol.endswith("USD") and len(symbol) > 3) or _QUARTER.fullmatch(symbol) is not None


def _day(year: str, month: int, day: str) -> date | None:
    try:
        return date(2000 + int(year), month, int(day))
    except ValueError:
        return None


def _last_friday(year: int, month: int) -> date:
    weeks = calendar.monthcalendar(year, month)
    return date(year, month, max(week[calendar.FRIDAY] for week in weeks))


class _Listed(msgspec.Struct):
    symbol: str
    status: str = ""
    contractType: str = ""
    optionsType: str = ""
    baseCoin: str = ""
    quoteCoin: str = ""
    settleCoin: str = ""
    deliveryTime: str | None = ""
    priceFilter: dict[str, Any] = {}
    lotSizeFilter: dict[str, Any] = {}
    preListingInfo: dict[str, Any] | None = None


class _Page(msgspec.Struct):
    rows: list[_Listed] = msgspec.field(name="list")


class _Old(msgspec.Struct):
    """A contract in the answer of the retired ``/v2/public/symbols``."""

    name: str
    base_currency: str
    quote_currency: str
    price_filter: dict[str, Any]
    lot_size_filter: dict[str, Any]
    status: str = "Trading"


class _Answer(msgspec.Struct):
    retCode: int = 0
    retMsg: str = ""
    ret_code: int = 0
    ret_msg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


_ANSWER = msgspec.json.Decoder(_Answer)
_PAGE = msgspec.json.Decoder(_Page, float_hook=Decimal)
_OLD = msgspec.json.Decoder(list[_Old], float_hook=Decimal)


def read_instruments(body: bytes) -> list[Instrument]:
    """Return every instrument of one page of ``instruments-info``, of whatever category, in its order."""
    try:
        answer = _ANSWER.decode(body)
        if answer.retCode or answer.ret_code:
            text = answer.retMsg or answer.ret_msg
            raise InputError(f"bybit instruments-info: code {answer.retCode or answer.ret_code}, {text[:200]}")
        result = bytes(answer.result)
        if result[:1] == b"[":
            return [_old_instrument(listed) for listed in _OLD.decode(result)]
        return [_instrument(listed) for listed in _PAGE.decode(result).rows]
    except msgspec.MsgspecError as error:
        raise InputError(f"bybit instruments-info: should be an answer with result.list, {error}") from None


def _instrument(listed: _Listed) -> Instrument:
    price, lot = listed.priceFilter, listed.lotSizeFilter
    told: dict[str, Any]
    if listed.optionsType:
        told = guess_instrument(listed.symbol, "option")
    elif listed.contractType:
        told = _contract(listed)
    else:
        base, quote = listed.baseCoin, listed.quoteCoin
        told = _named(listed.symbol, base, quote, "spot", quote)
    is_spot = told["kind"] == "spot"
    where = listed.symbol
    return _built(
        told,
        tick=_number(where, price, "tickSize"),
        step=_number(where, lot, "basePrecision" if is_spot else "qtyStep"),
        least=_number(where, lot, "minOrderQty"),
        most=_number(where, lot, "maxLimitOrderQty") or _number(where, lot, "maxOrderQty"),
        notional=_number(where, lot, "minOrderAmt") or _number(where, lot, "minNotionalValue"),
        status=_status(listed),
    )


def _contract(listed: _Listed) -> dict[str, Any]:
    """Return the names of a perpetual or a dated contract as the answer tells them."""
    base, quote = listed.baseCoin, listed.quoteCoin
    settle = listed.settleCoin or (base if listed.contractType.startswith("Inverse") else quote)
    if listed.contractType.endswith("Perpetual"):
        suffix = "perp"
    else:
        stamp = listed.deliveryTime or ""
        if stamp.isascii() and stamp.isdigit() and 0 < int(stamp) < MOST_MS // 3:
            moment = datetime.fromtimestamp(int(stamp) // 1000, UTC)
            suffix = f"{moment:%y%m%d}"
        else:
            suffix = guess_instrument(listed.symbol, "linear")["name"].partition(".")[2].partition("@")[0]
    told = _named(listed.symbol, base, quote, suffix, settle)
    told["is_inverse"] = listed.contractType.startswith("Inverse")
    return told


def _old_instrument(old: _Old) -> Instrument:
    price, lot = old.price_filter, old.lot_size_filter
    told = guess_instrument(old.name, "linear")
    return _built(
        told,
        tick=_number(old.name, price, "tick_size"),
        step=_number(old.name, lot, "qty_step"),
        least=_number(old.name, lot, "min_trading_qty"),
        most=_number(old.name, lot, "max_trading_qty"),
        notional=Decimal(0),
        status=STATUS.get(old.status, "halted"),
    )


def _built(
    told: dict[str, Any],
    *,
    tick: Decimal,
    step: Decimal,
    least: Decimal,
    most: Decimal,
    notional: Decimal,
    status: str,
) -> Instrument:
    if tick <= 0 or step <= 0:
        raise InputError(f"bybit instruments-info: {told['symbol']}: tick and lot should be positive")
    price_decimals, size_decimals = _decimals(tick), _decimals(step)
    return Instrument(
        **told,
        price_decimals=price_decimals,
        size_decimals=size_decimals,
        tick_steps=int(tick.scaleb(price_decimals)),
        lot_steps=int(step.scaleb(size_decimals)),
        min_quantity_steps=int(least.scaleb(size_decimals)),
        max_quantity_steps=int(most.scaleb(size_decimals)),
        min_notional=notional,
        status=status,
    )


def _status(listed: _Listed) -> str:
    if listed.status == "PreLaunch" and listed.preListingInfo:
        phase = str(listed.preListingInfo.get("curAuctionPhase", ""))
        return PHASES.get(phase, "closed")
    return STATUS.get(listed.status, "halted")


def _number(symbol: str, table: dict[str, Any], key: str) -> Decimal:
    text = table.get(key)
    if text is None or text == "":
        return Decimal(0)
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or value.adjusted() > 40 or value.adjusted() < -18:
        raise InputError(f"bybit instruments-info: {symbol}: {key} should be a decimal, was {str(text)[:40]!r}")
    return value


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _named(symbol: str, base: str, quote: str, suffix: str, settle: str) -> dict[str, Any]:
    kind = suffix if suffix in ("spot", "perp") else "option" if suffix.count("-") == 2 else "future"
    return {
        "name": f"{base}-{quote}.{suffix}@bybit",
        "symbol": symbol,
        "venue": "bybit",
        "kind": kind,
        "base": base,
        "quote": quote,
        "settle": settle,
        "is_inverse": False,
        "contract_size": Decimal(1),
    }


def guess_instrument(symbol: str, market: str) -> dict[str, Any]:
    """Return the fields of an Instrument that *symbol* alone tells; InputError if its shape is not known.

    The linear market's recordings hold inverse contracts too (Tardis calls both ``bybit``): the symbol tells.
    """
    if market == "option":
        terms = option_terms(symbol)
        suffix = f"{terms.day:%y%m%d}-{terms.strike}-{terms.right}"
        return _named(symbol, terms.base, terms.settle, suffix, terms.settle)
    if market == "spot":
        base, quote = _split(symbol, market)
        return _named(symbol, base, quote, "spot", quote)
    suffix = "perp"
    if (quarter := _QUARTER.fullmatch(symbol)) is not None:
        day: date | None = _last_friday(2000 + int(quarter["year"]), CODES[quarter["code"]])
        base, quote, suffix = quarter["base"], "USD", f"{day:%y%m%d}"
    elif (dated := _DATED.fullmatch(symbol)) is not None:
        day = _day(dated["year"], MONTHS.get(dated["month"], 0), dated["day"])
        if day is None:
            raise InputError(f"bybit {market}: {symbol[:64]!r} names no day that exists")
        pair, suffix = dated["pair"], f"{day:%y%m%d}"
        base, quote = (pair[:-4], "USDT") if pair.endswith("USDT") and len(pair) > 4 else (pair, "USDC")
    elif symbol.endswith("PERP") and len(symbol) > 4 and symbol.isalnum():
        base, quote = symbol[:-4], "USDC"
    else:
        base, quote = _split(symbol, market)
    inverse = quote == "USD"
    told = _named(symbol, base, quote, suffix, base if inverse else quote)
    told["is_inverse"] = inverse
    return told


def _split(symbol: str, market: str) -> tuple[str, str]:
    quotes = _BY_LENGTH if market == "spot" else ("USDT", "USDC", "USD")
    if symbol.isalnum():
        for quote in quotes:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return symbol[: -len(quote)], quote
    raise InputError(
        f"bybit {market}: the quote coin of {symbol[:64]!r} is not known; "
        "give the venue's instruments-info with --instruments"
    )
