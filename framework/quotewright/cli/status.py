"""The command ``status``: how a run that goes on, or has ended, stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from quotewright.cli.options import debug_option, json_option
from quotewright.errors import InputError, NotFoundError
from quotewright.report.venues import venue_line, venue_warnings

NOT_RUNNING = 3
STATUS = "status.json"


@click.command()
@click.argument("run_path", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="The newest run below ./runs that goes on.")
@json_option
@debug_option
def status(run_path: Path | None, live: bool, as_json: bool) -> int:
    """Show how the live run with the folder RUN stands: connections, streams, books, warnings.

    The exit code is 3 if it does not run any more.
    """
    if live == (run_path is not None):
        raise click.UsageError("give either the folder of a RUN, or --live")
    found = read_status(run_path) if run_path is not None else newest(Path("runs"))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        click.echo("\n".join(lines(found)))
    return 0 if is_running(found) else NOT_RUNNING


def read_status(folder: Path) -> dict[str, Any]:
    """Return what a run last told; NotFoundError if it told nothing."""
    path = folder / STATUS
    if not path.is_file():
        raise NotFoundError(f"no status in {folder}: it has no {STATUS}; only runs on a live feed write one")
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def newest(runs: Path) -> dict[str, Any]:
    """Return the status of the run that goes on and told last; NotFoundError if none does."""
    found = [read_status(path.parent) for path in sorted(runs.glob(f"*/{STATUS}"))]
    going_on = [one for one in found if is_running(one)]
    if not going_on:
        raise NotFoundError(f"no live run goes on below {runs.resolve()}; name the folder of a run")
    return max(going_on, key=lambda one: int(one["now_ns"]))


def is_running(found: dict[str, Any]) -> bool:
    """Return whether the run said that it goes on and its process is there."""
    if not found.get("is_running"):
        return False
    try:
        os.kill(int(found["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def lines(found: dict[str, Any]) -> list[str]:
    """Return the page for a terminal."""
    seconds = (found["now_ns"] - found["start_ns"]) / 1e9
    state = "running" if is_running(found) else "ended"
    if state == "ended" and found.get("is_running"):
        state = "ended without a word (killed?)"
    told = [
        f"{found['name']}: {state}, {seconds:.1f} s, {found['messages']} messages, {found['orders']} orders, "
        f"{found['fills']} fills"
    ]
    for name, feed in found["feeds"].items():
        told += feed_lines(name, feed)
    for name, venue in found.get("venues", {}).items():
        told.append(f"venue {name}: {venue_line(venue)}")
        told += [f"  warning: {text}" for text in venue_warnings(venue)]
    return told


def feed_lines(name: str, feed: dict[str, Any]) -> list[str]:
    """Return what is told of one feed."""
    skew = "unknown" if feed["clock_skew_ms"] is None else f"{feed['clock_skew_ms']:+.1f} ms"
    errors = sum(feed["decode_errors"].values())
    told = [
        f"feed {name}: {feed['messages']} messages, lag {feed['lag_ms']} ms, clock skew {skew}, {feed['gaps']} gaps, "
        f"{feed['resyncs']} resyncs, {errors} decode errors"
    ]
    for one in feed["connections"]:
        reason = f" ({one['reason']})" if one["reason"] else ""
        told.append(
            f"  connection {one['number']}: {one['state']} for {one['age_s']:.0f} s, lost {one['losses']} times{reason}"
        )
    for stream, one in feed["streams"].items():
        age = "never" if one["age_ms"] is None else f"{one['age_ms']:.0f} ms ago"
        reason = f" ({one['reason']})" if one["reason"] else ""
        told.append(f"  {stream}: {one['state']}, {one['rate']:.1f}/s, last {age}, {one['gaps']} gaps{reason}")
    for symbol, one in feed["books"].items():
        told.append(
            f"  book {symbol}: {one['state']}, {one['gaps']} gaps, {one['resyncs']} resyncs, "
            f"stale for {one['stale_ns'] / 1e9:.3f} s"
        )
    told += [f"  warning: {text}" for text in feed["warnings"]]
    return told
