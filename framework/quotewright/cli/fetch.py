"""The command ``data fetch``."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quotewright.cli.options import debug_option, json_option, plugins_dir_option

if TYPE_CHECKING:
    from quotewright.fetching.archive import Archive, Order
    from quotewright.fetching.download import Item, Result
    from quotewright.fetching.retry import Key
    from quotewright.plugin.registry import PluginSet


@click.command()
@click.argument("source", required=False, default="")
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--exchange", default="", metavar="NAME", help="The exchange, as recordings call it: binance-futures.")
@click.option("--type", "kinds", multiple=True, metavar="KIND", help="What is fetched; may be repeated.")
@click.option("--symbol", "symbols", multiple=True, metavar="SYMBOL", help="As the exchange calls it; may be repeated.")
@click.option("--from", "from_", default="", metavar="TIME", help="The first day, or time, in UTC: 2026-03-01.")
@click.option("--to", default="", metavar="TIME", help="The end, which is not fetched; without it one day is.")
@click.option("--monthly", is_flag=True, help="Files of whole months, where the source has them.")
@click.option("--base-url", default="", metavar="URL", help="Another place of the same shape.")
@click.option("--key", "key_name", default="", metavar="env:NAME", help="The variable that holds the API key.")
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1, 32), help="Files at a time.")
@click.option("--tries", default=8, show_default=True, type=click.IntRange(1, 30), help="How often a request is made.")
@click.option("--list", "is_listing", is_flag=True, help="Say what would be fetched, and fetch nothing.")
@click.option("--replace", is_flag=True, help="Fetch files anew that have changed at the source.")
@json_option
@plugins_dir_option
@debug_option
def fetch(
    source: str,
    out: Path | None,
    exchange: str,
    kinds: tuple[str, ...],
    symbols: tuple[str, ...],
    from_: str,
    to: str,
    monthly: bool,
    base_url: str,
    key_name: str,
    jobs: int,
    tries: int,
    is_listing: bool,
    replace: bool,
    as_json: bool,
    plugins_dir: tuple[Path, ...],
) -> None:
    """Fetch recorded data from SOURCE into the folder OUT; without a SOURCE say which there are.

    What breaks off is gone on with by the same command; what is there is not fetched again. Days are half-open:
    --from 2026-03-01 --to 2026-03-03 is two days.
    """
    from quotewright.fetching.client import HttpClient
    from quotewright.fetching.download import Downloader
    from quotewright.fetching.retry import RetryPolicy
    from quotewright.plugin.registry import PluginSet

    plugins = PluginSet.discover(plugins_dir, strict=False)
    if not source:
        _sources(plugins, as_json)
        return
    if not from_ or (out is None and not is_listing):
        raise click.UsageError("give a SOURCE, a folder OUT, and the first day with --from 2026-03-01")
    archive: Archive = plugins.get("archives", source)()
    key = _key(archive, key_name)
    order = _order(archive, source, exchange, kinds, symbols, (from_, to), monthly, base_url, bool(key))
    items = list(archive.items(order))
    if is_listing:
        if as_json:
            click.echo(json.dumps([{"name": item.name, "url": item.url} for item in items], indent=2))
        else:
            for item in items:
                click.echo(f"{item.name}  {item.url}")
        return
    assert out is not None
    if archive.unverified:
        click.echo(f"quotewright: unverified of {source}: {archive.unverified}", err=True)
    progress = _Progress() if sys.stderr.isatty() else None
    with HttpClient(order.base_url, key=key, policy=RetryPolicy(attempts=tries), seed=os.getpid()) as client:
        downloader = Downloader(out, client, jobs=jobs, replace=replace, progress=progress)
        results = downloader.run(items)
    if progress is not None:
        progress.finish()
    _report(results, out, as_json)


def _sources(plugins: PluginSet, as_json: bool) -> None:
    """Say which sources there are and what each has."""
    found = []
    for name in plugins.names("archives"):
        archive: Archive = plugins.get("archives", name)()
        found.append(
            {
                "name": name,
                "base_url": archive.base_url,
                "exchanges": list(archive.exchanges),
                "kinds": list(archive.kinds),
                "key": archive.key,
                "unverified": archive.unverified,
            }
        )
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        click.echo(f"{one['name']}: {', '.join(one['kinds'])}")
        click.echo(f"    of {', '.join(one['exchanges'])}, from {one['base_url']}")
        if one["unverified"]:
            click.echo(f"    unverified: {one['unverified']}")


def _key(archive: Archive, name: str) -> Key | None:
    from quotewright.fetching.retry import Key

    reference = name or archive.key
    return Key.read(reference, os.environ) if reference else None


def _order(
    archive: Archive,
    source: str,
    exchange: str,
    kinds: tuple[str, ...],
    symbols: tuple[str, ...],
    times: tuple[str, str],
    monthly: bool,
    base_url: str,
    has_key: bool,
) -> Order:
    from quotewright.fetching.archive import Order, chosen
    from quotewright.fetching.times import Span

    (name,) = chosen(f"exchange of {source}", [exchange] if exchange else [], archive.exchanges)
    return Order(
        exchange=name,
        kinds=chosen(f"kind of data of {source}", kinds, archive.kinds, any_other=archive.any_kind),
        symbols=tuple(dict.fromkeys(symbols)),
        span=Span.parse(*times),
        base_url=(base_url or archive.base_url).rstrip("/"),
        period="monthly" if monthly else "daily",
        has_key=has_key,
    )


class _Progress:
    """Draws one line: files done and bytes so far."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.lock = threading.Lock()

    def __call__(self, item: Item, done: int, total: int) -> None:
        with self.lock:
            self.done[item.name] = done
            size = sum(self.done.values()) / 1e6
            click.echo(f"\r{len(self.done)} files, {size:,.1f} MB, {item.name[-50:]:<50}", nl=False, err=True)

    def finish(self) -> None:
        if self.done:
            click.echo("", err=True)


def _report(results: list[Result], out: Path, as_json: bool) -> None:
    """Say what became of the items; the first failure, or nothing but absences, ends the command."""
    from quotewright.errors import NotFoundError

    counts = {
        state: sum(result.state == state for result in results) for state in ("fetched", "there", "absent", "failed")
    }
    if as_json:
        files: list[dict[str, Any]] = [
            {
                "name": result.item.name,
                "state": result.state,
                "bytes": result.bytes,
                **({"error": str(result.error)} if result.error is not None else {}),
            }
            for result in results
        ]
        click.echo(json.dumps({**counts, "files": files}, indent=2))
    else:
        size = sum(result.bytes for result in results if result.state == "fetched")
        click.echo(
            f"{counts['fetched']} fetched ({size:,} bytes), {counts['there']} there already, "
            f"{counts['absent']} absent, {counts['failed']} failed; see {out / 'manifest.json'}"
        )
    for result in results:
        if result.state == "absent" and counts["absent"] < len(results):
            click.echo(f"quotewright: {result.item.name}: {result.error}", err=True)
    failed = [result for result in results if result.error is not None and result.state == "failed"]
    for result in failed[1:]:
        click.echo(f"quotewright: {result.item.name}: {result.error}", err=True)
    if failed:
        assert failed[0].error is not None
        raise failed[0].error
    if results and counts["absent"] == len(results):
        raise NotFoundError(f"none of {len(results)} files is there: {results[0].error}")
