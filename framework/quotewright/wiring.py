"""From a config and a set of plugins to a pipeline: names become objects, units become ticks, lots and money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from quotewright.config.units import Amount
from quotewright.errors import ConfigError, InputError, QuotewrightError
from quotewright.kernel.codes import MONEY_SCALE, NEVER
from quotewright.kernel.pipeline import Desk, Pipeline
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.signals import Signal
from quotewright.kernel.signals_flow import TradeFlow
from quotewright.kernel.signals_volatility import ESTIMATORS, MidMoves
from quotewright.kernel.source import RowSource
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View
from quotewright.model.names import NameTable
from quotewright.plugin.discovery import fault

if TYPE_CHECKING:
    from quotewright.config.model import Config, FeedTable, RiskTable, StrategyTable
    from quotewright.kernel.book import BookModel
    from quotewright.kernel.pipeline import Recorder
    from quotewright.kernel.rules import RiskRule
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.tape import Tape

S = TypeVar("S", bound=Signal)


class _ValuedLot:
    """How many lots a value buys at the mid it was last asked for: the mid stands still far longer than strategies."""

    __slots__ = ("lot_unit", "lots", "mid2", "money2")

    def __init__(self, money2: int, lot_unit: int) -> None:
        self.money2 = money2
        self.lot_unit = lot_unit
        self.mid2 = 0
        self.lots = 0


class BoundAmount:
    """An amount of a config file tied to instruments: whole lots of a quantity, money of a value.

    A value (``200 USDT``) becomes lots at the last known mid, rounded down; a quantity (``0.5 BTC``) becomes
    money at that mid.
    """

    def __init__(self, amount: Amount, views: Sequence[View], where: str) -> None:
        self.amount = amount
        self.where = where
        self._lots: dict[int, int] = {}
        self._money: dict[int, int] = {}
        self._valued: dict[int, _ValuedLot] = {}
        for view in views:
            self._bind(view)
        if views and not self._lots and not self._money:
            units = sorted({unit for view in views for unit in _units(view.instrument)})
            raise ConfigError(
                f"{where}: unit '{amount.unit}' fits no instrument of this run; expected {', '.join(units)}"
            )

    def _bind(self, view: View) -> None:
        instrument = view.instrument
        if self.amount.unit in (instrument.base, "lots", "contracts", "base"):
            quantity = self.amount.value
            lots = int(quantity) if self.amount.unit == "lots" else int(quantity // instrument.lot_size)
            if quantity > 0 and lots == 0:
                raise ConfigError(
                    f"{self.where}: {self.amount} is less than one lot of {instrument.name} ({instrument.lot_size})"
                )
            self._lots[view.instrument_id] = lots
        elif self.amount.unit in (instrument.quote, instrument.settle, "quote"):
            self._money[view.instrument_id] = to_money(self.amount.value)
            self._valued[view.instrument_id] = _ValuedLot(
                2 * self._money[view.instrument_id], view.portfolio.unit * view.lot_steps
            )

    def lots(self, view: View) -> int:
        """Return whole lots, rounded down; 0 for a value while no mid is known."""
        valued = self._valued.get(view.instrument_id)
        if valued is None:
            return self._lots.get(view.instrument_id, 0)
        mid2 = view.known_mid2
        if mid2 != valued.mid2:
            valued.mid2 = mid2
            lot2 = valued.lot_unit * mid2
            valued.lots = valued.money2 // lot2 if lot2 > 0 else 0
        return valued.lots

    def money(self, view: View) -> int:
        """Return quote money; a quantity is valued at the last known mid, rounded down."""
        fixed = self._money.get(view.instrument_id)
        if fixed is not None:
            return fixed
        lots = self._lots.get(view.instrument_id, 0)
        return lots * view.lot_steps * view.portfolio.unit * view.known_mid2 // 2

    def applies_to(self, view: View) -> bool:
        """Return whether the amount's unit means something for this instrument."""
        return view.instrument_id in self._lots or view.instrument_id in self._money


def _units(instrument: Instrument) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unit for unit in (instrument.base, instrument.quote, instrument.settle) if unit))


