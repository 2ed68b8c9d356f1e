"""The figures of a run: one mapping that the terminal table, the JSON output and the HTML report are made from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright import __version__, binaries
from quotewright.kernel.codes import NEVER, RATE_SCALE, REFERENCE_SCALE
from quotewright.kernel.portfolio import money
from quotewright.model.orders import RiskState
from quotewright.report.money import attribution, in_one_currency, share, totals
from quotewright.report.scorecard import queue_places, scorecard
from quotewright.report.strategies import told_by

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.runtime.session import Session

SUMMARY_VERSION = 2
MOST_PAYMENTS = 1000
"""Payments told one by one in a summary, the latest ones."""


def summarise(session: Session, wall_seconds: float) -> dict[str, Any]:
    """Return the summary of a finished run; money is exact Decimals, the keys are those of ``docs/run-folder.md``."""
    recorder = session.recorder
    pipeline = session.pipeline
    gate = session.wired.gate
    views = session.wired.views
    places = queue_places(session)
    instruments = {view.instrument.name: _instrument(session, view, places) for view in views}
    figures = list(instruments.values())
    sums = totals({**one, "currency": one["quote"]} for one in figures)
    total = in_one_currency(sums, views)
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
        "pnl": total["pnl"],
        "fees": total["fees"],
        "total": total,
        "totals": sums,
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
                "legs": [share(leg.portfolio, leg.view) for leg in desk.legs],
                "totals": totals(share(leg.portfolio, leg.view) for leg in desk.legs),
                **told_by(session, desk.strategy),
            }
            for desk in session.wired.desks
            if desk is desk.legs[0]
        },
        "venues": {name: _venue(venue) for name, venue in session.wired.venues.items()},
        "profit_by_venue": _by_venue(session),
        "assumptions": _assumptions(session),
        "tape": _tape(tape) if tape is not None else None,
        "kernels": binaries.form(),
        "version": __version__,
        "config_files": list(session.config.files),
    }


def _instrument(session: Session, view: View, places: dict[int, list[tuple[int, int]]]) -> dict[str, Any]:
    portfolio = view.portfolio
    instrument = view.instrument
    parts = attribution(portfolio, view.known_mid2)
    turnover = money(portfolio.turnover)
    is_plain = instrument.contract_size == 1 and not portfolio.is_inverse and instrument.kind != "option"
    messages, crossings, trades, printed = session.before.of(view)
    return {
        "kind": "inverse " + instrument.kind if portfolio.is_inverse else instrument.kind,
        "quote": portfolio.quote,
        "price_currency": portfolio.quote if instrument.kind == "option" else instrument.quote,
        "unit": instrument.base if is_plain else "contracts",
        "fills": portfolio.fills,
        "maker_fills": portfolio.maker_fills,
        "position": instrument.quantity(portfolio.position_lots),
        "average_price": portfolio.average_price(),
        "mid": instrument.price_from_steps(view.known_mid2) / 2,
        **parts,
        "funding_payments": portfolio.funding_count,
        "payments": [
            {
                "time_ns": time_ns,
                "for": what,
                "position": instrument.quantity(lots),
                "rate": Decimal(rate).scaleb(-RATE_SCALE),
                "price": Decimal(price).scaleb(-REFERENCE_SCALE),
                "amount": money(amount),
            }
            for time_ns, what, lots, rate, price, amount in view.payments[-MOST_PAYMENTS:]
        ],
        "bought": instrument.quantity(portfolio.bought_lots),
        "sold": instrument.quantity(portfolio.sold_lots),
        "settled": instrument.quantity(portfolio.settled_lots),
        "turnover": turnover,
        "maker_turnover": money(portfolio.maker_turnover),
        "pnl_bps_of_turnover": float(parts["pnl"] / turnover * 10_000) if turnover else None,
        **scorecard(session, view, places),
        "book_messages": view.messages - messages,
        "book_crossings": view.book.crossings - crossings,
        "trades": view.trades - trades,
        "printed": instrument.size_from_steps(view.printed_steps - printed),
        "price_decimals": instrument.price_decimals,
        "tick_steps": instrument.tick_steps,
        "lot_steps": instrument.lot_steps,
        "size_decimals": instrument.size_decimals,
        "inferred": list(instrument.inferred),
        "id": view.instrument_id,
    }


def _by_venue(session: Session) -> dict[str, dict[str, Any]]:
    """Return profits and their parts by venue and currency."""
    venue_of = session.wired.gate.venue_of
    return {
        name: totals(
            share(view.portfolio, view) for view in session.wired.views if venue_of.get(view.instrument_id) == name
        )
        for name in session.wired.venues
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
    for view in session.wired.views:
        sentences.extend(_payments_told(view))
    sentences.append("No borrowing or transfer costs are counted.")
    return sentences


def _payments_told(view: View) -> list[str]:
    """Return how funding and expiry of an instrument were reckoned, or why they were not."""
    name = view.instrument.name
    if view.instrument.kind == "perp":
        if not view.books_funding:
            return [f"{name}: funding is what its venue reported."]
        if view.funding_ns == 0 and view.funding_due_ns == NEVER:
            return [f"{name}: the data tells no funding, so that none is counted."]
        if view.funding_ns == 0:
            return [
                f"{name}: the data tells rates of funding but no times: they accrue by the second, as rates of eight "
                "hours, on the position known then at the last mark told (at the mid where none was)."
            ]
        count = view.portfolio.funding_count
        return [
            f"{name}: funding was booked {count} times, each at its time, on the position known then at the last rate "
            "and mark told before (at the mid where no mark was told); positive rates are paid by longs."
        ]
    if view.instrument.kind in ("future", "option"):
        return [
            f"{name}: at expiry the position is settled at the last index price told, without a fee; "
            "the venue's own settlement price is often a mean of the last minutes."
        ]
    return []


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
