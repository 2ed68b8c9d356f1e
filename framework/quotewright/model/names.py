"""Canonical instrument names, ``BASE-QUOTE.KIND@VENUE``, and the spellings of other programs accepted as input.

Kinds: ``spot``, ``perp``, ``250627`` (a dated future), ``250627-60000-C`` (an option). See
``docs/instrument-names.md``; this is version 1 of the grammar.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import attrs

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument

NAMES_VERSION = 1

_ASSET = r"[^\W_]+"
_NAME = re.compile(rf"(?P<base>{_ASSET})-(?P<quote>{_ASSET})\.(?P<kind>[A-Za-z0-9.\-]+)@(?P<venue>[a-z][a-z0-9_]*)")
_EXPIRY = re.compile(r"(?P<expiry>[0-9]{6})(?:-(?P<strike>[0-9]+(?:\.[0-9]+)?)-(?P<right>[CP]))?")
_SHAPE = "BASE-QUOTE.KIND@VENUE, such as BTC-USDT.spot@binance, BTC-USDT.perp@binance or BTC-USD.250627-60000-C@deribit"

TARDIS_EXCHANGES: Mapping[str, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        "binance": ("binance", frozenset({"spot"})),
        "binance-futures": ("binance", frozenset({"perp", "future"})),
        "binance-delivery": ("binance", frozenset({"perp", "future"})),
        "binance-european-options": ("binance", frozenset({"option"})),
        "bybit": ("bybit", frozenset({"perp", "future"})),
        "bybit-spot": ("bybit", frozenset({"spot"})),
        "bybit-options": ("bybit", frozenset({"option"})),
        "okex": ("okx", frozenset({"spot"})),
        "okex-swap": ("okx", frozenset({"perp"})),
        "okex-futures": ("okx", frozenset({"future"})),
        "okex-options": ("okx", frozenset({"option"})),
        "deribit": ("deribit", frozenset({"spot", "perp", "future", "option"})),
    }
)
"""Tardis' names of exchanges: our venue and the kinds of instruments under it."""

HUMMINGBOT_CONNECTORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{venue: (venue, "spot") for venue in ("binance", "bybit", "okx")},
        **{f"{venue}_perpetual": (venue, "perp") for venue in ("binance", "bybit", "okx")},
    }
)
"""Hummingbot's connectors: our venue and kind."""


def _date(text: str, name: str) -> None:
    try:
        date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        raise InputError(f"instrument name {name!r}: {text!r} should be a day written YYMMDD") from None


def expiry_ns(expiry: str) -> int:
    """Return the first moment (ns, UTC) of the day written YYMMDD."""
    day = date(2000 + int(expiry[:2]), int(expiry[2:4]), int(expiry[4:]))
    return (day - date(1970, 1, 1)).days * 86_400_000_000_000


@attrs.frozen
class InstrumentName:
    """The parts of a canonical name. ``expiry`` is YYMMDD, empty for spot and perpetuals; ``right`` is C or P."""

    base: str
    quote: str
    venue: str
    kind: str = attrs.field(default="spot", validator=attrs.validators.in_(("spot", "perp", "future", "option")))
    expiry: str = ""
    strike: Decimal | None = None
    right: str = ""

    def __attrs_post_init__(self) -> None:
        has_expiry, is_option = self.kind in ("future", "option"), self.kind == "option"
        if bool(self.expiry) is not has_expiry or (self.strike is not None) is not is_option:
            raise InputError(f"a name of kind {self.kind} should {'' if has_expiry else 'not '}carry an expiry day")
        if parse_name(str(self)) is None:
            raise InputError(f"{self} should be {_SHAPE}")

    @property
    def suffix(self) -> str:
        """Return the part between point and at sign."""
        if self.kind in ("spot", "perp"):
            return self.kind
        if self.strike is None:
            return self.expiry
        return f"{self.expiry}-{self.strike:f}-{self.right}"

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}.{self.suffix}@{self.venue}"


