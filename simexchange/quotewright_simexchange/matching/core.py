"""The matching core: commands on one instrument in, events and level changes out, price-time priority.

One command is carried out at a time and leaves its events as rows of int64; see ``docs/matching.md`` for the columns.
Without spot accounts nothing but int64 arithmetic takes place; money is Python ints in the accounts.
"""

from __future__ import annotations

import hashlib
import sys
from array import array

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import Accounts
from quotewright_simexchange.matching.book import OrderBook
from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    ALWAYS_REQUEUES,
    AMEND,
    AMEND_REJECTED,
    AMENDED,
    C_ACCOUNT,
    C_KIND,
    C_OPERATION,
    C_ORDER,
    C_POST_ONLY,
    C_PRICE,
    C_QUANTITY,
    C_SIDE,
    C_TIF,
    CANCEL,
    CANCEL_ALL,
    CANCEL_REJECTED,
    CANCELED,
    COMMAND_WORDS,
    CROSS_CANCEL,
    CROSS_REJECT,
    FOK,
    GTC,
    KEEP,
    LIMIT,
    MARKET,
    MOST,
    NEW,
    NOT_POST_ONLY,
    OFF_STEP,
    POST_ONLY_REPRICE,
    QTY_DOWN_KEEPS,
    QTY_DOWN_ONLY,
    R_AMEND_BELOW_FILLED,
    R_BAD_FLAGS,
    R_BAD_PRICE,
    R_BAD_QTY,
    R_DUPLICATE_ID,
    R_FOK,
    R_INSUFFICIENT_FUNDS,
    R_IOC,
    R_LOT,
    R_MAX_OPEN_ORDERS,
    R_MAX_QTY,
    R_MIN_NOTIONAL,
    R_MIN_QTY,
    R_NO_LIQUIDITY,
    R_NONE,
    R_NOT_ALLOWED,
    R_ORDER_CLOSED,
    R_PHASE,
    R_POST_ONLY,
    R_TICK,
    R_UNKNOWN_ORDER,
    R_USER,
    REJECTED,
    REPRICED,
    TRADED,
    TRADING,
)


