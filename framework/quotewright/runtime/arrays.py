"""The record of a run as NumPy record arrays: columns in currency and base units, beside the exact whole numbers."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from quotewright.kernel.codes import BUY, CANCELED, FILLED, REJECTED
from quotewright.kernel.portfolio import money
from quotewright.model.orders import AmendOrder, Fill, NewOrder, OrderState, RiskState, TimeInForce
from quotewright.runtime.recorder import RunRecorder

if TYPE_CHECKING:
    from quotewright.kernel.orders import Order
    from quotewright.kernel.view import View
    from quotewright.model.instrument import Instrument
    from quotewright.model.orders import Command, Report

    Records = np.recarray[Any, np.dtype[Any]]

ENDED = (FILLED, CANCELED, REJECTED)
ORDER_COLUMNS = (
    "time_ns", "end_ns", "instrument", "order", "side", "price_ticks", "quantity_lots", "filled_lots",
    "time_in_force", "post_only", "reduce_only", "amends", "state",
)  # fmt: skip
FILL_COLUMNS = (
    "time_ns", "event_ns", "instrument", "order", "side", "price_ticks", "quantity_lots", "is_maker", "mid2",
)  # fmt: skip


class ArrayRecorder(RunRecorder):
    """A recorder that also keeps every order with what became of it, and every fill with its fee."""

    def __init__(self) -> None:
        super().__init__()
        self.every_order: dict[str, array[int]] = {name: array("q") for name in ORDER_COLUMNS}
        self.every_fill: dict[str, array[int]] = {name: array("q") for name in FILL_COLUMNS}
        self.fill_fees: list[tuple[float, str]] = []
        self.strategies: list[str] = []
        self._place: dict[int, int] = {}

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None:
        super().on_command(now_ns, rows, command, view)
        if isinstance(command, AmendOrder):
            self.every_order["amends"][self._place[command.order_number]] += 1
        if not isinstance(command, NewOrder):
            return
        self._place[command.order_number] = len(self.strategies)
        self.strategies.append(command.strategy)
        values = (
            now_ns, 0, view.instrument_id, command.order_number, command.side, command.price_ticks,
            command.quantity_lots, 0, command.time_in_force, command.post_only, command.reduce_only, 0, 0,
        )  # fmt: skip
        for column, value in zip(self.every_order.values(), values, strict=True):
            column.append(value)

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None:
        super().on_report(now_ns, rows, report, order)
        if order is None:
            return
        place = self._place.get(order.number)
        if place is not None:
            self.every_order["state"][place] = order.state
            if order.state in ENDED and not self.every_order["end_ns"][place]:
                self.every_order["end_ns"][place] = now_ns
        if not isinstance(report, Fill):
            return
        if place is not None:
            self.every_order["filled_lots"][place] += report.quantity_lots
        view = order.view
        values = (
            now_ns, report.event_ns, view.instrument_id, order.number, order.side, report.price_ticks,
            report.quantity_lots, report.is_maker, view.known_mid2,
        )  # fmt: skip
        for column, value in zip(self.every_fill.values(), values, strict=True):
            column.append(value)
        self.fill_fees.append((float(money(report.fee)), report.fee_currency))

    # What became of it all.

    def orders_array(self) -> Records:
        """Return every order that was sent, in order, with what became of it."""
        columns = _columns(self.every_order)
        tick, lot = self._units(columns["instrument"])
        return records(
            {
                "time_ns": columns["time_ns"],
                "end_ns": columns["end_ns"],
                "order": columns["order"],
                "strategy": np.array(self.strategies, dtype=str),
                "instrument": self._names(columns["instrument"]),
                "side": _sides(columns["side"]),
                "price": columns["price_ticks"] * tick,
                "quantity": columns["quantity_lots"] * lot,
                "filled": columns["filled_lots"] * lot,
                "time_in_force": _named(TimeInForce, columns["time_in_force"]),
                "post_only": columns["post_only"].astype(bool),
                "reduce_only": columns["reduce_only"].astype(bool),
                "amends": columns["amends"],
                "state": _named(OrderState, columns["state"]),
                "price_ticks": columns["price_ticks"],
                "quantity_lots": columns["quantity_lots"],
            }
        )

    def fills_array(self) -> Records:
        """Return every fill, in the order in which they became known."""
        columns = _columns(self.every_fill)
        tick, lot = self._units(columns["instrument"])
        half = np.array([float(view.instrument.price_from_steps(1)) / 2 for view in self._by_id()])
        strategies = [self.strategies[self._place[number]] if number in self._place else "" for number in
                      columns["order"].tolist()]  # fmt: skip
        return records(
            {
                "time_ns": columns["time_ns"],
                "event_ns": columns["event_ns"],
                "order": columns["order"],
                "strategy": np.array(strategies, dtype=str),
                "instrument": self._names(columns["instrument"]),
                "side": _sides(columns["side"]),
                "price": columns["price_ticks"] * tick,
                "quantity": columns["quantity_lots"] * lot,
                "is_maker": columns["is_maker"].astype(bool),
                "fee": np.array([fee for fee, _ in self.fill_fees], dtype=float),
                "fee_currency": np.array([currency for _, currency in self.fill_fees], dtype=str),
                "mid": columns["mid2"] * (half[columns["instrument"]] if len(half) else 1.0),
                "price_ticks": columns["price_ticks"],
                "quantity_lots": columns["quantity_lots"],
            }
        )

    def samples_array(self) -> Records:
        """Return the points in time of every instrument, sorted by time, then instrument."""
        parts = []
        for view in self.views:
            columns = _columns(self.samples[view.instrument_id].columns)
            instrument = view.instrument
            step, tick = float(instrument.price_from_steps(1)), float(instrument.tick_size)
            parts.append(
                {
                    "time_ns": columns["time_ns"],
                    "instrument": np.full(len(columns["time_ns"]), instrument.name),
                    "mid": columns["mid2"] * (step / 2),
                    "best_bid": columns["best_bid"] * step,
                    "best_offer": columns["best_offer"] * step,
                    "own_bid": columns["own_bid_ticks"] * tick,
                    "own_offer": columns["own_offer_ticks"] * tick,
                    "position": columns["position_lots"] * float(instrument.lot_size),
                    "equity": columns["equity"],
                    "spread": columns["spread"],
                    "fees": columns["fees"],
                    "is_good": columns["is_good"].astype(bool),
                    "risk_state": _named(RiskState, columns["risk_state"]),
                }
            )
        made = records({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        return _by_time(made)

    def equity_array(self, samples: Records) -> Records:
        """Return profit over time, of all instruments of one currency together, sorted by time, then currency."""
        currency_of = {view.instrument.name: view.portfolio.quote for view in self.views}
        parts = []
        for currency in sorted(set(currency_of.values())):
            names = [name for name, one in currency_of.items() if one == currency]
            mine = samples[np.isin(samples["instrument"], names)]
            times, place = np.unique(mine["time_ns"], return_inverse=True)
            sums = {
                name: np.bincount(place, weights=mine[name], minlength=len(times))
                for name in ("equity", "spread", "fees")
            }
            parts.append({"time_ns": times, "currency": np.full(len(times), currency), **sums})
        made = records({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        return _by_time(made)

    def instruments_by_name(self) -> dict[str, Instrument]:
        """Return the instruments that were watched."""
        return {view.instrument.name: view.instrument for view in self.views}

    def _by_id(self) -> list[View]:
        """Return a view for each instrument id; ids that nobody watches have that of another."""
        found = {view.instrument_id: view for view in self.views}
        return [found.get(number, self.views[0]) for number in range(max(found) + 1)] if found else []

    def _names(self, ids: Any) -> Any:
        names = np.array([view.instrument.name for view in self._by_id()], dtype=str)
        return names[ids]

    def _units(self, ids: Any) -> tuple[Any, Any]:
        views = self._by_id()
        ticks = np.array([float(view.instrument.tick_size) for view in views])
        lots = np.array([float(view.instrument.lot_size) for view in views])
        return ticks[ids], lots[ids]


def records(columns: dict[str, Any]) -> Records:
    """Return columns of one length as a record array: ``found["price"]`` and ``found.price`` are the column."""
    count = len(next(iter(columns.values())))
    made = np.recarray(count, dtype=[(name, _dtype(column)) for name, column in columns.items()])
    for name, column in columns.items():
        made[name] = column
    return made


def _by_time(made: Records) -> Records:
    order = np.argsort(made["time_ns"], kind="stable")
    return records({name: made[name][order] for name in made.dtype.names or ()})


def _dtype(column: Any) -> Any:
    return np.dtype("U1") if column.dtype.kind == "U" and column.dtype.itemsize == 0 else column.dtype


def _columns(columns: dict[str, array[Any]]) -> dict[str, Any]:
    return {name: np.array(column) for name, column in columns.items()}


def _sides(codes: Any) -> Any:
    return np.where(codes == BUY, "buy", "sell")


def _named(kind: Any, codes: Any) -> Any:
    names = np.array([kind(number).name.lower() for number in range(len(kind))])
    return names[codes]
