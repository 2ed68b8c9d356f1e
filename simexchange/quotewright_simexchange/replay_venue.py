"""The execution venue ``replay``: its config keys, and how they become a venue."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from quotewright.config.units import Bps, Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.contract_money import money
from quotewright.model.cards import FeeTier, load_card
from quotewright.model.fees import FeeTiers
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.latency_table import LatencyTable
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, OrdersQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue
from quotewright_simexchange.matching.replay_fees import ReplayTerms
from quotewright_simexchange.matching.taking_options import TakingOptions

if TYPE_CHECKING:
    from quotewright.wiring import VenueContext
    from quotewright_simexchange.matching.replay_market import Market


@configured
class QueueTable:
    """``queue``: who cancels in front of us, and who behind."""

    model: Literal["risk_averse", "front", "power", "log", "orders"] = setting(
        default="risk_averse",
        doc="queue model: how a decrease that no print explains is shared out; orders: read off single orders",
    )
    exponent: float = setting(default=2.0, doc="exponent of the power model", check=between("0.01", 16))
    form: Literal[1, 2, 3] = setting(default=1, doc="how the share behind is formed: 1, 2 or 3; see the manual")

    def make(self) -> QueueModel:
        if self.model == "power":
            return PowerQueue(self.exponent, self.form)
        if self.model == "orders":
            return OrdersQueue()
        if self.model == "log":
            return LogQueue(self.form)
        return FrontQueue() if self.model == "front" else QueueModel()


@configured
class TakingTable:
    """``taking``: how much of the displayed depth a crossing order gets, and how well."""

    haircut: Percent = setting(
        default="0%", doc="share of each displayed size that is not there when we come", check=between(0, 1)
    )
    decay: Decimal = setting(
        default=Decimal(0), doc="how much more leaves a level for each lot taken from it", check=at_least(0)
    )
    impact: Bps = setting(
        default="0 bps", doc="by how much a fill is worse once an order has taken impact_size", check=at_least(0)
    )
    impact_size: Decimal = setting(
        default=Decimal(1), doc="size, in units of the instrument, that impact is stated for", check=positive
    )
    impact_form: Literal["sqrt", "linear"] = setting(default="sqrt", doc="how impact grows with what an order takes")

    def make(self) -> TakingOptions:
        """Return the options."""
        is_linear = self.impact_form == "linear"
        return TakingOptions(Decimal(self.haircut), self.decay, self.impact.fraction, self.impact_size, is_linear)


@configured
class ReplaySettings:
    """``[venues.X]`` with ``plugin = "replay"``: recorded data fills our orders."""

    queue: QueueTable = setting(factory=QueueTable, doc="queue model")
    latency: LatencyTable = setting(factory=LatencyTable, doc="latency model")
    maker_fee: Bps | None = setting(default=None, doc="fee of resting fills, negative is a rebate; unset: card, else 0")
    taker_fee: Bps | None = setting(default=None, doc="fee of taking fills; unset: card, else 0")
    card: str = setting(default="", doc="venue card whose fee tier counts where a fee is unset")
    fee_tier: str = setting(default="", doc="name of the card's fee tier; unset: its first")
    volume_30d: Decimal | None = setting(
        default=None,
        doc="value traded in the 30 days before, in USD: the card's tier follows the volume",
        check=at_least(0),
    )
    option_fee_cap: Percent = setting(
        default="12.5%", doc="most that a fill of an option costs, as a share of the premium", check=at_least(0)
    )
    taking: TakingTable = setting(factory=TakingTable, doc="what a crossing order gets of the displayed depth")
    conflation: Duration = setting(
        default="0ms", doc="how far apart a print and the update of its level may be told, in either order"
    )
    unknown_side: Literal["none", "both"] = setting(
        default="none", doc="whom prints without a side help: none of our orders, or both sides"
    )


class TableTerms(ReplayTerms):
    """The terms of a config table; the venue's fees may come from the venue card of the run."""

    def __init__(self, settings: ReplaySettings) -> None:
        self.settings = settings
        self.tiers: FeeTiers | None = None

    def prepare(self, venue: ReplayVenue, context: VenueContext) -> None:
        """Take latency and fees as the table says."""
        settings = self.settings
        venue.latency = settings.latency.make(context.where, context.seed)
        maker, taker = settings.maker_fee, settings.taker_fee
        if settings.card and (maker is None or taker is None):
            tier = find_tier(context.cards.get(settings.card), settings, context.where)
            if settings.volume_30d is not None:
                self.tiers = find_tiers(context.cards.get(settings.card), settings, context.where)
                self.follows_volume = True
                tier = self.tiers.tier
            maker = tier.maker if maker is None else maker
            taker = tier.taker if taker is None else taker
        venue.set_fees(
            maker.fraction if maker is not None else Decimal(0), taker.fraction if taker is not None else Decimal(0)
        )

    def before_fill(self, venue: ReplayVenue, market: Market, price_ticks: int, lots: int) -> None:
        """Let the tier hold that the volume traded until today takes, and count the fill."""
        if self.tiers is None or market.money is None:
            return
        tier, settings = self.tiers.at(venue.now_ns), self.settings
        venue.set_fees(
            tier.maker.fraction if settings.maker_fee is None else settings.maker_fee.fraction,
            tier.taker.fraction if settings.taker_fee is None else settings.taker_fee.fraction,
        )
        value = market.money.notional(lots * market.lot_steps, price_ticks * market.tick_steps)
        self.tiers.add(money(value), market.instrument.quote)

    def figures(self) -> dict[str, Any]:
        """Return the fee tier that holds at the end, where it follows the volume."""
        return {} if self.tiers is None else {"fee_tier": self.tiers.tier.name}


def find_tiers(card: Any, settings: ReplaySettings, where: str) -> FeeTiers:
    """Return the card's tiers, to follow the volume; ConfigError if a tier is named as well or none has a threshold."""
    if settings.fee_tier:
        raise ConfigError(f"{where}: fee_tier names one tier, volume_30d lets the volume choose; give one of them")
    try:
        return FeeTiers(load_card(card), settings.volume_30d or Decimal(0))
    except ConfigError as error:
        raise ConfigError(f"{where}.card: {error}") from error


def find_tier(card: Any, settings: ReplaySettings, where: str) -> FeeTier:
    """Return the fee tier of a venue card (the first one if none is named); ConfigError naming those that there are."""
    if card is None:
        raise ConfigError(f"{where}.card: no venue card called '{settings.card}'")
    try:
        return load_card(card).fee_tier(settings.fee_tier)
    except ConfigError as error:
        raise ConfigError(f"{where}.card: {error}") from error


def replay(settings: ReplaySettings) -> ReplayVenue:
    """Return a replay venue; it takes its tape and fees when it is connected."""
    venue = ReplayVenue(
        settings.queue.make(),
        ConstantLatency(),
        Decimal(0),
        Decimal(0),
        settings.unknown_side == "both",
        conflation_ns=int(settings.conflation),
        taking=settings.taking.make(),
        option_fee_cap=Decimal(settings.option_fee_cap),
    )
    venue.terms = TableTerms(settings)
    return venue


replay.config_model = ReplaySettings  # type: ignore[attr-defined]