def to_money(value: Decimal) -> int:
    """Return *value* as whole 10^-18 of its currency; ConfigError if it is finer."""
    scaled = value.scaleb(MONEY_SCALE)
    if scaled != scaled.to_integral_value():
        raise ConfigError(f"{value} is finer than 10^-{MONEY_SCALE}")
    return int(scaled)


@attrs.frozen(kw_only=True)
class BindContext:
    """What a strategy or a rule is bound to; ``view`` and ``instrument`` are a strategy's, a rule sees ``views``."""

    name: str
    where: str
    views: tuple[View, ...]
    seed: int = 0

    @property
    def view(self) -> View:
        """The view of the strategy's instrument; the first one for a rule."""
        return self.views[0]

    @property
    def instrument(self) -> Instrument:
        found: Instrument = self.view.instrument
        return found

    @property
    def instrument_id(self) -> int:
        return self.view.instrument_id

    def amount(self, amount: Amount, key: str = "") -> BoundAmount:
        """Tie *amount* to the instruments; ConfigError if its unit fits none of them."""
        return BoundAmount(amount, self.views, f"{self.where}.{key}" if key else self.where)

    def money(self, amount: Amount, key: str = "") -> int:
        """Return an amount of quote currency as money; ConfigError if it is of another unit."""
        quotes = {view.instrument.settle or view.instrument.quote for view in self.views} | {"quote"}
        if amount.unit not in quotes:
            where = f"{self.where}.{key}" if key else self.where
            raise ConfigError(f"{where}: unit should be {' or '.join(sorted(quotes - {'quote'}))}, was '{amount.unit}'")
        if len(quotes) > 2:
            where = f"{self.where}.{key}" if key else self.where
            raise ConfigError(
                f"{where}: the instruments of this run are quoted in {' and '.join(sorted(quotes - {'quote'}))}; "
                f"one amount cannot hold for all of them"
            )
        return to_money(amount.value)

    def signal(self, signal: S, view: View | None = None) -> S:
        """Have the kernel keep *signal* for the strategy's instrument, or for that of *view*, one of ``views``.

        Returns the signal to read: one of the same class with equal parameters that is kept already, else *signal*.
        """
        if not isinstance(signal, Signal):
            raise ConfigError(f"{self.where}: a signal should be a Signal, was {signal!r}")
        if view is None:
            if len(self.views) != 1:
                names = ", ".join(each.instrument.name for each in self.views)
                raise ConfigError(
                    f"{self.where}: a signal belongs to one instrument; say by view= which of these: {names}"
                )
            view = self.view
        elif all(view is not each for each in self.views):
            raise ConfigError(f"{self.where}: a signal of {view.instrument.name}, which it is not bound to")
        return cast("S", view.add_signal(signal))

    def volatility(
        self,
        window_ns: int,
        samples: int = 60,
        *,
        unit: str = "steps",
        estimator: str = "realised",
        floor: float = 0.0,
        view: View | None = None,
    ) -> MidMoves:
        """Have the kernel keep the volatility of the instrument's mid over *window_ns*, per root second.

        Args:
            unit: ``steps`` of the price, or ``bps``.
            estimator: ``realised``, ``exponential``, ``range``, ``bipower`` or ``median``.
            floor: Least value, in *unit*.
        """
        if estimator not in ESTIMATORS:
            raise ConfigError(f"{self.where}: no estimator '{estimator}'; there are {', '.join(ESTIMATORS)}")
        return self.signal(ESTIMATORS[estimator](window_ns, samples, unit, floor), view)

    def trade_flow(self, window_ns: int, samples: int = 60, *, view: View | None = None) -> TradeFlow:
        """Have the kernel keep the signed share of takers' volume over *window_ns*."""
        return self.signal(TradeFlow(window_ns, samples), view)


@attrs.frozen(kw_only=True)
class VenueContext:
    """What a venue is connected to at wiring. ``tape`` is None unless a recorded market drives the run.

    ``market`` is what the feed opened; a venue that fills against it taps its source.
    """

    name: str
    where: str
    instruments: tuple[Instrument, ...]
    tape: Tape | None
    seed: int
    start_ns: int
    cards: Mapping[str, Any] = attrs.field(factory=dict)
    market: Market | None = None
    is_replay: bool = False
    """Whether a recorded session is only followed: nothing is sent, and what was reported then is reported again."""


