"""One simulated world: exchange, doors, network, and the framework's own live stack, moved event by event."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.config.model import RunTable
from quotewright.errors import ConfigError
from quotewright.live.market import live_adapter, put_together
from quotewright.live.settings import LiveSettings
from quotewright.live.several import LiveFeeds
from quotewright.live.venue import LiveVenue
from quotewright.live.venue_feed import resolved_feed
from quotewright.runtime.paper_live import LiveRun
from quotewright.runtime.session import GRACE_NS, Session
from quotewright_simexchange.exchange.exchange import START_NS
from quotewright_simexchange.world.agenda import FOREVER, Agenda
from quotewright_simexchange.world.feed_checks import BookCheck, FeedChecks
from quotewright_simexchange.world.plan import MS_NS, SECOND_NS
from quotewright_simexchange.world.run_checks import RunChecks, WorldRecorder
from quotewright_simexchange.world.town import CLIENT, Town
from quotewright_simexchange.world.truth_checks import TruthChecks
from quotewright_simexchange.world.verdicts import Broken, Verdicts

if TYPE_CHECKING:
    from quotewright.config.model import Config, FeedTable
    from quotewright.feed import FeedAdapter
    from quotewright.model.cards import VenueCard
    from quotewright.plugin.registry import PluginSet
    from quotewright_simexchange.world.plan import Plan

KEY, SECRET = "QUOTEWRIGHT_CHAOS_KEY", "QUOTEWRIGHT_CHAOS_SECRET"
"""Variables that hold the key of the world's account while its run is put together."""
BEAT_NS = 20 * MS_NS
"""A live run looks at least so often whether something is due."""
LOOK_NS = SECOND_NS
"""How often a live run looks for books that stay crossed or have run thin."""
CONVERGE_NS = 120 * SECOND_NS
"""So long after the faults all must be well: bans, pauses and limits of tries have passed by then."""
CALM_NS = 2 * SECOND_NS
"""How long a world goes on once all is well."""
MOST_LOOKS = 200
"""A run may want to be looked at so often within a millisecond."""
STOP_NS = 15 * SECOND_NS
"""So long after the stop nothing may be left open."""


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
        self.threads = threading.active_count()
        config = seeded(ground.config, plan.seed)
        table = feed_of(config, ground.plugins)
        adapter = adapter_of(table, ground.plugins)
        self.town = Town(
            adapter.name, table.instruments, ground.plugins, ground.cards, plan, self.agenda, self.verdicts
        )
        self.exchange, self.network, self.faults = self.town.exchange, self.town.network, self.town.faults
        settings = adapter.live or LiveSettings()
        self.live = put_together(
            adapter,
            self.town.listed(adapter),
            table.instruments,
            self.agenda,
            table.where,
            self.network.carrier("feed", CLIENT, int(settings.request_timeout)),
            plan.seed,
        )
        self.recorder = WorldRecorder()
        with keys_in_environment(self.town.key.key, self.town.key.secret):
            self.session = Session("chaos", config, ground.plugins, live=self.live.market, recorder=self.recorder)
        self.turns = LiveRun(self.session, LiveFeeds({table.name: self.live}), None, None)
        self.venues = self.turns.venues
        for venue in self.venues:
            timeout_ns = int(venue.settings.request_timeout)
            venue.attach(self.agenda, _nobody, self.network.carrier(venue.name, CLIENT, timeout_ns))
        self._make_checks()
        self._beat_ns = 0
        self._look_ns = START_NS + LOOK_NS
        self._quotes_before = 0
        self._awake_ns = 0
        self._looks = 0

    def _make_checks(self) -> None:
        town, views = self.town, self.session.wired.views
        symbols = town.symbols([view.instrument for view in views])
        self.run_checks = RunChecks(self.session, self.agenda, self.verdicts)
        books = {
            view.instrument.symbol: BookCheck(view, town.checks.changes[symbols[view.instrument.symbol]], self.verdicts)
            for view in views
        }
        self.feed_checks = FeedChecks(self.live.feed, books, self.network.traffic, self.agenda, self.verdicts)
        self.truth: TruthChecks | None = None
        if self.venues:
            self.truth = TruthChecks(
                self.venues[0],
                self.exchange,
                self.run_checks,
                town.checks,
                self.network.traffic,
                symbols,
                self.verdicts,
            )
        if self.verdicts.is_on:
            self.recorder.checks = self.run_checks
            self.run_checks.truth = self.truth

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
        for venue in self.venues:
            venue.start()
        self._go_on(START_NS + plan.warm_ns)
        for strike in plan.strikes:
            self.faults.add(strike.fault())
        self.agenda.note("faults begin")
        self._go_on(START_NS + plan.faults_ns)
        self.agenda.note("faults end")
        self.network.heal()
        self.town.market.calm()
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
                    f"{CONVERGE_NS // SECOND_NS} s after the faults: {self._ailing()}, "
                    f"{self.recorder.orders - self._quotes_before} quotes placed, "
                    f"unclear orders: {self.run_checks.unclear()}",
                )
                return
            self._go_on(min(until_ns, self.agenda.now + 100 * MS_NS))
        if self.verdicts.is_on:
            self.verdicts.count(30)

    def _is_well(self) -> bool:
        return (
            self.feed_checks.is_well
            and self.recorder.orders > self._quotes_before
            and not self.run_checks.unclear()
            and (self.truth is None or self.truth.is_well())
        )

    def _stop(self) -> None:
        """End the run and see that nothing is left."""
        self.agenda.note("stop")
        if self.venues:
            self.session.begin_end()
            for is_done, ask in ((_is_clean, LiveVenue.leave), (_is_checked, LiveVenue.check_left)):
                until_ns = self.agenda.now + GRACE_NS
                for venue in self.venues:
                    ask(venue)
                while self.agenda.now < until_ns and not all(is_done(venue) for venue in self.venues):
                    self._go_on(self.agenda.now + BEAT_NS)
            self._turn()
            for venue in self.venues:
                venue.finish()
        self.session.finish()
        self.live.feed.stop()
        self.live.feed.process()
        self._go_on(self.agenda.now + STOP_NS, is_over=True)
        if not self.verdicts.is_on:
            return
        self.verdicts.hold(29, not self.network.lines, f"{len(self.network.lines)} connections are open after the stop")
        for host, door in self.network.doors.items():
            self.verdicts.hold(29, not door.lines, f"{host} holds {len(door.lines)} connections after the stop")
        self.verdicts.hold(29, threading.active_count() <= self.threads, "a thread is left after the stop")
        live = [order.number for view in self.session.wired.views for order in view.live]
        self.verdicts.hold(17, not live, f"orders {live} are live after the stop")
        if self.truth is not None:
            self.truth.check()
            self.truth.compare()

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
                self._require_progress(run_ns)
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
                self.town.checks.check()
        agenda.move(until_ns)
        exchange.advance(agenda.now)

    def _require_progress(self, now_ns: int) -> None:
        """A run that wants to be looked at again and again, and does nothing then, would burn a processor."""
        if now_ns > self._awake_ns + MS_NS:
            self._awake_ns, self._looks = now_ns, 0
        self._looks += 1
        if self._looks > MOST_LOOKS:
            due = [f"feed {self.live.feed.session.deadline_ns - now_ns}"]
            due += [f"{venue.name} {venue.deadline_ns - now_ns}" for venue in self.venues]
            self.verdicts.broken(
                30, f"looked at {MOST_LOOKS} times within a millisecond, due in ns: {', '.join(due)}; {self._ailing()}"
            )

    def _ailing(self) -> str:
        return self.feed_checks.ailing() + (f", {self.truth.ailing()}" if self.truth is not None else "")

    def _run_due_ns(self) -> int:
        """Return when the run is to look next at what is due."""
        due_ns = min(self.live.feed.session.deadline_ns, self.session.pipeline.next_timer_ns, self._beat_ns)
        for venue in self.venues:
            due_ns = min(due_ns, venue.deadline_ns)
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
            if self.truth is not None:
                self.truth.check()


