"""The command ``data export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quotewright.cli.options import debug_option, json_option

if TYPE_CHECKING:
    from quotewright.tape.export import Selection

FORMATS = ("parquet", "hftbacktest", "csv", "normalized")


@click.command()
@click.argument("tape", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--format", "format_", required=True, type=click.Choice(FORMATS), help="What is written.")
@click.option("--instrument", "instruments", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--from", "from_", default="", metavar="TIME", help="Received at this time (UTC) or later.")
@click.option("--to", default="", metavar="TIME", help="Received before this time (UTC).")
@click.option("--exchange", default="", metavar="NAME", help="How csv and normalized call the exchange.")
@json_option
@debug_option
def export(
    tape: Path,
    out: Path,
    format_: str,
    instruments: tuple[str, ...],
    from_: str,
    to: str,
    exchange: str,
    as_json: bool,
) -> None:
    """Write a TAPE, or a part of it, as OUT for another program.

    parquet: one file, without loss. hftbacktest: one .npz for each instrument. csv: a folder of files as Tardis's data
    sets are. normalized: one file of Tardis's JSON lines. A part that begins inside the tape begins with the books as
    they stood.
    """
    from quotewright.fetching.times import time_ns
    from quotewright.kernel.codes import NEVER
    from quotewright.tape.export import Selection
    from quotewright.tape.tape import TapeFile

    with TapeFile.open(tape) as opened:
        selection = Selection.of(opened, instruments, time_ns(from_) if from_ else 0, time_ns(to) if to else NEVER)
        write = {"parquet": _parquet, "hftbacktest": _hftbacktest, "csv": _csv, "normalized": _normalized}[format_]
        written, left_out = write(selection, out, exchange)
    if as_json:
        click.echo(json.dumps({"format": format_, "files": written, "left_out": left_out}, indent=2))
        return
    for name, count in written.items():
        click.echo(f"{name}: {count:,} rows")
    if left_out:
        click.echo(f"quotewright: {left_out:,} rows have no place in this format and were left out", err=True)


Written = tuple[dict[str, int], int]


def _new(path: Path) -> Path:
    from quotewright.errors import InputError

    if path.exists():
        raise InputError(f"{path} exists already; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _parquet(selection: Selection, out: Path, exchange: str) -> Written:
    from quotewright.tape.parquet import write_parquet

    return {str(out): write_parquet(selection, _new(out))}, 0


def _hftbacktest(selection: Selection, out: Path, exchange: str) -> Written:
    import attrs

    from quotewright.fetching.manifest import safe_path
    from quotewright.tape import hftbacktest
    from quotewright.tape.csv_files import symbol_in_name
    from quotewright.tape.export import recorded_exchange

    written: dict[str, int] = {}
    left_out = 0
    is_file = out.suffix == ".npz" and len(selection.ids) == 1
    if not is_file:
        out.mkdir(parents=True, exist_ok=True)
    for id, instrument in zip(selection.ids, selection.instruments, strict=True):
        name = f"{exchange or recorded_exchange(instrument)}_{symbol_in_name(instrument.symbol)}.npz"
        path = _new(out if is_file else safe_path(out, name))
        found, others = hftbacktest.events(attrs.evolve(selection, ids=(id,)))
        hftbacktest.write(path, found)
        written[str(path)] = len(found)
        left_out += others
    return written, left_out


def _csv(selection: Selection, out: Path, exchange: str) -> Written:
    from quotewright.errors import InputError
    from quotewright.tape.csv_files import CsvSink
    from quotewright.tape.export import play

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists already and is not an empty folder; choose another name")
    out.mkdir(parents=True, exist_ok=True)
    sinks: dict[str, CsvSink] = {}
    for name, percent in _exchanges(selection, exchange):
        sinks.setdefault(name, CsvSink(out, name, percent))
    of_instrument = [sinks[name] for name, _ in _exchanges(selection, exchange)]
    try:
        left_out = sum(play(rows, selection.instruments, of_instrument) for rows in selection.blocks())
    finally:
        for sink in sinks.values():
            sink.close()
    written = {str(out / name): count for sink in sinks.values() for name, count in sorted(sink.rows_written.items())}
    return written, left_out + sum(sink.left_out for sink in sinks.values())


def _normalized(selection: Selection, out: Path, exchange: str) -> Written:
    import gzip

    import msgspec

    from quotewright.fetching.times import iso
    from quotewright.kernel.codes import GAP
    from quotewright.tape.export import play
    from quotewright.tape.normalise import NormaliseSink

    path = _new(out)
    instruments = selection.instruments
    exchanges = _exchanges(selection, exchange)
    by_name: dict[str, NormaliseSink] = {}
    for name, percent in exchanges:
        by_name.setdefault(name, NormaliseSink(name, percent))
    sinks = [by_name[name] for name, _ in exchanges]
    unfinished = path.with_name(f".{path.name}.unfinished")
    count = 0
    with gzip.open(unfinished, "wb", 6) if path.suffix == ".gz" else unfinished.open("wb") as file:

        def after(number: int, receive_ns: int, kind: int) -> None:
            nonlocal count
            lines = sinks[number].take()
            if kind == GAP:
                lost = {
                    "type": "disconnect",
                    "exchange": exchanges[number][0],
                    "localTimestamp": iso(receive_ns, 6),
                    "symbols": [instruments[number].symbol],
                }
                lines.append(msgspec.json.encode(lost).decode())
            for line in lines:
                file.write(line.encode() + b"\n")
            count += len(lines)

        left_out = sum(play(rows, instruments, sinks, after) for rows in selection.blocks())
    unfinished.replace(path)
    return {str(path): count}, left_out


def _exchanges(selection: Selection, exchange: str) -> list[tuple[str, bool]]:
    """Return, for each instrument, its exchange's name and whether that shows volatilities in percent."""
    from quotewright.errors import ConfigError
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.export import SHOWN_IN_PERCENT, recorded_exchange
    from quotewright.tape.importing import make_adapter

    plugins = PluginSet.discover(strict=False)
    percents: dict[str, bool] = {}
    for venue in {instrument.venue: None for instrument in selection.instruments}:
        try:
            percents[venue] = make_adapter(plugins, venue).shows_percent
        except ConfigError:  # a venue without an adapter shows what the tape holds
            percents[venue] = False
        percents[venue] |= venue in SHOWN_IN_PERCENT
    return [
        (exchange or recorded_exchange(instrument), percents[instrument.venue]) for instrument in selection.instruments
    ]