class MatchingCore(OrderBook):
    """The matching rules of one instrument on its book; each command leaves its events and its level changes.

    Prices and quantities are whole steps of the instrument; orders must be on the grids of *tick_steps* and
    *lot_steps*. A limit of 0 is off. *min_notional* is in price steps times size steps. *money* is what the accounts
    own; without it nothing is booked. *window*: see LevelIndex.

    Order ids and account numbers are counted up from 0 by the caller: they index arrays.
    """

    def __init__(
        self,
        tick_steps: int = 1,
        lot_steps: int = 1,
        min_quantity: int = 0,
        max_quantity: int = 0,
        min_notional: int = 0,
        max_open_orders: int = 0,
        amend_policy: int = QTY_DOWN_KEEPS,
        amend_post_only_cross: int = CROSS_REJECT,
        money: Accounts | None = None,
        window: int = 4096,
    ) -> None:
        super().__init__(tick_steps, window)
        if not 0 < lot_steps <= MOST:
            raise ValueError(f"lot_steps should be 1 to {MOST}, was {lot_steps}")
        if amend_policy not in (QTY_DOWN_KEEPS, ALWAYS_REQUEUES, QTY_DOWN_ONLY):
            raise ValueError(f"amend_policy should be 0, 1 or 2, was {amend_policy}")
        if amend_post_only_cross not in (CROSS_REJECT, CROSS_CANCEL):
            raise ValueError(f"amend_post_only_cross should be 0 or 1, was {amend_post_only_cross}")
        self.lot_steps = lot_steps
        self.min_quantity = min(max(min_quantity, 0), MOST + 1)
        self.max_quantity = MOST if max_quantity <= 0 else min(max_quantity, MOST)
        # price * quantity >= n is quantity > (n - 1) // price: no product that could pass int64.
        self.is_notional_checked = min_notional > 0
        self.is_notional_large = min_notional > MOST
        self.notional_below = 0 if self.is_notional_large else max(min_notional - 1, 0)
        self.min_notional = min_notional
        self.max_open_orders = max_open_orders
        self.amend_policy = amend_policy
        self.amend_post_only_cross = amend_post_only_cross
        self.money: Accounts = Accounts() if money is None else money
        self.has_money = money is not None
        self.is_derivative = self.money.is_derivative
        self.is_spot = self.has_money and not self.is_derivative
        self.phase = TRADING
        self.last_price = 0
        self.trade_number = 0
        self.accept_number = 0
        self.ticks = 0

    def new(
        self,
        order_id: int,
        account: int,
        side: int,
        kind: int,
        price: int,
        quantity: int,
        tif: int = GTC,
        post_only: int = NOT_POST_ONLY,
    ) -> int:
        """Place an order and return how many events that made; *price* is not looked at for a market order."""
        self.clear()
        self._new(order_id, account, side, kind, price, quantity, tif, post_only)
        self._publish()
        return self.event_count

    def cancel(self, order_id: int, account: int) -> int:
        """Cancel one order of *account* and return how many events that made."""
        self.clear()
        self._cancel(order_id, account)
        self._publish()
        return self.event_count

    def cancel_all(self, account: int) -> int:
        """Cancel every order of *account* in order of acceptance and return how many events that made."""
        self.clear()
        self._cancel_all(account)
        self._publish()
        return self.event_count

    def amend(self, order_id: int, account: int, price: int = KEEP, quantity: int = KEEP) -> int:
        """Change price and total quantity (filled part included) and return how many events that made."""
        self.clear()
        self._amend(order_id, account, price, quantity)
        self._publish()
        return self.event_count

    def run(self, commands: memoryview[int], first: int, last: int, most_events: int = 65536) -> int:
        """Carry out command rows ``[first, last)`` and return the number of the first one not carried out.

        *commands* is a flat run of int64, ``COMMAND_WORDS`` to a row. The events of all of them are kept; once there
        are *most_events* the call returns early, so that the caller can read them and go on.
        """
        self.clear()
        row = first
        while row < last and self.event_count < most_events:
            at = row * COMMAND_WORDS
            operation = commands[at + C_OPERATION]
            if operation == AMEND:
                self._amend(
                    commands[at + C_ORDER],
                    commands[at + C_ACCOUNT],
                    commands[at + C_PRICE],
                    commands[at + C_QUANTITY],
                )
            elif operation == NEW:
                self._new(
                    commands[at + C_ORDER],
                    commands[at + C_ACCOUNT],
                    commands[at + C_SIDE],
                    commands[at + C_KIND],
                    commands[at + C_PRICE],
                    commands[at + C_QUANTITY],
                    commands[at + C_TIF],
                    commands[at + C_POST_ONLY],
                )
            elif operation == CANCEL:
                self._cancel(commands[at + C_ORDER], commands[at + C_ACCOUNT])
            elif operation == CANCEL_ALL:
                self._cancel_all(commands[at + C_ACCOUNT])
            else:
                raise ValueError(f"command {row}: operation should be 1 to 4, was {operation}")
            self._publish()
            row += 1
        return row

    def clear(self) -> bool:
        """Forget the events and level changes of what was carried out before."""
        self.event_count = 0
        self.change_count = 0
        if self.has_money:
            self.money.clear()
        return True

    def _new(
        self,
        order_id: int,
        account: int,
        side: int,
        kind: int,
        price: int,
        quantity: int,
        tif: int,
        post_only: int,
    ) -> bool:
        if side != BUY and side != SELL:
            raise ValueError(f"order {order_id}: side should be 1 (buy) or 2 (sell), was {side}")
        if (kind != LIMIT and kind != MARKET) or tif < GTC or tif > FOK:
            raise ValueError(f"order {order_id}: kind {kind} with time in force {tif} is not known to the core")
        if post_only < NOT_POST_ONLY or post_only > POST_ONLY_REPRICE:
            raise ValueError(f"order {order_id}: post_only should be 0, 1 or 2, was {post_only}")
        if order_id < 0 or order_id >= self.id_count:
            self._make_room_for_order(order_id)
        if account < 0 or account >= self.account_count:
            self._make_room_for_account(account)
        other = BUY + SELL - side
        rank = MOST
        reason = R_NONE
        if self.phase != TRADING:
            reason = R_PHASE
        elif self.handles[order_id] != 0:
            reason = R_DUPLICATE_ID
        else:
            reason = self._check(kind, price, quantity)
            if reason == R_NONE:
                if kind == LIMIT:
                    rank = self.ticks if side == BUY else -self.ticks
                if post_only and (kind == MARKET or tif != GTC):
                    reason = R_BAD_FLAGS
                elif self.max_open_orders > 0 and self.account_open[account] >= self.max_open_orders:
                    reason = R_MAX_OPEN_ORDERS
                elif quantity > MOST - self.open_lots[side]:
                    reason = R_MAX_QTY
        is_repriced = False
        if reason == R_NONE and post_only and rank + self.best_rank[other] >= 0:
            rank = -self.best_rank[other] - 1
            is_repriced = post_only == POST_ONLY_REPRICE and self._is_price(rank)
            if not is_repriced:
                reason = R_POST_ONLY
        if reason == R_NONE and self.is_spot and not self._is_covered(account, side, kind, rank, quantity, tif):
            reason = R_INSUFFICIENT_FUNDS
        if reason != R_NONE:
            self._emit(REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self.accept_number += 1
        number = self.accept_number
        if order_id >= self.id_end:
            self.id_end = order_id + 1
        self._emit(
            ACCEPTED, order_id, 0, price if kind == LIMIT else 0, quantity, quantity, 0, side, account, 0, number
        )
        if is_repriced:
            price = self._price(rank)
            self._emit(REPRICED, order_id, 0, price, quantity, quantity, 0, 0, account, 0, 0)
        leaves = quantity
        if rank + self.best_rank[other] >= 0:
            if tif == FOK and not self._is_fillable(other, rank, quantity):
                self.handles[order_id] = -1 - account
                self._emit(CANCELED, order_id, 0, 0, quantity, 0, 0, R_FOK, account, 0, 0)
                return True
            leaves = self._match(order_id, account, side, rank, leaves)
        if leaves and kind == LIMIT and tif == GTC:
            order = self._add_order(order_id, account, side, rank, leaves, quantity, post_only, number)
            if self.is_spot:
                self.money.lock(account, side, self._price(rank), leaves, order)
            return True
        self.handles[order_id] = -1 - account
        if leaves:
            reason = R_FOK if tif == FOK else R_NO_LIQUIDITY if kind == MARKET else R_IOC
            self._emit(CANCELED, order_id, 0, 0, leaves, 0, 0, reason, account, 0, 0)
        return True

    def _cancel(self, order_id: int, account: int) -> bool:
        reason = self._find(order_id, account)
        if reason != R_NONE:
            self._emit(CANCEL_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self._cancel_order(self.handles[order_id], R_USER)
        return True

    def _cancel_all(self, account: int) -> bool:
        if account < 0 or account >= self.account_count or self.phase != TRADING:
            return True
        order = self.account_head[account]
        while order:
            after = self.order_account_next[order]
            self._cancel_order(order, R_USER)
            order = after
        return True

    def _amend(self, order_id: int, account: int, price: int, quantity: int) -> bool:
        reason = self._find(order_id, account)
        if reason != R_NONE:
            self._emit(AMEND_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        order = self.handles[order_id]
        side = self.order_side[order]
        other = BUY + SELL - side
        rank = self.order_rank[order]
        before = self.order_open[order]
        total = self.order_total[order]
        filled = total - before
        if price == KEEP:
            price = self._price(rank)
        if quantity == KEEP:
            quantity = total
        wanted = rank
        leaves = before
        is_kept = False
        reason = self._check(LIMIT, price, quantity)
        if reason == R_NONE:
            wanted = self.ticks if side == BUY else -self.ticks
            leaves = quantity - filled
            is_kept = wanted == rank and quantity <= total and self.amend_policy != ALWAYS_REQUEUES
            if self.amend_policy == QTY_DOWN_ONLY and not is_kept:
                reason = R_NOT_ALLOWED
            elif leaves <= 0:
                self._cancel_order(order, R_AMEND_BELOW_FILLED)
                return True
            elif leaves > before and leaves - before > MOST - self.open_lots[side]:
                reason = R_MAX_QTY
            elif self.order_post_only[order] and wanted + self.best_rank[other] >= 0:
                if self.amend_post_only_cross == CROSS_CANCEL:
                    self._cancel_order(order, R_POST_ONLY)
                    return True
                reason = R_POST_ONLY
            elif self.is_spot and not self.money.can_place(account, side, price, leaves, order):
                reason = R_INSUFFICIENT_FUNDS
        if reason != R_NONE:
            self._emit(AMEND_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self._emit(AMENDED, order_id, 0, price, quantity, leaves, 0, is_kept, account, 0, 0)
        self.order_total[order] = quantity
        if self.is_spot:
            self.money.release(account, side, order)
        if is_kept:
            if leaves != before:
                level = self.order_level[order]
                self._touch(level)
                self.level_quantity[level] -= before - leaves
                self.open_lots[side] -= before - leaves
                self.order_open[order] = leaves
        else:
            self._leave_level(order)
            if wanted + self.best_rank[other] >= 0:
                leaves = self._match(order_id, account, side, wanted, leaves)
            if leaves == 0:
                self._forget(order)
                return True
            self.order_open[order] = leaves
            self._join_level(order, side, wanted, leaves)
        if self.is_spot:
            self.money.lock(account, side, price, leaves, order)
        return True

    def _find(self, order_id: int, account: int) -> int:
        """Return R_NONE if *order_id* is an open order of *account*, otherwise why not."""
        if self.phase != TRADING:
            return R_PHASE
        if order_id < 0 or order_id >= self.id_count:
            return R_UNKNOWN_ORDER
        handle = self.handles[order_id]
        if handle > 0:
            return R_NONE if self.order_account[handle] == account else R_UNKNOWN_ORDER
        return R_ORDER_CLOSED if handle < 0 and handle == -1 - account else R_UNKNOWN_ORDER

    def _check(self, kind: int, price: int, quantity: int) -> int:
        """Return the first reason against the numbers of an order; ``ticks`` is its price then."""
        if (quantity <= 0 and quantity != OFF_STEP) or quantity > MOST:
            return R_BAD_QTY
        if kind == LIMIT:
            if (price <= 0 and price != OFF_STEP) or price > MOST:
                return R_BAD_PRICE
            if price == OFF_STEP:
                return R_TICK
            self.ticks = price
            if self.tick_steps != 1:
                self.ticks = price // self.tick_steps
                if self.ticks * self.tick_steps != price:
                    return R_TICK
        else:
            price = self.last_price
        if quantity == OFF_STEP or (self.lot_steps != 1 and quantity % self.lot_steps != 0):
            return R_LOT
        if quantity < self.min_quantity:
            return R_MIN_QTY
        if quantity > self.max_quantity:
            return R_MAX_QTY
        if self.is_notional_checked and price > 0:
            if self.is_notional_large:
                if self._is_below_notional(price, quantity):
                    return R_MIN_NOTIONAL
            elif quantity <= self.notional_below // price:
                return R_MIN_NOTIONAL
        return R_NONE

    def _is_below_notional(self, price: int, quantity: int) -> bool:
        """Return whether the value is below a minimum too large for int64."""
        return price * quantity < self.min_notional

    def _is_price(self, rank: int) -> bool:
        """Return whether an order may stand at *rank*: a price of at least a tick and not beyond the largest."""
        ticks = -rank if rank < 0 else rank
        return ticks != 0 and ticks <= MOST // self.tick_steps

    def _is_covered(self, account: int, side: int, kind: int, rank: int, quantity: int, tif: int) -> bool:
        """Return whether a new order is paid for: a limit by its lock, a market buy by its real cost in this book."""
        if not self.money.has_funds(account):
            return True
        if kind == LIMIT or side == SELL:
            price = self._price(rank) if kind == LIMIT else 0
            return self.money.can_place(account, side, price, quantity, 0)
        if tif == FOK and not self._is_fillable(SELL, rank, quantity):
            return True
        level = self.best_level[SELL]
        leaves = quantity
        while level and leaves:
            price = -self.level_rank[level] * self.tick_steps
            order = self.level_head[level]
            while order and leaves:
                fill = self.order_open[order]
                if fill > leaves:
                    fill = leaves
                self.money.add_cost(price, fill)
                leaves -= fill
                order = self.order_next[order]
            level = self._next_level(SELL, self.level_rank[level])
        return self.money.can_pay(account)

    def _is_fillable(self, side: int, rank: int, quantity: int) -> bool:
        """Return whether the makers on *side* that a taker of *rank* reaches hold *quantity*."""
        level = self.best_level[side]
        while level and rank + self.level_rank[level] >= 0:
            if self.level_quantity[level] >= quantity:
                return True
            quantity -= self.level_quantity[level]
            level = self._next_level(side, self.level_rank[level])
        return False

    def _match(self, order_id: int, account: int, side: int, rank: int, leaves: int) -> int:
        """Let a taker of *rank* trade with the makers it reaches and return what it has left."""
        other = BUY + SELL - side
        while leaves and rank + self.best_rank[other] >= 0:
            level = self.best_level[other]
            if self.level_is_touched[level] == 0:
                self._touch(level)
            ticks = self.level_rank[level]
            price = (-ticks if side == BUY else ticks) * self.tick_steps
            order = self.level_head[level]
            traded = 0
            while leaves and order:
                after = self.order_next[order]
                left = self.order_open[order]
                fill = left if left < leaves else leaves
                left -= fill
                leaves -= fill
                traded += fill
                self.trade_number += 1
                self._emit(
                    TRADED,
                    self.order_id[order],
                    order_id,
                    price,
                    fill,
                    left,
                    leaves,
                    side,
                    self.order_account[order],
                    account,
                    self.trade_number,
                )
                if self.has_money:
                    self.money.trade(self.order_account[order], order, left, account, side, price, fill)
                if left:
                    self.order_open[order] = left
                    break
                self._forget(order)
                order = after
            self.last_price = price
            self.level_quantity[level] -= traded
            self.open_lots[other] -= traded
            self.level_head[level] = order
            if order:
                self.order_previous[order] = 0
            else:
                self.level_tail[level] = 0
                self._hide(level)
        return leaves

    def _cancel_order(self, order: int, reason: int) -> bool:
        """Take an open order out of the book and tell why."""
        order_id = self.order_id[order]
        account = self.order_account[order]
        leaves = self.order_open[order]
        self._emit(CANCELED, order_id, 0, 0, leaves, 0, 0, reason, account, 0, 0)
        self._leave_level(order)
        if self.is_spot:
            self.money.release(account, self.order_side[order], order)
        self._forget(order)
        return True

    def fees(self) -> list[tuple[int, bool, int, bool]]:
        """Return ``(maker's fee, is in base, taker's fee, is in base)`` of each trade, in order; empty without fees."""
        return list(self.money.fees) if self.has_money else []

    def state_hash(self) -> str:
        """Return a SHA-256 over everything that later commands can depend on, the same on every platform."""
        state = array("q", [1, self.phase, self.last_price, self.trade_number, self.accept_number, self.feed_sequence])
        ids = array("q", self.handles[: self.id_end])
        for side in (BUY, SELL):
            state.append(-side)
            for price, _ in self.levels(side):
                for order_id, _ in self.orders_at(side, price):
                    order = self.order(order_id)
                    assert order is not None
                    state.extend((order_id, *order))
                    ids[order_id] = 1
        state.append(len(ids))
        state.extend(ids)
        if sys.byteorder == "big":
            state.byteswap()
        digest = hashlib.sha256(state.tobytes())
        if self.has_money:
            digest.update(self.money.state().encode())
        return digest.hexdigest()
