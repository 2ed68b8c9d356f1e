"""Venue cards: what an adapter and the local exchange must both know of one venue, in one TOML file.

See ``docs/venue-cards.md``; this is version 1. Cards are offered by the hook ``venue_cards`` and read by name.
"""

# setting() makes an attrs field, which the rule takes for a default shared by all.
# ruff: noqa: RUF009

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import attrs

from quotewright.config.structure import structure
from quotewright.config.units import Bps, Duration
from quotewright.errors import ConfigError, FormatVersionError, NotFoundError
from quotewright.model.orders import RejectReason
from quotewright.plugin.settings import setting

CARD_VERSION = 1


@attrs.frozen(kw_only=True)
class FeeTier:
    """One line of the fee table: what a fill costs as a share of its value; a negative fee is a rebate."""

    name: str = setting(doc="the venue's name of the tier")
    maker: Bps = setting(doc="fee of a resting order's fill")
    taker: Bps = setting(doc="fee of an incoming order's fill")
    volume_30d: Decimal = setting(default=Decimal(0), doc="traded value in 30 days that the tier takes, in USD")


@attrs.frozen(kw_only=True)
class Filter:
    """One check of an order at the venue and where its numbers stand in the venue's metadata."""

    name: str = setting(doc="the venue's name of the filter")
    checks: str = setting(doc="what is checked, in our words")
    fields: tuple[str, ...] = setting((), doc="the venue's fields that hold its numbers")
    reason: RejectReason | Literal[""] = setting("", doc="our reason of the rejection, empty if none of ours fits")
    code: int = setting(0, doc="the venue's error code for it")
    zero_is_off: bool = setting(True, doc="whether a value of zero turns the check off")
    reduce_only_exempt: bool = setting(False, doc="whether a reduce-only order passes unchecked")


@attrs.frozen(kw_only=True)
class RateLimit:
    """One counter of requests."""

    name: str = setting(doc="what is counted")
    limit: int = setting(doc="how many")
    per: Duration = setting(doc="within what time")
    scope: Literal["ip", "account", "connection"] = setting("ip", doc="who is counted")


@attrs.frozen(kw_only=True)
class Limits:
    """What the venue allows at most; 0 means that it states none."""

    rates: tuple[RateLimit, ...] = setting((), doc="counters of requests, orders and connections")
    max_open_orders: int = setting(0, doc="open orders of one instrument where its metadata does not say")
    streams_per_connection: int = setting(0, doc="streams on one connection")
    connection_life: Duration = setting(Duration(0), doc="after which time the venue closes a connection")
    depth_levels: int = setting(0, doc="levels of a side in the largest snapshot")
    batch_orders: int = setting(0, doc="orders in one request")


@attrs.frozen(kw_only=True)
class OrderRules:
    """How orders are written and what becomes of them."""

    types: tuple[str, ...] = setting((), doc="the venue's order types")
    times_in_force: tuple[str, ...] = setting((), doc="the venue's words")
    post_only: str = setting("", doc="how a post-only order is written, empty if there is none")
    post_only_crossing: Literal["rejected", "expired"] = setting(
        "rejected", doc="what a crossing post-only order becomes"
    )
    has_reduce_only: bool = setting(False, doc="whether an order may be marked reduce-only")
    amend: Literal["none", "reduce", "replace"] = setting(
        "none", doc="none; reduce: only a smaller quantity, the place is kept; replace: price and quantity, place lost"
    )
    keeps_priority_on_reduce: bool = setting(False, doc="whether an amend to a smaller quantity keeps the place")
    max_amends: int = setting(0, doc="how often one order may be amended, 0 if the venue states none")
    self_trade: str = setting("", doc="self-trade prevention unless the order says otherwise")
    cancel_on_silence: bool = setting(
        False, doc="whether the venue can cancel all orders when it hears nothing from us"
    )


@attrs.frozen(kw_only=True)
class ClientIds:
    """The rule for client order ids."""

    pattern: str = setting(doc="regular expression of an allowed id")
    max_length: int = setting(doc="longest id")
    unique_among: Literal["open", "ever"] = setting("open", doc="open orders, or every order of the account")

    def __attrs_post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(f"pattern should be a regular expression, was {self.pattern!r} ({error})") from None

    def is_allowed(self, text: str) -> bool:
        """Return whether the venue takes *text* as a client order id."""
        return len(text) <= self.max_length and re.fullmatch(self.pattern, text) is not None


