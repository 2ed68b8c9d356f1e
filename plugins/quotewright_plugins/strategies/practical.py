"""The "practical" spread of the article: a base, and terms for volatility, imbalance and inventory, within bounds.

``variant = "article"`` is the article to the digit. ``variant = "corrected"`` is what its comments say it does:
volatility by elapsed time, the inventory term in basis points, only the thin side of the book widened.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Bps, Duration
from quotewright.plugin.settings import at_least, between, configured, not_negative, positive, setting
from quotewright_plugins.strategies.imbalance import ImbalanceReader
from quotewright_plugins.strategies.maker import MultiLevelMaker
from quotewright_plugins.strategies.volatility import VolatilityReader

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Strategy
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext
    from quotewright_plugins.strategies.maker import Target

HISTORY = 1000
FEWEST_PRICES = 20
LEAST_VOLATILITY = 0.0001
CALLS_A_DAY = 24 * 60
"""What the article multiplies by, as if every call came a minute after the last."""


def article_volatility(prices: Sequence[float]) -> float:
    """Return the article's volatility of the prices it was called with, whenever that was; 0.0001 below 20."""
    return volatility_of([math.log(later / sooner) for sooner, later in pairwise(prices)])


def volatility_of(returns: Sequence[float]) -> float:
    """Return the population deviation of *returns* times the root of 1440; 0.0001 if they are of under 20 prices."""
    count = len(returns)
    if count < FEWEST_PRICES - 1:
        return LEAST_VOLATILITY
    mean = math.fsum(returns) / count
    squares = math.fsum([(one - mean) * (one - mean) for one in returns])
    return math.sqrt(squares / count) * math.sqrt(CALLS_A_DAY)


def article_spread_bps(
    volatility: float,
    imbalance: float,
    position: float,
    *,
    base: float = 10.0,
    volatility_weight: float = 0.5,
    imbalance_bps: float = 3.0,
    penalty: float = 0.0001,
    least: float = 1.0,
    most: float = 200.0,
) -> float:
    """Return ``base + vol * 5000 + |imbalance| * 3 + |position * penalty| * 100`` within its bounds."""
    spread = base + volatility * 10_000.0 * volatility_weight + abs(imbalance) * imbalance_bps
    return max(least, min(most, spread + abs(position * penalty) * 100.0))


def article_quotes(price: float, spread_bps: float, position: float, penalty: float = 0.0001) -> tuple[float, float]:
    """Return the article's bid and offer: half the spread each way, both less ``position * penalty * price``."""
    half = price * (spread_bps / 10_000.0) / 2.0
    skew = position * penalty * price
    return price - half - skew, price + half - skew


def corrected_distances(
    volatility_bps: float,
    imbalance: float,
    position: float,
    *,
    base: float = 10.0,
    volatility_weight: float = 0.5,
    imbalance_bps: float = 3.0,
    penalty: float = 0.0001,
    least: float = 1.0,
    most: float = 200.0,
) -> tuple[float, float]:
    """Return how far below the price the bid and above it the offer stand, in basis points of it.

    Args:
        volatility_bps: Volatility over the horizon that the spread is to cover.
        imbalance: +1 all bids; the lighter side is widened by all of ``imbalance_bps * |imbalance|``.
        position: Signed, in base units; *penalty* is a share of the price per unit, 10,000 basis points the whole.
    """
    thin = abs(imbalance) * imbalance_bps
    inventory = position * penalty * 10_000.0
    total = base + volatility_bps * volatility_weight + abs(inventory) + thin
    total = max(least, min(most, total))
    thin = min(thin, total)
    half = (total - thin) / 2.0
    below = half + (thin if imbalance < 0.0 else 0.0)
    above = half + (thin if imbalance > 0.0 else 0.0)
    return below + inventory, above - inventory


