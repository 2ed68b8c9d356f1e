"""The HTML report of a run: one file that needs no network. plotly is imported only here."""

from __future__ import annotations

import html
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quotewright.errors import InputError, NotFoundError
from quotewright.report import plots
from quotewright.report.feeds import feeds_section, market_of
from quotewright.report.strategies import strategies_section
from quotewright.report.table import FEW_FILLS, notes, why_few_fills
from quotewright.report.words import (
    amount,
    bps,
    fills_text,
    headline,
    number,
    percent,
    scorecard_lines,
    seconds,
    totals_lines,
)
from quotewright.runtime.folder import REPORT, read_summary

if TYPE_CHECKING:
    from quotewright.report.plots import Columns

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; background: #f5f7f9; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 36px 0 10px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
h4 { font-size: 14px; margin: 14px 0 4px; color: #5b6b7b; }
.sub { color: #5b6b7b; margin: 0 0 20px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 12px; }
.card { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; padding: 10px 14px; }
.card b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; }
.card span { color: #5b6b7b; font-size: 13px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; align-items: start; }
@media (max-width: 960px) { .pair { grid-template-columns: 1fr; } }
.pair > * { min-width: 0; } .pair table { margin: 12px 0; width: 100%; }
.plot { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; margin: 12px 0; padding: 6px; }
.plot { overflow: hidden; } .figures td { white-space: nowrap; }
table { margin: 10px 0; border-collapse: collapse; background: #fff; font-variant-numeric: tabular-nums; }
td, th { border: 1px solid #dfe5ea; padding: 5px 10px; text-align: left; } th { background: #eef2f5; font-weight: 600; }
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
    body.append(_totals(summary))
    for name, figures in summary["instruments"].items():
        body.append(_instrument(name, figures, _samples(columns, figures["id"]), _fills(columns, figures["id"])))
        body.append(_why(summary, figures))
    body.append(strategies_section(summary))
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
    total = summary["total"]
    if total["currency"] is None:
        cards = [(f"profit {currency}", amount(parts["pnl"])) for currency, parts in summary["totals"].items()]
    else:
        cards = [
            (f"profit {total['currency']}", amount(total["pnl"])),
            ("of it spread", amount(total["pnl_spread"])),
            ("of it inventory", amount(total["pnl_inventory"])),
            ("of it fees", amount(-float(total["fees"]))),
            ("of it funding", amount(total["pnl_funding"])),
        ]
    cards += [
        ("fills", f"{summary['fills']:,}"),
        ("orders", f"{summary['orders']:,}"),
        ("risk state", summary["risk_state"]),
    ]
    return (
        f"<h1>{html.escape(summary['name'])}</h1>"
        f'<p class="sub">{what}. {span}, {summary["kernels"]} kernels, quotewright {summary["version"]}.</p>'
        f"{_cards(cards)}"
    )


def _instrument(name: str, figures: dict[str, Any], samples: Columns, fills: Columns) -> str:
    scale = 10.0 ** figures["price_decimals"]
    tick = figures["tick_steps"] / scale
    lot = figures["lot_steps"] / 10.0 ** figures["size_decimals"]
    quote, unit = figures["quote"], figures["unit"]
    time = samples["time_ns"].astype("datetime64[ns]").astype("datetime64[ms]")
    parts = [
        f"<h2>{html.escape(name)}</h2>",
        '<div class="pair">',
        _figures(figures),
        plots.attribution(figures),
        "</div>",
    ]
    if len(time):
        price_unit = figures["price_currency"]
        parts += [
            plots.price(time, samples, fills, (scale, tick, lot), price_unit),
            plots.inventory(time, samples, lot, unit),
            plots.profit(time, samples, quote),
            plots.drawdown(time, samples, quote),
        ]
    parts += [
        "<h3>Scorecard</h3>",
        _cards(_scorecard_cards(figures)),
        _table([(title, html.escape(text)) for title, text in scorecard_lines(figures)]),
        '<div class="pair">',
        plots.markouts(figures),
        plots.spreads(figures),
        "</div>",
        _horizons(figures),
        '<div class="pair">',
        plots.uptime(figures),
        plots.times_to_fill(figures),
        "</div>",
        _quotes(figures),
        _payments(figures),
    ]
    return "".join(parts)


def _scorecard_cards(figures: dict[str, Any]) -> list[tuple[str, str]]:
    one, orders, quotes = headline(figures), figures["order_figures"], figures["quotes"]
    ratio, share = orders["cancel_to_fill"], orders["fill_ratio"]
    return [
        ("effective spread", bps(figures["spreads"]["effective_bps"])),
        (f"realised after {one['seconds']} s", bps(one["realised_bps"])),
        ("adverse selection", bps(one["adverse_bps"])),
        ("two-sided uptime", percent(quotes["two_sided_share"])),
        ("cancels a fill", "-" if ratio is None else f"{ratio:,.1f}"),
        ("quantity filled", "-" if share is None else percent(share)),
        ("median time to fill", seconds(orders["seconds_to_fill"]["p50"])),
    ]


def _cards(cards: list[tuple[str, str]]) -> str:
    drawn = "".join(f'<div class="card"><span>{name}</span><b>{html.escape(value)}</b></div>' for name, value in cards)
    return f'<div class="cards">{drawn}</div>'


def _horizons(figures: dict[str, Any]) -> str:
    """Return markouts and spreads by horizon: of all fills, of buys, of sells, as basis points and as money."""
    rows = []
    for mark, spread in zip(figures["markouts"], figures["spreads"]["horizons"], strict=True):
        cells = [
            f"{mark['seconds']} s",
            f"{mark['fills']:,}",
            bps(mark["bps"]),
            bps(mark["buys"]["bps"]),
            bps(mark["sells"]["bps"]),
            amount(spread["captured"]),
            amount(mark["money"]),
            bps(spread["effective_bps"]),
            bps(spread["adverse_bps"]),
            bps(spread["realised_bps"]),
        ]
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    quote = html.escape(figures["quote"])
    heads = (
        "after", "fills", "markout", "of buys", "of sells", f"captured, {quote}", f"markout, {quote}",
        "effective spread", "adverse selection", "realised spread",
    )  # fmt: skip
    return (
        "<h4>Spread captured and what the market took back</h4><table class='figures'><tr>"
        + "".join(f"<th>{head}</th>" for head in heads)
        + "</tr>"
        + "".join(rows)
        + "</table><p class='sub'>Markouts: move of the mid in favour of a fill, mean over fills. Spreads: twice the "
        "distance from the mid, by value; effective less adverse is realised.</p>"
    )


def _payments(figures: dict[str, Any]) -> str:
    """Return the funding and the settlements, the latest ones."""
    payments = figures["payments"]
    if not payments:
        return ""
    rows = "".join(
        f"<tr><td>{np.datetime64(one['time_ns'], 'ns').astype('datetime64[s]')}</td><td>{one['for']}</td>"
        f"<td>{number(one['position'])}</td><td>{float(one['rate']):.6%}</td><td>{number(one['price'])}</td>"
        f"<td>{amount(one['amount'])}</td></tr>"
        for one in payments[-20:]
    )
    return (
        "<h4>Funding and settlements</h4><table><tr><th>time (UTC)</th><th>for</th><th>position</th><th>rate</th>"
        f"<th>price</th><th>received, {html.escape(figures['quote'])}</th></tr>{rows}</table>"
    )


def _totals(summary: dict[str, Any]) -> str:
    """Return the profits by currency, strategy and venue, where there are several."""
    rows = [(html.escape(name), html.escape(text)) for name, text in totals_lines(summary)]
    return f"<h2>Totals</h2>{_table(rows)}" if rows else ""


def _figures(figures: dict[str, Any]) -> str:
    quote = html.escape(figures["quote"])
    rows = [
        ("profit after fees and funding", f"{amount(figures['pnl'])} {quote}"),
        ("of it spread", amount(figures["pnl_spread"])),
        ("of it inventory", amount(figures["pnl_inventory"])),
        ("of it fees", amount(-float(figures["fees"]))),
        ("of it funding", amount(figures["pnl_funding"])),
        ("realised, unrealised", f"{amount(figures['realised'])}, {amount(figures['unrealised'])}"),
        ("profit / turnover", bps(figures["pnl_bps_of_turnover"])),
        ("fills", fills_text(figures)),
        ("turnover", f"{amount(figures['turnover'], False)} {quote}"),
        ("position at the end", f"{number(figures['position'])} {html.escape(figures['unit'])}"),
        ("prints in the market", f"{figures['trades']:,}"),
    ]
    rows += [
        (f"fees in {html.escape(currency)}, not in the profit", amount(paid, False))
        for currency, paid in figures["foreign_fees"].items()
    ]
    if figures["inferred"]:
        rows.append(("inferred from the data", html.escape(", ".join(figures["inferred"]))))
    return _table(rows)


def _table(rows: list[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows) + "</table>"


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
