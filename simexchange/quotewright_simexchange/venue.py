"""The exchange object as an execution venue in process: every rule, several instruments, any of its markets.

What ``quotewright exchange serve`` offers over sockets, without them: the same listings, fees and markets in virtual
time, so that a config moves from one to the other by its venue's table alone.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from quotewright.config.units import Duration
from quotewright.errors import ConfigError
from quotewright.kernel.amounts import to_money
from quotewright.kernel.codes import BUY, NEVER, RATE_SCALE, REFERENCE_SCALE, ROW_WORDS, SELL, STATUS_NAMES
from quotewright.kernel.venue import Venue
from quotewright.live.source import LiveSource, sink_of
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
    Payment,
    Rejected,
    RejectReason,
    TimeInForce,
)
from quotewright.plugin.settings import at_least, configured, setting
from quotewright.wiring import Market, VenueContext
from quotewright_simexchange.exchange.records import (
    BalanceEvent,
    DepthEvent,
    OrderEvent,
    OrderRequest,
    PhaseEvent,
    ReferenceEvent,
    Refused,
    TradeEvent,
)
from quotewright_simexchange.local import START_NS, Latencies
from quotewright_simexchange.lockstep import Lockstep, lockstep_of
from quotewright_simexchange.server.opening import balances_of, close_market, open_exchange, open_market

if TYPE_CHECKING:
    from quotewright.model.orders import Command, Report
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Event, FillRecord, Listing, OrderRecord
    from quotewright_simexchange.markets.driver import MarketDriver

ACCOUNT = "trader"
PHASES = {"trading": "trading", "halt": "halted", "post_only": "post_only", "cancel_only": "cancel_only"}
KINDS = {"spot": "spot", "linear": "perp", "inverse": "perp", "option": "option"}
TIMES_IN_FORCE = {TimeInForce.GTC: "gtc", TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok"}
REASONS = frozenset(get_args(RejectReason))


class ExchangeRows(LiveSource):
    """The exchange's public events as rows, one feed latency after they happened."""

    def __init__(self, venue: ExchangeVenue) -> None:
        super().__init__()
        self.venue = venue

    def fill(self, until_ns: int) -> int:
        """Let the exchange go on until a row is known here, or *until_ns*."""
        self.venue.go_on(until_ns)
        return super().fill(until_ns)

    @property
    def clocked(self) -> ExchangeVenue:
        return self.venue

    def pending_ns(self) -> int:
        """Return when the first row not yet taken becomes known here, NEVER if there is none."""
        if self.first >= self.buffer.count:
            return NEVER
        return self.buffer.words[self.first * ROW_WORDS + 1]


