"""The same script sent through hftbacktest: the tape as our export writes it, read from the file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from quotewright.kernel.codes import BUY
from quotewright.tape import hftbacktest as layout
from quotewright.tape.export import Selection
from tests.crosscheck.fills import Fills, Model, gather
from tests.crosscheck.markets import Market
from tests.crosscheck.script import AMEND, ENTRY_NS, NEW, RESPONSE_NS, Command

RELEASE = "2.4.4"
END_OF_DATA = 1
RESPONSE = 3
FILLED = 3
NO_LIMIT_NS = 10**18


class Stopped(Exception):
    """hftbacktest ended its run with an error."""


def load() -> Any:
    """Return the module hftbacktest.

    Raises:
        ImportError: it is not installed.
    """
    import hftbacktest

    return hftbacktest


def release() -> str:
    return version("hftbacktest")


def builder(asset: Any, model: Model) -> Any:
    """Choose the queue model of *asset*."""
    if model.f == "power":
        name = "power_prob_queue_model" + ("" if model.form == 1 else str(model.form))
        return getattr(asset, name)(model.exponent)
    if model.f == "log":
        return asset.log_prob_queue_model() if model.form == 1 else asset.log_prob_queue_model2()
    return asset.risk_adverse_queue_model()


def write_events(market: Market, path: Path) -> None:
    """Write the market as our export does: ``data export --to hftbacktest``."""
    found, _ = layout.events(Selection.of(market.tape))
    layout.write(path, found)


def theirs(market: Market, commands: Sequence[Command], model: Model, path: Path) -> Fills:
    """Return the fills of hftbacktest on the events of file *path*.

    An order shows what is open of it and its last execution, whenever a response arrives. So what was filled at one
    time of the venue is known together, with the price of the last of it.

    Raises:
        Stopped: it ended with an error, or refused to take a command.
    """
    module = load()
    from hftbacktest.order import GTC, GTX, IOC, LIMIT

    tick = 10.0**-market.instrument.price_decimals
    lot = 10.0**-market.instrument.size_decimals
    asset = module.BacktestAsset().data(str(path)).linear_asset(1.0)
    asset = builder(asset.constant_order_latency(ENTRY_NS, RESPONSE_NS), model).partial_fill_exchange()
    asset = asset.trading_value_fee_model(0.0, 0.0).tick_size(tick).lot_size(lot).last_trades_capacity(0)
    bot = module.HashMapMarketDepthBacktest([asset])
    executions: list[tuple[int, int, int, int]] = []
    open_lots: dict[int, int] = {}
    amended_at: dict[int, int] = {}
    open_when_amended: dict[int, int] = {}

    def look() -> None:
        orders = bot.orders(0)
        for number, before in list(open_lots.items()):
            order = orders.get(number)
            if order is None or order.exch_timestamp == 0:
                continue
            left = round(order.leaves_qty / lot)
            is_amended = order.exch_timestamp == amended_at.get(number)
            # What was open when an amend was sent is what it takes as open, whatever filled on the way.
            done = (open_when_amended[number] if is_amended else before) - left
            if done > 0 and order.exec_qty > 0.0 and (not is_amended or order.status == FILLED):
                executions.append((number, order.exch_timestamp, order.exec_price_tick, done))
            open_lots[number] = left
            if order.status == FILLED:
                del open_lots[number]

    def until(time: int) -> bool:
        while bot.current_timestamp < time:
            code = bot.wait_next_feed(True, time - bot.current_timestamp)
            if code == END_OF_DATA:
                look()
                return False
            if code == RESPONSE:
                look()
            elif code not in (0, 2):
                raise Stopped(f"hftbacktest ended its run with error {code} at {bot.current_timestamp}")
        return True

    try:
        bot.wait_next_feed(False, 1)
        for command in commands:
            until(command.at)
            price, quantity = command.price * tick, command.quantity * lot
            if command.kind == NEW:
                way = IOC if command.immediate else GTX if command.post_only else GTC
                submit = bot.submit_buy_order if command.side == BUY else bot.submit_sell_order
                code = submit(0, command.order, price, quantity, way, LIMIT, False)
                open_lots[command.order] = command.quantity
            elif command.kind == AMEND:
                open_when_amended[command.order] = open_lots.get(command.order, 0)
                code = bot.modify(0, command.order, price, quantity, False)
                amended_at[command.order] = command.at + ENTRY_NS
            else:
                code = bot.cancel(0, command.order, False)
            if code:
                raise Stopped(f"hftbacktest refused {command} with error {code}")
        until(commands[-1].at + NO_LIMIT_NS)
    finally:
        bot.close()
    executions.sort(key=lambda execution: execution[1])
    return gather(executions)
