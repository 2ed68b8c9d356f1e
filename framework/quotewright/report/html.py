"""The HTML report of a run: one file that needs no network. plotly is imported only here."""

from __future__ import annotations

import html
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quotewright.errors import InputError, NotFoundError
from quotewright.kernel.codes import BUY
from quotewright.report.feeds import feeds_section, market_of
from quotewright.report.table import FEW_FILLS, amount, bps, fills_text, notes, number, percent, why_few_fills
from quotewright.runtime.folder import REPORT, read_summary

if TYPE_CHECKING:
    import plotly.graph_objects as go

    Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]

BID_COLOUR = "#1a7f5a"
OFFER_COLOUR = "#c0392b"
MID_COLOUR = "#34495e"
TOTAL_COLOUR = "#1f3a93"
MOST_MARKERS = 4000

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; background: #f5f7f9; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 36px 0 10px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
h4 { font-size: 14px; margin: 14px 0 4px; color: #5b6b7b; }
.sub { color: #5b6b7b; margin: 0 0 20px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.card { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; padding: 10px 14px; }
.card b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; }
.card span { color: #5b6b7b; font-size: 13px; }
.plot { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; margin: 12px 0; padding: 6px; }
table { border-collapse: collapse; background: #fff; font-variant-numeric: tabular-nums; }
td, th { border: 1px solid #dfe5ea; padding: 5px 12px; text-align: left; } th { background: #eef2f5; font-weight: 600; }
.note { background: #fff6e0; border: 1px solid #f0d58c; border-radius: 8px; padding: 8px 14px; margin: 10px 0; }
.bad { background: #fdecea; border-color: #f1b0a8; }
code { font-size: 13px; overflow-wrap: anywhere; } ul { margin: 6px 0 0; }
"""


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of the finished run in *folder* and return its path.

    Raises:
        NotFoundError: there is no finished run, or its samples are gone.
        FormatVersionError: the run was written by another version.
        InputError: summary or samples are damaged.
    """
    summary = read_summary(folder)
    path = folder / "samples.npz"
    if not path.is_file():
        raise NotFoundError(f"no samples in {folder}: {path.name} is missing, so there is nothing to plot")
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns: Columns = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged: it should be a NumPy archive, as the run wrote it") from error
    target = folder / REPORT
    target.write_text(render(summary, columns), encoding="utf-8")
    return target


def render(summary: dict[str, Any], columns: Columns) -> str:
    """Return the whole page."""
    from plotly.offline import get_plotlyjs

    body = [_header(summary)]
    for sentence in notes(summary):
        is_bad = sentence in summary["failures"].values() or "halted" in sentence
        body.append(f'<div class="note{" bad" if is_bad else ""}">{html.escape(sentence)}</div>')
    for name, figures in summary["instruments"].items():
        body.append(_instrument(name, figures, _samples(columns, figures["id"]), _fills(columns, figures["id"])))
        body.append(_why(summary, figures))
    body.append(_risk(summary))
    body.append(feeds_section(summary))
    body.append(_venues(summary))
    body.append(_assumptions(summary))
    title = html.escape(f"{summary['name']}: {summary['verb']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _samples(columns: Columns, number_: int) -> Columns:
    prefix = f"samples/{number_}/"
    return {name.removeprefix(prefix): column for name, column in columns.items() if name.startswith(prefix)}


def _fills(columns: Columns, number_: int) -> Columns:
    fills = {name.removeprefix("fills/"): column for name, column in columns.items() if name.startswith("fills/")}
    mine = fills["instrument"] == number_
    return {name: column[mine] for name, column in fills.items()}


def _header(summary: dict[str, Any]) -> str:
    what = html.escape(f"{summary['verb']}{market_of(summary)}, seed {summary['seed']}")
    span = f"{summary['market_seconds']:,.1f} s of market, {summary['rows']:,} rows in {summary['wall_seconds']:,.1f} s"
    cards = [
        ("profit after fees", amount(summary["pnl"])),
        ("fees", amount(-float(summary["fees"]))),
        ("fills", f"{summary['fills']:,}"),
        ("orders", f"{summary['orders']:,}"),
        ("risk state", summary["risk_state"]),
    ]
    drawn = "".join(f'<div class="card"><span>{name}</span><b>{html.escape(value)}</b></div>' for name, value in cards)
    return (
        f"<h1>{html.escape(summary['name'])}</h1>"
        f'<p class="sub">{what}. {span}, {summary["kernels"]} kernels, quotewright {summary["version"]}.</p>'
        f'<div class="cards">{drawn}</div>'
    )


def _instrument(name: str, figures: dict[str, Any], samples: Columns, fills: Columns) -> str:
    scale = 10.0 ** figures["price_decimals"]
    tick = figures["tick_steps"] / scale
    lot = figures["lot_steps"] / 10.0 ** figures["size_decimals"]
    quote = figures["quote"]
    time = samples["time_ns"].astype("datetime64[ns]").astype("datetime64[ms]")
    parts = [f"<h2>{html.escape(name)}</h2>", _figures(figures)]
    if len(time):
        parts += [
            _plot("Price, own quotes and fills", _price(time, samples, fills, scale, tick, lot), quote, 420),
            _plot("Inventory", _inventory(time, samples, lot), "position", 240),
            _plot("Profit: spread, inventory, fees", _profit(time, samples), quote, 320),
            _plot("Drawdown of equity from its peak", _drawdown(time, samples), quote, 220),
        ]
    parts.append(_plot("Markouts: how far the mid moved in our favour after a fill", _markouts(figures), "bps", 280))
    parts.append(_quotes(figures))
    return "".join(parts)


def _figures(figures: dict[str, Any]) -> str:
    quote = html.escape(figures["quote"])
    rows = [
        ("profit after fees", f"{amount(figures['pnl'])} {quote}"),
        ("of it spread", amount(figures["pnl_spread"])),
        ("of it inventory", amount(figures["pnl_inventory"])),
        ("of it fees", amount(-float(figures["fees"]))),
        ("profit / turnover", bps(figures["pnl_bps_of_turnover"])),
        ("fills", fills_text(figures)),
        ("turnover", f"{amount(figures['turnover'], False)} {quote}"),
        ("position at the end", number(figures["position"])),
        ("prints in the market", f"{figures['trades']:,}"),
    ]
    if figures["inferred"]:
        rows.append(("inferred from the data", html.escape(", ".join(figures["inferred"]))))
    return _table(rows)


def _table(rows: list[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows) + "</table>"


def _plot(title: str, traces: list[Any], unit: str, height: int) -> str:
    import plotly.graph_objects as go

    figure: go.Figure = go.Figure(traces)
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        height=height,
        margin={"l": 60, "r": 20, "t": 44, "b": 36},
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        yaxis={"title": unit, "exponentformat": "none", "separatethousands": True},
    )
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
    return f'<div class="plot">{drawn}</div>'


def _line(name: str, x: Any, y: Any, colour: str, **more: Any) -> Any:
    import plotly.graph_objects as go

    line = {"color": colour, "width": more.pop("width", 1.4), "shape": "hv"}
    kind = go.Scatter if "fill" in more else go.Scattergl  # the WebGL one cannot fill below steps
    return kind(name=name, x=x, y=y, mode="lines", line=line, **more)


def _known(values: Any, scale: float) -> Any:
    """Return *values* divided by *scale*, NaN where there was none (0)."""
    return np.where(values > 0, values / scale, np.nan)


def _price(time: Any, samples: Columns, fills: Columns, scale: float, tick: float, lot: float) -> list[Any]:
    import plotly.graph_objects as go

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
    return traces


def _inventory(time: Any, samples: Columns, lot: float) -> list[Any]:
    return [_line("position", time, samples["position_lots"] * lot, TOTAL_COLOUR, fill="tozeroy")]


def _profit(time: Any, samples: Columns) -> list[Any]:
    equity, spread, fees = samples["equity"], samples["spread"], samples["fees"]
    return [
        _line("total", time, equity, TOTAL_COLOUR, width=2.2),
        _line("spread", time, spread, BID_COLOUR),
        _line("inventory", time, equity + fees - spread, "#b9770e"),
        _line("fees", time, -fees, OFFER_COLOUR),
    ]


def _drawdown(time: Any, samples: Columns) -> list[Any]:
    equity = samples["equity"]
    return [_line("drawdown", time, equity - np.maximum.accumulate(equity), OFFER_COLOUR, fill="tozeroy")]


def _markouts(figures: dict[str, Any]) -> list[Any]:
    import plotly.graph_objects as go

    marks = figures["markouts"]
    values = [one["bps"] for one in marks]
    return [
        go.Bar(
            x=[f"{one['seconds']} s ({one['fills']:,} fills)" for one in marks],
            y=values,
            marker={"color": [BID_COLOUR if value is None or value >= 0 else OFFER_COLOUR for value in values]},
            text=[bps(value) for value in values],
            textposition="outside",
            cliponaxis=False,
        )
    ]


def _quotes(figures: dict[str, Any]) -> str:
    quotes = figures["quotes"]
    rows = []
    for side in ("bid", "offer"):
        one = quotes[side]
        distance = "-" if one["distance_ticks"] is None else f"{one['distance_ticks']:,.2f} ticks"
        rows.append(
            f"<tr><td>{side}</td><td>{percent(one['quoting_share'])}</td><td>{percent(one['at_touch_share'])}</td>"
            f"<td>{distance}</td></tr>"
        )
    return (
        "<h3>Own quotes</h3><table>"
        "<tr><th>side</th><th>quoting</th><th>at the touch</th><th>mean distance to the touch</th></tr>"
        + "".join(rows)
        + f"</table><p class='sub'>{quotes['samples']:,} samples; "
        f"both sides quoted {percent(quotes['two_sided_share'])}, "
        f"book not good {percent(quotes['stale_share'])} of the time.</p>"
    )


def _why(summary: dict[str, Any], figures: dict[str, Any]) -> str:
    title = "Why there were few fills" if figures["fills"] < FEW_FILLS else "Where the fills came from"
    return f"<h3>{title}</h3><p>{html.escape(why_few_fills(summary, figures))}.</p>"


def _risk(summary: dict[str, Any]) -> str:
    parts = ["<h2>Orders and risk</h2>"]
    rows = [
        ("orders placed, cancelled, amended", f"{summary['orders']:,}, {summary['cancels']:,}, {summary['amends']:,}"),
        ("still open at the end", f"{summary['open_orders']:,}"),
        ("risk state at the end", html.escape(f"{summary['risk_state']} {summary['risk_why']}")),
    ]
    rows += [
        (f"rejected by the venue: {html.escape(name)}", f"{count:,}") for name, count in summary["rejects"].items()
    ]
    parts.append(_table(rows))
    if summary["refusals"]:
        lines = [
            f"<tr><td>{html.escape(rule)}</td><td>{html.escape(reason)}</td><td>{count:,}</td></tr>"
            for rule, reasons in summary["refusals"].items()
            for reason, count in reasons.items()
        ]
        parts.append("<h3>Refused by rule</h3><table><tr><th>rule</th><th>reason</th><th>orders</th></tr>")
        parts.append("".join(lines) + "</table>")
        told = dict.fromkeys(f"{one['rule']}: {one['text']}" for one in summary["refusal_examples"])
        parts.append("<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in list(told)[:5]) + "</ul>")
    if summary["risk_changes"]:
        lines = [
            f"<tr><td>{(one['time_ns'] - summary['start_ns']) / 1e9:,.3f} s</td><td>{one['state']}</td>"
            f"<td>{html.escape(one['rule'])}</td><td>{html.escape(one['why'])}</td></tr>"
            for one in summary["risk_changes"][-50:]
        ]
        parts.append(
            "<h3>Changes of the risk state</h3><table><tr><th>after</th><th>state</th><th>rule</th><th>why</th></tr>"
        )
        parts.append("".join(lines) + "</table>")
    return "".join(parts)


def _venues(summary: dict[str, Any]) -> str:
    """Return what each venue counted on its own account, whatever that is."""
    parts = []
    for name, figures in summary["venues"].items():
        rows = [(html.escape(key.replace("_", " ")), html.escape(_shown(value))) for key, value in figures.items()]
        if rows:
            parts.append(f"<h2>What venue {html.escape(name)} counted</h2>{_table(rows)}")
    return "".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_shown(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _assumptions(summary: dict[str, Any]) -> str:
    sentences = list(summary["assumptions"])
    tape = summary["tape"]
    if tape is not None:
        for clock in tape["connections"]:
            sentences.append(
                f"connection {clock['name']}: receive stamps shifted by {clock['shift_ns'] / 1e6:+,.3f} ms "
                f"so that the smallest latency is {clock['base_latency_ns'] / 1e6:g} ms"
            )
        sentences += tape["notes"]
    listed = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return (
        f"<h2>What this run assumes</h2><ul>{listed}</ul>"
        f"<h2>Identity</h2><p>Order log SHA-256 <code>{summary['order_log_sha256']}</code></p>"
    )
