"""The command ``calibrate``: what a recorded market says about the parameters of a market maker."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quotewright.cli.options import debug_option, json_option, plugins_dir_option

if TYPE_CHECKING:
    from quotewright.kernel.book import BookModel
    from quotewright.kernel.signals import Signal
    from quotewright.model.instrument import Instrument
    from quotewright.tape.tape import Tape

SLICES = 60
FINE_BINS = 10_000
FIT_BINS = 20
HORIZON_S = 60.0
CARRIED_SIZES = 5.0
"""How many level sizes are held when the suggested gamma moves the quotes by half of the least spread."""
QUANTILES = (5, 25, 50, 75, 95)


@click.command()
@click.argument("tape", type=click.Path(path_type=Path))
@click.option("--instrument", "name", default="", metavar="NAME", help="Of a tape with several: which one.")
@click.option(
    "--grid", default="1s", show_default=True, metavar="TIME", help="How often the mid and the spread are read."
)
@click.option("--book", default="", metavar="NAME", help="A book model; without it the rows of the tape tell.")
@json_option
@plugins_dir_option
@debug_option
def calibrate(tape: Path, name: str, grid: str, book: str, as_json: bool, plugins_dir: tuple[Path, ...]) -> None:
    """Measure the market of TAPE: volatility, spread, trade rate, how far takers reach; suggest a maker's parameters.

    Everything is measured by elapsed time with the signals that strategies use.
    """
    from quotewright.config.units import Duration, UnitError
    from quotewright.errors import ConfigError, InputError
    from quotewright.tape.tape import TapeFile

    try:
        grid_ns = int(Duration.parse(grid))
    except UnitError as error:
        raise ConfigError(f"--grid: {error}") from error
    if grid_ns < 1_000_000:
        raise ConfigError(f"--grid: should be at least 1ms, was {grid}")
    with TapeFile.open(tape) as opened:
        opened.require_causal()
        number = 0
        if name:
            number = opened.instrument_id(name)
        elif len(opened.instruments) != 1:
            listed = ", ".join(instrument.name for instrument in opened.instruments) or "none"
            raise InputError(f"{tape} holds {listed}; name one with --instrument")
        found = measure(opened, number, grid_ns, book_maker(opened, number, book, plugins_dir))
    click.echo(json.dumps(found, indent=2) if as_json else page(found))


def book_maker(tape: Tape, number: int, name: str, plugins_dir: tuple[Path, ...]) -> Any:
    """Return what makes an empty book: the model called *name*, or the one that the instrument's rows feed."""
    if name:
        from quotewright.plugin.registry import PluginSet

        plugins = PluginSet.discover(plugins_dir, strict=False)
        return lambda: plugins.build("book_models", {"plugin": name}, "--book")
    import numpy as np

    from quotewright.errors import InputError
    from quotewright.kernel.by_order import ByOrderBook
    from quotewright.kernel.codes import BEST_QUOTE, LEVEL_SET, ORDER_ADD
    from quotewright.kernel.ladder import Ladder
    from quotewright.kernel.top_of_book import TopOfBook

    found: dict[int, Any] = {ORDER_ADD: ByOrderBook, BEST_QUOTE: TopOfBook}
    seen = set()
    for _, rows in tape.blocks():
        kinds = rows["kind"][rows["instrument"] == number]
        if (kinds == LEVEL_SET).any():
            return Ladder
        seen.update(np.unique(kinds).tolist())
    for kind, model in found.items():
        if kind in seen:
            return model
    instrument = tape.instruments[number].name
    raise InputError(
        f"{tape.name} holds neither levels, orders nor best quotes of {instrument}; name a model with --book"
    )


class _Nobody:
    """A recorder of a run in which nothing is decided."""

    def __getattr__(self, name: str) -> Any:
        return lambda *told: None


