"""Figures of a run as words: numbers with their units, and one line for each thing a market maker is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quotewright.report.scorecard import HEADLINE_SECONDS


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def amount(value: Any, signed: bool = True) -> str:
    """Return money, signed with four decimals or plain with two; what rounds to nothing has no sign.

    Of money so small that nothing would be left, coin for instance, eight decimals are shown.
    """
    if value is None:
        return "unknown"
    number_ = float(value)
    small = 0 < abs(number_) < (0.001 if signed else 0.1)
    text = f"{number_:+,.{8 if small else 4}f}" if signed else f"{number_:,.{8 if small else 2}f}"
    return text if text.strip("+-0.,") else text.lstrip("+-")


def number(value: Any) -> str:
    """Return a quantity without needless zeros."""
    text = f"{value:f}" if not isinstance(value, float) else f"{value:.10f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def bps(value: float | None) -> str:
    if value is None:
        return "-"
    text = f"{value:+.2f}"
    return f"{text if text.strip('+-0.') else '0.00'} bps"


def seconds(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.3g} s" if value < 1000 else f"{value:,.0f} s"


def figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def fills_text(figures: Mapping[str, Any]) -> str:
    """Return how many fills there were and how many of them as maker."""
    return f"{figures['fills']:,} ({figures['maker_fills']:,} as maker)"


def scorecard_lines(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and text of each line of the scorecard: spread, quotes, orders, queue, inventory."""
    return [
        ("spread capture", spread_line(figures)),
        ("quotes", quotes_line(figures)),
        ("orders", orders_line(figures)),
        ("queue", queue_line(figures)),
        ("inventory", inventory_line(figures)),
    ]


def headline(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spreads of the horizon that is told in one line."""
    horizons = figures["spreads"]["horizons"]
    found: Mapping[str, Any] = next(one for one in horizons if one["seconds"] == HEADLINE_SECONDS)
    return found


def spread_line(figures: Mapping[str, Any]) -> str:
    """Return how much was captured against the mid and how much of it the market took back."""
    one = headline(figures)
    if not one["fills"]:
        return f"no fill was followed for {one['seconds']} s"
    quote, captured, adverse = figures["quote"], float(one["captured"]), float(one["adverse"])
    taken = f"{amount(captured)} {quote} captured over {one['fills']:,} fills, "
    if adverse > 0:
        part = f" ({adverse / captured:.0%})" if captured > 0 else ""
        taken += f"{amount(adverse).lstrip('+')} given back within {one['seconds']} s{part}"
    else:
        taken += f"{amount(-adverse)} more earned within {one['seconds']} s"
    return f"effective {bps(one['effective_bps'])}, realised {bps(one['realised_bps'])}: {taken}"


def quotes_line(figures: Mapping[str, Any]) -> str:
    quotes = figures["quotes"]
    own, market = quotes["quoted_spread_bps"], quotes["market_spread_bps"]
    return (
        f"both sides {percent(quotes['two_sided_share'])} of the time, at the touch bid "
        f"{percent(quotes['bid']['at_touch_share'])}, offer {percent(quotes['offer']['at_touch_share'])}; "
        f"quoted spread {'-' if own is None else f'{own:,.2f} bps'}, "
        f"the market's {'-' if market is None else f'{market:,.2f} bps'}"
    )


def orders_line(figures: Mapping[str, Any]) -> str:
    orders = figures["order_figures"]
    filled = orders["fill_ratio"]
    text = (
        f"{figure(orders['order_to_trade'])} messages a fill, {figure(orders['cancel_to_fill'])} cancels a fill, "
        f"{'-' if filled is None else percent(filled)} of the quantity filled"
    )
    times = orders["seconds_to_fill"]
    return text if times["p50"] is None else f"{text}, half of those filled within {seconds(times['p50'])}"


def queue_line(figures: Mapping[str, Any]) -> str:
    """Return where filled orders stood in the queue; the venue may not know."""
    queue = figures["queue"]
    if not queue["maker_fills"]:
        return "no resting order was filled"
    if not queue["known"]:
        return f"unknown: the venue does not tell where {queue['maker_fills']:,} fills stood"
    return (
        f"{figure(queue['joined_mean'])} {figures['unit']} ahead on joining, {figure(queue['ahead_mean'])} when it was "
        f"filled, at the front {percent(queue['at_front_share'])} "
        f"({queue['known']:,} of {queue['maker_fills']:,} fills)"
    )


def inventory_line(figures: Mapping[str, Any]) -> str:
    held = figures["inventory"]
    text = f"mean {figure(held['mean'])}, largest {number(held['largest'])} {figures['unit']}"
    if held["holding_seconds"] is not None:
        text += f", held {seconds(held['holding_seconds'])}"
    text += f", half-life {seconds(held['half_life_seconds'])}"
    if held["turnover_per_hour"]:
        text += f", turnover {amount(held['turnover_per_hour'], False)} {figures['quote']} an hour"
    return text


def parts_text(parts: Mapping[str, Any]) -> str:
    """Return a profit with its parts."""
    return (
        f"{amount(parts['pnl'])} = spread {amount(parts['pnl_spread'])}, inventory {amount(parts['pnl_inventory'])}, "
        f"fees {amount(-float(parts['fees']))}, funding {amount(parts['pnl_funding'])}"
    )


def totals_lines(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the profits by currency, strategy and venue where there are several, and the total if it can be said."""
    rows: list[tuple[str, str]] = []
    total = summary["total"]
    if len(summary["totals"]) > 1 or len(summary["instruments"]) > 1:
        rows += [(f"total {currency}", parts_text(parts)) for currency, parts in summary["totals"].items()]
    if total["conversions"]:
        told = ", ".join(
            f"{currency} at {number(one['rate'])} ({one['instrument']})"
            for currency, one in total["conversions"].items()
        )
        rows.append((f"all in {total['currency']}", f"{parts_text(total)}; {told}"))
    legs = [(name, leg) for name, one in summary["strategies"].items() for leg in one["legs"]]
    if len(legs) > 1:
        rows += [
            (f"strategy {name}", f"{leg['instrument']}: {parts_text(leg)} {leg['currency']}") for name, leg in legs
        ]
    venues = {name: sums for name, sums in summary["profit_by_venue"].items() if sums}
    if len(venues) > 1:
        rows += [
            (f"venue {name}", f"{parts_text(parts)} {currency}")
            for name, sums in venues.items()
            for currency, parts in sums.items()
        ]
    return rows


def money_warnings(summary: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the total must know: what is not in it, or why there is none."""
    total = summary["total"]
    if total["currency"] is None:
        settled = sorted({one["quote"] for one in summary["instruments"].values()})
        return [
            f"there is no total: between {' and '.join(settled)} no instrument of this run has a mid; "
            "profits are told by currency"
        ]
    return [
        f"fees of {amount(summary['totals'][currency]['fees'], False)} {currency} are not in the total: "
        f"no instrument of this run has a mid between {currency} and {total['currency']}"
        for currency in total["left_out"]
    ]
