"""A strategy bound to a real view whose book, position and past a test states."""

from __future__ import annotations

from decimal import Decimal

import attrs

from quotewright.kernel.codes import BID, LAST_BIT, LEVEL_SET, OFFER, RESYNC, SNAPSHOT_BEGIN, pack
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.strategy import Quotes
from quotewright.wiring import BindContext
from quotewright_plugins.strategies.avellaneda_stoikov import AvellanedaStoikov
from quotewright_plugins.strategies.fixed_spread import FixedSpread
from quotewright_plugins.strategies.glft import Glft
from quotewright_plugins.strategies.multi_level import MultiLevel
from quotewright_plugins.strategies.order_book_imbalance import OrderBookImbalance
from quotewright_plugins.strategies.practical import PracticalSpread
from quotewright_plugins.strategies.stationary import StationaryStoikov
from tests.framework.kernel.stage import BUY, PLAIN, SECOND, SELL, Stage

CENTS = attrs.evolve(PLAIN, price_decimals=2, size_decimals=3, min_notional=Decimal(5))


class Shop:
    """A strategy bound to a real view; prices in ticks of 0.01 USDT, quantities in lots of 0.001 BTC."""

    def __init__(self, strategy, instrument=CENTS, bid=9_990, offer=10_010):
        self.stage = Stage(instrument=instrument)
        self.view = self.stage.view
        self.strategy = strategy
        self.context = BindContext(name="mm", where="strategies.mm", views=(self.view,))
        strategy.bind(self.context)
        self.view.start(0)
        self.stage.quote(1, bid, offer)

    def position(self, lots):
        have = self.view.position_lots
        if lots != have:
            self.stage.trade(BUY if lots > have else SELL, abs(lots - have), 10_000)
        return self

    def book(self, bids, offers, at=2):
        """Let the whole book be these levels of (price, size) in steps."""
        rows = TapeBuffer(16)
        rows.append(at, at, 0, 0, 0, pack(RESYNC, 0, 0, 0))
        rows.append(at, at, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, 0))
        for side, levels in ((BID, bids), (OFFER, offers)):
            for price, size in levels:
                rows.append(at, at, price, size, 0, pack(LEVEL_SET, side, 0, 0))
        rows.mark_last()
        self.view.on_message(rows, 0, rows.count, at)
        return self

    def row(self, at, price, size, side):
        """Set one level of the book."""
        rows = TapeBuffer(4)
        rows.append(at, at, price, size, 0, pack(LEVEL_SET, side, 0, 0) | LAST_BIT)
        self.view.on_message(rows, 0, rows.count, at)
        return self

    def quotes(self):
        quotes = Quotes()
        self.strategy.on_wake(self.view, quotes)
        return quotes.bids, quotes.offers

    def first(self):
        """Return the first bid and the first offer."""
        (bid, *_), (offer, *_) = self.quotes()
        return bid[0], offer[0]

    def swing(self, seconds, ticks, around=10_000, half=10, every=SECOND):
        """Let the mid step up and down by *ticks* for this long."""
        for step in range(1, seconds * SECOND // every + 1):
            mid = around + (ticks if step % 2 else 0)
            self.stage.quote(step * every + 1, mid - half, mid + half)
        return self


def fixed(**keys):
    return FixedSpread(**{"size": "0.1 BTC", "spread": "100 bps", "max_position": "1 BTC", **keys})


def multi_level(**keys):
    return MultiLevel(**{"size": "0.1 BTC", "spread": "100 bps", "max_position": "1 BTC", **keys})


def stoikov(**keys):
    return AvellanedaStoikov(**{"size": "1 BTC", "gamma": 0.1, "k": 1.5, **keys})


def stationary(**keys):
    return StationaryStoikov(**{"size": "1 BTC", "gamma": 0.1, "k": 1.5, "sigma": 1.0, "max_position": "3 BTC", **keys})


def glft(**keys):
    """The figures of the paper's own example, its tick being a basis point."""
    given = {"gamma": 0.01, "k": 0.3, "intensity": 0.9, "sigma": 0.3}
    return Glft(**{"size": "1 BTC", "max_position": "30 BTC", **given, **keys})


def practical(**keys):
    return PracticalSpread(**{"size": "1 BTC", "variant": "article", "base_spread": "8 bps", **keys})


def imbalanced(**keys):
    return OrderBookImbalance(**{"size": "1 BTC", **keys})


def makers():
    """Return one of every shipped maker, and then some, each quoting without having to wait for a signal."""
    return {
        "fixed": fixed(levels=3),
        "fixed, steep": fixed(levels=4, spread="3 bps", skew=3.0, skew_exponent=0.5),
        "multi-level": multi_level(skew_dead_zone=0.3, size_growth=1.5),
        "multi-level by value": multi_level(size="500 USDT", spread="20 bps", skew=2.0, skew_exponent=3.0),
        "stoikov": stoikov(sigma=2.0, levels=2),
        "stoikov in prices": stoikov(sigma=0.3, units="price", gamma=0.5, levels=3, level_step=0.1),
        "stationary": stationary(levels=2, size="0.1 BTC"),
        "stationary, omega": stationary(omega=0.05, units="price"),
        "glft": glft(levels=2, size="0.1 BTC", max_position="1 BTC"),
        "glft, spectral": glft(size="0.1 BTC", max_position="1 BTC", solution="spectral", sigma=2.0),
        "glft, steep": glft(size="0.1 BTC", max_position="2 BTC", sigma=5.0, intensity=0.1),
        "practical, as printed": practical(levels=2, inventory_penalty=0.002),
        "imbalance": imbalanced(levels=2, max_position="1 BTC", widen=0.5),
    }
