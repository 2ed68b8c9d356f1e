"""The summary of a run as a person reads it in a terminal."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import click

from quotewright.report.feeds import feed_lines, feed_warnings
from quotewright.report.strategies import strategy_lines
from quotewright.report.venues import live_venues, venue_line, venue_warnings
from quotewright.report.words import (
    amount,
    bps,
    fills_text,
    money_warnings,
    number,
    percent,
    scorecard_lines,
    totals_lines,
)

__all__ = ["amount", "notes", "print_summary"]


def print_summary(summary: dict[str, Any]) -> None:
    """Print the summary on standard output. No line is cut or wrapped: a terminal does that better."""
    for name, figures in summary["instruments"].items():
        click.secho(name, bold=True)
        _print_rows(_instrument(figures))
        _print_rows([line for line in scorecard_lines(figures) if figures["fills"] or line[0] == "quotes"])
    _print_rows(_run(summary))
    for sentence in notes(summary):
        click.echo(sentence)
    if summary.get("report"):
        click.echo(f"report: {summary['report']}")


def _print_rows(rows: list[tuple[str, ...]]) -> None:
    """Print cells in columns, each as wide as its widest cell but the last."""
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(max(map(len, rows)))]
    for row in rows:
        click.echo("  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())


def _instrument(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    quote = figures["quote"]
    marks = figures["markouts"]
    left = [
        ("pnl", f"{amount(figures['pnl'])} {quote}"),
        ("  spread", amount(figures["pnl_spread"])),
        ("  inventory", amount(figures["pnl_inventory"])),
        ("  fees", amount(-float(figures["fees"]))),
        ("  funding", amount(figures["pnl_funding"])),
        ("pnl / turnover", bps(figures["pnl_bps_of_turnover"])),
        ("turnover", f"{amount(figures['turnover'], False)} {quote}"),
    ]
    right = [
        ("position", f"{number(figures['position'])} {figures['unit']}"),
        ("fills", fills_text(figures)),
        *((f"mid after {one['seconds']} s", _mark(one)) for one in marks),
    ]
    return [first + second for first, second in zip_longest(left, right, fillvalue=("", ""))]


def _mark(one: dict[str, Any]) -> str:
    return f"{bps(one['bps'])} over {one['fills']:,} fills" if one["fills"] else "-"


def _run(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    orders = f"{summary['orders']:,} placed, {summary['cancels']:,} cancelled, {summary['amends']:,} amended"
    rows: list[tuple[str, ...]] = [*totals_lines(summary), ("orders", orders)]
    refusals = ", ".join(f"{rule} {sum(reasons.values()):,}" for rule, reasons in summary["refusals"].items())
    rows.append(("refused by rule", refusals or "none"))
    if summary["rejects"]:
        rejects = ", ".join(f"{name} {count:,}" for name, count in summary["rejects"].items())
        rows.append(("rejected by venue", rejects))
    rows.append(("risk state", summary["risk_state"] + (f" ({summary['risk_why']})" if summary["risk_why"] else "")))
    market = f"{summary['market_seconds']:,.1f} s in {summary['wall_seconds']:,.1f} s, {summary['rows']:,} rows"
    rows.append(("market", market))
    rows += feed_lines(summary)
    rows += strategy_lines(summary)
    rows += [(f"venue {name}", venue_line(venue)) for name, venue in live_venues(summary).items()]
    rows.append(("order log", summary["order_log_sha256"]))
    return rows


def notes(summary: dict[str, Any]) -> list[str]:
    """Return what a reader must not miss: failures, a halt, disagreement with the venue, few fills and why."""
    sentences = [text for _, text in sorted(summary["failures"].items())]
    if summary["interrupted"]:
        left = summary["open_orders"] or any(venue.get("left_open") for venue in live_venues(summary).values())
        what = "not every order could be cancelled" if left else "the orders were cancelled"
        sentences.append(f"interrupted after {summary['market_seconds']:,.1f} s of market: {what}")
    if summary["risk_state"] == "HALT":
        sentences.append(f"the run ended halted: {summary['risk_why']}")
    if summary["open_orders"]:
        sentences.append(f"{summary['open_orders']} orders were still open at the end")
    strange = {name: count for name, count in summary["integrity"].items() if count}
    if strange:
        sentences.append("reports that do not fit: " + ", ".join(f"{name} {count}" for name, count in strange.items()))
    sentences += money_warnings(summary)
    sentences += feed_warnings(summary)
    lived = live_venues(summary)
    sentences += [f"venue {name}: {warning}" for name, venue in lived.items() for warning in venue_warnings(venue)]
    for name, figures in summary["instruments"].items():
        if figures["fills"] < FEW_FILLS:
            sentences.append(f"{name}: {why_few_fills(summary, figures)}")
        share = share_of_market(figures)
        is_apart = summary["tape"] is not None or (summary.get("feeds") and not lived)
        if is_apart and share > LARGE_SHARE:
            which = "recorded" if summary["tape"] is not None else "live"
            sentences.append(
                f"{name}: our fills come to {percent(share)} of what was printed in the {which} market, "
                "which could not react to them: quote less to believe them"
            )
    return sentences


FEW_FILLS = 20
LARGE_SHARE = 0.1
"""Share of the prints of a market that does not see us beyond which fills are doubtful."""


def share_of_market(figures: dict[str, Any]) -> float:
    """Return the quantity we traded as a share of the quantity that the market printed."""
    printed = float(figures["printed"])
    ours = float(figures["bought"]) + float(figures["sold"])
    return ours / printed if printed else (1.0 if ours else 0.0)


def why_few_fills(summary: dict[str, Any], figures: dict[str, Any]) -> str:
    """Return one sentence with the figures that explain few fills."""
    quotes = figures["quotes"]
    sides = []
    for side in ("bid", "offer"):
        one = quotes[side]
        if one["distance_ticks"] is None:
            sides.append(f"{side} never quoted")
            continue
        sides.append(
            f"{side} quoted {percent(one['quoting_share'])} of the time, {one['distance_ticks']:,.1f} ticks from "
            f"the touch on average, at the touch {percent(one['at_touch_share'])}"
        )
    refused = sum(sum(reasons.values()) for reasons in summary["refusals"].values())
    return (
        f"{figures['fills']} fills from {summary['orders']:,} orders; {'; '.join(sides)}; {refused:,} refused by rule; "
        f"book not good {percent(quotes['stale_share'])} of the time; {figures['trades']:,} prints in the market"
    )