@configured
class PracticalSpread(ImbalanceReader, VolatilityReader, MultiLevelMaker):
    """Quote the article's spread around the mid (or, as its example does, around the best bid), moved by the position.

    The position counts in base units, or in ``inventory_unit``. ``variant`` chooses between the article as it is
    printed and as it is meant.
    """

    variant: Literal["article", "corrected"] = setting(default="corrected", doc="as printed, or as meant")
    base_spread: Bps = setting(default="10 bps", doc="spread in a calm, balanced market without inventory")
    volatility_weight: float = setting(
        default=0.5, doc="basis points of spread per basis point of volatility", check=not_negative
    )
    imbalance_weight: Bps = setting(default="3 bps", doc="widening at imbalance 1", check=not_negative)
    inventory_penalty: float = setting(
        default=0.0001,
        doc="share of the price by which one unit of inventory moves the quotes",
        check=not_negative,
    )
    inventory_unit: Amount | None = setting(
        default=None, doc="what counts as one unit of inventory; a base unit if it is not given", check=positive
    )
    min_spread: Bps = setting(default="1 bps", doc="least spread", check=positive)
    max_spread: Bps = setting(default="200 bps", doc="widest spread", check=positive)
    reference: Literal["mid", "best_bid"] = setting(default="mid", doc="price that the quotes stand around")
    imbalance_levels: int = setting(
        default=0, doc="levels a side that the imbalance counts, 0 all of them", check=at_least(0)
    )
    volatility_horizon: Duration = setting(
        default="12m", doc="time over which the spread covers the volatility (corrected)", check=positive
    )
    volatility_history: int = setting(
        default=HISTORY, doc="prices the volatility is of (article)", check=between(FEWEST_PRICES, 100_000)
    )
    max_position: Amount | None = setting(
        default=None, doc="largest position the quotes may lead to; the same as hold_within", check=positive
    )
    every: Duration = setting(default="500ms", doc="how often quotes are thought over", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instrument and ask for the volatility by elapsed time."""
        super().bind(context)
        if self._room is None and self.max_position is not None:
            self._room = context.amount(self.max_position, "max_position")
        self._unit = None if self.inventory_unit is None else context.amount(self.inventory_unit, "inventory_unit")
        self._is_article = self.variant == "article"
        self._returns: deque[float] = deque(maxlen=self.volatility_history - 1)
        self._last = 0.0
        self._volatility = None if self._is_article else self.measured(context)
        self._root_horizon = math.sqrt(int(self.volatility_horizon) * 1e-9)
        self._terms = {
            "base": float(self.base_spread),
            "volatility_weight": self.volatility_weight,
            "imbalance_bps": float(self.imbalance_weight),
            "penalty": self.inventory_penalty,
            "least": float(self.min_spread),
            "most": float(self.max_spread),
        }

    def take_over(self, before: Strategy) -> None:
        """Keep the prices that the article's volatility is of."""
        if isinstance(before, PracticalSpread):
            self._returns.extend(before._returns)
            self._last = before._last

    def inventory(self, view: View) -> float:
        """Return the position in units of inventory; 0.0 while a unit is less than a lot."""
        if self._unit is None:
            return self.base_position(view)
        unit_lots = self._unit.lots(view)
        return view.own_position_lots / unit_lots if unit_lots > 0 else 0.0

    def target(self, view: View) -> Target | None:
        """Return both quotes in ticks; None until the volatility by elapsed time is known."""
        price = view.mid_ticks() if self.reference == "mid" else view.book.best_bid / view.tick_steps
        imbalance = self.imbalance(view)
        position = self.inventory(view)
        if self._volatility is None:
            if self._last:
                self._returns.append(math.log(price / self._last))
            self._last = price
            spread = article_spread_bps(volatility_of(self._returns), imbalance, position, **self._terms)
            bid, offer = article_quotes(price, spread, position, self.inventory_penalty)
        else:
            sigma = self._volatility.bps(view)
            if sigma is None:
                return None
            below, above = corrected_distances(sigma * self._root_horizon, imbalance, position, **self._terms)
            bid = price - price * below * 1e-4
            offer = price + price * above * 1e-4
        return bid, offer, (offer - bid) / 2.0