@attrs.frozen(kw_only=True)
class FeedContext:
    """What a feed opens its market with: the tape given to the run, if any, and the venues by table name."""

    name: str
    where: str
    tape: Tape | None
    venues: Mapping[str, Venue]
    seed: int
    instruments: tuple[str, ...] = ()
    live: Market | None = None
    """The live market that was prepared for this run, if there is one."""


@attrs.frozen(kw_only=True)
class Market:
    """Rows and what they speak of. ``end_ns`` is NEVER for a market that goes on; times are pipeline time.

    Where several feeds make one market, ``parts`` are theirs by table name and ``feeds`` says for each instrument which
    one it comes from.
    """

    source: RowSource
    instruments: tuple[Instrument, ...]
    start_ns: int
    end_ns: int = NEVER
    parts: Mapping[str, Market] = attrs.field(factory=dict)
    feeds: tuple[str, ...] = ()

    def is_of(self, source: RowSource) -> bool:
        """Return whether the rows are those of *source*, or those of *source* are among them."""
        return self.source is source or any(part.source is source for part in self.parts.values())


@attrs.frozen(kw_only=True)
class Wired:
    """A run, ready to start."""

    market: Market
    views: tuple[View, ...]
    desks: tuple[Desk, ...]
    rules: tuple[RiskRule, ...]
    venues: dict[str, Venue]
    gate: RiskGate
    pipeline: Pipeline
    tape: Tape | None


def assemble(
    config: Config,
    plugins: PluginSet,
    tape: Tape | None,
    recorder: Recorder,
    sample_ns: int = 0,
    live: Market | None = None,
    *,
    is_replay: bool = False,
) -> Wired:
    """Build every object that *config* names and wire them into a pipeline.

    Args:
        tape: The recorded market of a backtest; it must be causal.
        recorder: Told of everything that happens; it changes nothing.
        sample_ns: How often the recorder samples, 0 for what the config says.
        live: A live market that is connected already.
        is_replay: A recorded session is followed.

    Raises:
        ConfigError: a table that names what is not there, or values that do not fit the instruments.
    """
    if tape is not None:
        tape.require_causal()
    seed = config.run.seed
    venues: dict[str, Venue] = {name: plugins.build("execution_venues", table) for name, table in config.venues.items()}
    market = _open_market(config, plugins, tape, venues, live)
    cards = _cards(config, plugins, venues)
    for name, venue in venues.items():
        table = config.venues[name]
        context = VenueContext(
            name=name,
            where=table.where,
            instruments=market.instruments,
            tape=tape,
            seed=seed,
            start_ns=market.start_ns,
            cards=cards,
            market=market,
            is_replay=is_replay,
        )
        with raising(table.where, "connect()"):
            venue.connect(context)
    views: list[View | None] = [None] * len(market.instruments)
    desks = [_desk(config, plugins, table, market, venues, views, seed) for table in config.strategies.values()]
    if not desks:
        raise ConfigError(f"{_files(config)}: no strategy is configured; add a table [strategies.NAME]")
    watched = tuple(view for view in views if view is not None)
    rules = [_rule(plugins, table, watched, seed) for table in config.risk.values()]
    gate = RiskGate(rules, list(watched))
    for view in watched:
        view.account = gate
    pipeline = Pipeline(
        market.source,
        views,
        desks,
        gate,
        list(venues.values()),
        recorder,
        sample_ns or int(config.run.sample),
    )
    return Wired(
        market=market,
        views=watched,
        desks=tuple(desks),
        rules=tuple(rules),
        venues=venues,
        gate=gate,
        pipeline=pipeline,
        tape=tape,
    )


@contextmanager
def raising(where: str, what: str) -> Iterator[None]:
    """Turn whatever a plugin raises in *what* into a ConfigError that names its table."""
    try:
        yield
    except (KeyboardInterrupt, QuotewrightError):
        raise
    except BaseException as error:
        raise ConfigError(f"{where}: the plugin's {what} raised {fault(error)}") from error


def _files(config: Config) -> str:
    return ", ".join(config.files) or "config"