@configured
class ExchangeVenue(Venue):
    """An exchange of one or more instruments with a market on it; our orders are those of the account ``trader``."""

    instruments: tuple[str, ...] = setting(
        default=("BTC-USDT.spot",), doc="what is traded, as 'exchange serve --instrument' takes it: NAME[,key=value…]"
    )
    venue: str = setting(default="local", doc="name of the venue in the instruments' names")
    market: str = setting(default="agents", doc="agents, none, a script's file or a tape's folder")
    balance: dict[str, Decimal] = setting(factory=dict, doc="what our account has at the start; empty: plenty")
    latency: Latencies = setting(factory=Latencies, doc="latency of feed, order entry and response")
    lead: Duration = setting(
        default="0s", doc="so much later does the market begin, on an exchange that is open", check=at_least(0)
    )

    def __attrs_post_init__(self) -> None:
        self.keeps_priority_on_reduce = True
        self.reports_funding = True
        self.source = ExchangeRows(self)
        self.exchange: Exchange | None = None
        self.driver: MarketDriver | None = None
        self.traded: tuple[Instrument, ...] = ()
        self._places: dict[int, int] = {}
        self._together: Lockstep | None = None
        self._reports: deque[Report] = deque()
        self._numbers: dict[int, int] = {}
        self._ids: dict[int, int] = {}
        self._fills = {"maker": 0, "taker": 0}
        self._trades = 0
        self._feed_ns, self._entry_ns = int(self.latency.feed), int(self.latency.entry)
        self._response_ns = int(self.latency.response)

    def open(self, seed: int) -> Market:
        """Open the exchange and its market with this seed; called by the feed."""
        exchange, prices = open_exchange(self.instruments, self.venue, seed=seed, start_ns=START_NS)
        self.exchange = exchange
        self.traded = tuple(instrument_of(listing) for listing in exchange.listings.values())
        exchange.open_account(ACCOUNT, self.balance or balances_of((), exchange.listings))
        self._sink = sink_of(self.source, self.traded)
        for symbol in exchange.listings:
            self._snapshot(symbol)
        exchange.listen(self._heard)
        self.driver = open_market(self.market, prices, seed)
        if self.driver is not None:
            exchange.at(START_NS + int(self.lead), self._begin)
        return Market(source=self.source, instruments=self.traded, start_ns=START_NS)

    def _begin(self) -> None:
        assert self.driver is not None
        assert self.exchange is not None
        self.driver.start(self.exchange)

    def connect(self, context: VenueContext) -> None:
        """Trade on the exchange's own market; another one is refused."""
        if context.tape is not None or context.market is None or not context.market.is_of(self.source):
            raise ConfigError(
                f"{context.where}: plugin 'exchange' trades on its own market: write plugin = \"venue\" in the feed's "
                'table; to fill against another market write plugin = "simexchange" here'
            )
        names = [instrument.name for instrument in context.instruments]
        self._places = {names.index(instrument.name): place for place, instrument in enumerate(self.traded)}
        self._together = lockstep_of(context.market)

    # The contract of a venue.

    def run(self, until_ns: int) -> int:
        """Go on up to *until_ns*; see :meth:`Venue.run`."""
        self.go_on(until_ns)
        return self._reports[0].receive_ns if self._reports and self._reports[0].receive_ns <= until_ns else NEVER

    def go_on(self, until_ns: int) -> None:
        """Let the exchange act in order of time, never past what would first become known here."""
        if self._together is not None:
            self._together.go_on(until_ns)
            return
        exchange = self._open()
        while True:
            due_ns = exchange.due_ns()
            if due_ns is None or due_ns > min(until_ns, self.known_ns()):
                return
            exchange.advance(due_ns)

    def due_ns(self) -> int:
        """Return when the exchange acts next, NEVER if nothing is due."""
        due_ns = self._open().due_ns()
        return NEVER if due_ns is None else due_ns

    def known_ns(self) -> int:
        """Return when the first row or report that nobody has taken becomes known here."""
        pending_ns = self.source.pending_ns()
        return min(pending_ns, self._reports[0].receive_ns) if self._reports else pending_ns

    def act(self) -> None:
        """Let what is due next happen at the exchange."""
        exchange = self._open()
        due_ns = exchange.due_ns()
        if due_ns is not None:
            exchange.advance(due_ns)

    def submit(self, command: Command, now_ns: int) -> bool:
        """Send *command*; it arrives one entry latency later."""
        self._open().at(now_ns + self._entry_ns, lambda: self._carry_out(command))
        return True

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return what is known here by *now_ns*."""
        found: list[Report] = []
        while self._reports and self._reports[0].receive_ns <= now_ns:
            found.append(self._reports.popleft())
        return found

    def close(self) -> bool:
        """Close the market's tape, if it has one."""
        close_market(self.driver)
        return True

    def fees(self, instrument: Instrument) -> tuple[Decimal, Decimal]:
        """Return maker and taker fee of *instrument* as shares of a fill's value."""
        settings = self._open().listings[instrument.symbol].settings
        return Decimal(str(settings.get("maker_fee", 0))), Decimal(str(settings.get("taker_fee", 0)))

    def assumptions(self) -> list[str]:
        """Return what a reader of the report should know about this venue."""
        latency = self.latency
        return [
            f"a local exchange with the market {self.market!r}; not a real one",
            f"latency: feed {latency.feed}, order entry {latency.entry}, response {latency.response}",
            "orders fill by the exchange's own rules against everybody else's orders, who see ours",
        ]

    def figures(self) -> dict[str, Any]:
        """Return the venue's own count of what happened."""
        exchange = self._open()
        return {
            "market_trades": self._trades,
            "fills": dict(self._fills),
            "balances": {
                currency: str(free + locked) for currency, (free, locked) in exchange.balances(ACCOUNT).items()
            },
            "open_orders": len(exchange.open_orders(ACCOUNT)),
            "state_hash": exchange.state_hash(),
            "market": self.driver.describe() if self.driver is not None else {},
        }

    def _open(self) -> Exchange:
        if self.exchange is None:
            raise RuntimeError("an exchange venue works once its market is open")
        return self.exchange

    # What our commands do.

    def _carry_out(self, command: Command) -> None:
        exchange = self._open()
        instrument = self.traded[self._places[command.instrument]]
        symbol = instrument.symbol
        if isinstance(command, NewOrder):
            found = exchange.place(ACCOUNT, self._request(command, instrument))
            if isinstance(found, Refused):
                self._refuse(Rejected, command, found, text=found.text or found.reason)
        elif isinstance(command, CancelOrder):
            found = exchange.cancel(ACCOUNT, symbol, client_id=client_id_of(command))
            if isinstance(found, Refused):
                self._refuse(CancelRejected, command, found)
        elif isinstance(command, AmendOrder):
            found = exchange.amend(
                ACCOUNT,
                symbol,
                client_id=client_id_of(command),
                price=instrument.price(command.price_ticks),
                quantity=instrument.quantity(command.quantity_lots),
            )
            if isinstance(found, Refused):
                self._refuse(AmendRejected, command, found)

    def _request(self, command: NewOrder, instrument: Instrument) -> OrderRequest:
        return OrderRequest(
            symbol=instrument.symbol,
            side="buy" if command.side == BUY else "sell",
            type="limit" if command.price_ticks else "market",
            quantity=instrument.quantity(command.quantity_lots),
            price=instrument.price(command.price_ticks) if command.price_ticks else None,
            tif=TIMES_IN_FORCE[TimeInForce(command.time_in_force)],  # type: ignore[arg-type]
            post_only="reject" if command.post_only else "",
            reduce_only=command.reduce_only,
            client_id=client_id_of(command),
        )

    def _refuse(
        self,
        kind: type[Rejected] | type[CancelRejected] | type[AmendRejected],
        command: Command,
        refused: Refused,
        **more: str,
    ) -> None:
        now_ns = self._open().now_ns
        self._reports.append(
            kind(
                order_number=command.order_number,
                event_ns=now_ns,
                receive_ns=now_ns + self._response_ns,
                reason=refused.reason if refused.reason in REASONS else "venue",
                **more,
            )
        )

    # What the exchange tells.

    def _heard(self, event: Event) -> None:
        if isinstance(event, OrderEvent):
            if event.account == ACCOUNT:
                self._on_order(event)
            return
        if isinstance(event, BalanceEvent):
            if event.account == ACCOUNT and event.why == "funding":
                self._paid(event)
            return
        sink, receive_ns = self._sink, event.event_ns + self._feed_ns
        if not isinstance(event, (TradeEvent, DepthEvent, PhaseEvent, ReferenceEvent)):
            return
        if not sink.begin(event.symbol, event.event_ns, receive_ns):
            return
        if isinstance(event, TradeEvent):
            self._trades += 1
            side = BUY if event.side == "buy" else SELL
            sink.trade(side, f"{event.price:f}", f"{event.quantity:f}", event.trade_id)
        elif isinstance(event, DepthEvent):
            for side_name, price, quantity in event.changes:
                (sink.bid if side_name == "bid" else sink.offer)(f"{price:f}", f"{quantity:f}")
        elif isinstance(event, PhaseEvent):
            sink.status(STATUS_NAMES.index(PHASES.get(event.phase, "auction")))
        else:
            if event.mark is not None:
                sink.mark(f"{event.mark:f}")
            if event.index is not None:
                sink.index(f"{event.index:f}")
            if event.funding_ns:
                sink.funding(f"{event.funding_rate:f}", event.funding_ns)
        sink.end()

    def _paid(self, event: BalanceEvent) -> None:
        """Report what funding brought or cost."""
        reference = self._open().reference(event.symbol)
        (amount,) = event.delta.values()
        self._reports.append(
            Payment(
                instrument=next(run for run, at in self._places.items() if self.traded[at].symbol == event.symbol),
                event_ns=event.event_ns,
                receive_ns=event.event_ns + self._response_ns,
                what="funding",
                amount=to_money(amount),
                rate=int(reference.funding_rate.scaleb(RATE_SCALE)),
                price=int((reference.mark or Decimal(0)).scaleb(REFERENCE_SCALE)),
            )
        )

    def _snapshot(self, symbol: str) -> None:
        """Begin the feed of *symbol* with the whole book."""
        book = self._open().book(symbol)
        sink, now_ns = self._sink, self._open().now_ns
        if sink.begin(symbol, now_ns, now_ns + self._feed_ns):
            sink.snapshot()
            for price, quantity in book.bids:
                sink.bid(f"{price:f}", f"{quantity:f}")
            for price, quantity in book.offers:
                sink.offer(f"{price:f}", f"{quantity:f}")
            sink.end()

    def _on_order(self, event: OrderEvent) -> None:
        order = event.order
        number = number_of(order.client_id)
        times: dict[str, Any] = {
            "order_number": number,
            "event_ns": event.event_ns,
            "receive_ns": event.event_ns + self._response_ns,
        }
        instrument = next(one for one in self.traded if one.symbol == order.request.symbol)
        if event.what == "accepted":
            self._reports.append(Accepted(venue_order_id=str(order.order_id), **times))
        elif event.what == "trade" and event.fill is not None:
            self._reports.append(self._fill(event.fill, order, instrument, times))
        elif event.what == "canceled":
            self._reports.append(
                Canceled(reason=order.reason or "venue", leaves_lots=_leaves(order, instrument), **times)
            )
        elif event.what in ("amended", "reduced", "repriced", "prevented") and order.is_open:
            self._reports.append(
                Amended(
                    price_ticks=instrument.price_ticks(order.price) if order.price is not None else 0,
                    quantity_lots=instrument.quantity_lots(order.quantity - order.prevented),
                    leaves_lots=_leaves(order, instrument),
                    keeps_priority=event.what != "repriced",
                    **times,
                )
            )

    def _fill(self, fill: FillRecord, order: OrderRecord, instrument: Instrument, times: dict[str, Any]) -> Fill:
        self._fills["maker" if fill.is_maker else "taker"] += 1
        return Fill(
            fill_id=str(fill.trade_id),
            price_ticks=instrument.price_ticks(fill.price),
            quantity_lots=instrument.quantity_lots(fill.quantity),
            leaves_lots=_leaves(order, instrument),
            is_maker=fill.is_maker,
            fee=to_money(fill.fee),
            fee_currency=fill.fee_currency,
            **times,
        )


def _leaves(order: OrderRecord, instrument: Instrument) -> int:
    return instrument.quantity_lots(max(Decimal(0), order.quantity - order.filled - order.prevented))


def client_id_of(command: Command) -> str:
    """Return how the order of *command* is called on the exchange."""
    return f"qw-{command.order_number}"


def number_of(client_id: str) -> int:
    """Return the number of the order called *client_id*."""
    return int(client_id.removeprefix("qw-"))


def instrument_of(listing: Listing) -> Instrument:
    """Return what strategies see of *listing*."""
    settings = listing.settings
    return Instrument(
        name=listing.name,
        symbol=listing.symbol,
        venue=listing.name.partition("@")[2],
        kind=KINDS[listing.kind],
        base=listing.base,
        quote=listing.quote,
        settle=listing.settle,
        price_decimals=listing.price_decimals,
        size_decimals=listing.size_decimals,
        tick_steps=int(listing.tick.scaleb(listing.price_decimals)),
        lot_steps=int(listing.lot.scaleb(listing.size_decimals)),
        is_inverse=listing.kind == "inverse",
        contract_size=Decimal(str(settings.get("contract_size", 1))),
        min_notional=Decimal(str(settings.get("min_notional", 0))),
    )
