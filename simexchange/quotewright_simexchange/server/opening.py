"""What ``exchange serve`` opens: instruments, exchange, dialect, market, an account with a key, certificates."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from quotewright.errors import ConfigError
from quotewright_simexchange.exchange.records import Listing
from quotewright_simexchange.server.settings import start_of

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.tape import Tape, TapeFile
    from quotewright_simexchange.doors import Dialect
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.markets.driver import MarketDriver
    from quotewright_simexchange.markets.tape import TapeMarket
    from quotewright_simexchange.server.serving import Server
    from quotewright_simexchange.server.settings import Settings

INSTRUMENTS = ("BTC-USDT.spot", "BTC-USDT.perp")
ACCOUNT = "trader"
AGENTS = "agents"
NONE = "none"
PERP_MARK = ":PERP"
"""Behind the symbol of a perpetual, which may have the name of a spot instrument."""
MARKETS = {"spot": "spot", "perp": "linear"}
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


Fees: TypeAlias = Mapping[str, Mapping[str, str]]
"""Fees of instruments that state none, by kind: ``maker_fee`` and ``taker_fee``."""
NO_FEES: Fees = MappingProxyType({})


def listing_of(text: str, venue: str, fees: Fees = NO_FEES) -> tuple[Listing, Decimal]:
    """Return the instrument that *text* states, and the price at which its market begins; *fees* are the usual ones.

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
    values: dict[str, Any] = dict(_SPOT if is_spot else _PERP) | dict(fees.get(MARKETS[market], {}))
    values["price"] = PRICES.get(base, OTHER_PRICE)
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
        symbol=f"{base}{quote}" if is_spot else f"{base}{quote}{PERP_MARK}",
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
    instruments: Sequence[str],
    venue: str,
    *,
    seed: int,
    start_ns: int,
    tape: Tape | None = None,
    fees: Fees = NO_FEES,
) -> tuple[Exchange, dict[str, Decimal]]:
    """Return an exchange with *instruments*, else those of *tape*, and at which prices their markets begin.

    Raises:
        ConfigError: one is no instrument, or is there twice.
    """
    from quotewright_simexchange.exchange.exchange import Exchange

    if tape is not None and not instruments:
        found = [listing_on_tape(one, fees) for one in tape.instruments if one.kind in MARKETS]
        if not found:
            raise ConfigError(f"market: {tape.name} holds no spot or perp that could be served; take another tape")
    else:
        found = [listing_of(text, venue, fees) for text in instruments or INSTRUMENTS]
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


def listing_on_tape(instrument: Instrument, fees: Fees = NO_FEES) -> tuple[Listing, Decimal]:
    """Return the instrument of a tape as it is served, with fees and margins as usual, and a price to begin with."""
    from quotewright_simexchange.markets import tape

    kind = "inverse" if instrument.is_inverse else MARKETS[instrument.kind]
    usual = dict(_SPOT if instrument.kind == "spot" else _PERP) | dict(fees.get(kind, {}))
    settings = {key: usual[key] for key in usual if key not in ("tick", "lot", "min_notional")}
    if instrument.kind == "spot":
        settings["fee_mode"] = "received"
    settings |= {"kind": kind, "base": instrument.base, "quote": instrument.quote}
    listing = attrs.evolve(tape.listing_of(instrument, **settings), symbol=served_symbol(instrument))
    return listing, Decimal(PRICES.get(instrument.base, OTHER_PRICE))


def served_symbol(instrument: Instrument) -> str:
    """Return under which symbol an instrument of a tape is traded here."""
    return f"{instrument.base}{instrument.quote}" + (PERP_MARK if instrument.kind == "perp" else "")


def open_tape(texts: Sequence[str]) -> TapeFile | None:
    """Return the tape that is among the markets *texts*, None if there is none.

    Raises:
        ConfigError: there are several.
    """
    from quotewright.tape.tape import TapeFile

    folders = [text for text in texts if text not in (AGENTS, NONE) and Path(text).is_dir()]
    if len(folders) > 1:
        raise ConfigError(f"market: one tape at a time, came {' and '.join(folders)}; leave one out")
    return TapeFile.open(Path(folders[0])) if folders else None


def begin_of_tape(tape: Tape | None) -> int | None:
    """Return the first event time of *tape*."""
    if tape is None or not len(tape.event_order):
        return None
    return int(tape.rows.words[tape.event_order[0] * 6])


def open_markets(
    texts: Sequence[str], prices: Mapping[str, Decimal], seed: int, tape: Tape | None = None
) -> list[MarketDriver]:
    """Return the markets that *texts* name; *tape* is the one among them that is a folder.

    Raises:
        ConfigError: one is no market.
    """
    found: list[MarketDriver] = []
    for text in texts:
        if tape is not None and Path(text).is_dir():
            found.append(market_of_tape(tape, prices))
        else:
            market = open_market(text, prices, seed)
            found += [] if market is None else [market]
    return found


def market_of_tape(tape: Tape, listed: Container[str]) -> TapeMarket:
    """Return the market of *tape* on the symbols that are *listed*."""
    from quotewright_simexchange.markets.tape import TapeMarket

    symbols = {one.name: symbol for one in tape.instruments if (symbol := served_symbol(one)) in listed}
    if not symbols:
        names = ", ".join(one.name for one in tape.instruments) or "nothing"
        raise ConfigError(f"market: {tape.name} holds {names}, none of which is traded here; name its instruments")
    return TapeMarket(tape, symbols)


