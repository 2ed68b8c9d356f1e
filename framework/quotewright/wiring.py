"""From a config and a set of plugins to a pipeline: names become objects, units become ticks, lots and money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from quotewright.config.load import with_value
from quotewright.config.units import Amount
from quotewright.errors import ConfigError, InputError
from quotewright.kernel.amounts import BoundAmount, to_money
from quotewright.kernel.codes import NEVER
from quotewright.kernel.desk import Desk
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.signals import Signal
from quotewright.kernel.signals_flow import TradeFlow
from quotewright.kernel.signals_volatility import ESTIMATORS, MidMoves
from quotewright.kernel.strategy import MultiStrategy, Strategy
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View
from quotewright.model.names import NameTable
from quotewright.opening import FeedContext as FeedContext
from quotewright.opening import Market as Market
from quotewright.opening import files_of, open_market
from quotewright.opening import raising as raising
from quotewright.terms import VenueTerms, terms_of

if TYPE_CHECKING:
    from quotewright.config.model import Config, RiskTable, StrategyTable
    from quotewright.kernel.book import BookModel
    from quotewright.kernel.recording import Recorder
    from quotewright.kernel.rules import RiskRule
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.tape import Tape

S = TypeVar("S", bound=Signal)


@attrs.frozen(kw_only=True)
class BindContext:
    """What a strategy or a rule is bound to; ``view`` and ``instrument`` are a strategy's, a rule sees ``views``.

    ``terms`` are those of a strategy's venues, in the order of its views.
    """

    name: str
    where: str
    views: tuple[View, ...]
    seed: int = 0
    terms: tuple[VenueTerms, ...] = ()

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
        """Return an amount of the settlement currency as money; ConfigError if it is of another unit."""
        quotes = {view.portfolio.quote for view in self.views} | {"quote"}
        if amount.unit not in quotes:
            where = f"{self.where}.{key}" if key else self.where
            raise ConfigError(f"{where}: unit should be {' or '.join(sorted(quotes - {'quote'}))}, was '{amount.unit}'")
        if len(quotes) > 2:
            where = f"{self.where}.{key}" if key else self.where
            raise ConfigError(
                f"{where}: the instruments of this run settle in {' and '.join(sorted(quotes - {'quote'}))}; "
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
    to_ns: int = NEVER,
) -> Wired:
    """Build every object that *config* names and wire them into a pipeline.

    Args:
        tape: The recorded market of a backtest; it must be causal.
        recorder: Told of everything that happens; it changes nothing.
        sample_ns: How often the recorder samples, 0 for what the config says.
        live: A live market that is connected already.
        is_replay: A recorded session is followed.
        to_ns: Rows of the tape received from then on are not shown.

    Raises:
        ConfigError: a table that names what is not there, or values that do not fit the instruments.
    """
    seed = config.run.seed
    venues: dict[str, Venue] = {name: plugins.build("execution_venues", table) for name, table in config.venues.items()}
    if tape is not None and all(venue.reads_in_windows for venue in venues.values()):
        tape.check_as_read()
    elif tape is not None:
        tape.require_causal()
    market = open_market(config, plugins, tape, venues, live, to_ns)
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
    maker = _StrategyMaker(config, plugins, market, venues, views, cards)
    desks = [desk for table in config.strategies.values() for desk in maker.desks(table)]
    if not desks:
        raise ConfigError(f"{files_of(config)}: no strategy is configured; add a table [strategies.NAME]")
    watched = tuple(view for view in views if view is not None)
    rules = [_rule(plugins, table, watched, seed) for table in config.risk.values()]
    gate = RiskGate(rules, list(watched))
    gate.know(config.strategies, {number: name for number, name in enumerate(maker.venue_of) if name})
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
    pipeline.configure = maker.changed
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


def _cards(config: Config, plugins: PluginSet, venues: dict[str, Venue]) -> dict[str, Any]:
    """Return the cards that tables name, and those that a venue wants where its table names none."""
    wanted = {table.card or getattr(venues[name], "card_name", "") for name, table in config.venues.items()} - {""}
    if not wanted:
        return {}
    from quotewright.model.cards import load_card

    return {name: load_card(plugins.get("venue_cards", name)) for name in sorted(wanted)}


class _StrategyMaker:
    """Makes strategies and their desks from tables of the config; ``changed`` makes one anew with another value."""

    def __init__(
        self,
        config: Config,
        plugins: PluginSet,
        market: Market,
        venues: dict[str, Venue],
        views: list[View | None],
        cards: Mapping[str, Any],
    ) -> None:
        self.cards = cards
        self.config = config
        self.plugins = plugins
        self.market = market
        self.venues = venues
        self.views = views
        self.venue_of = [""] * len(views)
        self.made: list[Desk] = []

    def desks(self, table: StrategyTable) -> list[Desk]:
        """Return the desks of the strategy that *table* describes, one for each leg."""
        legs = self.legs(table)
        views = tuple(self.view(number, venue_name, where) for number, venue_name, where in legs)
        strategy = self.strategy(table, views)
        made = []
        for view, (_, venue_name, _) in zip(views, legs, strict=True):
            venue = self.venues[venue_name]
            manager = QuoteManager(0, 0, bool(venue.keeps_priority_on_reduce))
            _tolerate(manager, table)
            made.append(Desk(table.name, strategy, view, manager, venue))
        for desk in made:
            desk.legs = made
        self.made += made
        return made

    def legs(self, table: StrategyTable) -> list[tuple[int, str, str]]:
        """Return instrument number, venue and table of every leg; a strategy without legs has one."""
        if not table.legs:
            number = _instrument_number(table.instrument, f"{table.where}.instrument", self.market)
            return [(number, self.venue_name(table.venue, table.where), table.where)]
        if table.instrument or table.venue:
            raise ConfigError(f"{table.where}: a strategy with legs names instrument and venue in each of them only")
        found: list[tuple[int, str, str]] = []
        for place, leg in enumerate(table.legs):
            where = f"{table.where}.legs[{place}]"
            number = _instrument_number(leg.instrument, f"{where}.instrument", self.market)
            if any(number == taken for taken, _, _ in found):
                raise ConfigError(f"{where}.instrument: {self.market.instruments[number].name} is another leg already")
            found.append((number, self.venue_name(leg.venue or table.venue, where), where))
        return found

    def venue_name(self, named: str, where: str) -> str:
        """Return the venue that a table means: the one it names, or the only one there is."""
        name = named or (next(iter(self.venues)) if len(self.venues) == 1 else "")
        if name not in self.venues:
            known = ", ".join(self.venues) or "none"
            raise ConfigError(f"{where}.venue: no venue called '{name}' is configured; configured: {known}")
        return name

    def view(self, number: int, venue_name: str, where: str) -> View:
        """Return the view of an instrument, which all strategies that trade it share; they trade it at one venue."""
        view = self.views[number]
        instrument = self.market.instruments[number]
        if view is None:
            view = View(instrument, number, _book(self.plugins, self.config, self.market, number))
            if getattr(self.venues[venue_name], "reports_funding", False):
                view.books_funding = False
            self.views[number] = view
            self.venue_of[number] = venue_name
        elif self.venue_of[number] != venue_name:
            raise ConfigError(
                f"{where}.venue: {instrument.name} is traded at venue '{self.venue_of[number]}' by another strategy; "
                f"a run trades an instrument at one venue, was '{venue_name}'"
            )
        return view

    def strategy(self, table: StrategyTable, views: tuple[View, ...]) -> Strategy:
        """Return the strategy of *table*, bound."""
        made: Strategy = self.plugins.build("strategies", table)
        if isinstance(made, MultiStrategy) != bool(table.legs):
            told = "takes legs = [{ instrument, venue }, ...]" if not table.legs else "has no legs: it takes instrument"
            raise ConfigError(f"{table.where}: '{table.plugin}' {told}")
        tables = [self.config.venues[self.venue_of[view.instrument_id]] for view in views]
        legs = zip(tables, views, strict=True)
        terms = tuple(terms_of(one, self.venues[one.name], view.instrument, self.cards) for one, view in legs)
        context = BindContext(name=table.name, where=table.where, views=views, seed=self.config.run.seed, terms=terms)
        with raising(table.where, "bind()"):
            made.bind(context)
        return made

    def changed(self, assignment: str) -> tuple[str, Strategy]:
        """Return the name of the strategy that *assignment* (``strategies.NAME.key=value``) is about, made anew.

        Raises:
            ConfigError: it does not fit; nothing has changed.
        """
        config = with_value(self.config, assignment)
        path = [part.strip() for part in assignment.partition("=")[0].split(".")]
        if path[0] != "strategies" or len(path) < 3 or path[1] not in self.config.strategies:
            names = ", ".join(f"strategies.{name}" for name in self.config.strategies)
            raise ConfigError(f"{assignment}: a key of {names} can change while the run goes on, nothing else")
        if path[2] in ("plugin", "venue", "instrument", "legs"):
            raise ConfigError(f"{assignment}: '{path[2]}' is fixed for the run; stop it and start another")
        table = config.strategies[path[1]]
        own = [desk for desk in self.made if desk.name == table.name]
        strategy = self.strategy(table, tuple(desk.view for desk in own))
        with raising(table.where, "take_over()"):
            strategy.take_over(own[0].strategy)
        for desk in own:
            _tolerate(desk.manager, table)
        self.config = config
        return table.name, strategy


def _tolerate(manager: QuoteManager, table: StrategyTable) -> None:
    """Tell *manager* how far from the wanted price a quote may stay: in ticks, by side, in millionths of the spread."""
    requote = table.requote
    manager.requote_ticks = requote.ticks
    manager.requote_fraction_ppm = int(Decimal(str(requote.spread_fraction)) * 1_000_000)
    manager.bid_ticks = -1 if requote.bid_ticks is None else requote.bid_ticks
    manager.offer_ticks = -1 if requote.offer_ticks is None else requote.offer_ticks


def _book(plugins: PluginSet, config: Config, market: Market, number: int) -> BookModel:
    name = market.feeds[number] if market.feeds else next(iter(config.feeds))
    if not name:
        raise ConfigError(
            f"{files_of(config)}: {market.instruments[number].name} of the tape is under 'instruments' of none of the "
            f"feeds {', '.join(config.feeds)}; add it where it belongs"
        )
    feed = config.feeds[name]
    table = {"plugin": feed.book} if isinstance(feed.book, str) else dict(feed.book)
    book: BookModel = plugins.build("book_models", table, f"{feed.where}.book")
    return book


def _instrument_number(named: str, where: str, market: Market) -> int:
    names = [instrument.name for instrument in market.instruments]
    if named in ("", "*"):
        if len(names) == 1:
            return 0
        raise ConfigError(f"{where}: name one of {', '.join(names)}")
    for number, instrument in enumerate(market.instruments):
        if named in (instrument.name, instrument.name.partition("@")[0]):
            return number
    try:
        return market.instruments.index(NameTable(market.instruments).find(named))
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from error


def _rule(plugins: PluginSet, table: RiskTable, views: tuple[View, ...], seed: int) -> RiskRule:
    rule: RiskRule = plugins.build("risk_rules", table)
    rule.name = table.name
    rule.mode = table.mode
    with raising(table.where, "bind()"):
        rule.bind(BindContext(name=table.name, where=table.where, views=views, seed=seed))
    return rule
