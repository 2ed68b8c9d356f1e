"""The execution venue ``replay``: its config keys, and how they become a venue."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quotewright.config.units import Bps, Duration, UnitError
from quotewright.errors import ConfigError
from quotewright.plugin.settings import between, configured, setting
from quotewright_simexchange.latency import ConstantLatency, InterpolatedLatency, LatencyModel
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue

if TYPE_CHECKING:
    from quotewright.wiring import VenueContext


@configured
class QueueTable:
    """``queue``: who cancels in front of us, and who behind."""

    model: Literal["risk_averse", "front", "power", "log"] = setting(
        default="risk_averse", doc="queue model: how a decrease that no print explains is shared out"
    )
    exponent: float = setting(default=2.0, doc="exponent of the power model", check=between("0.01", 16))
    form: Literal[1, 2, 3] = setting(default=1, doc="how the share behind is formed: 1, 2 or 3; see the manual")

    def make(self) -> QueueModel:
        if self.model == "power":
            return PowerQueue(self.exponent, self.form)
        if self.model == "log":
            return LogQueue(self.form)
        return FrontQueue() if self.model == "front" else QueueModel()


@configured
class LatencyTable:
    """``latency``: how long commands and reports are under way."""

    model: Literal["constant", "interpolated"] = setting(default="constant", doc="latency model")
    entry: Duration | int = setting(default="5ms", doc="time from here to the venue; a bare number is nanoseconds")
    response: Duration | int = setting(default="5ms", doc="time from the venue back here; a bare number is nanoseconds")
    file: str = setting(
        default="", doc="interpolated: CSV file of request_ns,venue_ns,response_ns, venue_ns 0: refused"
    )

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
    fee_tier: str = setting(default="default", doc="name of the tier under [fees] of the card")
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
        tier: dict[str, Any] = {}
        if settings.card and (settings.maker_fee is None or settings.taker_fee is None):
            tier = read_tier(context.cards.get(settings.card), settings, context.where)
        self.set_fees(
            _fee(settings.maker_fee, tier, "maker", context.where),
            _fee(settings.taker_fee, tier, "taker", context.where),
        )
        super().connect(context)


def read_tier(card: Any, settings: ReplaySettings, where: str) -> dict[str, Any]:
    """Return the fee tier of a venue card; ConfigError naming the tiers that there are."""
    if card is None:
        raise ConfigError(f"{where}.card: no venue card called '{settings.card}'")
    try:
        fees = tomllib.loads(Path(card).read_text(encoding="utf-8")).get("fees", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{where}.card: {card} cannot be read: {error}") from error
    if settings.fee_tier not in fees:
        known = ", ".join(sorted(fees)) or "none"
        raise ConfigError(f"{where}.fee_tier: card '{settings.card}' has no tier '{settings.fee_tier}'; it has {known}")
    tier: dict[str, Any] = fees[settings.fee_tier]
    return tier


def _fee(given: Bps | None, tier: dict[str, Any], name: str, where: str) -> Decimal:
    if given is not None:
        return given.fraction
    if name not in tier:
        return Decimal(0)
    try:
        return Bps.parse(tier[name]).fraction
    except UnitError as error:
        raise ConfigError(f"{where}.card: fee '{name}' of the tier: {error}") from error


def replay(settings: ReplaySettings) -> ReplayVenue:
    """Return a replay venue; it takes its tape and fees when it is connected."""
    return TapeReplay(settings)


replay.config_model = ReplaySettings  # type: ignore[attr-defined]
