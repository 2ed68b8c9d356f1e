"""The figures of a run: one mapping that the terminal table, the JSON output and the HTML report are made from."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright import __version__, binaries
from quotewright.kernel.portfolio import money
from quotewright.model.orders import RiskState

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.runtime.session import Session

SUMMARY_VERSION = 1


def summarise(session: Session, wall_seconds: float) -> dict[str, Any]:
    """Return the summary of a finished run; money is exact Decimals, the keys are those of ``docs/run-folder.md``."""
    recorder = session.recorder
    pipeline = session.pipeline
    gate = session.wired.gate
    views = session.wired.views
    instruments = {view.instrument.name: _instrument(session, view) for view in views}
    figures = list(instruments.values())
    only = figures[0] if len(figures) == 1 else None
    tape = session.wired.tape
    return {
        "summary_version": SUMMARY_VERSION,
        "verb": session.verb,
        "name": session.config.run.name,
        "seed": session.config.run.seed,
        "orders": recorder.orders,
        "fills": recorder.fill_count,
        "position": only["position"] if only else {name: one["position"] for name, one in instruments.items()},
        "pnl": sum((one["pnl"] for one in figures), Decimal(0)),
        "fees": sum((one["fees"] for one in figures), Decimal(0)),
        "rows": pipeline.rows_consumed,
        "refusals": {rule: dict(sorted(reasons.items())) for rule, reasons in sorted(gate.refusals.items())},
        "order_log_sha256": recorder.order_log_sha256,
        "report": None,
        "cancels": recorder.cancels,
        "amends": recorder.amends,
        "rejects": dict(sorted(pipeline.manager.rejects.items())),
        "open_orders": len(pipeline.manager.live_orders()),
        "messages": pipeline.messages,
        "market_seconds": (pipeline.now_ns - session.start_ns) / 1e9,
        "wall_seconds": round(wall_seconds, 3),
        "start_ns": session.start_ns,
        "end_ns": pipeline.now_ns,
        "interrupted": session.is_interrupted,
        "risk_state": RiskState(gate.state).name,
        "risk_why": gate.why(),
        "risk_changes": [
            {"time_ns": time_ns, "state": RiskState(state).name, "rule": rule, "why": why, "scope": scope}
            for time_ns, state, rule, why, scope in gate.changes[-200:]
        ],
        "refusal_examples": [
            {"time_ns": time_ns, "rule": rule, "reason": reason, "text": text}
            for time_ns, rule, reason, text in recorder.refusals_told[:20]
        ],
        "failures": dict(recorder.failures),
        "integrity": {
            "duplicate_fills": pipeline.manager.duplicate_fills,
            "late_fills": pipeline.manager.late_fills,
            "overfills": pipeline.manager.overfills,
            "stray_reports": pipeline.manager.strays,
        },
        "instruments": instruments,
        "strategies": {
            desk.name: {
                "instrument": desk.view.instrument.name,
                "instruments": [leg.view.instrument.name for leg in desk.legs],
                "wakes": desk.wakes,
                "stopped": desk.name in recorder.failures,
                "held_back": sum(leg.manager.held_back for leg in desk.legs),
            }
            for desk in session.wired.desks
            if desk is desk.legs[0]
        },
        "venues": {name: _venue(venue) for name, venue in session.wired.venues.items()},
        "assumptions": _assumptions(session),
        "tape": _tape(tape) if tape is not None else None,
        "kernels": binaries.form(),
        "version": __version__,
        "config_files": list(session.config.files),
    }


def _instrument(session: Session, view: View) -> dict[str, Any]:
    portfolio = view.portfolio
    mid2 = view.known_mid2
    total = portfolio.equity_at(mid2)
    fees = portfolio.fees_at(mid2)
    spread = portfolio.spread()
    turnover = money(portfolio.turnover)
    pnl = money(total)
    return {
        "quote": portfolio.quote,
        "unit": view.instrument.base if view.instrument.contract_size == 1 else "contracts",
        "fills": portfolio.fills,
        "maker_fills": portfolio.maker_fills,
        "position": view.instrument.quantity(portfolio.position_lots),
        "average_price": portfolio.average_price(),
        "mid": view.instrument.price_from_steps(mid2) / 2,
        "pnl": pnl,
        "realised": money(portfolio.realised()),
        "unrealised": money(portfolio.unrealised_at(mid2)),
        "pnl_spread": money(spread),
        "pnl_inventory": money(total + fees - spread),
        "fees": money(fees),
        "foreign_fees": {currency: money(amount) for currency, amount in portfolio.foreign_fees().items()},
        "bought": view.instrument.quantity(portfolio.bought_lots),
        "sold": view.instrument.quantity(portfolio.sold_lots),
        "turnover": turnover,
        "pnl_bps_of_turnover": float(pnl / turnover * 10_000) if turnover else None,
        "markouts": [
            {"seconds": seconds, "fills": count, "bps": None if math.isnan(mean) else mean}
            for seconds, count, mean in view.markouts.table()
        ],
        "book_messages": view.messages,
        "book_crossings": view.book.crossings,
        "trades": view.trades,
        "printed": view.instrument.size_from_steps(view.printed_steps),
        "quotes": session.recorder.statistics[view.instrument_id].summary(),
        "price_decimals": view.instrument.price_decimals,
        "tick_steps": view.instrument.tick_steps,
        "lot_steps": view.instrument.lot_steps,
        "size_decimals": view.instrument.size_decimals,
        "inferred": list(view.instrument.inferred),
        "id": view.instrument_id,
    }


def _venue(venue: object) -> dict[str, Any]:
    figures = getattr(venue, "figures", None)
    return dict(figures()) if callable(figures) else {}


def _assumptions(session: Session) -> list[str]:
    """Return one sentence for each thing that this run takes for granted; venues add their own."""
    sentences: list[str] = []
    for name, venue in session.wired.venues.items():
        told = getattr(venue, "assumptions", None)
        if callable(told):
            sentences.extend(f"{name}: {sentence}" for sentence in told())
    sentences.append(
        "Positions are marked at the last mid of a good book; profit before fees is realised plus unrealised."
    )
    sentences.append(
        "Spread profit is measured against the mid known when a fill became known; what remains is inventory profit."
    )
    sentences.append("No funding, borrowing or transfer costs are counted.")
    return sentences


def _tape(tape: Any) -> dict[str, Any]:
    info = tape.info
    return {
        "rows": info.row_count,
        "start_ns": info.start_ns,
        "end_ns": info.end_ns,
        "is_synthetic": info.is_synthetic,
        "sources": [source.name for source in info.sources],
        "connections": [
            {"name": clock.name, "shift_ns": clock.shift_ns, "base_latency_ns": clock.base_latency_ns}
            for clock in info.connections
        ],
        "notes": list(info.notes),
    }