@attrs.frozen(kw_only=True)
class ErrorCode:
    """One error the venue answers with. ``outcome`` unknown: the order may stand; ask before trying again."""

    code: int = setting(doc="the venue's number")
    meaning: str = setting(doc="what it says, in our words")
    text: str = setting("", doc="the venue's text that clients match; one code may have several")
    reason: RejectReason | Literal[""] = setting("", doc="our reason of the rejection, empty if none of ours fits")
    outcome: Literal["rejected", "unknown", "retry"] = setting(
        "rejected", doc="what is known of the request afterwards"
    )
    http: int = setting(400, doc="HTTP status")


@attrs.frozen(kw_only=True)
class LatencyHints:
    """Round figures for simulation, not measurements of yours."""

    order_entry: Duration = setting(Duration(0), doc="from us to the matching engine")
    report: Duration = setting(Duration(0), doc="from the matching engine to us")
    feed: Duration = setting(Duration(0), doc="from an event to its row here, batching included")


@attrs.frozen(kw_only=True)
class VenueCard:
    """Everything a card says. ``unverified`` names the parts that no official page confirms for the day ``as_of``."""

    card_version: int = setting(doc="version of this format: 1")
    name: str = setting(doc="name of the card")
    venue: str = setting(doc="the venue as in instrument names")
    market: str = setting(doc="market of the venue")
    as_of: str = setting(doc="when the facts were read")
    sources: tuple[str, ...] = setting(doc="where they were read")
    unverified: tuple[str, ...] = setting((), doc="parts that are not confirmed")
    fees: tuple[FeeTier, ...] = setting(doc="fee table, the entry tier first")
    fee_currency: Literal["received", "quote", "settle"] = setting(
        "quote", doc="what a fee is paid in: the asset received, the quote asset, the settlement asset"
    )
    filters: tuple[Filter, ...] = setting((), doc="checks of an order")
    limits: Limits = setting(factory=Limits, doc="what is allowed at most")
    orders: OrderRules = setting(factory=OrderRules, doc="how orders are written")
    client_ids: ClientIds = setting(doc="the rule for client order ids")
    statuses: dict[str, str] = setting(factory=dict, doc="the venue's order status and ours")
    errors: tuple[ErrorCode, ...] = setting((), doc="what the venue answers with")
    latency: LatencyHints = setting(factory=LatencyHints, doc="round figures for simulation")

    def __attrs_post_init__(self) -> None:
        if not self.fees:
            raise ConfigError("fees should have at least one tier")
        for section, keys in (("fees", [tier.name for tier in self.fees]), ("filters", [f.name for f in self.filters])):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            if twice:
                raise ConfigError(f"{section} should name each entry once, {twice[0]!r} stands twice")
        unknown = [part for part in self.unverified if part not in attrs.fields_dict(VenueCard)]
        if unknown:
            raise ConfigError(f"unverified should name parts of the card, {unknown[0]!r} is none")

    def fee_tier(self, name: str = "") -> FeeTier:
        """Return the tier called *name*, the first one if it is empty."""
        if not name:
            return self.fees[0]
        for tier in self.fees:
            if tier.name == name:
                return tier
        raise ConfigError(f"{self.name}: no fee tier {name!r}; tiers: {', '.join(tier.name for tier in self.fees)}")

    def error(self, code: int, text: str = "") -> ErrorCode | None:
        """Return the entry for *code*: the one whose text occurs in *text*, else one without a text, else the first."""
        entries = [entry for entry in self.errors if entry.code == code]
        for entry in entries:
            if entry.text and entry.text in text:
                return entry
        return next((entry for entry in entries if not entry.text), entries[0] if entries else None)


def load_card(path: Path | str) -> VenueCard:
    """Return the card in the file *path*.

    Raises:
        NotFoundError: there is no such file.
        FormatVersionError: the card is of another version.
        ConfigError: not TOML, an unknown or missing key, or a value of the wrong type, each named.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"there is no venue card at {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text, {error}") from None
    return read_card(text, path.name)


def read_card(text: str, where: str) -> VenueCard:
    """Return the card in *text*; *where* names it in errors."""
    try:
        values: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: should be TOML, {error}") from None
    version = values.get("card_version")
    if version != CARD_VERSION or isinstance(version, bool):
        was = "has none" if version is None else f"was {version!r}"
        raise FormatVersionError(
            f"{where}: card_version should be {CARD_VERSION}, {was}; this program reads no other version"
        )
    try:
        return structure(VenueCard, values, where)
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"{where}: nested too deep") from None


def as_mapping(card: VenueCard) -> Mapping[str, Any]:
    """Return *card* as plain tables, as a venue gets it at wiring."""
    mapping: Mapping[str, Any] = attrs.asdict(card)
    return mapping
