"""What an operator can do to a run beyond its states: close positions, and change a strategy's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import BUY, IOC, NEVER, SELL, TRADING
from quotewright.kernel.desk import STRATEGY, Timer
from quotewright.model.orders import NewOrder

if TYPE_CHECKING:
    from quotewright.kernel.desk import Desk
    from quotewright.kernel.pipeline import Pipeline

FLATTEN_COLLAR_PPM = 10_000
"""How far from the mid the operator's flatten may trade: 1 %."""


def flatten(pipeline: Pipeline, scope: str) -> bool:
    """Cancel everything and close every position at once, at most 1 % through the mid, past every state.

    *scope* says of what: nothing for the whole run, else a strategy, an instrument or a venue. Of an instrument that
    several strategies trade the position of all is closed, unless the scope is one of them.
    """
    for desk in pipeline.desks:
        view = desk.view
        names = (
            f"strategy:{desk.name}",
            f"instrument:{view.instrument.name}",
            f"venue:{pipeline.gate.venue_of.get(view.instrument_id, '')}",
        )
        if scope and scope not in names:
            continue
        for order in list(view.live):
            if desk.owns(order):
                pipeline.cancel(order)
        is_alone = scope == names[0]
        if not is_alone and desk is not pipeline.desks_of[view.instrument_id][0]:
            continue
        position = desk.portfolio.position_lots if is_alone else view.position_lots
        if position != 0 and view.was_good and view.status == TRADING:
            close(pipeline, desk, position)
    return True


def close(pipeline: Pipeline, desk: Desk, position: int) -> bool:
    """Send the order that closes *position* lots; rules about price, size and age are asked all the same."""
    view = desk.view
    side = SELL if position > 0 else BUY
    reach = view.known_mid2 * FLATTEN_COLLAR_PPM // 1_000_000
    limit2 = view.known_mid2 + reach if side == BUY else view.known_mid2 - reach
    command = NewOrder(
        order_number=0,
        instrument=view.instrument_id,
        side=side,
        price_ticks=max(1, limit2 // (2 * view.tick_steps)),
        quantity_lots=abs(position),
        time_in_force=IOC,
        reduce_only=True,
        strategy=desk.name,
    )
    refusal = pipeline.gate.ask_rules(command, view, True)
    if refusal is not None:
        pipeline.recorder.on_refusal(pipeline.now_ns, command, refusal, view)
        return False
    return pipeline.dispatch(command, view, desk.venue, -1, "")


def change(pipeline: Pipeline, action: str, assignment: str) -> bool:
    """Put a strategy with changed parameters in the place of the one at work; its next wake-up is the first.

    Raises:
        ValueError: the pipeline was wired without a config.
        InputError, ConfigError: the assignment does not fit; nothing has changed.
    """
    if pipeline.configure is None:
        raise ValueError("parameters cannot change: this pipeline was wired without a config")
    name, strategy = pipeline.configure(assignment)
    desk = next(desk for desk in pipeline.desks if desk.name == name)
    pipeline.recorder.on_operator(pipeline.now_ns, pipeline.rows_consumed, action)
    desk.change(strategy)
    first = pipeline.desks.index(desk.legs[0])
    timers = [timer for timer in pipeline.timers if timer.kind == STRATEGY and timer.index == first]
    period_ns = strategy.wake_every_ns
    if not timers and period_ns > 0:
        timers = [Timer(STRATEGY, first, 0)]
        pipeline.timers.extend(timers)
    for timer in timers:
        if timer.period_ns != period_ns:
            timer.period_ns = period_ns
            timer.next_ns = pipeline.now_ns + period_ns if period_ns > 0 else NEVER
    return pipeline.lay_timers()