def open_market(text: str, prices: Mapping[str, Decimal], seed: int) -> MarketDriver | None:
    """Return the market that *text* names: ``agents``, ``none``, or the file of a script or tape.

    Raises:
        ConfigError: it is none of them.
    """
    if text == NONE:
        return None
    if text == AGENTS:
        from quotewright_simexchange.markets.agents import AgentMarket

        return AgentMarket(prices, seed)
    path = Path(text)
    if path.is_dir():
        from quotewright.tape.tape import TapeFile

        return market_of_tape(TapeFile.open(path), prices)
    if path.is_file():
        from quotewright_simexchange.markets.script import read_script
        from quotewright_simexchange.markets.scripted import ScriptMarket

        return ScriptMarket(read_script(path))
    raise ConfigError(
        f"market: should be agents, none, a script's file or a tape's folder, was {text!r}: no such file or folder"
    )


def close_market(market: MarketDriver | None) -> None:
    """Close what *market* keeps open: its tape."""
    tape = getattr(market, "tape", None)
    if tape is not None:
        tape.close()


class Cards(Mapping[str, "VenueCard"]):
    """The venue cards that are installed, each read when it is asked for."""

    def __init__(self, plugins: PluginSet) -> None:
        from quotewright.cli.venues import card_names

        self._plugins = plugins
        self._names = list(card_names(plugins))
        self._read: dict[str, VenueCard] = {}

    def __getitem__(self, name: str) -> VenueCard:
        from quotewright.cli.venues import card_named

        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = card_named(self._plugins, name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def usual_fees(names: Sequence[str], plugins_dir: Sequence[Path] = ()) -> Fees:
    """Return by kind of instrument the fees on the cards of the dialects called *names*; of two the first one's."""
    from quotewright.cli.venues import card_named, card_names
    from quotewright.plugin.lazy import Lazy
    from quotewright.plugin.registry import PluginSet

    plugins = PluginSet.discover(list(plugins_dir))
    installed, found = set(card_names(plugins)), dict[str, dict[str, str]]()
    for name in names:
        made = plugins.get("dialects", name)
        wanted: Mapping[str, str] = getattr(made.load() if isinstance(made, Lazy) else made, "card_names", {})
        for kind, card in wanted.items():
            if card in installed:
                first = card_named(plugins, card).fees[0]
                rates = {"maker_fee": first.maker, "taker_fee": first.taker}
                found.setdefault(kind, {key: format(rate.fraction, "f") for key, rate in rates.items()})
    return found


def open_dialects(names: Sequence[str], exchange: Exchange, plugins_dir: Sequence[Path] = ()) -> list[Dialect]:
    """Return the dialects called *names*, each with all venue cards that are installed."""
    from quotewright.plugin.registry import PluginSet

    plugins = PluginSet.discover(list(plugins_dir))
    cards = Cards(plugins)
    made = [plugins.get("dialects", name)(exchange, cards) for name in names]
    if not any(one.doors() for one in made):
        listed = ", ".join(one.name for one in exchange.listings.values())
        raise ConfigError(f"dialect {', '.join(names)}: has no door for {listed}; name other instruments")
    return made


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


def account_of(text: str, listings: Mapping[str, Listing]) -> tuple[str, dict[str, Decimal]]:
    """Return the name and the balances that ``ann,USDT=1000`` states; without any, plenty of every currency."""
    name, *balances = text.split(",")
    if not name or "=" in name:
        raise ConfigError(f"account: should be such as ann or ann,USDT=1000,BTC=2, was {text!r}")
    return name, balances_of(balances, listings)


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


@contextmanager
def opened(
    settings: Settings, plugins_dir: Sequence[Path] = (), balances: Sequence[str] = (), **more: Any
) -> Iterator[tuple[Server, dict[str, Mapping[str, Any]]]]:
    """Yield the server that *settings* state, not listening yet, with its accounts by name; *more* is the server's."""
    from quotewright_simexchange.server.pacing import speed_of
    from quotewright_simexchange.server.serving import Server

    speed = speed_of(settings.speed)
    with ExitStack() as stack:
        tape = open_tape(settings.markets)
        if tape is not None:
            stack.enter_context(tape)
        start_ns = start_of(settings.start, time.time_ns, lambda: begin_of_tape(tape))
        exchange, prices = open_exchange(
            settings.instruments,
            settings.dialects[0],
            seed=settings.seed,
            start_ns=start_ns,
            tape=tape,
            fees=usual_fees(settings.dialects, plugins_dir),
        )
        markets = open_markets(settings.markets, prices, settings.seed, tape)
        dialects = open_dialects(settings.dialects, exchange, plugins_dir)
        server = Server(
            exchange,
            dialects,
            markets=markets,
            speed=speed,
            seed=settings.seed,
            port=settings.port,
            control_port=settings.control_port,
            **more,
        )
        accounts = [account_of(text, exchange.listings) for text in settings.accounts]
        keys: dict[str, Mapping[str, Any]] = {
            name: server.control.add_account(name, held)
            for name, held in accounts or [(ACCOUNT, balances_of(balances, exchange.listings))]
        }
        for market in markets:
            market.start(exchange)
        yield server, keys
