"""What strategies tell of themselves beyond orders and fills: figures in the summary, records as lines of JSON."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from quotewright.runtime.session import Session


def told_by(session: Session, strategy: object) -> dict[str, Any]:
    """Return what a strategy's ``figures()`` says, as the key of its entry in the summary; nothing without one."""
    told = getattr(strategy, "figures", None)
    found: dict[str, Any] = {}
    if callable(told):
        with session.contained():
            found = {"figures": dict(told())}
    return found


def write_records(session: Session, folder: Path) -> list[Path]:
    """Write what each strategy's ``records()`` returns to ``strategy-NAME.jsonl``, one line each; return the files."""
    written: list[Path] = []
    encoder = msgspec.json.Encoder(decimal_format="number")
    for desk in session.wired.desks:
        told = getattr(desk.strategy, "records", None)
        if desk is not desk.legs[0] or not callable(told):
            continue
        with session.contained():
            lines = [encoder.encode(record) + b"\n" for record in told()]
            path = folder / f"strategy-{desk.name}.jsonl"
            path.write_bytes(b"".join(lines))
            written.append(path)
    return written


def strategy_lines(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and figures of each strategy that tells some, one line each."""
    found = []
    for name, one in summary["strategies"].items():
        plain = [
            f"{key.replace('_', ' ')} {shown(value)}"
            for key, value in one.get("figures", {}).items()
            if not isinstance(value, dict)
        ]
        if plain:
            found.append((f"strategy {name}", ", ".join(plain)))
    return found


def strategies_section(summary: Mapping[str, Any]) -> str:
    """Return the report's section on what strategies tell, empty if none does."""
    parts = []
    for name, one in summary["strategies"].items():
        rows = "".join(
            f"<tr><th>{html.escape(key.replace('_', ' '))}</th><td>{html.escape(shown(value))}</td></tr>"
            for key, value in one.get("figures", {}).items()
        )
        if rows:
            parts.append(f"<h2>What strategy {html.escape(name)} tells</h2><table>{rows}</table>")
    return "".join(parts)


def shown(value: Any) -> str:
    """Return a figure as text; numbers without needless zeros."""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {shown(one)}" for key, one in value.items())
    if isinstance(value, bool | str):
        return str(value)
    text = f"{value:,f}" if hasattr(value, "as_tuple") or isinstance(value, float) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text