def seeded(config: Config, seed: int) -> Config:
    """Return *config* with another seed."""
    run = config.run
    return attrs.evolve(config, run=RunTable(name=run.name, seed=seed, record=run.record, sample=run.sample))


def feed_of(config: Config, plugins: PluginSet) -> FeedTable:
    """Return the only feed of *config*, or what it stands for."""
    if len(config.feeds) != 1:
        raise ConfigError(f"{', '.join(config.files)}: a simulated world takes one table [feeds.NAME]")
    (table,) = config.feeds.values()
    table = resolved_feed(config, plugins, table)
    if not table.instruments:
        raise ConfigError(f"{table.where}.instruments: name what is traded in the world, such as BTC-USDT.spot@binance")
    return table


def adapter_of(table: FeedTable, plugins: PluginSet) -> FeedAdapter:
    """Return the adapter of a feed with live connections."""
    adapter = live_adapter(plugins, table)
    if adapter is None:
        raise ConfigError(f"{table.where}: '{table.plugin}' has no live connection; a simulated world needs one")
    return adapter


@contextmanager
def keys_in_environment(key: str, secret: str) -> Iterator[None]:
    """Let the variables that the venues' tables name hold the account's key and its secret."""
    before = {name: os.environ.get(name) for name in (KEY, SECRET)}
    os.environ[KEY], os.environ[SECRET] = key, secret
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _nobody() -> None:
    """Nobody is to be woken: a world looks after every event."""


def _is_clean(venue: LiveVenue) -> bool:
    return venue.is_clean


def _is_checked(venue: LiveVenue) -> bool:
    return venue.is_checked or not venue.is_clean


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
