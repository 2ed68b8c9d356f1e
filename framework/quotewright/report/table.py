"""The summary of a run as a person reads it in a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

SECOND = 1_000_000_000


def print_summary(summary: dict[str, Any], console: Console | None = None) -> None:
    """Print the summary on standard output."""
    console = console or Console(highlight=False)
    for name, figures in summary["instruments"].items():
        console.print(_instrument(name, figures))
    console.print(_run(summary))
    for sentence in notes(summary):
        console.print(sentence, soft_wrap=True)
    if summary.get("report"):
        console.print(f"report: {summary['report']}", soft_wrap=True)


def _instrument(name: str, figures: dict[str, Any]) -> Table:
    quote = figures["quote"]
    table = Table(title=name, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2))
    table.add_row("pnl", f"{amount(figures['pnl'])} {quote}", "position", number(figures["position"]))
    table.add_row("  spread", amount(figures["pnl_spread"]), "fills", fills_text(figures))
    table.add_row(
        "  inventory", amount(figures["pnl_inventory"]), "turnover", f"{amount(figures['turnover'], False)} {quote}"
    )
    table.add_row("  fees", amount(-_float(figures["fees"])), "pnl / turnover", bps(figures["pnl_bps_of_turnover"]))
    for one in figures["markouts"]:
        table.add_row("", "", f"mid after {one['seconds']} s", f"{bps(one['bps'])} over {one['fills']:,} fills")
    return table


def _run(summary: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row(
        "orders",
        f"{summary['orders']:,} placed, {summary['cancels']:,} cancelled, {summary['amends']:,} amended",
    )
    refusals = ", ".join(f"{rule} {sum(reasons.values()):,}" for rule, reasons in summary["refusals"].items())
    table.add_row("refused by rule", refusals or "none")
    if summary["rejects"]:
        table.add_row("rejected by venue", ", ".join(f"{name} {count}" for name, count in summary["rejects"].items()))
    state = summary["risk_state"] + (f" ({summary['risk_why']})" if summary["risk_why"] else "")
    table.add_row("risk state", state)
    table.add_row(
        "market",
        f"{summary['market_seconds']:,.1f} s in {summary['wall_seconds']:,.1f} s, {summary['rows']:,} rows",
    )
    table.add_row("order log", summary["order_log_sha256"])
    return table


def notes(summary: dict[str, Any]) -> list[str]:
    """Return what a reader must not miss: failures, a halt, disagreement with the venue, few fills and why."""
    sentences = [text for _, text in sorted(summary["failures"].items())]
    if summary["risk_state"] == "HALT":
        sentences.append(f"the run ended halted: {summary['risk_why']}")
    if summary["open_orders"]:
        sentences.append(f"{summary['open_orders']} orders were still open at the end")
    strange = {name: count for name, count in summary["integrity"].items() if count}
    if strange:
        sentences.append("reports that do not fit: " + ", ".join(f"{name} {count}" for name, count in strange.items()))
    for name, figures in summary["instruments"].items():
        if figures["fills"] < FEW_FILLS:
            sentences.append(f"{name}: {why_few_fills(summary, figures)}")
    return sentences


FEW_FILLS = 20


def why_few_fills(summary: dict[str, Any], figures: dict[str, Any]) -> str:
    """Return one sentence with the figures that explain few fills."""
    quotes = figures["quotes"]
    sides = []
    for side in ("bid", "offer"):
        one = quotes[side]
        distance = "-" if one["distance_ticks"] is None else f"{one['distance_ticks']:,.1f}"
        sides.append(
            f"{side} quoted {percent(one['quoting_share'])} of the time, {distance} ticks from the touch on average, "
            f"at the touch {percent(one['at_touch_share'])}"
        )
    refused = sum(sum(reasons.values()) for reasons in summary["refusals"].values())
    return (
        f"{figures['fills']} fills from {summary['orders']:,} orders; {'; '.join(sides)}; {refused:,} refused by rule; "
        f"book not good {percent(quotes['stale_share'])} of the time; {figures['trades']:,} prints in the market"
    )


def fills_text(figures: dict[str, Any]) -> str:
    """Return how many fills there were and how many of them as maker."""
    return f"{figures['fills']:,} ({figures['maker_fills']:,} as maker)"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def amount(value: Any, signed: bool = True) -> str:
    """Return money with four decimals, thousands apart."""
    return f"{_float(value):+,.4f}" if signed else f"{_float(value):,.2f}"


def number(value: Any) -> str:
    """Return a quantity without needless zeros."""
    text = f"{value:f}" if not isinstance(value, float) else f"{value:.10f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def bps(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f} bps"


def _float(value: Any) -> float:
    return float(value)