def parse_name(name: str) -> dict[str, str] | None:
    """Return the parts of *name* as text if it has the canonical shape, None if not."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    parts = match.groupdict()
    suffix = parts.pop("kind")
    if suffix in ("spot", "perp"):
        return {**parts, "kind": suffix}
    dated = _EXPIRY.fullmatch(suffix)
    if dated is None:
        return None
    _date(dated["expiry"], name)
    kind = "option" if dated["right"] else "future"
    return {**parts, "kind": kind, **{key: value for key, value in dated.groupdict().items() if value}}


def instrument_name(text: str) -> InstrumentName:
    """Return the parsed canonical name *text*.

    Raises:
        InputError: *text* is not canonical; a kind or letter case that is nearly right is suggested.
    """
    parts = parse_name(text)
    if parts is None:
        raise InputError(f"instrument name {text!r} should be {_SHAPE}{_hint(text)}")
    strike = parts.pop("strike", None)
    return InstrumentName(**parts, strike=None if strike is None else Decimal(strike))


def _hint(text: str) -> str:
    """Return a suggestion for a name that is nearly canonical, an empty text if there is none."""
    head, at, venue = text.partition("@")
    pair, point, suffix = head.partition(".")
    tries = []
    if not at and point:
        return "; the venue is missing"
    if at and not point:
        tries = [f"{pair.replace('/', '-')}.{kind}@{venue.lower()}" for kind in ("spot", "perp")]
    elif at:
        kind = {"swap": "perp", "perpetual": "perp", "linear": "perp"}.get(suffix.lower(), suffix.lower())
        close = difflib.get_close_matches(kind, ("spot", "perp"), n=1)
        tries = [f"{pair.replace('/', '-')}.{close[0] if close else suffix.upper()}@{venue.lower()}"]
    found = []
    for name in tries:
        try:
            if parse_name(name):
                found.append(name)
        except InputError:
            continue
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def aliases(instrument: Instrument) -> list[str]:
    """Return every other spelling that is taken for *instrument*: of ccxt, Tardis, nautilus, hummingbot, the venue.

    ccxt's and the venue's own name no venue; ccxt's may carry one as ``binance:BTC/USDT``, as may the plain one that
    data vendors and other programs use, ``BTC-USDT-PERP`` or ``BTC-USD-20261225``.
    """
    name = instrument_name(instrument.name)
    venue = instrument.venue
    found = [f"{venue}:{ccxt_name(instrument, name)}", ccxt_name(instrument, name)]
    for exchange, (tardis_venue, kinds) in TARDIS_EXCHANGES.items():
        if (
            tardis_venue == venue
            and name.kind in kinds
            and (exchange != "binance-delivery") is not _is_coin(instrument)
        ):
            found.append(f"{exchange}:{instrument.symbol}")
    found += [f"{symbol}.{venue.upper()}" for symbol in _nautilus_symbols(instrument, name)]
    for connector, (connector_venue, kind) in HUMMINGBOT_CONNECTORS.items():
        if connector_venue == venue and kind == name.kind:
            found.append(f"{connector}:{name.base}-{name.quote}")
    plain = plain_name(name)
    found += [plain, f"{venue}:{plain}", instrument.symbol]
    if name.kind == "spot":
        found.append(name.base + name.quote)
    return list(dict.fromkeys(found))


def plain_name(name: InstrumentName) -> str:
    """Return the name with dashes alone: ``BTC-USDT``, ``BTC-USDT-PERP``, ``BTC-USD-20270326-70000-C``."""
    pair = f"{name.base}-{name.quote}"
    if name.kind == "spot":
        return pair
    return f"{pair}-PERP" if name.kind == "perp" else f"{pair}-20{name.suffix}"


def _nautilus_symbols(instrument: Instrument, name: InstrumentName) -> list[str]:
    """Return how nautilus calls the instrument before the point: the venue's symbol with the product where it lacks."""
    symbol = instrument.symbol
    if instrument.venue == "bybit":
        product = name.kind.upper()
        if name.kind in ("perp", "future"):
            product = "INVERSE" if instrument.is_inverse else "LINEAR"
        found = [f"{symbol}-{product}", symbol]
        return [*found, f"{symbol}-PERP"] if name.kind == "perp" and not symbol.endswith("PERP") else found
    if name.kind == "perp" and instrument.venue not in ("okx", "deribit"):
        if symbol.upper().endswith("_PERP"):
            return [f"{symbol[:-5]}-PERP", symbol]
        if not symbol.upper().endswith("PERP"):
            return [f"{symbol}-PERP"]
    return [symbol]


def _is_coin(instrument: Instrument) -> bool:
    return instrument.venue == "binance" and instrument.is_inverse


def ccxt_name(instrument: Instrument, name: InstrumentName | None = None) -> str:
    """Return ccxt's unified symbol: ``BTC/USDT``, ``BTC/USDT:USDT``, ``BTC/USDT:USDT-250627``."""
    name = name or instrument_name(instrument.name)
    pair = f"{name.base}/{name.quote}"
    if name.kind == "spot":
        return pair
    settled = f"{pair}:{instrument.settle or name.quote}"
    return settled if name.kind == "perp" else f"{settled}-{name.suffix}"


class NameTable:
    """Finds instruments by canonical name, alias or, where it names only one, the venue's symbol."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._by_name: dict[str, Instrument] = {}
        self._by_alias: dict[str, list[Instrument]] = {}
        for instrument in instruments:
            if self._by_name.setdefault(instrument.name, instrument) is not instrument:
                raise InputError(f"two instruments are called {instrument.name}")
            for alias in dict.fromkeys(aliases(instrument)):
                self._by_alias.setdefault(alias, []).append(instrument)

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, text: str, connector: str = "") -> Instrument:
        """Return the instrument that *text* means; *connector* is hummingbot's, for ``BTC-USDT``.

        Raises:
            InputError: nothing is called so (close names are suggested), or several are (all are named).
        """
        found = self._by_name.get(text)
        if found is not None:
            return found
        if connector and connector not in HUMMINGBOT_CONNECTORS:
            raise InputError(
                f"no hummingbot connector {connector!r} is known; known: {', '.join(sorted(HUMMINGBOT_CONNECTORS))}"
            )
        matches = self._by_alias.get(f"{connector}:{text}" if connector else text, [])
        if len(matches) == 1:
            return matches[0]
        if matches:
            listed = ", ".join(sorted(instrument.name for instrument in matches))
            raise InputError(f"{text!r} may mean {listed}; write one of them")
        raise InputError(f"no instrument is called {text!r}{self._suggestion(text)}")

    def _suggestion(self, text: str) -> str:
        spellings = {name.lower(): name for name in self._by_name}
        for alias, instruments in self._by_alias.items():
            if len(instruments) == 1:
                spellings.setdefault(alias.lower(), instruments[0].name)
        close = difflib.get_close_matches(text.lower(), spellings, n=3, cutoff=0.6)
        if close:
            return f"; did you mean {' or '.join(dict.fromkeys(repr(spellings[match]) for match in close))}?"
        shown = ", ".join(sorted(self._by_name)[:5])
        return f"; there are {len(self._by_name)}: {shown}{', …' if len(self._by_name) > 5 else ''}"
