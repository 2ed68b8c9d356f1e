"""Agents on a perpetual: its index and mark move, and funding is paid."""

from __future__ import annotations

from decimal import Decimal

from quotewright_simexchange.exchange.records import BalanceEvent, Event, ReferenceEvent
from quotewright_simexchange.local import START_NS
from quotewright_simexchange.markets.agents import AgentMarket
from quotewright_simexchange.server.opening import open_exchange


def test_a_perpetual_has_a_moving_reference_and_pays_funding() -> None:
    exchange, prices = open_exchange(["BTC-USDT.perp"], "binance", seed=1, start_ns=START_NS)
    told: list[ReferenceEvent] = []
    balances: list[BalanceEvent] = []

    def heard(event: Event) -> None:
        if isinstance(event, ReferenceEvent):
            told.append(event)
        elif isinstance(event, BalanceEvent) and event.why == "funding":
            balances.append(event)

    exchange.listen(heard)
    AgentMarket(prices, 1).start(exchange)
    exchange.advance(START_NS + 30_000_000_000)
    marks = {event.mark for event in told}
    assert len(marks) > 10
    assert len({event.index for event in told}) > 10
    assert told[-1].funding_ns == START_NS + 8 * 3600 * 1_000_000_000
    book = exchange.book("BTCUSDT:PERP", 1)
    mid = (book.bids[0][0] + book.offers[0][0]) / 2
    assert told[-1].mark is not None
    assert abs(told[-1].mark / mid - 1) < Decimal("0.001")
    assert balances == []
    assert not any(exchange.ledger_sums().values())


def test_funding_is_paid_at_its_hour() -> None:
    start_ns = START_NS + 8 * 3600 * 1_000_000_000 - 5_000_000_000
    exchange, prices = open_exchange(["BTC-USDT.perp"], "binance", seed=1, start_ns=start_ns)
    paid: list[BalanceEvent] = []
    exchange.listen(lambda event: paid.append(event) if getattr(event, "why", "") == "funding" else None)
    AgentMarket(prices, 1).start(exchange)
    exchange.advance(start_ns + 4_900_000_000)
    assert paid == []
    exchange.advance(start_ns + 5_100_000_000)
    assert paid
    assert not any(exchange.ledger_sums().values())