def _play(tape: Tape, number: int, book: BookModel, signals: list[Signal]) -> None:
    """Show the whole tape to *signals*, without strategies, rules or venues."""
    from quotewright.kernel.codes import NEVER
    from quotewright.kernel.pipeline import Pipeline
    from quotewright.kernel.risk import RiskGate
    from quotewright.kernel.view import View
    from quotewright.tape.source import TapeSource

    view = View(tape.instruments[number], number, book)
    for signal in signals:
        view.add_signal(signal)
    views: list[View | None] = [None] * len(tape.instruments)
    views[number] = view
    start_ns, end_ns = tape.span
    pipeline = Pipeline(TapeSource(tape), views, [], RiskGate([], [view]), [], _Nobody(), 0)
    pipeline.start(start_ns)
    pipeline.advance(end_ns, NEVER)
    view.catch_up(end_ns)


def measure(tape: Tape, number: int, grid_ns: int, new_book: Any) -> dict[str, Any]:
    """Return what the tape says about one instrument; see docs/signals.md for what each figure is.

    Raises:
        InputError: the tape is too short, or shows no book of this instrument.
    """
    from quotewright.errors import InputError
    from quotewright.kernel.signals import Mid, Spread
    from quotewright.kernel.signals_flow import TradeRate
    from quotewright.kernel.signals_intensity import TradeIntensity
    from quotewright.kernel.signals_volatility import BipowerVolatility, RangeVolatility, Volatility

    instrument = tape.instruments[number]
    start_ns, end_ns = tape.span
    points = (end_ns - start_ns) // grid_ns
    if points < 10:
        raise InputError(f"{tape.name} lasts {(end_ns - start_ns) / 1e9:.3f} s; that is less than ten grid steps")
    window_ns = points * grid_ns
    mid, spread = Mid(window_ns, points), Spread(window_ns, points)
    volatility = [kind(window_ns, points, "bps") for kind in (Volatility, BipowerVolatility, RangeVolatility)]
    rate = TradeRate(window_ns // SLICES * SLICES, SLICES)
    fine = TradeIntensity(rate.window_ns, SLICES, instrument.tick_steps / 2, FINE_BINS, "steps")
    _play(tape, number, new_book(), [mid, spread, *volatility, rate, fine])
    if not spread.readings():
        raise InputError(f"{tape.name}: no good book of {instrument.name} at any grid point")
    width = _width(fine, instrument, mid.value)
    fits = {
        method: TradeIntensity(rate.window_ns, SLICES, width, FIT_BINS, "bps", method, skip=1)
        for method in ("likelihood", "regression")
    }
    _play(tape, number, new_book(), list(fits.values()))
    readings = sorted(spread.readings())
    found: dict[str, Any] = {
        "instrument": instrument.name,
        "seconds": (end_ns - start_ns) / 1e9,
        "grid_s": grid_ns / 1e9,
        "mid": mid.value,
        "good_share": len(readings) / points,
        "volatility_bps_per_root_s": {
            word: signal.value for word, signal in zip(("realised", "bipower", "range"), volatility, strict=True)
        },
        "spread_bps": {
            "mean": spread.value,
            "deviation": spread.deviation(),
            "quantiles": {
                str(part): readings[min(len(readings) - 1, len(readings) * part // 100)] for part in QUANTILES
            },
        },
        "trades": {
            "arrivals_per_s": rate.value,
            "size_per_s": rate.volume,
            "mean_size": rate.volume / rate.value if rate.value else 0.0,
        },
        "intensity": {word: _fit(signal) for word, signal in fits.items()},
        "reach": _reach(fits["likelihood"]),
    }
    found["suggested"] = suggest(found, instrument)
    return found


def _width(fine: Any, instrument: Instrument, mid: float) -> float:
    """Return the width of a bin in bps: what 99 % of arrivals reach, in twenty parts, and at least half a tick."""
    counts = fine.counts()
    left, reach = math.ceil(0.99 * sum(counts)), 0
    for reach, count in enumerate(counts, start=1):  # noqa: B007 - the first bin that covers them
        left -= count
        if left <= 0:
            break
    half_tick = float(instrument.tick_size) / 2.0 / mid * 1e4
    return max(half_tick, reach * half_tick / FIT_BINS)


def _fit(signal: Any) -> dict[str, Any]:
    return {"is_ready": signal.is_ready, "a_per_s": signal.a, "k_per_bps": signal.k}


def _reach(signal: Any) -> list[dict[str, float]]:
    """Return how often a side was reached at the near edge of some bins, beside what the fit says of it."""
    counts, seconds = signal.counts(), signal.seconds()
    found = []
    for bin in (0, 1, 2, 4, 8, 16):
        distance = bin * signal.width
        seen = sum(counts[bin:]) / (2.0 * seconds) if seconds else 0.0
        found.append({"bps": distance, "per_s": seen, "fitted_per_s": signal.rate(distance)})
    return found


def suggest(found: dict[str, Any], instrument: Instrument) -> dict[str, Any] | None:
    """Return keys of ``avellaneda_stoikov`` that fit what was found, None where no intensity could be fitted.

    ``gamma`` is chosen so that a position of five level sizes moves both quotes by ``1 / k``, half of the spread of a
    maker without risk aversion: ``gamma = 1 / (5 k sigma^2 T)``.
    """
    fit = found["intensity"]["likelihood"]
    sigma = found["volatility_bps_per_root_s"]["realised"]
    if not fit["is_ready"] or sigma <= 0.0:
        return None
    k = fit["k_per_bps"]
    gamma = 1.0 / (CARRIED_SIZES * k * sigma * sigma * HORIZON_S)
    spread = gamma * sigma * sigma * HORIZON_S + 2.0 / gamma * math.log1p(gamma / k)
    lots = max(1, math.ceil(found["trades"]["mean_size"] / float(instrument.lot_size)))
    return {
        "size": f"{lots} lots",
        "units": "bps",
        "gamma": float(f"{gamma:.3g}"),
        "k": float(f"{k:.3g}"),
        "horizon": f"{HORIZON_S:.0f}s",
        "sigma": float(f"{sigma:.3g}"),
        "spread_bps": float(f"{spread:.3g}"),
    }


def fragment(found: dict[str, Any]) -> str:
    """Return the suggested strategy table as TOML."""
    keys = found["suggested"]
    return f"""\
[strategies.maker]
plugin = "avellaneda_stoikov"
instrument = "{found["instrument"]}"
size = "{keys["size"]}"  # the mean size of a taker's order
units = "bps"
gamma = {keys["gamma"]:g}  # five sizes held move both quotes by 1 / k
k = {keys["k"]:g}
horizon = "{keys["horizon"]}"
# sigma = {keys["sigma"]:g}  # not given, so it is measured; with it the spread is {keys["spread_bps"]:g} bps"""


def page(found: dict[str, Any]) -> str:
    """Return *found* as text for people."""
    volatility, spread, trades = found["volatility_bps_per_root_s"], found["spread_bps"], found["trades"]
    quantiles = ", ".join(f"{part} % {value:.4g}" for part, value in spread["quantiles"].items())
    told = [
        f"{found['instrument']}: {found['seconds']:.1f} s, mid {found['mid']:.8g}, read every {found['grid_s']:g} s, "
        f"book good at {found['good_share']:.1%} of them",
        "",
        "volatility   bps per √s: "
        + ", ".join(f"{word} {value:.4g}" for word, value in volatility.items())
        + f"; {volatility['realised'] * math.sqrt(31_536_000) / 100:.3g} % a year",
        f"spread       bps of the mid: mean {spread['mean']:.4g}, deviation {spread['deviation']:.4g}; {quantiles}",
        f"trade rate   {trades['arrivals_per_s']:.4g} takers' orders a second, of {trades['mean_size']:.6g} each",
    ]
    for word, fit in found["intensity"].items():
        note = "" if fit["is_ready"] else ", too little to go by"
        told.append(
            f"intensity    A {fit['a_per_s']:.4g} per s and side, k {fit['k_per_bps']:.4g} per bps by {word}{note}"
        )
    told += ["", "  distance, bps    reached per s and side    by the fit"]
    told += [f"  {row['bps']:13.4g}    {row['per_s']:22.4g}    {row['fitted_per_s']:10.4g}" for row in found["reach"]]
    told.append("")
    if found["suggested"] is None:
        told.append("nothing is suggested: too few prints, or a mid that never moved")
    else:
        told += ["suggested:", "", fragment(found)]
    return "\n".join(told)
