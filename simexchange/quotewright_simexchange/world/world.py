"""One simulated world: exchange, doors, network, and the framework's own live stack, moved event by event."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.config.model import RunTable
from quotewright.errors import ConfigError
from quotewright.live.market import live_adapter, put_together
from quotewright.live.settings import LiveSettings
from quotewright.runtime.paper_live import LiveRun
from quotewright.runtime.session import Session
from quotewright_simexchange.doors import HttpRequest
from quotewright_simexchange.exchange.exchange import START_NS, Exchange
from quotewright_simexchange.server.faults import Faults
from quotewright_simexchange.server.opening import listing_of
from quotewright_simexchange.world.agenda import FOREVER, Agenda
from quotewright_simexchange.world.feed_checks import BookCheck, FeedChecks
from quotewright_simexchange.world.market import WorldMarket
from quotewright_simexchange.world.network import Network
from quotewright_simexchange.world.plan import MS_NS, SECOND_NS
from quotewright_simexchange.world.run_checks import RunChecks, WorldRecorder
from quotewright_simexchange.world.venue_checks import VenueChecks
from quotewright_simexchange.world.verdicts import Broken, Verdicts

if TYPE_CHECKING:
    from quotewright.config.model import Config, FeedTable
    from quotewright.feed import FeedAdapter
    from quotewright.model.cards import VenueCard
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright_simexchange.doors import Door
    from quotewright_simexchange.world.plan import Plan

OURS = "trader"
CLIENT = "10.0.0.1"
BEAT_NS = 20 * MS_NS
"""A live run looks at least so often whether something is due."""
LOOK_NS = SECOND_NS
"""How often a live run looks for books that stay crossed or have run thin."""
CONVERGE_NS = 120 * SECOND_NS
"""So long after the faults all must be well: bans, pauses and limits of tries have passed by then."""
CALM_NS = 2 * SECOND_NS
"""How long a world goes on once all is well."""
STOP_NS = 15 * SECOND_NS
"""So long after the stop nothing may be left open."""
FUNDS = {"quote": Decimal(1_000_000), "base": Decimal(100)}


@attrs.frozen(kw_only=True)
class Ground:
    """What all worlds of one config share."""

    config: Config
    plugins: PluginSet
    cards: Mapping[str, VenueCard]


@attrs.define(kw_only=True)
class Result:
    """What came of one world."""

    plan: Plan
    broken: Broken | None = None
    events: int = 0
    digest: str = ""
    evaluations: dict[int, int] = attrs.Factory(dict)
    faults: dict[str, int] = attrs.Factory(dict)
    orders: int = 0
    fills: int = 0
    quotes_after: int = 0
    """Orders placed after the faults had ended."""
    newest: list[str] = attrs.Factory(list)
    """The events before the broken invariant."""

    @property
    def is_good(self) -> bool:
        return self.broken is None


class World:
    """One seed at work. :meth:`run` it once."""

    def __init__(self, ground: Ground, plan: Plan, *, checks: bool = True) -> None:
        self.plan = plan
        self.agenda = Agenda(START_NS)
        self.verdicts = Verdicts(checks)
        self.faults = Faults(plan.seed)
        self.threads = threading.active_count()
        config = ground.config
        self.config = seeded(config, plan.seed)
        self.table = feed_of(config)
        adapter = live_adapter(ground.plugins, self.table)
        if adapter is None:
            raise ConfigError(
                f"{self.table.where}: '{self.table.plugin}' has no live connection; a simulated world needs one"
            )
        listings, prices = [], {}
        for name in self.table.instruments:
            listing, price = listing_of(name.partition("@")[0], adapter.name)
            listings.append(listing)
            prices[listing.symbol] = price
        self.exchange = Exchange(listings, start_ns=START_NS, seed=plan.seed)
        self.venue_checks = VenueChecks(self.exchange, self.verdicts, OURS)
        for listing in listings:
            if listing.kind != "spot":
                self.exchange.set_index(listing.symbol, prices[listing.symbol])
                self.exchange.set_mark(listing.symbol, prices[listing.symbol])
        funds: dict[str, Decimal] = {}
        for listing in listings:
            funds |= {listing.base: FUNDS["base"], listing.settle: FUNDS["quote"]}
        self.exchange.open_account(OURS, funds)
        self.key = self.exchange.add_key(OURS)
        self.market = WorldMarket(self.exchange, prices, plan.market, plan.seed)
        self.network = Network(self.agenda, plan, self.faults)
        dialect = ground.plugins.get("dialects", adapter.name)(self.exchange, ground.cards)
        for place, door in enumerate(dialect.doors().values()):
            self.network.serve(host_of(place), door)
        settings = adapter.live or LiveSettings()
        self.live = put_together(
            adapter,
            self._listed(adapter),
            self.table.instruments,
            self.agenda,
            self.table.where,
            self.network.carrier("feed", CLIENT, int(settings.request_timeout)),
            plan.seed,
        )
        self.recorder = WorldRecorder()
        self.session = Session("chaos", self.config, ground.plugins, live=self.live.market, recorder=self.recorder)
        self.run_checks = RunChecks(self.session, self.agenda, self.verdicts)
        books = {}
        by_name = {listing.name: listing.symbol for listing in listings}
        for view in self.session.wired.views:
            changes = self.venue_checks.changes[by_name[view.instrument.name]]
            books[view.instrument.symbol] = BookCheck(view, changes, self.verdicts)
        self.feed_checks = FeedChecks(self.live.feed, books, self.network.traffic, self.agenda, self.verdicts)
        if checks:
            self.recorder.checks = self.run_checks
        self.turns = LiveRun(self.session, self.live, self.table.name, None, None)
        self._beat_ns = 0
        self._look_ns = START_NS + LOOK_NS
        self._quotes_before = 0

    def _listed(self, adapter: FeedAdapter) -> list[Instrument]:
        """Return the instruments that the venue lists, read from its own answers."""
        found: list[Instrument] = []
        for request in adapter.wire().instrument_requests():
            door = self.network.door_at(request.url)
            path, _, query = request.url.partition("://")[2].partition("/")[2].partition("?")
            answer = door.door.http(
                HttpRequest(request.method, f"/{path}", query.encode(), request.body, {}, CLIENT), self.agenda.now
            )
            found += adapter.instruments(answer.body)
        return found

    # The life of a world.

    def run(self) -> Result:
        """Live through warm-up, faults, healing and stop; return what came of it."""
        result = Result(plan=self.plan)
        try:
            self._live()
        except Broken as broken:
            result.broken = broken
            result.newest = self.agenda.told()
        finally:
            self.session.recorder.close()
        result.events = self.agenda.events
        result.digest = self.agenda.digest() + self.recorder.order_log_sha256
        result.evaluations = dict(sorted(self.verdicts.counts.items()))
        result.faults = {kind: count for kind, count in self.faults.counts.items() if count}
        result.orders = self.recorder.orders
        result.fills = self.recorder.fill_count
        result.quotes_after = self.recorder.orders - self._quotes_before
        if self.agenda.now < START_NS + self.plan.faults_ns:
            result.quotes_after = 0
        return result

    def _live(self) -> None:
        plan = self.plan
        self.live.feed.start()
        self._go_on(START_NS + plan.warm_ns)
        for strike in plan.strikes:
            self.faults.add(strike.fault())
        self.agenda.note("faults begin")
        self._go_on(START_NS + plan.faults_ns)
        self.agenda.note("faults end")
        self.network.heal()
        self.market.calm()
        self._quotes_before = self.recorder.orders
        self._converge()
        self._go_on(max(START_NS + plan.span_ns, self.agenda.now + CALM_NS))
        self._stop()

    def _converge(self) -> None:
        """Go on until all is well again, for so long as that may take."""
        until_ns = self.agenda.now + CONVERGE_NS
        while not self._is_well():
            if self.agenda.now >= until_ns:
                self.verdicts.hold(
                    30,
                    not self.verdicts.is_on,
                    f"{CONVERGE_NS // SECOND_NS} s after the faults: {self.feed_checks.ailing()}, "
                    f"{self.recorder.orders - self._quotes_before} quotes placed, "
                    f"orders of unknown outcome: {self.run_checks.has_unknown()}",
                )
                return
            self._go_on(min(until_ns, self.agenda.now + 100 * MS_NS))
        if self.verdicts.is_on:
            self.verdicts.count(30)

    def _is_well(self) -> bool:
        return (
            self.feed_checks.is_well
            and self.recorder.orders > self._quotes_before
            and not self.run_checks.has_unknown()
        )

    def _stop(self) -> None:
        """End the run and see that nothing is left."""
        self.agenda.note("stop")
        self.session.finish()
        self.live.feed.stop()
        self._go_on(self.agenda.now + STOP_NS, is_over=True)
        if not self.verdicts.is_on:
            return
        self.verdicts.hold(29, not self.network.lines, f"{len(self.network.lines)} connections are open after the stop")
        for host, door in self.network.doors.items():
            self.verdicts.hold(29, not door.lines, f"{host} holds {len(door.lines)} connections after the stop")
        self.verdicts.hold(29, threading.active_count() <= self.threads, "a thread is left after the stop")
        live = [order.number for view in self.session.wired.views for order in view.live]
        self.verdicts.hold(9, not live, f"orders {live} are live after the stop")

    # Event by event.

    def _go_on(self, until_ns: int, *, is_over: bool = False) -> None:
        """Let everything happen up to *until_ns*; *is_over*: the run has ended, only the network goes on."""
        agenda, exchange = self.agenda, self.exchange
        while True:
            market_ns = exchange.due_ns()
            due_ns = min(agenda.next_ns, FOREVER if market_ns is None else market_ns)
            run_ns = FOREVER if is_over else self._run_due_ns()
            if min(due_ns, run_ns) > until_ns:
                break
            if run_ns < due_ns:
                agenda.move(run_ns)
                exchange.advance(agenda.now)
                agenda.note("timer")
                self._turn()
            elif market_ns is not None and market_ns <= agenda.next_ns:
                agenda.move(market_ns)
                exchange.advance(agenda.now)
                agenda.note("market")
            else:
                agenda.move(agenda.next_ns)
                exchange.advance(agenda.now)
                what, call = agenda.take()
                call()
                agenda.note(what)
                if not is_over:
                    self._turn()
            if self.verdicts.is_on:
                self.venue_checks.check()
        agenda.move(until_ns)
        exchange.advance(agenda.now)

    def _run_due_ns(self) -> int:
        """Return when the run is to look next at what is due."""
        due_ns = min(self.live.feed.session.deadline_ns, self.session.pipeline.next_timer_ns, self._beat_ns)
        return max(due_ns, self.agenda.now + 1)

    def _turn(self) -> None:
        """Let the run take what has come, as its loop does."""
        now_ns = self.agenda.now
        self._beat_ns = now_ns + BEAT_NS
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            self.turns.look_for_crossed()
        self.turns.turn(FOREVER)
        if self.recorder.failures:
            name, text = next(iter(self.recorder.failures.items()))
            self.verdicts.broken(12, f"{name}: {text}")
        if self.verdicts.is_on:
            self.run_checks.check()
            self.feed_checks.check()


def seeded(config: Config, seed: int) -> Config:
    """Return *config* with another seed."""
    run = config.run
    return attrs.evolve(config, run=RunTable(name=run.name, seed=seed, record=run.record, sample=run.sample))


def feed_of(config: Config) -> FeedTable:
    """Return the only feed of *config*."""
    if len(config.feeds) != 1:
        raise ConfigError(f"{', '.join(config.files)}: a simulated world takes one table [feeds.NAME]")
    (table,) = config.feeds.values()
    if not table.instruments:
        raise ConfigError(f"{table.where}.instruments: name what is traded in the world, such as BTC-USDT.spot@binance")
    return table


def host_of(place: int) -> str:
    """Return where the door at this *place* of a dialect is found in the world: addresses of this machine are safe."""
    return f"127.0.0.{place + 2}"


def addresses(doors: Mapping[str, Door]) -> dict[str, Mapping[str, str]]:
    """Return where each door is found in the world: ``rest``, ``ws`` and what else it tells."""
    return {
        name: door.addresses(f"http://{host_of(place)}", f"ws://{host_of(place)}")
        for place, (name, door) in enumerate(doors.items())
    }


def figures(result: Result) -> dict[str, Any]:
    """Return *result* fit for JSON."""
    found = {
        "plan": result.plan.as_json(),
        "events": result.events,
        "digest": result.digest,
        "evaluations": {str(number): count for number, count in result.evaluations.items()},
        "faults": result.faults,
        "orders": result.orders,
        "fills": result.fills,
        "quotes_after_healing": result.quotes_after,
    }
    if result.broken is not None:
        found |= {"invariant": result.broken.number, "broken": str(result.broken), "events_before": result.newest}
    return found
