"""The execution venue ``replay``: its config keys, and how they become a venue."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quotewright.config.units import Bps, Duration
from quotewright.errors import ConfigError
from quotewright.model.cards import FeeTier, load_card
from quotewright.plugin.settings import between, configured, setting
from quotewright_simexchange.latency import ConstantLatency, InterpolatedLatency, LatencyModel
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, OrdersQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue

if TYPE_CHECKING:
    from quotewright.wiring import VenueContext


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
class LatencyTable:
    """``latency``: how long commands and reports are under way."""

    model: Literal["constant", "interpolated"] = setting(default="constant", doc="latency model")
    entry: Duration | int = setting(default="5ms", doc="time from here to the venue; a bare number is nanoseconds")
    response: Duration | int = setting(default="5ms", doc="time from the venue back here; a bare number is nanoseconds")
    file: str = setting(default="", doc="interpolated: CSV of request_ns,venue_ns,response_ns; venue_ns 0: refused")

    def make(self, where: str) -> LatencyModel:
        if self.model == "constant":
            return ConstantLatency(int(self.entry), int(self.response))
        if not self.file:
            raise ConfigError(f"{where}.latency.file: an interpolated latency needs the file of its round trips")
        return InterpolatedLatency(read_round_trips(Path(self.file), f"{where}.latency.file"))


def read_round_trips(path: Path, where: str) -> list[tuple[int, int, int]]:
    """Return the rows of a CSV file of round trips; ConfigError that names the line that is not one."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{where}: {path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and line.startswith("request")):
            continue
        try:
            request, venue, response = (int(part) for part in line.split(","))
        except ValueError as error:
            raise ConfigError(
                f"{path}:{number}: expected three whole numbers request_ns,venue_ns,response_ns, came '{line}'"
            ) from error
        rows.append((request, venue, response))
    return rows


@configured
class ReplaySettings:
    """``[venues.X]`` with ``plugin = "replay"``: recorded data fills our orders."""

    queue: QueueTable = setting(factory=QueueTable, doc="queue model")
    latency: LatencyTable = setting(factory=LatencyTable, doc="latency model")
    maker_fee: Bps | None = setting(default=None, doc="fee of resting fills, negative is a rebate; unset: card, else 0")
    taker_fee: Bps | None = setting(default=None, doc="fee of taking fills; unset: card, else 0")
    card: str = setting(default="", doc="venue card whose fee tier counts where a fee is unset")
    fee_tier: str = setting(default="", doc="name of the card's fee tier; unset: its first")
    unknown_side: Literal["none", "both"] = setting(
        default="none", doc="whom prints without a side help: none of our orders, or both sides"
    )


class TapeReplay(ReplayVenue):
    """A replay venue made from a config table; its fees may come from the venue card of the run."""

    def __init__(self, settings: ReplaySettings) -> None:
        super().__init__(
            settings.queue.make(),
            ConstantLatency(),
            Decimal(0),
            Decimal(0),
            settings.unknown_side == "both",
        )
        self.settings = settings

    def connect(self, context: VenueContext) -> None:
        settings = self.settings
        self.latency = settings.latency.make(context.where)
        maker, taker = settings.maker_fee, settings.taker_fee
        if settings.card and (maker is None or taker is None):
            tier = find_tier(context.cards.get(settings.card), settings, context.where)
            maker = tier.maker if maker is None else maker
            taker = tier.taker if taker is None else taker
        self.set_fees(
            maker.fraction if maker is not None else Decimal(0), taker.fraction if taker is not None else Decimal(0)
        )
        super().connect(context)


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
    return TapeReplay(settings)


replay.config_model = ReplaySettings  # type: ignore[attr-defined]
