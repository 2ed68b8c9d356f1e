"""The drawings of the HTML report. plotly is imported only where something is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from quotewright.kernel.codes import BUY
from quotewright.report.words import amount, bps

if TYPE_CHECKING:
    import plotly.graph_objects as go

Columns: TypeAlias = "dict[str, np.ndarray[Any, np.dtype[Any]]]"

BID_COLOUR = "#1a7f5a"
OFFER_COLOUR = "#c0392b"
MID_COLOUR = "#34495e"
TOTAL_COLOUR = "#1f3a93"
INVENTORY_COLOUR = "#b9770e"
FUNDING_COLOUR = "#7d3c98"
MOST_MARKERS = 4000


def _plot(title: str, traces: list[Any], unit: str, height: int, **layout: Any) -> str:
    import plotly.graph_objects as go

    figure: go.Figure = go.Figure(traces)
    has_legend = len(traces) > 1
    figure.update_layout(
        title={"text": title, "font": {"size": 15}, "y": 0.97 if has_legend else 0.93, "yanchor": "top"},
        height=height,
        margin={"l": 60, "r": 20, "t": 72 if has_legend else 44, "b": 36},
        template="plotly_white",
        showlegend=has_legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        yaxis={"title": unit, "exponentformat": "none", "separatethousands": True, "automargin": True},
    )
    figure.update_layout(**layout)
    config = {"displayModeBar": False, "responsive": True}
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return f'<div class="plot">{drawn}</div>'


def _line(name: str, x: Any, y: Any, colour: str, **more: Any) -> Any:
    import plotly.graph_objects as go

    line = {"color": colour, "width": more.pop("width", 1.4), "shape": "hv"}
    kind = go.Scatter if "fill" in more else go.Scattergl  # the WebGL one cannot fill below steps
    return kind(name=name, x=x, y=y, mode="lines", line=line, **more)


def _bars(name: str, x: list[str], y: list[Any], colour: Any, text: list[str]) -> Any:
    import plotly.graph_objects as go

    return go.Bar(
        name=name, x=x, y=y, marker={"color": colour}, text=text, textposition="outside", cliponaxis=False,
        hovertemplate="%{x}: %{text}<extra>" + name + "</extra>",
    )  # fmt: skip


def _known(values: Any, scale: float) -> Any:
    """Return *values* divided by *scale*, NaN where there was none (0)."""
    return np.where(values > 0, values / scale, np.nan)


def price(time: Any, samples: Columns, fills: Columns, scales: tuple[float, float, float], unit: str) -> str:
    """Draw mid, own quotes and fills; *scales* are steps in one of price, the tick and the lot."""
    import plotly.graph_objects as go

    scale, tick, lot = scales
    traces = [
        _line("mid", time, _known(samples["mid2"], 2 * scale), MID_COLOUR),
        _line("own bid", time, _known(samples["own_bid_ticks"], 1 / tick), BID_COLOUR, width=1),
        _line("own offer", time, _known(samples["own_offer_ticks"], 1 / tick), OFFER_COLOUR, width=1),
    ]
    for side, name, colour, symbol in (
        (1, "buys", BID_COLOUR, "triangle-up"),
        (2, "sells", OFFER_COLOUR, "triangle-down"),
    ):
        chosen = np.flatnonzero((fills["side"] == BUY) == (side == BUY))
        chosen = chosen[:: max(1, len(chosen) // MOST_MARKERS + (len(chosen) > MOST_MARKERS))]
        traces.append(
            go.Scattergl(
                name=name,
                x=fills["time_ns"][chosen].astype("datetime64[ns]").astype("datetime64[ms]"),
                y=fills["price_ticks"][chosen] * tick,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 8, "line": {"width": 0.6, "color": "white"}},
                text=[f"{quantity * lot:.8g}" for quantity in fills["quantity_lots"][chosen]],
                hovertemplate="%{text} at %{y}",
            )
        )
    return _plot("Price, own quotes and fills", traces, unit, 440, hovermode="x unified")


def inventory(time: Any, samples: Columns, lot: float, unit: str) -> str:
    """Draw the position."""
    traces = [_line("position", time, samples["position_lots"] * lot, TOTAL_COLOUR, fill="tozeroy")]
    return _plot("Inventory", traces, unit, 240)


def profit(time: Any, samples: Columns, unit: str) -> str:
    """Draw the profit and its parts."""
    equity, spread, fees, funding = (samples[name] for name in ("equity", "spread", "fees", "funding"))
    traces = [
        _line("total", time, equity, TOTAL_COLOUR, width=2.2),
        _line("spread", time, spread, BID_COLOUR),
        _line("inventory", time, equity + fees - funding - spread, INVENTORY_COLOUR),
        _line("fees", time, -fees, OFFER_COLOUR),
    ]
    if np.any(funding):
        traces.append(_line("funding", time, funding, FUNDING_COLOUR))
    return _plot("Profit and where it came from", traces, unit, 340, hovermode="x unified")


def drawdown(time: Any, samples: Columns, unit: str) -> str:
    """Draw how far equity lies below its peak."""
    equity = samples["equity"]
    below = equity - np.maximum.accumulate(equity)
    traces = [_line("drawdown", time, below, OFFER_COLOUR, fill="tozeroy")]
    return _plot("Drawdown of equity from its peak", traces, unit, 220)


def attribution(figures: dict[str, Any]) -> str:
    """Draw the profit as the sum of its parts."""
    import plotly.graph_objects as go

    parts = {
        "spread": float(figures["pnl_spread"]),
        "inventory": float(figures["pnl_inventory"]),
        "fees": -float(figures["fees"]),
        "funding": float(figures["pnl_funding"]),
        "profit": float(figures["pnl"]),
    }
    values = list(parts.values())
    bars = go.Waterfall(
        x=list(parts),
        y=values,
        measure=["relative"] * 4 + ["total"],
        text=[amount(value) for value in values],
        textposition="outside",
        cliponaxis=False,
        increasing={"marker": {"color": BID_COLOUR}},
        decreasing={"marker": {"color": OFFER_COLOUR}},
        totals={"marker": {"color": TOTAL_COLOUR}},
        connector={"line": {"color": "#b8c4ce", "width": 1}},
    )
    ends = np.cumsum([0.0, *values[:4]])
    room = 0.15 * (float(np.ptp(ends)) or 1.0)
    span = [float(ends.min()) - room, float(ends.max()) + room]
    return _plot("Where the profit came from", [bars], figures["quote"], 400, yaxis_range=span)


def markouts(figures: dict[str, Any]) -> str:
    """Draw how far the mid moved in favour of buys and of sells, by horizon."""
    marks = figures["markouts"]
    x = [f"{one['seconds']} s" for one in marks]
    traces = [
        _bars(name, x, [one[name]["bps"] for one in marks], colour, [_short(one[name]["bps"]) for one in marks])
        for name, colour in (("buys", BID_COLOUR), ("sells", OFFER_COLOUR))
    ]
    counted = ", ".join(f"{one['fills']:,}" for one in marks)
    return _plot(f"Markouts, mean of {counted} fills", traces, "bps", 320, barmode="group")


def spreads(figures: dict[str, Any]) -> str:
    """Draw the spread captured beside what the market took back, by horizon."""
    horizons = figures["spreads"]["horizons"]
    x = [f"{one['seconds']} s" for one in horizons]
    traces = [
        _bars(
            name,
            x,
            [one[key] if sign > 0 or one[key] is None else -one[key] for one in horizons],
            colour,
            [_short(one[key] if sign > 0 or one[key] is None else -one[key]) for one in horizons],
        )
        for name, key, sign, colour in (
            ("captured", "effective_bps", 1, BID_COLOUR),
            ("adverse selection", "adverse_bps", -1, OFFER_COLOUR),
            ("realised", "realised_bps", 1, TOTAL_COLOUR),
        )
    ]
    return _plot("Spread captured, taken back, left", traces, "bps of the value", 320, barmode="group")


def _short(value: float | None) -> str:
    return bps(value).removesuffix(" bps")


def uptime(figures: dict[str, Any]) -> str:
    """Draw the share of time with a quote within so many ticks of the touch."""
    quotes = figures["quotes"]
    rows = [quotes["within_ticks"][0], *quotes["within_bps"]]
    x = ["touch", *(f"{one['bps']:g} bps" for one in quotes["within_bps"])]
    traces = [
        _bars(name, x, [100 * one[key] for one in rows], colour, ["" for _ in rows])
        for name, key, colour in (
            ("bid", "bid_share", BID_COLOUR),
            ("offer", "offer_share", OFFER_COLOUR),
            ("both", "two_sided_share", TOTAL_COLOUR),
        )
    ]
    return _plot(
        "Quote uptime: share of the time within …", traces, "% of the time", 320, barmode="group", yaxis_range=[0, 105]
    )


def times_to_fill(figures: dict[str, Any]) -> str:
    """Draw how long resting orders waited for their first fill."""
    told = figures["order_figures"]["seconds_to_fill"]
    rows = told["histogram"]
    x = [f"{one['up_to']:g} s" if one["up_to"] is not None else f"over {rows[-2]['up_to']:g} s" for one in rows]
    counts = [one["orders"] for one in rows]
    traces = [_bars("orders", x, counts, MID_COLOUR, [f"{count:,}" if count else "" for count in counts])]
    return _plot("Time to the first fill, up to …", traces, "orders", 320)
