"""What ``exchange serve`` opens: instruments, exchange, dialect, market, an account with a key, certificates."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotewright.errors import ConfigError
from quotewright_simexchange.exchange.records import Listing

if TYPE_CHECKING:
    from quotewright_simexchange.doors import Dialect
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.markets.driver import MarketDriver

INSTRUMENTS = ("BTC-USDT.spot", "BTC-USDT.perp")
ACCOUNT = "trader"
RICH = {"USDT": Decimal(1_000_000)}
BASE_AMOUNT = Decimal(100)
_NAME = re.compile(r"([A-Z0-9]{1,16})-([A-Z0-9]{1,16})\.(spot|perp)")
PRICES = {"BTC": "60000", "ETH": "3000"}
OTHER_PRICE = "100"
_SPOT = {"tick": "0.01", "lot": "0.00001", "min_notional": "5", "maker_fee": "0.001", "taker_fee": "0.001"}
_PERP = {
    "tick": "0.1",
    "lot": "0.001",
    "min_notional": "5",
    "maker_fee": "0.0002",
    "taker_fee": "0.0005",
    "im_rate": "0.05",
    "mm_rate": "0.005",
}


def listing_of(text: str, venue: str) -> tuple[Listing, Decimal]:
    """Return the instrument that *text* states, and the price at which its market begins.

    ``BTC-USDT.spot`` with ``,tick=0.01`` and the like behind it; ``price`` is the market's.

    Raises:
        ConfigError: it is no instrument.
    """
    name, *settings = text.split(",")
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise ConfigError(f"instrument: should be such as BTC-USDT.spot or BTC-USDT.perp,tick=0.1, was {text!r}")
    base, quote, market = matched.groups()
    is_spot = market == "spot"
    values: dict[str, Any] = dict(_SPOT if is_spot else _PERP) | {"price": PRICES.get(base, OTHER_PRICE)}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or key not in values:
            raise ConfigError(f"instrument {name}: settings are {', '.join(values)} as key=value, was {setting!r}")
        values[key] = str(_positive(value, f"instrument {name}: {key}", least_zero=key.endswith("_fee")))
    price = Decimal(values.pop("price"))
    values |= {"kind": "spot" if is_spot else "linear", "base": base, "quote": quote}
    if is_spot:
        values["fee_mode"] = "received"
    listing = Listing(
        symbol=f"{base}{quote}" if is_spot else f"{base}{quote}:PERP",
        name=f"{name}@{venue}",
        kind="spot" if is_spot else "linear",
        base=base,
        quote=quote,
        settle=quote,
        settings=values,
        price_decimals=_decimals(values["tick"]),
        size_decimals=_decimals(values["lot"]),
    )
    return listing, price


def _positive(text: str, where: str, *, least_zero: bool = False) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or (value == 0 and not least_zero):
        raise ConfigError(f"{where} should be a number above zero, was {text!r}")
    return value


def _decimals(text: str) -> int:
    exponent = Decimal(text).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def open_exchange(
    instruments: Sequence[str], venue: str, *, seed: int, start_ns: int
) -> tuple[Exchange, dict[str, Decimal]]:
    """Return an exchange with *instruments*, and at which prices their markets begin.

    Raises:
        ConfigError: one is no instrument, or is there twice.
    """
    from quotewright_simexchange.exchange.exchange import Exchange

    found = [listing_of(text, venue) for text in instruments or INSTRUMENTS]
    listings = [listing for listing, _ in found]
    twice = {one.symbol for one in listings if sum(other.symbol == one.symbol for other in listings) > 1}
    if twice:
        raise ConfigError(f"instrument {sorted(twice)[0]}: is there twice; leave one out")
    exchange = Exchange(listings, start_ns=start_ns, seed=seed)
    prices = {listing.symbol: price for listing, price in found}
    for listing in listings:
        if listing.kind != "spot":
            exchange.set_index(listing.symbol, prices[listing.symbol])
            exchange.set_mark(listing.symbol, prices[listing.symbol])
    return exchange, prices


def open_market(text: str, prices: Mapping[str, Decimal], seed: int) -> MarketDriver | None:
    """Return the market that *text* names: ``agents``, ``none``, or the file of a script or tape.

    Raises:
        ConfigError: it is none of them.
    """
    if text == "none":
        return None
    if text == "agents":
        from quotewright_simexchange.markets.agents import AgentMarket

        return AgentMarket(prices, seed)
    path = Path(text)
    if path.is_dir():
        from quotewright.tape.tape import TapeFile
        from quotewright_simexchange.markets.tape import TapeMarket

        return TapeMarket(TapeFile.open(path))
    if path.is_file():
        from quotewright_simexchange.markets.script import read_script
        from quotewright_simexchange.markets.scripted import ScriptMarket

        return ScriptMarket(read_script(path))
    raise ConfigError(f"market: should be agents, none, a script's file or a tape's folder, was {text!r}")


def close_market(market: MarketDriver | None) -> None:
    """Close what *market* keeps open: its tape."""
    tape = getattr(market, "tape", None)
    if tape is not None:
        tape.close()


def open_dialects(names: Iterable[str], exchange: Exchange, plugins_dir: Sequence[Path] = ()) -> list[Dialect]:
    """Return the dialects called *names*, each with all venue cards that are installed."""
    from quotewright.cli.venues import card_named, card_names
    from quotewright.plugin.registry import PluginSet

    plugins = PluginSet.discover(list(plugins_dir))
    cards = {name: card_named(plugins, name) for name in card_names(plugins)}
    return [plugins.get("dialects", name)(exchange, cards) for name in names]


def balances_of(texts: Sequence[str], listings: Mapping[str, Listing]) -> dict[str, Decimal]:
    """Return what ``USDT=1000`` and the like state; without any, plenty of every currency."""
    if not texts:
        found = {one.base: BASE_AMOUNT for one in listings.values() if one.kind == "spot"}
        return found | {one.quote: RICH["USDT"] for one in listings.values()}
    found = {}
    for text in texts:
        currency, sign, amount = text.partition("=")
        if not sign or not currency.isalnum():
            raise ConfigError(f"balance: should be such as USDT=1000, was {text!r}")
        found[currency.upper()] = _positive(amount, f"balance {currency}")
    return found


def made_certificate(host: str, authority: Path) -> ssl.SSLContext:
    """Return a context with a certificate made here for *host*; what it is trusted by is written to *authority*.

    Raises:
        ConfigError: trustme is not installed.
    """
    try:
        import trustme
    except ImportError:
        raise ConfigError("--tls needs trustme: pip install 'quotewright[tls]'") from None
    maker = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = dict.fromkeys(("127.0.0.1", "localhost", "::1", host))
    maker.issue_cert(*names).configure_cert(context)
    maker.cert_pem.write_to_path(str(authority))
    return context
