"""Draw the pictures of the pages beside this file: ``python docs/strategies/plots.py`` writes them anew.

Every curve comes from the functions that the shipped strategies quote by. An SVG is text with coordinates rounded to
a hundredth of a pixel, so that drawing again changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import attrs

from quotewright.consolidated import ConsolidatedBook
from quotewright.kernel.codes import BUY, LEVEL_SET, SELL, SNAPSHOT_BEGIN, pack
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.view import View
from quotewright.model.instrument import Instrument
from quotewright_plugins.strategies.arbitrage_walk import Costs, Way
from quotewright_plugins.strategies.avellaneda_stoikov import optimal_spread, reservation_price
from quotewright_plugins.strategies.glft import between, closed_form, spectral
from quotewright_plugins.strategies.leaning import leaning
from quotewright_plugins.strategies.model import liquidity_premium
from quotewright_plugins.strategies.multi_level import widening
from quotewright_plugins.strategies.order_book_imbalance import shifted, widened
from quotewright_plugins.strategies.practical import article_spread_bps, corrected_distances
from quotewright_plugins.strategies.stationary import natural_omega, printed_less, reservation_prices

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 74, 50
BID, OFFER, MIDDLE, OTHER = "#1f6f43", "#a33b2c", "#30507a", "#8a8f98"
FONT = "font-family='Helvetica, Arial, sans-serif'"
Point = tuple[float, float]


@attrs.frozen
class Curve:
    """A line through points, told in the legend by *name* if it has one."""

    name: str
    points: tuple[Point, ...]
    colour: str
    dash: str = ""
    width: float = 2.0


@attrs.frozen
class Chart:
    """Curves over one another, with the ticks of both axes given."""

    title: str
    across: str
    up: str
    curves: tuple[Curve, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    is_log: bool = False

    def x(self, value: float) -> float:
        low, high = self.xs[0], self.xs[-1]
        if self.is_log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.ys[0], self.ys[-1]
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def svg(self) -> str:
        """Return the picture as text."""
        parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>",
            f"<title>{self.title}</title>",
            f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#ffffff'/>",
            text(LEFT, 24, self.title, 15, "#1b1f24", weight="bold"),
        ]
        at = float(LEFT)
        for curve in self.curves:
            if not curve.name:
                continue  # the other side of one that is named
            parts.append(
                f"<line x1='{at:.0f}' y1='46' x2='{at + 22:.0f}' y2='46' stroke='{curve.colour}' "
                f"stroke-width='{curve.width}'{dashed(curve)}/>"
            )
            parts.append(text(at + 28, 50, curve.name, 12, "#1b1f24"))
            at += 48 + 6.2 * len(curve.name)
        for tick in self.ys:
            y = self.y(tick)
            shade = "#9aa0a8" if tick == 0 else "#e4e6ea"
            parts.append(f"<line x1='{LEFT}' y1='{y:.2f}' x2='{WIDTH - RIGHT}' y2='{y:.2f}' stroke='{shade}'/>")
            parts.append(text(LEFT - 8, y + 4, plain(tick), 12, "#55595f", anchor="end"))
        for tick in self.xs:
            x = self.x(tick)
            shade = "#9aa0a8" if tick == 0 else "#e4e6ea"
            parts.append(f"<line x1='{x:.2f}' y1='{TOP}' x2='{x:.2f}' y2='{HEIGHT - BOTTOM}' stroke='{shade}'/>")
            parts.append(text(x, HEIGHT - BOTTOM + 18, plain(tick), 12, "#55595f", anchor="middle"))
        parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, self.across, 12, "#1b1f24", anchor="middle"))
        parts.append(
            f"<text transform='translate(16 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)' text-anchor='middle' "
            f"font-size='12' fill='#1b1f24' {FONT}>{self.up}</text>"
        )
        parts += [line for curve in self.curves for line in self.lines(curve)]
        return "\n".join([*parts, "</svg>", ""])

    def lines(self, curve: Curve) -> list[str]:
        """Return the curve, broken where it leaves the picture."""
        runs: list[list[Point]] = [[]]
        for x, y in curve.points:
            if self.ys[0] <= y <= self.ys[-1]:
                runs[-1].append((self.x(x), self.y(y)))
            elif runs[-1]:
                runs.append([])
        return [
            f"<polyline fill='none' stroke='{curve.colour}' stroke-width='{curve.width}'{dashed(curve)} points='"
            + " ".join(f"{x:.2f},{y:.2f}" for x, y in run)
            + "'/>"
            for run in runs
            if len(run) > 1
        ]


def dashed(curve: Curve) -> str:
    return f" stroke-dasharray='{curve.dash}'" if curve.dash else ""


def plain(value: float) -> str:
    return f"{value:g}"


def text(
    x: float, y: float, words: str, size: int, colour: str, *, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f"<text x='{x:.2f}' y='{y:.2f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' "
        f"fill='{colour}' {FONT}>{words}</text>"
    )


def grid(low: float, high: float, count: int = 160) -> list[float]:
    return [low + (high - low) * step / count for step in range(count + 1)]


def curve(
    name: str, of: Callable[[float], float | None], xs: Sequence[float], colour: str, dash: str = "", width: float = 2.0
) -> Curve:
    """Return the curve of a function; where it is None there is nothing."""
    points = [(x, y) for x in xs if (y := of(x)) is not None]
    return Curve(name, tuple(points), colour, dash, width)


def fixed_spread() -> Chart:
    shapes = (("1, linear", 1.0, 0.0, MIDDLE, ""), ("2, flat near zero", 2.0, 0.0, BID, ""))
    steep = (("0.5, steep near zero", 0.5, 0.0, OFFER, ""), ("1 with a dead zone of 0.3", 1.0, 0.3, OTHER, "6 4"))
    return Chart(
        "Shift of both quotes by skew_exponent, skew = 1",
        "position as a share of max_position",
        "shift in half-spreads",
        tuple(
            curve(name, lambda r, e=exponent, d=dead: -leaning(r, e, d), grid(-1, 1), colour, dash)
            for name, exponent, dead, colour, dash in (*shapes, *steep)
        ),
        (-1, -0.5, 0, 0.5, 1),
        (-1, -0.5, 0, 0.5, 1),
    )


def multi_level() -> Chart:
    half = 5.0
    levels = [
        curve(
            f"{side} {level + 1}",
            lambda r, s=sign, n=level: -half * leaning(r, 1.0, 0.0) + s * half * (1 + 0.5 * n),
            grid(-1, 1),
            colour,
            "" if level == 0 else "6 4" if level == 1 else "2 4",
        )
        for side, sign, colour in (("offer", 1, OFFER), ("bid", -1, BID))
        for level in range(3)
    ]
    return Chart(
        "Three levels a side, spread 10 bps, level_step 0.5, skew 1",
        "position as a share of max_position",
        "distance from the mid, bps",
        tuple(levels),
        (-1, -0.5, 0, 0.5, 1),
        (-15, -10, -5, 0, 5, 10, 15),
    )


def multi_level_volatility() -> Chart:
    doubles = 0.10 * 10_000 / math.sqrt(365 * 86_400)
    per_root_second = 10_000 / math.sqrt(365 * 86_400)
    return Chart(
        "By what the spread is multiplied, 2 at 10 % a year",
        "volatility, % a year",
        "times",
        (
            curve(
                "multi_level, max_widening 3",
                lambda v: widening(v / 100 * per_root_second, doubles, 3.0),
                grid(0, 80),
                BID,
            ),
            curve("the article, without a bound", lambda v: 1 + 10 * v / 100, grid(0, 80), OFFER, "6 4"),
        ),
        (0, 20, 40, 60, 80),
        (1, 3, 5, 7, 9),
    )


def avellaneda_stoikov() -> Chart:
    gamma, k, sigma, horizon = 0.02, 1.2, 1.1, 30.0
    half = optimal_spread(gamma, sigma, horizon, k) / 2

    def centre(q: float) -> float:
        return reservation_price(0.0, q, gamma, sigma, horizon)

    return Chart(
        "gamma 0.02, k 1.2, sigma 1.1 bps per root second, horizon 30 s",
        "position in level sizes",
        "distance from the mid, bps",
        (
            curve("offer", lambda q: centre(q) + half, grid(-6, 6), OFFER),
            curve("reservation price", centre, grid(-6, 6), MIDDLE, "6 4"),
            curve("bid", lambda q: centre(q) - half, grid(-6, 6), BID),
        ),
        (-6, -4, -2, 0, 2, 4, 6),
        (-6, -4, -2, 0, 2, 4, 6),
    )


def avellaneda_stoikov_spread() -> Chart:
    gamma, k, sigma = 0.1, 1.5, 2.0
    return Chart(
        "Total spread for gamma 0.1, k 1.5, sigma 2 (golden value at 1)",
        "time left, T - t",
        "total spread, units of price",
        (
            curve("the paper", lambda t: optimal_spread(gamma, sigma, t, k), grid(0, 2), BID),
            curve(
                "the article, first term doubled",
                lambda t: 2 * gamma * sigma**2 * t + 2 * liquidity_premium(gamma, k),
                grid(0, 2),
                OFFER,
                "6 4",
            ),
        ),
        (0, 0.5, 1, 1.5, 2),
        (1, 1.5, 2, 2.5, 3),
    )


def stationary_stoikov() -> Chart:
    gamma, k, bound = 0.1, 1.5, 5.0
    omega = natural_omega(gamma, 1.0, bound)
    premium = liquidity_premium(gamma, k)

    def bid(q: float) -> float | None:
        more, _ = reservation_prices(q, gamma, 1.0, omega)
        return None if more is None or q >= bound else more - premium

    def offer(q: float) -> float | None:
        _, less = reservation_prices(q, gamma, 1.0, omega)
        return None if less is None or q <= -bound else less + premium

    return Chart(
        "gamma 0.1, k 1.5, max_position 5 level sizes",
        "position in level sizes",
        "distance from the mid, bps",
        (
            curve("offer", offer, grid(-5, 5, 400), OFFER),
            curve("bid", bid, grid(-5, 5, 400), BID),
            curve(
                "offer by the formula as printed",
                lambda q: printed_less(q, gamma, 1.0, omega) + premium,
                grid(-5, 5, 400),
                OTHER,
                "6 4",
            ),
        ),
        (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5),
        (-20, -15, -10, -5, 0, 5, 10, 15, 20),
    )


def glft() -> Chart:
    given = {"gamma": 0.01, "sigma": 1.0, "k": 0.3, "intensity": 0.1}
    solved = spectral(**given, bound=20)

    def offered(q: float) -> float | None:
        return between(solved, -q)

    def bought(q: float) -> float | None:
        below = between(solved, q)
        return None if below is None else -below

    whole = [float(q) for q in range(-20, 21)]
    return Chart(
        "gamma 0.01, sigma 1, k 0.3, A 0.1, bound 20: where the closed form is off",
        "position in level sizes",
        "distance from the mid, bps",
        (
            curve("offer, spectral", offered, whole, OFFER),
            curve("bid, spectral", bought, whole, BID),
            curve("closed form", lambda q: closed_form(q, **given)[1], whole, OTHER, "6 4"),
            curve("", lambda q: -closed_form(q, **given)[0], whole, OTHER, "6 4"),
        ),
        (-20, -15, -10, -5, 0, 5, 10, 15, 20),
        (-20, -10, 0, 10, 20),
    )


def arbitrage() -> Chart:
    """Two books whose sizes are BTC and whose prices are cents, walked against each other whatever it costs."""
    instrument = Instrument(
        name="BTC-USDT.spot@north", symbol="BTCUSDT", venue="north", base="BTC", quote="USDT",
        price_decimals=2, size_decimals=1,
    )  # fmt: skip
    books = (
        ([(9_990, 500)], [(10_000, 12), (10_010, 30), (10_030, 500)]),
        ([(10_050, 20), (10_040, 50), (10_020, 500)], [(10_060, 500)]),
    )
    views = []
    for number, sides in enumerate(books):
        rows = TapeBuffer(16)
        rows.append(1, 1, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, number))
        for side, levels in zip((BUY, SELL), sides, strict=True):
            for price, size in levels:
                rows.append(1, 1, price, 10 * size, 0, pack(LEVEL_SET, side, 0, number))
        rows.mark_last()
        view = View(instrument, number, Ladder())
        view.on_message(rows, 0, rows.count, 1)
        views.append(view)
    book = ConsolidatedBook(views)
    fee = Fraction(1, 1000)
    way = Way(book, *book.legs, Costs(fee, fee, Fraction(0), Fraction(0), Fraction(-1)))
    slices = list(way.slices())

    def net(size: float) -> float:
        deal = way.deal(slices, None, round(size * 10))
        return float(deal.net) if deal is not None else 0.0

    return Chart(
        "Fee 0.1 % a side: walked, 42 BTC pay; the best prices promise more with every one",
        "BTC bought",
        "profit after fees, USDT",
        (
            curve("both books walked", net, grid(0, 60, 120), BID),
            curve("the article: the best prices, any size", lambda q: 0.2995 * q, grid(0, 60), OFFER, "6 4"),
        ),
        (0, 12, 24, 36, 48, 60),
        (0, 3, 6, 9, 12, 15, 18),
    )


def practical_spread() -> Chart:
    half = article_spread_bps(0.0, 0.0, 0.0) / 2
    assert half == 5.0
    return Chart(
        "Quotes by imbalance, base 10 bps, no volatility, flat",
        "imbalance of the book, +1 all bids",
        "distance from the price, bps",
        (
            curve("offer, corrected", lambda i: corrected_distances(0, i, 0)[1], grid(-1, 1), OFFER),
            curve("bid, corrected", lambda i: -corrected_distances(0, i, 0)[0], grid(-1, 1), BID),
            curve("the article", lambda i: article_spread_bps(0, i, 0) / 2, grid(-1, 1), OTHER, "6 4"),
            curve("", lambda i: -article_spread_bps(0, i, 0) / 2, grid(-1, 1), OTHER, "6 4"),
        ),
        (-1, -0.5, 0, 0.5, 1),
        (-8, -6, -4, -2, 0, 2, 4, 6, 8),
    )


def practical_spread_volatility() -> Chart:
    per_root_second = 0.60 * 10_000 / math.sqrt(365 * 86_400)
    seconds = [0.1 * 10 ** (step / 40) for step in range(121)]

    def article(every: float) -> float:
        spread: float = article_spread_bps(per_root_second * 1e-4 * math.sqrt(every) * math.sqrt(24 * 60), 0, 0, base=0)
        return spread

    return Chart(
        "What volatility adds to the spread, one market of 60 % a year",
        "seconds between two calls",
        "bps",
        (
            curve("the article: by how often it is called", article, seconds, OFFER, "6 4"),
            curve(
                "corrected: by elapsed time, volatility_horizon 12 min",
                lambda _: 0.5 * per_root_second * math.sqrt(720),
                seconds,
                BID,
            ),
        ),
        (0.1, 0.5, 1, 5, 10, 60, 100),
        (0, 50, 100, 150, 200),
        is_log=True,
    )


def order_book_imbalance() -> Chart:
    spread = 10.0

    def centre(i: float) -> float:
        return shifted(spread, i, 0.3, 0.1)

    xs = sorted([*grid(-1, 1), -0.1, -0.0999, 0.0999, 0.1])
    return Chart(
        "imbalance_skew 0.3, threshold 0.1 (lines); widen 0.5 instead (dashes); spread 10 bps",
        "imbalance of the book, +1 all bids",
        "distance from the mid, bps",
        (
            curve("offer", lambda i: centre(i) + spread / 2, xs, OFFER),
            curve("bid", lambda i: centre(i) - spread / 2, xs, BID),
            curve("widened", lambda i: widened(spread, i, 0.5) / 2, xs, OTHER, "6 4"),
            curve("", lambda i: -widened(spread, i, 0.5) / 2, xs, OTHER, "6 4"),
        ),
        (-1, -0.5, -0.1, 0, 0.1, 0.5, 1),
        (-10, -5, 0, 5, 10),
    )


CHARTS: dict[str, Callable[[], Chart]] = {
    "fixed_spread": fixed_spread,
    "multi_level": multi_level,
    "multi_level_volatility": multi_level_volatility,
    "avellaneda_stoikov": avellaneda_stoikov,
    "avellaneda_stoikov_spread": avellaneda_stoikov_spread,
    "stationary_stoikov": stationary_stoikov,
    "glft": glft,
    "practical_spread": practical_spread,
    "practical_spread_volatility": practical_spread_volatility,
    "order_book_imbalance": order_book_imbalance,
    "arbitrage": arbitrage,
}


def main(folder: Path = HERE) -> None:
    """Write every picture into *folder*."""
    for name, chart in CHARTS.items():
        (folder / f"{name}.svg").write_text(chart().svg(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
