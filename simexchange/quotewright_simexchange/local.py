"""The local exchange in process: a venue and its market in one, in virtual time, made lively by seeded agents."""

from __future__ import annotations

from array import array
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from quotewright.config.units import Bps, Duration
from quotewright.errors import ConfigError
from quotewright.feed import FeedAdapter
from quotewright.kernel.amounts import to_money
from quotewright.kernel.codes import (
    BUY,
    IN_SNAPSHOT,
    LAST,
    LEVEL_DELETE,
    LEVEL_SET,
    NEVER,
    NO_SIDE,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.portfolio import money
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.source import RowSource
from quotewright.kernel.venue import Venue
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
    Rejected,
)
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright.wiring import Market, VenueContext
from quotewright_simexchange.agents import Agents, MarketSettings
from quotewright_simexchange.lockstep import Lockstep, lockstep_of
from quotewright_simexchange.matching.accounts import SpotAccounts
from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    AMEND_REJECTED,
    AMENDED,
    CANCEL_REJECTED,
    CANCELED,
    E_ACCOUNT,
    E_CODE,
    E_LEAVES,
    E_NUMBER,
    E_ORDER,
    E_OTHER,
    E_OTHER_ACCOUNT,
    E_OTHER_LEAVES,
    E_PRICE,
    E_QUANTITY,
    E_TYPE,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NOT_POST_ONLY,
    POST_ONLY_REJECT,
    REASON_NAMES,
    REJECTED,
    TRADED,
)
from quotewright_simexchange.matching.core import MatchingCore
from quotewright_simexchange.outside import outside_market
from quotewright_simexchange.replay_venue import QueueTable

if TYPE_CHECKING:
    from quotewright.model.orders import Command, Report
    from quotewright.tape.sink import Sink
    from quotewright.wiring import FeedContext
    from quotewright_simexchange.matching.received import ReceivedMarket

START_NS = 1_767_225_600_000_000_000
"""Market time begins at 2026-01-01 00:00 UTC, whatever the clock on the wall says."""
OUR_ACCOUNT = 0


@configured
class Latencies:
    """How long things take between the exchange and here, each way."""

    feed: Duration = setting(default="2ms", doc="from a change at the exchange to its row here", check=at_least(0))
    entry: Duration = setting(default="3ms", doc="from a command here to the exchange", check=at_least(0))
    response: Duration = setting(
        default="2ms", doc="from an event at the exchange to its report here", check=at_least(0)
    )


class LocalMarket(RowSource):
    """The exchange's level feed and prints as rows, told one feed latency after they happened."""

    def __init__(self, exchange: LocalExchange) -> None:
        super().__init__()
        self.exchange = exchange
        self.buffer = TapeBuffer(4096)
        self.rows = self.buffer

    def fill(self, until_ns: int) -> int:
        """Let the exchange go on until a row is known here, or *until_ns*."""
        if self.first >= self.buffer.count and self.buffer.count > 0:
            self.buffer.truncate(0)
            self.first = 0
            self.last = 0
        self.exchange.go_on(until_ns)
        receive_ns = self.pending_ns()
        return receive_ns if receive_ns <= until_ns else NEVER

    @property
    def clocked(self) -> LocalExchange:
        return self.exchange

    def pending_ns(self) -> int:
        """Return when the first row not yet taken becomes known here, NEVER if there is none."""
        if self.first >= self.buffer.count:
            return NEVER
        return self.buffer.words[self.first * 6 + 1]

    def add(self, event_ns: int, receive_ns: int, rows: list[tuple[int, int, int, int, int]]) -> None:
        """Add one message of rows ``(kind, side, price, size, id)``."""
        last = len(rows) - 1
        for number, (kind, side, price, size, identity) in enumerate(rows):
            flags = LAST if number == last else 0
            if kind in (SNAPSHOT_BEGIN, LEVEL_SET) and rows[0][0] == SNAPSHOT_BEGIN:
                flags |= IN_SNAPSHOT
            self.buffer.append(event_ns, receive_ns, price, size, identity, pack(kind, side, flags, 0))
        self.last = self.buffer.count


