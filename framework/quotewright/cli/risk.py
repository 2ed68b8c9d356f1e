"""``quotewright risk``: what risk rules would have done."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from quotewright.cli.options import debug_option, json_option, plugins_dir_option, time_range

if TYPE_CHECKING:
    from quotewright.runtime.audit import Audit

SHOWN = 20


@click.group()
def risk() -> None:
    """Look at risk rules in runs that are over."""


@risk.command()
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--rule", required=True, metavar="NAME", help="A table [risk.NAME] of the run, or the name of a risk rule."
)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one key of the rule, such as move=1%.")
@click.option("--data", type=click.Path(path_type=Path), metavar="TAPE", help="The tape of a backtest.")
@click.option("--from", "begin", metavar="TIME", help="As in the backtest, if it ran on a part of its tape.")
@click.option("--to", "end", metavar="TIME", help="As in the backtest, if it ran on a part of its tape.")
@plugins_dir_option
@json_option
@debug_option
def audit(
    run_path: Path,
    rule: str,
    sets: tuple[str, ...],
    data: Path | None,
    begin: str | None,
    end: str | None,
    plugins_dir: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Let the run in the folder RUN go by once more and say when a rule would have tripped.

    The rule only watches: what was sent then is sent now. From the first time it trips, the run would have gone on in
    another way, so later ones are what would have happened had nobody listened. The exit code is 7 if the run cannot be
    repeated.
    """
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.audit import audit_run
    from quotewright.tape.tape import TapeFile

    tape = TapeFile.open(data) if data is not None else None
    from_ns, to_ns = time_range(begin, end)
    found = audit_run(run_path, rule, sets, PluginSet.discover(plugins_dir), tape, from_ns, to_ns)
    if as_json:
        from quotewright.cli.run import print_json

        print_json(attrs.asdict(found) | {"tripped": found.tripped()})
    else:
        click.echo("\n".join(lines(found)))
    return 1 if found.failure else 0


def lines(found: Audit) -> list[str]:
    """Return what was seen as a person reads it."""
    told: list[str] = []
    span_ns = max(1, found.end_ns - found.start_ns)
    span = f"{time_text(found.start_ns)} to {time_text(found.end_ns)}"
    refused = f"{found.refused:,} of {found.orders:,} orders refused"
    reasons = ", ".join(f"{name} {count:,}" for name, count in sorted(found.reasons.items()))
    outcome = "it would have tripped" if found.tripped() else "it would not have tripped"
    told.append(f"{found.plugin} over {span}: {outcome}")
    told.append(
        f"  {refused}{f' ({reasons})' if reasons else ''}, {found.held_back:,} held back by a state that it set"
    )
    for state, held_ns in sorted(found.held_ns.items()):
        told.append(f"  {state:<12} {held_ns / 1e9:>12,.3f} s   {100 * held_ns / span_ns:5.1f} %")
    if found.failure:
        told.append(f"  the rule itself failed, which would have halted the run: {found.failure}")
    for change in found.changes[:SHOWN]:
        scope = f" for {change.scope}" if change.scope else ""
        told.append(f"{time_text(change.time_ns)}  {change.state}{scope}{f': {change.why}' if change.why else ''}")
    if found.change_count > SHOWN:
        told.append(f"… and {found.change_count - SHOWN:,} further changes; --json lists them")
    for one in found.refusals[:SHOWN]:
        told.append(f"{time_text(one.time_ns)}  refused an order of {one.strategy}: {one.reason}, {one.text}")
    if found.refused > SHOWN:
        told.append(f"… and {found.refused - SHOWN:,} further refusals; --json lists them")
    return told


def time_text(time_ns: int) -> str:
    """Return a time as UTC with milliseconds."""
    moment: Any = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time_ns // 1_000_000 % 1000:03}Z"
