"""``quotewright doctor``: what is installed, which form the kernels have, and what is wrong."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from quotewright import __version__, binaries
from quotewright.cli.options import RunOptions, banner, debug_option, json_option, plugins_dir_option
from quotewright.errors import QuotewrightError

PACKAGES = (
    "anyio",
    "attrs",
    "cattrs",
    "click",
    "msgspec",
    "numpy",
    "plotly",
    "pluggy",
    "rich",
    "sortedcontainers",
)
LOW_DISK_BYTES = 1_000_000_000
PLAUSIBLE_FROM_S = 1_735_689_600  # 2025-01-01: no machine that runs this version has an earlier clock


@click.command()
@plugins_dir_option
@json_option
@debug_option
def doctor(plugins_dir: tuple[Path, ...], as_json: bool) -> int:
    """Say what is installed and what is wrong; exit 1 if something must be mended."""
    found = examine(plugins_dir)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print(found)
    return 1 if found["errors"] else 0


def examine(plugins_dir: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return everything that the doctor looks at; ``errors`` must be mended, ``warnings`` need not be."""
    errors: list[str] = []
    warnings: list[str] = []
    trouble = binaries.trouble()
    if trouble:
        errors.append(f"kernels: {trouble}")
    elif binaries.form() == "interpreted":
        warnings.append("kernels: interpreted, some thirty times slower; an install with a C compiler compiles them")
    packages = {name: _version(name) for name in PACKAGES}
    errors.extend(f"package {name} is not installed" for name, version in packages.items() if not version)
    offers: list[dict[str, str]] = []
    try:
        plugins = RunOptions(plugins_dir=plugins_dir).discover(strict=False).loaded()
    except QuotewrightError as error:
        errors.append(f"plugins: {error}")
    else:
        errors.extend(f"plugins: {error}" for error in plugins.errors)
        failed = [offer for offer in plugins.offers if offer.status == "failed"]
        warnings.extend(f"plugins: {offer.plugin}: {offer.reason}" for offer in failed)
        offers = [offer.record() for offer in plugins.offers]
    disk = shutil.disk_usage(Path.cwd())
    if disk.free < LOW_DISK_BYTES:
        warnings.append(f"disk: {disk.free / 1e9:.1f} GB are free in {Path.cwd()}; tapes and runs need more")
    clock = _clock()
    if not clock["is_plausible"]:
        errors.append(f"clock: {clock['utc']} cannot be right")
    return {
        "version": __version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "platform": platform.platform(),
        "kernels": {"form": binaries.form(), "reason": binaries.reason(), "trouble": trouble},
        "packages": packages,
        "plugins": offers,
        "disk": {"path": str(Path.cwd()), "free_bytes": disk.free},
        "clock": clock,
        "errors": errors,
        "warnings": warnings,
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _clock() -> dict[str, Any]:
    now = time.time()
    return {
        "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "timezone": time.strftime("%Z %z", time.localtime(now)),
        "resolution_ns": round(time.get_clock_info("time").resolution * 1e9),
        "is_plausible": now >= PLAUSIBLE_FROM_S,
    }


def _print(found: dict[str, Any]) -> None:
    click.echo(banner())
    click.echo(f"platform   {found['platform']}")
    click.echo(f"python     {found['executable']}")
    kernels = found["kernels"]
    click.echo(f"kernels    {kernels['form']}" + (f": {kernels['reason']}" if kernels["reason"] else ""))
    click.echo(f"packages   {', '.join(f'{name} {version}' for name, version in found['packages'].items())}")
    usable = [offer for offer in found["plugins"] if offer["status"] == "ok"]
    click.echo(f"plugins    {len(usable)} offers can be used, {len(found['plugins']) - len(usable)} cannot")
    click.echo(f"disk       {found['disk']['free_bytes'] / 1e9:.1f} GB free in {found['disk']['path']}")
    click.echo(f"clock      {found['clock']['utc']}, time zone {found['clock']['timezone']}")
    for kind in ("errors", "warnings"):
        for text in found[kind]:
            click.echo(f"{kind[:-1]:<10} {text}")
    if not found["errors"]:
        click.echo("nothing must be mended")
