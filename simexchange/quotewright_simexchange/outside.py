"""The venue ``simexchange`` on a market from outside: a live public feed (or its record) fills our orders.

Nothing of ours reaches the exchange whose feed it is. The displayed book and its prints decide what would have filled,
by the same queue models as in a backtest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BEST_QUOTE, LEVEL_DELETE, LEVEL_SET, SNAPSHOT_BEGIN
from quotewright.kernel.rows import TapeBuffer
from quotewright.tape.joined import JoinedTape
from quotewright_simexchange.agents import MarketSettings
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.received import ReceivedMarket

if TYPE_CHECKING:
    from quotewright.tape.tape import Tape
    from quotewright.wiring import VenueContext
    from quotewright_simexchange.local import LocalExchange

LEVELS = (LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN)


def outside_market(exchange: LocalExchange, context: VenueContext) -> ReceivedMarket:
    """Return the venue that fills against the market of *context*, with the keys of *exchange*.

    Raises:
        ConfigError: keys that only the exchange's own market knows; a market whose rows cannot be had.
    """
    for key, is_set in (
        ("balance", bool(exchange.balance)),
        ("market", vars(exchange.market) != vars(MarketSettings())),
    ):
        if is_set:
            raise ConfigError(
                f"{context.where}.{key}: this key is of the exchange's own market; with the rows of another feed "
                "nobody trades here but you, and balances are not checked"
            )
    latency = exchange.latency
    feed_ns, entry_ns, response_ns = int(latency.feed), int(latency.entry), int(latency.response)
    # Rows stand on the clock of their receipt: what is on its way to the venue meets those that the feed still carries,
    # and what happens there is told no sooner than the row that shows it.
    made = ReceivedMarket(
        exchange.queue.make(),
        ConstantLatency(feed_ns + entry_ns, max(0, response_ns - feed_ns)),
        exchange.maker_fee.fraction,
        exchange.taker_fee.fraction,
    )
    made.name = context.name
    tape = context.tape
    top_only = _top_only(tape, len(context.instruments)) if tape is not None else frozenset()
    if tape is not None and not isinstance(tape, JoinedTape):
        made.receive(context.instruments, tape.rows, top_only)
        return made
    if context.market is None:
        raise ConfigError(f"{context.where}: there is no market to fill against")
    buffer = TapeBuffer(4096)
    try:
        context.market.source.tap(buffer)
    except TypeError as error:
        raise ConfigError(
            f"{context.where}: the rows of this run's feed cannot be shared ({error}); the venue 'simexchange' takes "
            "a live feed, a tape, or the feed 'simexchange'"
        ) from error
    made.receive(context.instruments, buffer, top_only)
    return made


def _top_only(tape: Tape, count: int) -> frozenset[int]:
    """Return the instruments of *tape* that have best quotes and no levels."""
    with_levels: set[int] = set()
    with_quotes: set[int] = set()
    for _, block in tape.blocks():
        kinds = block["kind"]
        with_levels.update(block["instrument"][np.isin(kinds, LEVELS)].tolist())
        with_quotes.update(block["instrument"][kinds == BEST_QUOTE].tolist())
        if len(with_levels) == count:
            break
    return frozenset(with_quotes - with_levels)