def _open_market(
    config: Config, plugins: PluginSet, tape: Tape | None, venues: dict[str, Venue], live: Market | None
) -> Market:
    """Open the market of the one feed, or those of several venues in process as one."""
    tables = list(config.feeds.values())
    if not tables:
        raise ConfigError(f"{_files(config)}: no feed is configured; a run takes a table [feeds.NAME]")
    if len(tables) > 1 and (tape is not None or live is not None):
        kind = "tape" if tape is not None else "live feed"
        raise ConfigError(
            f"{_files(config)}: {len(tables)} feeds are configured; a run on a {kind} takes one table [feeds.NAME], "
            "whose rows may be of several venues"
        )
    markets: dict[str, Market] = {}
    for number, table in enumerate(tables):
        feed = plugins.build("feed_adapters", table)
        context = FeedContext(
            name=table.name,
            where=table.where,
            tape=tape,
            venues=venues,
            seed=config.run.seed + number,
            instruments=table.instruments,
            live=live,
        )
        with raising(table.where, "market()"):
            market = feed.market(context)
        if not isinstance(market, Market):
            raise ConfigError(f"{table.where}: '{table.plugin}' opened no market, was {market!r}")
        markets[table.name] = market
    if len(markets) == 1:
        return next(iter(markets.values()))
    from quotewright.merging import merge_markets

    return merge_markets(markets, _files(config))


def _cards(config: Config, plugins: PluginSet, venues: dict[str, Venue]) -> dict[str, Any]:
    """Return the cards that tables name, and those that a venue wants where its table names none."""
    wanted = {table.card or getattr(venues[name], "card_name", "") for name, table in config.venues.items()} - {""}
    if not wanted:
        return {}
    from quotewright.model.cards import load_card

    return {name: load_card(plugins.get("venue_cards", name)) for name in sorted(wanted)}


def _desk(
    config: Config,
    plugins: PluginSet,
    table: StrategyTable,
    market: Market,
    venues: dict[str, Venue],
    views: list[View | None],
    seed: int,
) -> Desk:
    number = _instrument_number(table, market)
    taken = views[number]
    if taken is not None:
        raise ConfigError(f"{table.where}: {taken.instrument.name} is quoted by another strategy already")
    venue_name = table.venue or (next(iter(venues)) if len(venues) == 1 else "")
    if venue_name not in venues:
        known = ", ".join(venues) or "none"
        raise ConfigError(f"{table.where}.venue: no venue called '{venue_name}' is configured; configured: {known}")
    feed = config.feeds[market.feeds[number]] if market.feeds else next(iter(config.feeds.values()))
    view = View(market.instruments[number], number, _book(plugins, feed))
    views[number] = view
    strategy = plugins.build("strategies", table)
    with raising(table.where, "bind()"):
        strategy.bind(BindContext(name=table.name, where=table.where, views=(view,), seed=seed))
    venue = venues[venue_name]
    manager = QuoteManager(
        table.requote.ticks,
        int(Decimal(str(table.requote.spread_fraction)) * 1_000_000),
        bool(venue.keeps_priority_on_reduce),
    )
    return Desk(table.name, strategy, view, manager, venue)


def _book(plugins: PluginSet, feed: FeedTable) -> BookModel:
    table = {"plugin": feed.book} if isinstance(feed.book, str) else dict(feed.book)
    book: BookModel = plugins.build("book_models", table, f"{feed.where}.book")
    return book


def _instrument_number(table: StrategyTable, market: Market) -> int:
    names = [instrument.name for instrument in market.instruments]
    if table.instrument in ("", "*"):
        if len(names) == 1:
            return 0
        raise ConfigError(f"{table.where}.instrument: name one of {', '.join(names)}")
    for number, instrument in enumerate(market.instruments):
        if table.instrument in (instrument.name, instrument.name.partition("@")[0]):
            return number
    try:
        return market.instruments.index(NameTable(market.instruments).find(table.instrument))
    except InputError as error:
        raise ConfigError(f"{table.where}.instrument: {error}") from error


def _rule(plugins: PluginSet, table: RiskTable, views: tuple[View, ...], seed: int) -> RiskRule:
    rule: RiskRule = plugins.build("risk_rules", table)
    rule.name = table.name
    rule.mode = table.mode
    with raising(table.where, "bind()"):
        rule.bind(BindContext(name=table.name, where=table.where, views=views, seed=seed))
    return rule
