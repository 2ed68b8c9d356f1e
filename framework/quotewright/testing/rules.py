"""What a risk rule is worth: it can trip, it can be released, and it never stands in the way of a cancel or an exit.

``quotewright plugins check --hook risk_rules`` shows the certificate of every rule, those of other packages too. The
rule is put on a small run and the market, the venue and the strategy are made to misbehave, one kind of trouble after
the other, until it trips.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args

import attrs

from quotewright.config.structure import fields, structure
from quotewright.config.units import Amount, Bps, Duration, Percent, TimeOfDay
from quotewright.errors import QuotewrightError
from quotewright.kernel.codes import BUY, HALT, NORMAL, REDUCE_ONLY, SELL, WARNING
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import Canceled, CancelOrder, NewOrder
from quotewright.plugin.settings import config_model
from quotewright.testing.rule_stage import HOUR, MILLISECOND, SECOND, STRATEGY, RuleStage

LOTS = 4
"""Position before the trouble begins, in lots of 0.001 BTC at 1,000 USDT."""
MOST_SETTINGS = 64
CALM_STEPS = 60
ORDINARY = (1, 10, 50)
"""Quantities of ordinary orders in lots: a rule about size refuses some of them at any time."""


@attrs.frozen
class Certificate:
    """What was seen of one rule; each of the four answers is ``yes``, ``no`` or ``n/a``.

    ``trouble`` is what it tripped on, ``settings`` the keys it was given, ``why`` what is wrong where an answer is no.
    """

    trips: str
    releases: str = "n/a"
    passes_cancel: str = "n/a"
    passes_reducing: str = "n/a"
    trouble: str = ""
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    why: str = ""

    def line(self) -> str:
        """Return the four answers as they are printed."""
        return (
            f"trips {self.trips}, releases {self.releases}, passes_cancel {self.passes_cancel}, "
            f"passes_reducing {self.passes_reducing}"
        )

    def problems(self) -> list[str]:
        """Return one sentence for each answer that is not as it must be."""
        names = ("trips", "releases", "passes_cancel", "passes_reducing")
        return [f"{name}: no ({self.why})" for name in names if getattr(self, name) == "no"]


def certify(factory: Any) -> Certificate:
    """Return the certificate of the rule that *factory* makes.

    Keys without a default get plausible values. A rule whose keys mean something together, or that does nothing by
    default, states them itself in a class attribute ``example`` (a mapping of keys as in a config file).
    """
    tripped: Certificate | None = None
    why = "it has no keys that fit: state some in a class attribute 'example'"
    for settings in _settings(factory):
        for trouble in TROUBLES:
            try:
                stage = RuleStage(_made(factory, settings))
            except QuotewrightError as error:
                why = str(error)
                break
            found = _tried(stage, trouble, settings)
            if found is not None and (tripped is None or len(found.problems()) < len(tripped.problems())):
                tripped = found
            if found is not None and not found.problems():
                return found
            why = stage.failures[0] if stage.failures else f"none of {len(TROUBLES)} kinds of trouble made it trip"
    return tripped or Certificate("no", why=why)


def _settings(factory: Any) -> Iterator[dict[str, Any]]:
    """Yield settings for a rule: its own example, or every combination of plausible values of its required keys."""
    example = getattr(factory, "example", None)
    if example is not None:
        yield dict(example)
        return
    model = config_model(factory)
    if model is None:
        yield {}
        return
    required = [(key, field.type) for key, field in fields(model).items() if field.default is attrs.NOTHING]
    choices = [[(key, value) for value in _plausible(kind)] for key, kind in required]
    for chosen in itertools.islice(itertools.product(*choices), MOST_SETTINGS):
        yield dict(chosen)


def _plausible(kind: Any) -> list[Any]:
    """Return values that a key of this type may have in a small run."""
    found: list[Any] = []
    for part in get_args(kind) or (kind,):
        if part is Amount:
            found += ["20 lots", "20 quote"]
        elif part is Percent:
            found.append("2%")
        elif part is Bps:
            found.append("50 bps")
        elif part is Duration:
            found.append("10s")
        elif part is TimeOfDay:
            found.append("00:00 UTC")
        elif part is int:
            found.append(10)
        elif part in (float, Decimal):
            found.append(Decimal("0.5"))
        elif part is bool:
            found.append(True)
        elif isinstance(part, str):  # a choice
            found.append(part)
    return found or [""]


def _made(factory: Any, settings: Mapping[str, Any]) -> RiskRule:
    model = config_model(factory)
    if model is None:
        made: RiskRule = factory()
        return made
    keys: Any = structure(model, dict(settings), "risk.rule")
    found: RiskRule = keys if model is factory else factory(keys)
    return found


def _tried(stage: RuleStage, trouble: Trouble, settings: Mapping[str, Any]) -> Certificate | None:
    """Make *trouble* on the stage and return what was seen once the rule has tripped, None if it never does."""
    (rule,) = stage.gate.rules
    stage.deal(BUY, LOTS)
    resting = stage.place(BUY, 1, stage.mid - 5)
    has_tripped = False
    warned = False
    for _ in trouble(stage):
        if stage.failures:
            return None
        warned = warned or rule.state == WARNING or any(state == WARNING for state, _ in rule.scoped.values())
        if _holds_back(stage, rule):
            has_tripped = True
            break
    if not has_tripped:
        has_tripped = warned and not _restricts(type(rule))
    if not has_tripped:
        return None
    name = trouble.__name__.strip("_").replace("_", " ")
    number = resting.number if resting is not None else 1
    cancel = CancelOrder(order_number=number, instrument=0, strategy=STRATEGY)
    passes_cancel = "yes" if stage.gate.verdict(cancel, stage.view) is None else "no"
    reducing, why = _passes_reducing(stage, rule)
    releases, kept = _releases(stage, rule)
    return Certificate(
        "yes", releases, passes_cancel, reducing, name, settings, "; ".join(text for text in (why, kept) if text)
    )


def _restricts(kind: type) -> bool:
    """Return whether the rule's default is to do more than warn."""
    model = config_model(kind)
    field = fields(model).get("on_breach") if model is not None else None
    return field is None or field.default != "warning"


