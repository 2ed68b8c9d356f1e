"""What a fill costs at the replay venue, and what a config says of the venue beyond that."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright.kernel.codes import MONEY_SCALE
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.replay_market import Market
from quotewright_simexchange.matching.replay_orders import OrderReplay

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.wiring import VenueContext
    from quotewright_simexchange.matching.replay import ReplayVenue


class ReplayTerms:
    """What a venue is told when it is connected, and asked when it fills.

    It stands beside the venue because of a subclass in Python every call inside the venue would have to ask whether it
    is another method now.
    """

    follows_volume = False
    """Whether :meth:`before_fill` is to be called."""

    def prepare(self, venue: ReplayVenue, context: VenueContext) -> None:
        """Set up *venue* before it is connected."""

    def before_fill(self, venue: ReplayVenue, market: Market, price_ticks: int, lots: int) -> None:
        """Set the fees that hold for a fill, and count it."""

    def figures(self) -> dict[str, Any]:
        """Return what else the venue tells in the report."""
        return {}


class FeeReplay(OrderReplay):
    """Charges fills; for the arguments see the subclass that takes commands."""

    def __init__(
        self,
        queue: QueueModel,
        maker_fee: Decimal,
        taker_fee: Decimal,
        unknown_side_helps: bool,
        fee_scale: int,
        conflation_ns: int,
        option_fee_cap: Decimal,
    ) -> None:
        super().__init__(queue, unknown_side_helps, conflation_ns)
        self.terms: ReplayTerms | None = None
        self.option_cap = option_fee_cap.as_integer_ratio()
        self.fee_unit: int = 10 ** (MONEY_SCALE - fee_scale)
        self.set_fees(maker_fee, taker_fee)

    def set_fees(self, maker_fee: Decimal, taker_fee: Decimal) -> bool:
        """Charge *maker_fee* and *taker_fee*, fractions of the value, from now on."""
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self.maker_rate = maker_fee.as_integer_ratio()
        self.taker_rate = taker_fee.as_integer_ratio()
        return True

    def fees(self, instrument: Instrument) -> tuple[Decimal, Decimal]:
        """Return maker and taker fee as shares of a fill's value, as they are charged now."""
        return self.maker_fee, self.taker_fee

    def fee(self, market: Market, price_ticks: int, lots: int, is_maker: bool) -> int:
        """Return the fee of a fill in the settlement currency, see :class:`~.replay_money.FillMoney`."""
        terms: Any = self.terms
        if terms is not None and terms.follows_volume and market.money is not None:
            terms.before_fill(self, market, price_ticks, lots)
        rate: tuple[int, int] = self.maker_rate if is_maker else self.taker_rate
        if rate[0] == 0 or market.money is None:
            return 0
        price: int = price_ticks * market.tick_steps
        return market.money.fee(price, lots * market.lot_steps, rate, self.fee_unit, self.option_cap, market.underlying)
