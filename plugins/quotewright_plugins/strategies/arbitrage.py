"""Cross-venue arbitrage: buy where it is offered low, sell where it is bid high, once both books, fees and all pay."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from quotewright.config.units import Amount, Bps, Duration
from quotewright.consolidated import ConsolidatedBook, Leg, Size, whole
from quotewright.errors import ConfigError
from quotewright.kernel.codes import MONEY_SCALE, REDUCE_ONLY, TRADING
from quotewright.kernel.strategy import MultiStrategy
from quotewright.plugin.settings import at_least, configured, not_negative, positive, setting
from quotewright_plugins.strategies.arbitrage_records import Finding, Opportunity, told
from quotewright_plugins.strategies.arbitrage_trade import Mending, Trade, is_enough
from quotewright_plugins.strategies.arbitrage_walk import Costs, Deal, Way

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes, Strategy
    from quotewright.kernel.view import View
    from quotewright.terms import VenueTerms
    from quotewright.wiring import BindContext

MOST_RECORDS = 10_000
"""Opportunities that are remembered one by one; all are counted."""
OUTCOMES = ("both", "missed", "hedged", "unwound", "stranded")


@configured
class Arbitrage(MultiStrategy):
    """Finds, and in mode ``trade`` takes, what one venue bids above what another one asks; its ``legs`` are one pair.

    Every two legs are looked at both ways whenever a best price moves and every ``every``. What is found is kept as an
    opportunity with an id, from when it was first seen to when it was gone.
    """

    wake_on_best = True

    mode: Literal["detect", "trade"] = setting(default="detect", doc="detect: no orders; trade: take both legs")
    capital: Amount = setting(default="10000 quote", doc="most that one purchase may cost", check=positive)
    min_notional: Amount = setting(
        default="1000 quote", doc="least value that can be had on both sides", check=not_negative
    )
    min_profit: Bps = setting(
        default="5 bps", doc="least profit after all costs, of the value bought: of the whole, and of its last lot"
    )
    sure_notional: Amount = setting(
        default="10000 quote", doc="value available at which the confidence is 1", check=positive
    )
    max_age: Duration = setting(
        default="5s", doc="a leg whose book was heard of, by receive time, longer ago does not count", check=at_least(1)
    )
    cooldown: Duration = setting(
        default="1s", doc="how long after an opportunity, and after a trade, the next one on that way waits"
    )
    every: Duration = setting(default="100ms", doc="how often legs are looked at without news", check=at_least(1))
    taker_fees: dict[str, Bps] = setting(
        factory=dict, doc="taker fee by venue or instrument, in place of what venue and card say"
    )
    fee_tiers: dict[str, str] = setting(factory=dict, doc="fee tier of the venue's card, by venue or instrument")
    transfer: Amount = setting(
        default="0 quote", doc="what moving the balances back costs, for each opportunity", check=not_negative
    )
    funding: Bps = setting(default="0 bps", doc="funding until the positions are closed, of the value bought")
    borrow: Bps = setting(default="0 bps", doc="what borrowing what is sold costs, of the value bought")
    max_position: Amount | None = setting(
        default=None, doc="largest position at each leg; unset: no bound", check=positive
    )
    balances: dict[str, dict[str, Decimal]] = setting(
        factory=dict, doc="what the accounts have at the start, by venue; unset: what the venue says, if it does"
    )
    on_leg: Literal["hedge", "unwind"] = setting(
        default="hedge", doc="when one leg fills less: hedge at the other venue, then unwind; or unwind at once"
    )
    mend_within: Bps = setting(
        default="20 bps", doc="how far beyond the price that was meant a surplus is evened out", check=not_negative
    )
    mend_attempts: int = setting(
        default=3, doc="orders by which that is tried at each of the two venues", check=at_least(1)
    )
    mend_for: Duration = setting(default="10s", doc="how long it is tried at each of the two venues", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Tie amounts and fees to the legs and lay the ways between them."""
        if len(context.views) < 2:
            raise ConfigError(f"{context.where}.legs: arbitrage takes two legs or more, was given {len(context.views)}")
        self.wake_every_ns = int(self.every)
        self.name = context.name
        try:
            self.book = ConsolidatedBook(context.views, int(self.max_age))
        except ConfigError as error:
            raise ConfigError(f"{context.where}.legs: {error}") from None
        self._terms = tuple(context.terms)
        self._capital = self._worth(context, "capital")
        self._min_notional = self._worth(context, "min_notional")
        self._sure_notional = self._worth(context, "sure_notional")
        if self.mode == "trade" and self._capital < self._min_notional:
            raise ConfigError(f"{context.where}.capital: {self.capital} never buys min_notional, {self.min_notional}")
        self._min_profit = Fraction(self.min_profit.fraction)
        self._limit = None if self.max_position is None else context.amount(self.max_position, "max_position")
        fees = [self._fee(leg, context.where) for leg in self.book.legs]
        holding = Fraction(self.funding.fraction) + Fraction(self.borrow.fraction)
        fixed = self._worth(context, "transfer")
        self.ways = [
            Way(self.book, buy, sell, Costs(fees[buy.place], fees[sell.place], holding, fixed, self._min_profit))
            for buy in self.book.legs
            for sell in self.book.legs
            if buy is not sell
        ]
        self._mending = Mending(
            self.on_leg == "hedge", Fraction(self.mend_within.fraction), self.mend_attempts, int(self.mend_for)
        )
        self.detected = 0
        self.open: dict[tuple[int, int], Opportunity] = {}
        self.closed: list[Opportunity] = []
        self.passed_over = {"stale": 0, "below min_notional": 0, "below min_profit": 0}
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.legged = 0
        self.unwind_cost = self.trade_fees = self.profit = Fraction(0)
        self.trade: Trade | None = None
        self._quiet_until: dict[tuple[int, int], int] = {}
        self._traded_ns: dict[tuple[int, int], int] = {}

    def _worth(self, context: BindContext, key: str) -> Fraction:
        """Return the value that *key* states, in quote currency."""
        amount: Amount = getattr(self, key)
        quote = context.instrument.quote
        if amount.unit not in ("quote", quote):
            raise ConfigError(f"{context.where}.{key}: should be a value such as '1000 {quote}', was '{amount}'")
        return Fraction(amount.value)

    def _named(self, table: dict[str, Any], leg: Leg) -> Any:
        """Return the entry of *table* for a leg, named by its instrument, its exchange or its table; None without."""
        names = (leg.instrument.name, leg.instrument.venue, self._terms_of(leg).name)
        return next((table[name] for name in names if name in table), None)

    def _terms_of(self, leg: Leg) -> VenueTerms:
        return self._terms[leg.place]

    def _fee(self, leg: Leg, where: str) -> Fraction:
        """Return the taker fee at a leg: as stated, else of the card's tier, else as the venue says."""
        stated = self._named(self.taker_fees, leg)
        if stated is not None:
            return Fraction(Bps.parse(stated).fraction)
        tier = self._named(self.fee_tiers, leg) or ""
        terms = self._terms_of(leg)
        found = terms.taker_fee_of(tier)
        if found is None:
            reason = (
                f"venue '{terms.name}' has no card with a tier '{tier}'" if tier else "no venue and no card tells it"
            )
            raise ConfigError(
                f"{where}.taker_fees: the taker fee of {leg.instrument.name} is not known, {reason}; "
                f'write taker_fees = {{ {terms.name} = "10 bps" }}'
            )
        return Fraction(found)

    # Looking.

    def on_wake_legs(self, views: Sequence[View], quotes: Sequence[Quotes]) -> None:
        """Look at every way, keep the opportunities, and trade if that is wanted."""
        now_ns = views[0].now_ns
        found = self.look(now_ns)
        self._note(found, now_ns)
        if self.trade is not None:
            if self.trade.on_wake(now_ns, quotes):
                self._reckon(self.trade, now_ns)
        elif self.mode == "trade" and not self.outcomes["stranded"]:
            self._trade_best(found, now_ns, quotes)

    def look(self, now_ns: int) -> list[Finding]:
        """Return what pays now, the widest first."""
        usable = {leg.place for leg in self.book.usable(now_ns)}
        found = []
        for way in self.ways:
            if not way.pays():
                continue
            if way.buy.place not in usable or way.sell.place not in usable:
                self.passed_over["stale"] += 1
                continue
            slices = list(way.slices())
            available = way.deal(slices)
            if available is None or available.notional < self._min_notional:
                self.passed_over["below min_notional"] += 1
                continue
            deal = way.deal(slices, self._capital)
            if deal is None or deal.net < deal.cost * self._min_profit:
                self.passed_over["below min_profit"] += 1
                continue
            confidence = min(available.notional / self._sure_notional, Fraction(1))
            found.append(Finding(way, available, deal, confidence))
        found.sort(key=lambda one: (-one.deal.net_bps, one.key))
        return found

    def _note(self, found: list[Finding], now_ns: int) -> None:
        """Open, keep and close opportunities."""
        seen = {one.key: one for one in found}
        for key, opportunity in list(self.open.items()):
            if key not in seen:
                self._close(key, opportunity, now_ns)
        for key, finding in seen.items():
            known = self.open.get(key)
            if known is None:
                if now_ns < self._quiet_until.get(key, 0):
                    continue
                self.detected += 1
                known = self.open[key] = Opportunity(f"{self.name}-{self.detected}", finding, now_ns)
            known.see(finding)

    def _close(self, key: tuple[int, int], opportunity: Opportunity, now_ns: int) -> None:
        way = opportunity.way
        legs = (way.buy, way.sell)
        is_young = all(leg.is_usable(now_ns, self.book.max_age_ns) for leg in legs)
        opportunity.closed_ns = now_ns
        opportunity.why = "gone" if is_young else "stale"
        del self.open[key]
        self._quiet_until[key] = now_ns + int(self.cooldown)
        if len(self.closed) < MOST_RECORDS:
            self.closed.append(opportunity)

    # Trading.

    def _trade_best(self, found: list[Finding], now_ns: int, quotes: Sequence[Quotes]) -> None:
        """Begin a trade on the widest opportunity that has room and was not traded a moment ago."""
        for finding in found:
            opportunity = self.open.get(finding.key)
            rested_ns = self._traded_ns.get(finding.key)
            is_tired = rested_ns is not None and now_ns - rested_ns < int(self.cooldown)
            if opportunity is None or is_tired or not self._takes_orders(finding.way):
                continue
            deal = self._affordable(finding.way)
            if deal is None:
                continue
            self.trade = Trade(self.name, finding.way, deal, self._mending, now_ns)
            self.trade.begin(quotes)
            opportunity.trades.append(self.trade.record)
            return

    def _takes_orders(self, way: Way) -> bool:
        """Return whether orders that increase a position may be placed at both legs."""
        views = (way.buy.view, way.sell.view)
        return all(
            view.is_book_good and view.is_reachable and view.status == TRADING and view.risk_state < REDUCE_ONLY
            for view in views
        )

    def _affordable(self, way: Way) -> Deal | None:
        """Return the deal within capital, positions and balances, None if it is not worth it any more."""
        most = self._room(way)
        deal = way.deal(list(way.slices()), self._capital, most)
        if deal is None or deal.notional < self._min_notional or deal.net < deal.cost * self._min_profit:
            return None
        enough = is_enough(way.buy, deal.buy_lots, deal.buy_ticks) and is_enough(
            way.sell, deal.sell_lots, deal.sell_ticks
        )
        return deal if enough else None

    def _room(self, way: Way) -> Size | None:
        """Return how much position limits and balances leave for a deal, in base units; None: no bound."""
        found: list[Size] = []
        buy, sell = way.buy, way.sell
        worst = list(way.slices())[-1]
        if self._limit is not None:
            for leg, sign, price in ((buy, 1, worst.offer), (sell, -1, worst.bid)):
                lots = max(0, self._limit.lots(leg.view) - sign * leg.view.own.position_lots)
                found.append(leg.size(lots * leg.instrument.lot_steps, price))
        quote = self._available(buy, buy.instrument.quote)
        if quote is not None:
            paid = worst.offer * (1 + way.costs.buy_fee)
            found.append(whole(max(Fraction(0), quote) * way.value_scale / paid))
        base = self._available(sell, sell.instrument.base)
        if base is not None:
            found.append(whole(max(Fraction(0), base) * 10**self.book.size_decimals))
        return min(found) if found else None

    def _available(self, leg: Leg, currency: str) -> Fraction | None:
        """Return what the account of a spot leg has of *currency* by our own count; None where it is not known."""
        stated = self._named(self.balances, leg)
        table = self._terms_of(leg).name
        start = self._terms_of(leg).balance if stated is None else stated
        if leg.instrument.kind != "spot" or not start:
            return None
        total = Fraction(start.get(currency, Decimal(0)))
        for other in self.book.legs:
            if self._terms_of(other).name != table or other.instrument.kind != "spot":
                continue
            portfolio, instrument = other.view.portfolio, other.instrument
            if instrument.quote == currency:
                total += Fraction(portfolio.cash, 10**MONEY_SCALE)
            if instrument.base == currency:
                total += Fraction(instrument.quantity(portfolio.position_lots))
            total -= Fraction(portfolio.fees.get(currency, 0), 10**MONEY_SCALE)
        return total

    def _reckon(self, trade: Trade, now_ns: int) -> None:
        record = trade.record
        self.outcomes[record.outcome] += 1
        self.legged += record.is_legged
        self.unwind_cost += record.unwind_cost
        self.trade_fees += record.fees
        self.profit += record.profit
        self._traded_ns[trade.way.buy.place, trade.way.sell.place] = now_ns
        self.trade = None

    # Telling.

    def figures(self) -> dict[str, Any]:
        """Return what the summary says of this strategy."""
        return {
            "mode": self.mode,
            "detected": self.detected,
            "open": len(self.open),
            "passed_over": dict(self.passed_over),
            "traded": sum(self.outcomes.values()) + (self.trade is not None),
            "outcomes": dict(self.outcomes),
            "legged": self.legged,
            "unwind_cost": told(self.unwind_cost),
            "fees": told(self.trade_fees),
            "profit": told(self.profit),
        }

    def records(self) -> list[dict[str, Any]]:
        """Return every opportunity that is remembered, by its id; the open ones have no time of closing."""
        everything = [*self.closed, *self.open.values()]
        return [one.as_mapping() for one in sorted(everything, key=lambda one: int(one.number.rpartition("-")[2]))]

    def take_over(self, before: Strategy) -> None:
        """Go on with the opportunities and the trade of the strategy before."""
        assert isinstance(before, Arbitrage)
        kept = (
            "detected", "open", "closed", "passed_over", "outcomes", "legged", "unwind_cost", "trade_fees", "profit",
            "trade", "_quiet_until", "_traded_ns",
        )  # fmt: skip
        for name in kept:
            setattr(self, name, getattr(before, name))