@configured
class LocalExchange(Venue):
    """A spot exchange of one instrument with price-time priority, balances and fees, and agents that trade on it.

    Our orders are account 0 and truly queue behind and fill against those of the agents, who see and hit them. With
    another feed than its own, it fills our orders against that feed's market: see :mod:`~.outside`.
    """

    instrument: str = setting(default="BTC-USDT.spot@local", doc="name of the instrument that is traded here")
    price: Decimal = setting(
        default=Decimal(60_000), doc="price at which the market begins, in quote currency", check=positive
    )
    tick: Decimal = setting(default=Decimal("0.01"), doc="tick size in quote currency", check=positive)
    lot: Decimal = setting(default=Decimal("0.00001"), doc="lot size in base units", check=positive)
    min_notional: Decimal = setting(default=Decimal(5), doc="least value of an order in quote currency")
    maker_fee: Bps = setting(default="1 bps", doc="fee of the resting side; negative is a rebate")
    taker_fee: Bps = setting(default="5 bps", doc="fee of the taking side")
    fee_mode: Literal["quote", "received"] = setting(
        default="quote", doc="fees are paid in quote, or in what is received"
    )
    balance: dict[str, Decimal] = setting(factory=dict, doc="what our account has at the start; empty: no funds check")
    latency: Latencies = setting(factory=Latencies, doc="latency of feed, order entry and response")
    queue: QueueTable = setting(
        factory=QueueTable, doc="queue model, where the market is another feed's and only we trade here"
    )
    market: MarketSettings = setting(factory=MarketSettings, doc="how lively the market is")

    def __attrs_post_init__(self) -> None:
        self.keeps_priority_on_reduce = True
        self.traded = make_instrument(self.instrument, self.tick, self.lot, self.min_notional)
        self.source = LocalMarket(self)
        self.outside: ReceivedMarket | None = None
        self.is_live = False
        """Whether the market from outside comes in while the run goes on."""
        self.together: Lockstep | None = None
        self._reports: deque[Report] = deque()
        self._arrivals: deque[tuple[int, Command]] = deque()
        self._numbers: dict[int, int] = {}
        self._ids: dict[int, int] = {}
        self._next_id = 0
        self._feed_ns, self._entry_ns = int(self.latency.feed), int(self.latency.entry)
        self._response_ns = int(self.latency.response)
        self.now_ns = START_NS
        self._fills = {"maker": 0, "taker": 0}
        self._trades = 0
        self._joined: dict[int, int] = {}
        self._places = array("q")

    def open(self, seed: int) -> Market:
        """Open the market with this seed and return it; called by the feed."""
        traded = self.traded
        self.spot = SpotAccounts(
            traded.price_decimals,
            traded.size_decimals,
            to_money(self.maker_fee.fraction),
            to_money(self.taker_fee.fraction),
            fee_in_quote=self.fee_mode == "quote",
        )
        self._deposit()
        notional = self.min_notional.scaleb(traded.price_decimals + traded.size_decimals)
        self.core = MatchingCore(
            tick_steps=traded.tick_steps, lot_steps=traded.lot_steps, min_notional=int(notional), money=self.spot
        )
        self.agents = Agents(
            self.market,
            seed,
            START_NS,
            int(self.price / self.tick),
            int(Decimal(str(self.market.size)) / self.lot),
            self._place,
            self._cancel,
            self._touch,
        )
        self._snapshot()
        return Market(source=self.source, instruments=(traded,), start_ns=START_NS)

    def _deposit(self) -> None:
        known = (self.traded.base, self.traded.quote)
        strange = sorted(set(self.balance) - set(known))
        if strange:
            raise ConfigError(f"balance: '{strange[0]}' is not traded here; expected {' or '.join(known)}")
        if self.balance:
            base, quote = (to_money(self.balance.get(currency, Decimal(0))) for currency in known)
            self.spot.deposit(OUR_ACCOUNT, base, quote)

    def connect(self, context: VenueContext) -> None:
        """Trade on the exchange's own market if that is the run's, else fill against the market from outside."""
        is_own = context.market is None or context.market.is_of(self.source)
        if is_own and context.tape is None and self.traded in context.instruments:
            self.together = lockstep_of(context.market) if context.market is not None else None
            return
        self.outside = outside_market(self, context)
        self.is_live = context.tape is None
        self.keeps_priority_on_reduce = self.outside.keeps_priority_on_reduce

    # The contract of a venue.

    def run(self, until_ns: int) -> int:
        """Go on up to *until_ns*; see :meth:`Venue.run`."""
        if self.outside is not None:
            return self.outside.run(until_ns)
        self.go_on(until_ns)
        return self._reports[0].receive_ns if self._reports and self._reports[0].receive_ns <= until_ns else NEVER

    def go_on(self, until_ns: int) -> None:
        """Let agents and commands act in order of time, never past what would first become known here."""
        if self.together is not None:
            self.together.go_on(until_ns)
            return
        while self.due_ns() <= min(until_ns, self.known_ns()):
            self.act()

    def due_ns(self) -> int:
        """Return when an agent acts or a command arrives next."""
        return min(self.agents.next_ns, self._arrivals[0][0]) if self._arrivals else self.agents.next_ns

    def known_ns(self) -> int:
        """Return when the first row or report that nobody has taken becomes known here."""
        pending_ns = self.source.pending_ns()
        return min(pending_ns, self._reports[0].receive_ns) if self._reports else pending_ns

    def act(self) -> None:
        """Let an agent act or a command arrive, whichever is due first; at one time the agent."""
        agents = self.agents
        if not self._arrivals or agents.next_ns <= self._arrivals[0][0]:
            self.now_ns = agents.next_ns
            agents.act()
        else:
            self.now_ns, command = self._arrivals.popleft()
            self._carry_out(command)

    def submit(self, command: Command, now_ns: int) -> bool:
        """Send *command*; it arrives one entry latency later."""
        if self.outside is not None:
            return self.outside.submit(command, now_ns)
        self._arrivals.append((now_ns + self._entry_ns, command))
        return True

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return what is known here by *now_ns*."""
        if self.outside is not None:
            return self.outside.take_reports(now_ns)
        found: list[Report] = []
        while self._reports and self._reports[0].receive_ns <= now_ns:
            found.append(self._reports.popleft())
        return found

    def fees(self, instrument: Instrument) -> tuple[Decimal, Decimal]:
        """Return maker and taker fee as shares of a fill's value."""
        return self.maker_fee.fraction, self.taker_fee.fraction

    def assumptions(self) -> list[str]:
        """Return what a reader of the report should know about this venue."""
        if self.outside is not None:
            told = self.outside.assumptions()
            if self.is_live:
                told[0] = "The live market does not see our orders: no impact on it, and nobody reacts to our quotes."
            return told
        latency = self.latency
        return [
            f"a local exchange with {self.market.makers} seeded makers, takers and noise; not a real market",
            f"latency: feed {latency.feed}, order entry {latency.entry}, response {latency.response}",
            f"fees: maker {self.maker_fee!s}, taker {self.taker_fee!s}, paid in "
            + ("quote currency" if self.fee_mode == "quote" else "what is received"),
            "orders fill by price-time priority against agents' orders, who see ours and react",
        ]

    def figures(self) -> dict[str, Any]:
        """Return the venue's own count of what happened."""
        if self.outside is not None:
            return self.outside.figures()
        base_free, base_locked, quote_free, quote_locked = self.spot.balance(OUR_ACCOUNT)
        traded = self.traded
        return {
            "market_trades": self._trades,
            "fills": dict(self._fills),
            "balances": {
                traded.base: money(base_free + base_locked),
                traded.quote: money(quote_free + quote_locked),
            },
            "open_orders": self.core.open_order_count(OUR_ACCOUNT),
            "state_hash": self.core.state_hash(),
        }

    def queue_places(self) -> list[tuple[int, int, int]]:
        """Return ``(order number, joined, ahead)`` in size steps of each fill of a resting order, oldest first.

        *joined* stood ahead when the order joined its price, *ahead* still did when what filled it arrived.
        """
        if self.outside is not None:
            return self.outside.queue_places()
        words = self._places
        return [(words[at], words[at + 1], words[at + 2]) for at in range(0, len(words), 3)]

    # What agents do.

    def _place(self, account: int, side: int, price_ticks: int, lots: int, immediate: bool, post_only: bool) -> int:
        traded = self.traded
        order_id = self._next_id
        self._next_id += 1
        self.core.new(
            order_id,
            account,
            side,
            LIMIT,
            price_ticks * traded.tick_steps,
            lots * traded.lot_steps,
            IOC if immediate else GTC,
            POST_ONLY_REJECT if post_only else NOT_POST_ONLY,
        )
        self._publish()
        return order_id if self.core.leaves(order_id) else -1

    def _cancel(self, account: int, order_id: int) -> None:
        if self.core.leaves(order_id):
            self.core.cancel(order_id, account)
            self._publish()

    def _touch(self) -> tuple[int, int]:
        tick_steps = self.traded.tick_steps
        return self.core.best_bid() // tick_steps, self.core.best_offer() // tick_steps

    # What our commands do.

    def _carry_out(self, command: Command) -> None:
        traded = self.traded
        if isinstance(command, NewOrder):
            order_id = self._next_id
            self._next_id += 1
            self._ids[command.order_number] = order_id
            self._numbers[order_id] = command.order_number
            self.core.new(
                order_id,
                OUR_ACCOUNT,
                command.side,
                LIMIT if command.price_ticks else MARKET,
                command.price_ticks * traded.tick_steps,
                command.quantity_lots * traded.lot_steps,
                command.time_in_force,
                POST_ONLY_REJECT if command.post_only else NOT_POST_ONLY,
            )
            self._join(order_id, command.side, command.price_ticks)
        elif isinstance(command, CancelOrder):
            self.core.cancel(self._known(command.order_number), OUR_ACCOUNT)
        elif isinstance(command, AmendOrder):
            order_id = self._known(command.order_number)
            found = self.core.order(order_id)
            price, quantity = command.price_ticks * traded.tick_steps, command.quantity_lots * traded.lot_steps
            self.core.amend(order_id, OUR_ACCOUNT, price, quantity)
            if found is not None and (price != found[2] or quantity > found[3]):  # it queues anew
                self._join(order_id, found[1], command.price_ticks)
        self._publish(command.order_number)

    def _join(self, order_id: int, side: int, price_ticks: int) -> None:
        """Keep how much stands ahead of an order of ours that has joined its price, if it rests."""
        if not self.core.leaves(order_id):
            return
        ahead = 0
        for other, size in self.core.orders_at(side, price_ticks * self.traded.tick_steps):
            if other == order_id:
                self._joined[order_id] = ahead
                return
            ahead += size

    def _known(self, order_number: int) -> int:
        return self._ids.get(order_number, self._next_id)

    def _publish(self, order_number: int = 0) -> None:
        """Turn what the last command left into reports for us and rows for everybody."""
        prints: list[tuple[int, int, int, int, int]] = []
        trade = 0
        met: dict[int, int] = {}
        fees = self.core.fees()
        for event in self.core.events():
            if event[E_TYPE] == TRADED:
                prints.append((TRADE, event[E_CODE], event[E_PRICE], event[E_QUANTITY], event[E_NUMBER]))
                if event[E_ACCOUNT] == OUR_ACCOUNT:
                    joined = self._joined.get(event[E_ORDER], -1)
                    self._places.extend((self._numbers[event[E_ORDER]], joined, met.get(event[E_PRICE], 0)))
                else:
                    met[event[E_PRICE]] = met.get(event[E_PRICE], 0) + event[E_QUANTITY]
                self._report_trade(event, fees[trade] if fees else (0, False, 0, False))
                trade += 1
            elif event[E_ACCOUNT] == OUR_ACCOUNT:
                self._report(event, order_number)
        receive_ns = self.now_ns + self._feed_ns
        if prints:
            self._trades += len(prints)
            self.source.add(self.now_ns, receive_ns, prints)
        changes = self.core.changes()
        if changes:
            self.source.add(
                self.now_ns,
                receive_ns,
                [
                    (LEVEL_SET if size else LEVEL_DELETE, side, price, size, number)
                    for side, price, size, number in changes
                ],
            )

    def _report_trade(self, event: tuple[int, ...], fees: tuple[int, bool, int, bool]) -> None:
        maker_fee, maker_base, taker_fee, taker_base = fees
        if event[E_ACCOUNT] == OUR_ACCOUNT:
            self._fill(event, event[E_ORDER], event[E_LEAVES], True, maker_fee, maker_base)
        if event[E_OTHER_ACCOUNT] == OUR_ACCOUNT:
            self._fill(event, event[E_OTHER], event[E_OTHER_LEAVES], False, taker_fee, taker_base)

    def _fill(
        self, event: tuple[int, ...], order_id: int, leaves: int, is_maker: bool, fee: int, is_base: bool
    ) -> None:
        traded = self.traded
        self._fills["maker" if is_maker else "taker"] += 1
        self._reports.append(
            Fill(
                order_number=self._numbers[order_id],
                event_ns=self.now_ns,
                receive_ns=self.now_ns + self._response_ns,
                fill_id=str(event[E_NUMBER]),
                price_ticks=event[E_PRICE] // traded.tick_steps,
                quantity_lots=event[E_QUANTITY] // traded.lot_steps,
                leaves_lots=leaves // traded.lot_steps,
                is_maker=is_maker,
                fee=fee,
                fee_currency=traded.base if is_base else traded.quote,
            )
        )

    def _report(self, event: tuple[int, ...], order_number: int) -> None:
        traded = self.traded
        kind = event[E_TYPE]
        number = self._numbers.get(event[E_ORDER], order_number)
        times: dict[str, Any] = {
            "order_number": number,
            "event_ns": self.now_ns,
            "receive_ns": self.now_ns + self._response_ns,
        }
        if kind == ACCEPTED:
            self._reports.append(Accepted(venue_order_id=str(event[E_ORDER]), **times))
            return
        if kind == AMENDED:
            self._reports.append(
                Amended(
                    price_ticks=event[E_PRICE] // traded.tick_steps,
                    quantity_lots=event[E_QUANTITY] // traded.lot_steps,
                    leaves_lots=event[E_LEAVES] // traded.lot_steps,
                    keeps_priority=bool(event[E_CODE]),
                    **times,
                )
            )
            return
        reason = REASON_NAMES[event[E_CODE]]
        if kind == REJECTED:
            self._reports.append(Rejected(reason=reason, **times))
        elif kind == CANCELED:
            self._reports.append(Canceled(reason=reason, leaves_lots=event[E_QUANTITY] // traded.lot_steps, **times))
        elif kind == CANCEL_REJECTED:
            self._reports.append(CancelRejected(reason=reason, **times))
        elif kind == AMEND_REJECTED:
            self._reports.append(AmendRejected(reason=reason, **times))

    def _snapshot(self) -> None:
        """Begin the feed with the whole book."""
        number = self.core.feed_sequence
        rows = [(SNAPSHOT_BEGIN, NO_SIDE, 0, 0, number)]
        for side in (BUY, SELL):
            rows.extend((LEVEL_SET, side, price, size, number) for price, size in self.core.levels(side))
        self.source.buffer.truncate(0)
        self.source.first = 0
        self.source.add(self.now_ns, self.now_ns + self._feed_ns, rows)


@configured
class LocalFeed(FeedAdapter):
    """The market of a local exchange of this run, row by row; there are no frames to read."""

    venue: str = setting(default="", doc="table under [venues] whose market this is; not needed if there is only one")

    def market(self, context: FeedContext) -> Market:
        """Open the market of the venue named, or of the only local exchange there is."""
        if context.tape is not None:
            raise ConfigError(
                f"{context.where}: plugin 'simexchange' makes its own market; on a tape write plugin = 'tape' here"
            )
        exchanges = {name: venue for name, venue in context.venues.items() if isinstance(venue, LocalExchange)}
        name = self.venue or (next(iter(exchanges)) if len(exchanges) == 1 else "")
        if name not in exchanges:
            raise ConfigError(
                f"{context.where}.venue: should name a venue of plugin 'simexchange', was '{name}'; "
                f"there {'are' if exchanges else 'is'} {', '.join(exchanges) or 'none'}"
            )
        return exchanges[name].open(context.seed)

    def on_message(self, raw: bytes | memoryview, source: str, url: str | None, receive_ns: int, sink: Sink) -> None:
        """A local exchange in process sends no frames; one that comes all the same is counted as of another market."""
        self.bad_frame("market", "the local exchange in process sends no frames")


def make_instrument(name: str, tick: Decimal, lot: Decimal, min_notional: Decimal) -> Instrument:
    """Return the instrument *name*, ``BASE-QUOTE.spot@venue``, with these steps."""
    pair, at, venue = name.partition("@")
    symbol, _, kind = pair.partition(".")
    base, dash, quote = symbol.partition("-")
    if not (at and dash and base and quote and venue) or kind != "spot":
        raise ConfigError(f"instrument should be written like 'BTC-USDT.spot@local', was '{name}'")
    return Instrument(
        name=name,
        symbol=base + quote,
        venue=venue,
        kind="spot",
        base=base,
        quote=quote,
        settle=quote,
        price_decimals=_decimals(tick),
        size_decimals=_decimals(lot),
        tick_steps=int(tick.scaleb(_decimals(tick))),
        lot_steps=int(lot.scaleb(_decimals(lot))),
        min_notional=min_notional,
    )


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
