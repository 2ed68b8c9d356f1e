"""``python -m bench [--json] [--only NAME] [--quick]``: run it from the root of the repository."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from bench.measure import Measured

SEED = 20_240_808


@attrs.frozen
class Size:
    """How much is done: rows, commands and frames a round, rounds, and the rows of the two tapes.

    *orders* are what the server is sent a round.
    """

    rows: int
    commands: int
    frames: int
    rounds: int
    tape_rows: int
    small_tape_rows: int
    tape_rounds: int
    starts: int
    orders: int
    order_rounds: int


FULL = Size(300_000, 200_000, 4_000, 9, 5_000_000, 500_000, 3, 9, 4_000, 5)
QUICK = Size(60_000, 50_000, 2_000, 3, 500_000, 50_000, 1, 3, 1_000, 3)
TINY = Size(3_000, 2_000, 200, 1, 40_000, 20_000, 1, 1, 24, 1)

Result = dict[str, Any]


def facts() -> Result:
    """Return what the figures depend on: the machine, Python, and the form of the kernels."""
    from quotewright import binaries

    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "kernels": binaries.form(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def ladder(size: Size) -> list[Result]:
    from bench import books

    return [
        _result("ladder", "in bulk, per row", books.bulk(size.rows, SEED, size.rounds)),
        _result("ladder", "a Python call and both best quotes, per row", books.calls(size.rows, SEED, size.rounds)),
    ]


def matching(size: Size) -> list[Result]:
    from bench import matching

    found = []
    for mix in matching.MIXES:
        count = size.commands
        found.append(
            _result("matching", f"in bulk, per command, {mix.name}", matching.bulk(mix, count, SEED, size.rounds))
        )
        found.append(
            _result(
                "matching",
                f"a Python call, {mix.name}",
                matching.calls(mix, count // 10, SEED, 3 * size.rounds),
            )
        )
    return found


def replay(size: Size) -> list[Result]:
    from bench import replay

    runs = replay.measure(size.tape_rows, size.small_tape_rows, SEED, size.tape_rounds)
    measured = [
        Measured(
            name=label,
            units=runs[key][0]["rows"],
            cpu_min_ns=min(run["cpu_ns"] for run in runs[key]),
            cpu_median_ns=statistics.median(run["cpu_ns"] for run in runs[key]),
            wall_min_ns=min(run["wall_ns"] for run in runs[key]),
            wall_median_ns=statistics.median(run["wall_ns"] for run in runs[key]),
            repeats=len(runs[key]),
            ratio=min(run["cpu_ns"] for run in runs[key]) / min(run["cpu_ns"] for run in runs["large"]),
            target_ns=replay.TARGET_NS if key == "large" else None,
        )
        for key, label in (
            ("large", "the long tape"),
            ("small", "the short tape"),
            ("sorted", "the short tape, the maker's book is the sorted one"),
        )
    ]
    peak = {key: max(run["peak_kb"] for run in runs[key]) for key in ("large", "small")}
    result = _result("replay", "backtest with the maker, per row", measured)
    result["peak_kb"] = {**peak, "difference": peak["large"] - peak["small"], "target_difference": replay.RSS_TARGET_KB}
    result["run"] = {key: runs["large"][0][key] for key in ("rows", "span_s", "wakes", "orders", "cancels", "fills")}
    return [result]


def frames(size: Size) -> list[Result]:
    from bench import frames

    return [
        _result(
            "frames", "Binance depth frame to book, per message", frames.to_book(size.frames, SEED, 3 * size.rounds)
        )
    ]


def receiving(size: Size) -> list[Result]:
    from bench import receiving

    measured = receiving.to_book(size.frames, SEED, 3 * size.rounds)
    return [_result("receiving", "Binance depth frames in bursts, socket to book, per message", measured)]


def startup(size: Size) -> list[Result]:
    from bench import startup

    return [_result("startup", "start of the command line", startup.start(size.starts))]


def server(size: Size) -> list[Result]:
    from bench import server

    measured = server.measure(size.orders, size.order_rounds)
    return [_result("server", what, candidates) for what, candidates in measured]


BENCHMARKS: dict[str, Callable[[Size], list[Result]]] = {
    "ladder": ladder,
    "matching": matching,
    "replay": replay,
    "frames": frames,
    "receiving": receiving,
    "startup": startup,
    "server": server,
}


def _result(name: str, what: str, measured: Sequence[Measured]) -> Result:
    return {"benchmark": name, "what": what, "candidates": [attrs.asdict(one) for one in measured]}


def run(size: Size, only: Sequence[str] = (), tell: Callable[[str], None] | None = None) -> Result:
    """Run the benchmarks named in *only* (all of them if it is empty) and return facts and results."""
    found: Result = {"facts": facts(), "results": []}
    for name, benchmark in BENCHMARKS.items():
        if not only or name in only:
            if tell is not None:
                tell(name)
            found["results"].extend(benchmark(size))
    return found


def show(found: Result) -> None:
    """Print the facts and one table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(110, Console().width))
    what = found["facts"]
    console.print(
        f"Python {what['python']}, kernels {what['kernels']}, {what['processor']}, {what['cores']} cores, load "
        f"{what['load']}",
        highlight=False,
    )
    for result in found["results"]:
        title = f"{result['benchmark']}: {result['what']}"
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        table.add_column("", min_width=46)
        for heading in ("processor, least", "median", "wall, median", "ratio"):
            table.add_column(heading, justify="right", no_wrap=True)
        is_served = any("per_second" in one for one in result["candidates"])
        for heading in ("per second", "p50", "p99") if is_served else ("target",):
            table.add_column(heading, justify="right" if is_served else "left", no_wrap=True)
        for one in result["candidates"]:
            target = one["target_ns"]
            if is_served:
                last = [f"{one['per_second']:,.0f}", shown(one["p50_ns"]), shown(one["p99_ns"])]
            else:
                last = ["" if target is None else f"{shown(target)} {_verdict(one['cpu_min_ns'] <= target)}"]
            table.add_row(
                one["name"],
                shown(one["cpu_min_ns"]),
                shown(one["cpu_median_ns"]),
                shown(one["wall_median_ns"]),
                f"{one['ratio']:.2f}",
                *last,
            )
        if "peak_kb" in result:
            peak = result["peak_kb"]
            row = f"peak memory {peak['large'] / 1024:.1f} MB and {peak['small'] / 1024:.1f} MB: the difference"
            difference = f"{peak['difference'] / 1024:.1f} MB"
            table.add_row(
                row, difference, "", "", "", f"20 MB {_verdict(peak['difference'] <= peak['target_difference'])}"
            )
        console.print(table)


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "[red]missed[/]"


def shown(ns: float) -> str:
    """Return a time in the unit that suits it."""
    if ns < 1_000:
        return f"{ns:.1f} ns"
    if ns < 1_000_000:
        return f"{ns / 1e3:.2f} µs"
    if ns < 50_000_000:
        return f"{ns / 1e6:.2f} ms"
    return f"{ns / 1e9:.3f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["known-truth"]:
        from bench import known_truth

        return known_truth.main(given[1:])
    what = "Measure what the fast parts cost; with known-truth: how far queue models are off."
    parser = argparse.ArgumentParser(prog="python -m bench", description=what)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument(
        "--only", action="append", default=[], choices=list(BENCHMARKS), help="one benchmark; repeatable"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds: some seconds, noisier")
    options = parser.parse_args(given)
    found = run(
        QUICK if options.quick else FULL,
        options.only,
        lambda name: print(f"bench: {name} …", file=sys.stderr),
    )
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