def _holds_back(stage: RuleStage, rule: RiskRule) -> bool:
    """Return whether the rule has refused an order, or holds the strategy in a state that does."""
    if any(refusal.rule == rule.name for refusal in stage.told.refusals):
        return True
    return stage.state() >= REDUCE_ONLY


def _passes_reducing(stage: RuleStage, rule: RiskRule) -> tuple[str, str]:
    """Ask for an order that only reduces; in HALT the operator's way out must be open instead."""
    if not rule.exempts_reducing:
        return "n/a", ""
    if stage.view.position_lots == 0:
        return "n/a", ""
    side = SELL if stage.view.position_lots > 0 else BUY
    if not stage.view.is_book_good:
        stage.quote(stage.mid)
    order = NewOrder(
        order_number=0,
        instrument=0,
        side=side,
        price_ticks=stage.mid,
        quantity_lots=1,
        reduce_only=True,
        time_in_force=1,
        strategy=STRATEGY,
    )
    for other in list(stage.view.live):  # what is open on the same side counts against it
        if other.side == side:
            stage.cancel(other)
    if stage.state() >= HALT:
        refusal = stage.gate.ask_rules(order, stage.view, True)
    else:
        refusal = stage.gate.verdict(order, stage.view)
    return ("yes", "") if refusal is None else ("no", f"a reducing order was refused: {refusal.reason} {refusal.text}")


