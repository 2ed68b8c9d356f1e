"""The money of a run: where each profit came from, per instrument, strategy and venue, and what may be added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.kernel.contract_money import money

if TYPE_CHECKING:
    from quotewright.kernel.portfolio import Portfolio
    from quotewright.kernel.view import View

PARTS = ("pnl", "pnl_spread", "pnl_inventory", "fees", "pnl_funding")
"""``pnl == pnl_spread + pnl_inventory - fees + pnl_funding``, exactly."""

_EXACT = Context(prec=100)


def attribution(portfolio: Portfolio, mid2: int) -> dict[str, Any]:
    """Return a portfolio's profit at the mid and its parts, exact Decimals of its settlement currency."""
    found = portfolio.attribution_at(mid2)
    return {
        "pnl": money(found.total),
        "realised": money(portfolio.realised()),
        "unrealised": money(portfolio.unrealised_at(mid2)),
        "pnl_spread": money(found.spread),
        "pnl_inventory": money(found.inventory),
        "fees": money(found.fees),
        "pnl_funding": money(found.funding),
        "foreign_fees": {currency: money(amount) for currency, amount in portfolio.foreign_fees().items()},
    }


def share(portfolio: Portfolio, view: View) -> dict[str, Any]:
    """Return what one strategy made of one instrument."""
    return {
        "instrument": view.instrument.name,
        "currency": portfolio.quote,
        **attribution(portfolio, view.known_mid2),
        "position": view.instrument.quantity(portfolio.position_lots),
        "fills": portfolio.fills,
        "turnover": money(portfolio.turnover),
    }


def totals(shares: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Decimal]]:
    """Return the sums of *shares* by currency; fees in third currencies stand under their own."""
    found: dict[str, dict[str, Decimal]] = {}

    def add(currency: str, **parts: Decimal) -> None:
        sums = found.setdefault(currency, dict.fromkeys(PARTS, Decimal(0)))
        for name, amount in parts.items():
            sums[name] = _EXACT.add(sums[name], amount)

    for one in shares:
        add(one["currency"], **{name: one[name] for name in PARTS})
        for currency, amount in one["foreign_fees"].items():
            add(currency, pnl=-amount, fees=amount)
    return dict(sorted(found.items()))


@attrs.frozen(kw_only=True)
class Conversion:
    """What one unit of a currency is worth in the currency of the report, at whose mid."""

    rate: Decimal
    instrument: str


def conversions(currencies: Sequence[str], into: str, views: Sequence[View]) -> dict[str, Conversion]:
    """Return how currencies become *into*, for those between which and it an instrument of the run has a mid.

    A mid is an exchange rate between base and quote currency of a spot pair, else of a perpetual or a future.
    """
    found: dict[str, Conversion] = {}
    ordered = sorted(views, key=lambda view: ("spot", "perp", "future", "option").index(view.instrument.kind))
    for currency in currencies:
        for view in ordered:
            instrument = view.instrument
            pair = (instrument.base, instrument.quote)
            if currency == into or instrument.kind == "option" or view.known_mid2 <= 0 or {*pair} != {currency, into}:
                continue
            mid = instrument.price_from_steps(view.known_mid2) / 2
            rate = mid if pair[0] == currency else _EXACT.divide(Decimal(1), mid)
            found[currency] = Conversion(rate=rate, instrument=instrument.name)
            break
    return found


def in_one_currency(sums: Mapping[str, Mapping[str, Decimal]], views: Sequence[View]) -> dict[str, Any]:
    """Return the total of all currencies in one of them, ``pnl`` None where it cannot be said.

    The currency is the one in which most instruments settle, of equals the first in the run's order, of those into
    which every other settlement currency can be converted. Fees in third currencies that cannot be converted are left
    out and named under ``left_out``.
    """
    settled = [view.portfolio.quote for view in views]
    candidates = sorted(
        dict.fromkeys(settled), key=lambda currency: (-settled.count(currency), settled.index(currency))
    )
    for into in candidates:
        known = conversions(sorted(sums), into, views)
        if any(currency != into and currency not in known for currency in candidates):
            continue
        total = dict.fromkeys(PARTS, Decimal(0))
        for currency, parts in sums.items():
            if currency != into and currency not in known:
                continue
            for name in PARTS:
                amount = parts[name] if currency == into else _converted(parts[name], known[currency].rate)
                total[name] = _EXACT.add(total[name], amount)
        # What rounding of converted parts leaves belongs to the inventory, which the mid has moved anyway.
        rest = total["pnl_spread"] - total["fees"] + total["pnl_funding"]
        total["pnl_inventory"] = _EXACT.subtract(total["pnl"], rest)
        left_out = [currency for currency in sums if currency != into and currency not in known]
        return {"currency": into, **total, "conversions": _told(known), "left_out": left_out}
    return {"currency": None, **dict.fromkeys(PARTS), "conversions": {}, "left_out": sorted(sums)}


def _converted(amount: Decimal, rate: Decimal) -> Decimal:
    """Return *amount* times *rate*, rounded half-even at 10^-18."""
    return _EXACT.multiply(amount, rate).quantize(Decimal("1e-18"), context=_EXACT)


def _told(known: Mapping[str, Conversion]) -> dict[str, Any]:
    return {
        currency: {"rate": Context(prec=18).plus(one.rate), "instrument": one.instrument}
        for currency, one in known.items()
    }