def _releases(stage: RuleStage, rule: RiskRule) -> tuple[str, str]:
    """Let the trouble end, close the position, let the operator release, and ask for an ordinary order in a calm."""
    stage.venue.rejects = False
    stage.reach(True)
    for order in list(stage.view.live):
        stage.cancel(order)
    stage.quote(stage.mid)
    stage.pipeline.operate("flatten", "the check")
    for order in list(stage.view.live):
        stage.fill(order, order.open_lots())
    why = ""
    for pause_ns in (SECOND, HOUR, 25 * HOUR):
        stage.pipeline.operate("resume", "the check")
        for _ in range(CALM_STEPS):
            stage.wait(pause_ns // CALM_STEPS)
            stage.references(Decimal(stage.mid) / 10, Decimal(stage.mid) / 10)
            stage.quote(stage.mid)
            stage.ticker(stage.mid - 1, stage.mid + 1)
            stage.trade(BUY, stage.mid + 1, 1)
        asked = [stage.asks(BUY, lots, stage.mid - 1) for lots in ORDINARY]
        refusal = asked[0]
        if None in asked and stage.state() == NORMAL:
            return "yes", ""
        held = stage.gate.why() if refusal is None else f"{refusal.rule} {refusal.reason}: {refusal.text}"
        why = f"after a calm day and the operator's release it still holds: {held}"
    return "no", why


Trouble = Callable[[RuleStage], Iterator[None]]


def large_orders(stage: RuleStage) -> Iterator[None]:
    """Ever larger orders near the market, none of them filled."""
    for power in range(10):
        order = stage.place(BUY, 2 * 4**power, stage.mid - 2)
        yield
        if order is not None:
            stage.cancel(order)
        stage.wait(SECOND)


def far_orders(stage: RuleStage) -> Iterator[None]:
    """Orders ever farther from the market."""
    for away in (10, 30, 100, 300, 1000, 3000, 9000):
        for side, price in ((BUY, stage.mid - away), (SELL, stage.mid + away)):
            order = stage.place(side, 1, price)
            yield
            if order is not None:
                stage.cancel(order)
        stage.wait(SECOND)


def many_messages(stage: RuleStage) -> Iterator[None]:
    """Orders and cancels in quick succession, at ever other prices."""
    for number in range(400):
        order = stage.place(BUY, 1, stage.mid - 2 - number % 50)
        yield
        if order is not None:
            stage.cancel(order)
        stage.wait(MILLISECOND)


def many_open_orders(stage: RuleStage) -> Iterator[None]:
    """More and more open orders, one a second."""
    for number in range(200):
        stage.place(BUY if number % 2 else SELL, 1, stage.mid + (-2 - number if number % 2 else 2 + number))
        yield
        stage.wait(SECOND)
        stage.quote(stage.mid)


def repeated_orders(stage: RuleStage) -> Iterator[None]:
    """The same order again and again."""
    for _ in range(60):
        stage.place(BUY, 1, stage.mid - 3)
        yield
        stage.wait(10 * MILLISECOND)


def growing_position(stage: RuleStage) -> Iterator[None]:
    """Purchases until the position is large."""
    for _ in range(60):
        stage.deal(BUY, 4)
        yield
        stage.wait(10 * SECOND)
        stage.quote(stage.mid)
        yield


def growing_losses(stage: RuleStage) -> Iterator[None]:
    """A falling market and a long position."""
    for _ in range(80):
        stage.deal(BUY, 4)
        yield
        for _ in range(10):
            stage.wait(SECOND)
            stage.quote(stage.mid * 998 // 1000)
            yield


def realised_losses(stage: RuleStage) -> Iterator[None]:
    """Buying high and selling low."""
    for _ in range(60):
        stage.deal(BUY, 4, stage.mid + 100)
        yield
        stage.deal(SELL, 4, stage.mid - 100)
        yield
        stage.wait(2 * SECOND)
        stage.quote(stage.mid)


def a_jump_of_the_price(stage: RuleStage) -> Iterator[None]:
    """The market jumps by a tenth while references lag."""
    for _ in range(30):
        stage.wait(100 * MILLISECOND)
        stage.quote(stage.mid)
        stage.references(Decimal(stage.mid) / 10, Decimal(stage.mid) / 10)
        yield
    stage.quote(stage.mid * 11 // 10)
    for _ in range(10):
        stage.wait(100 * MILLISECOND)
        stage.references(Decimal(stage.mid) / 10, Decimal(stage.mid) / 10)
        stage.quote(stage.mid)
        stage.place(BUY, 1, stage.mid - 2)
        yield


def a_bad_reading(stage: RuleStage) -> Iterator[None]:
    """One absurd quote among good ones, with a large position."""
    stage.deal(BUY, 100)
    for _ in range(5):
        stage.wait(SECOND)
        stage.quote(stage.mid)
        yield
    good = stage.mid
    stage.quote(good * 3)
    stage.wait(SECOND)
    yield
    stage.quote(good)


def silence(stage: RuleStage) -> Iterator[None]:
    """No message of the market for ever longer."""
    for _ in range(40):
        stage.wait(15 * SECOND)
        stage.place(BUY, 1, stage.mid - 2)
        yield


def rejected_orders(stage: RuleStage) -> Iterator[None]:
    """A venue that rejects everything."""
    stage.venue.rejects = True
    for number in range(200):
        stage.place(BUY, 1, stage.mid - 2 - number % 30)
        yield
        stage.wait(20 * MILLISECOND)


def fills_of_both_sides(stage: RuleStage) -> Iterator[None]:
    """Very many executions of both sides at once."""
    for number in range(400):
        stage.deal(SELL if number % 2 else BUY, 1)
        yield
        stage.wait(5 * MILLISECOND)


def fills_of_one_side(stage: RuleStage) -> Iterator[None]:
    """Only our bids are filled, one every few seconds, and the market stays where it is."""
    for _ in range(120):
        stage.deal(BUY, 1)
        yield
        stage.wait(3 * SECOND)
        stage.quote(stage.mid)


def informed_takers(stage: RuleStage) -> Iterator[None]:
    """After every fill the market goes on against us, and comes back later."""
    for number in range(80):
        side = SELL if number % 2 else BUY
        stage.deal(side, 1)
        yield
        start = stage.mid
        for step in range(1, 14):
            stage.wait(5 * SECOND)
            stage.quote(start + (-step if side == BUY else step) * 5)
        yield
        stage.quote(start)


def quarrelling_streams(stage: RuleStage) -> Iterator[None]:
    """Ticker and prints far from the book."""
    for _ in range(100):
        stage.ticker(stage.mid * 9 // 10, stage.mid * 9 // 10 + 2)
        stage.trade(BUY, stage.mid * 9 // 10, 5)
        stage.wait(200 * MILLISECOND)
        stage.quote(stage.mid)
        yield


def moving_references(stage: RuleStage) -> Iterator[None]:
    """Mark and index leave the market."""
    for step in range(60):
        price = Decimal(stage.mid) / 10 * (100 + step) / 100
        stage.references(price, price)
        stage.wait(200 * MILLISECOND)
        stage.quote(stage.mid)
        stage.place(BUY, 1, stage.mid - 2)
        yield


def a_lost_venue(stage: RuleStage) -> Iterator[None]:
    """The private stream is lost for minutes."""
    stage.reach(False, "the private stream is silent")
    for _ in range(60):
        stage.wait(10 * SECOND)
        stage.quote(stage.mid)
        stage.place(BUY, 1, stage.mid - 2)
        yield


def unanswered_orders(stage: RuleStage) -> Iterator[None]:
    """A venue that has stopped to answer."""
    stage.venue.submit = lambda command, now_ns: True  # type: ignore[method-assign]
    for number in range(60):
        stage.place(BUY, 1, stage.mid - 2 - number)
        yield
        stage.wait(10 * SECOND)
        stage.quote(stage.mid)


def meeting_oneself(stage: RuleStage) -> Iterator[None]:
    """Orders that would trade with our own, and some that the venue ends for it."""
    stage.place(BUY, 1, stage.mid)
    yield
    stage.place(SELL, 1, stage.mid - 1, time_in_force=1)
    yield
    for _ in range(20):
        order = stage.place(BUY, 1, stage.mid - 2)
        if order is not None:
            stage.venue.tell(Canceled, order_number=order.number, reason="stp")
        stage.wait(100 * MILLISECOND)
        yield


def a_broken_book(stage: RuleStage) -> Iterator[None]:
    """Gap after gap."""
    for _ in range(60):
        stage.gap()
        yield
        stage.wait(SECOND)
        stage.quote(stage.mid)
        yield


def the_whole_day(stage: RuleStage) -> Iterator[None]:
    """A day and a half of calm, an order every half hour."""
    for _ in range(72):
        for _ in range(30):
            stage.wait(60 * SECOND)
            stage.quote(stage.mid)
        order = stage.place(BUY, 1, stage.mid - 2)
        yield
        if order is not None:
            stage.cancel(order)


def rising_funding(stage: RuleStage) -> Iterator[None]:
    """Ever higher funding rates."""
    for step in range(1, 40):
        stage.funding(Decimal(step) / 1000)
        stage.wait(HOUR)
        stage.quote(stage.mid)
        stage.place(BUY, 1, stage.mid - 2)
        yield


def wide_spreads(stage: RuleStage) -> Iterator[None]:
    """A market whose spread opens and whose depth goes."""
    for step in range(1, 60):
        stage.quote(stage.mid, 1 + step * 20, 1)
        stage.wait(SECOND)
        stage.place(BUY, 1, stage.mid - 2)
        yield


TROUBLES: tuple[Trouble, ...] = (
    large_orders,
    far_orders,
    repeated_orders,
    many_messages,
    many_open_orders,
    growing_position,
    growing_losses,
    realised_losses,
    a_jump_of_the_price,
    a_bad_reading,
    silence,
    rejected_orders,
    fills_of_both_sides,
    fills_of_one_side,
    informed_takers,
    quarrelling_streams,
    moving_references,
    a_lost_venue,
    unanswered_orders,
    meeting_oneself,
    a_broken_book,
    the_whole_day,
    rising_funding,
    wide_spreads,
)
