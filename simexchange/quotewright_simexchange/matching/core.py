"""The matching core: one instrument's book by order, price-time priority, on int64 pools.

Prices are compared as *ranks*, so that both sides share their code: the rank of a bid is its price in ticks, that of an
offer minus its price in ticks. On either side the highest rank is the best, and a taker of rank r reaches a maker of
rank m when r + m >= 0.

Orders and levels live in pools of int64 words and are linked by handles (the place of their first word). Near levels
stand in a window of ranks with a bitmap over it; far ones in a dict and a sorted list. The window follows the best.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from bisect import bisect_left, insort

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import SpotAccounts
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
    CHANGE_WORDS,
    COMMAND_WORDS,
    CROSS_CANCEL,
    CROSS_REJECT,
    E_ACCOUNT,
    E_CODE,
    E_LEAVES,
    E_NUMBER,
    E_ORDER,
    E_OTHER,
    E_OTHER_ACCOUNT,
    E_OTHER_LEAVES,
    E_PRICE,
    E_QUANTITY,
    E_TYPE,
    EVENT_WORDS,
    FOK,
    GTC,
    H_PRICE,
    H_QUANTITY,
    H_SEQUENCE,
    H_SIDE,
    IOC,
    KEEP,
    L_BEFORE,
    L_HEAD,
    L_IS_ACTIVE,
    L_IS_TOUCHED,
    L_QUANTITY,
    L_RANK,
    L_SIDE,
    L_TAIL,
    LEVEL_WORDS,
    LIMIT,
    MARKET,
    MOST,
    NEW,
    NO_RANK,
    NOT_POST_ONLY,
    O_ACCOUNT,
    O_ACCOUNT_NEXT,
    O_ACCOUNT_PREVIOUS,
    O_ID,
    O_LEVEL,
    O_NEXT,
    O_NUMBER,
    O_OPEN,
    O_POST_ONLY,
    O_PREVIOUS,
    O_RANK,
    O_SIDE,
    O_TOTAL,
    OFF_STEP,
    ORDER_WORDS,
    POST_ONLY_REJECT,
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
    S_BASE,
    S_BEST,
    S_BEST_LEVEL,
    S_BITS,
    S_LEVELS,
    S_OPEN,
    S_SUMMARY,
    S_WINDOW,
    SIDE_WORDS,
    TRADED,
    TRADING,
    UNREADABLE,
)

ID_GAP = 1 << 24
"""How far an order id may lie above the highest one so far: ids index an array, so they are counted up."""


def zeros(count: int) -> array[int]:
    """Return *count* int64 zeros."""
    return array("q", bytes(8 * count))


def top_bit(word: int) -> int:
    """Return the place of the highest bit of *word*, 0 < word < 2**32."""
    place = 0
    if word >= 65536:
        word >>= 16
        place = 16
    if word >= 256:
        word >>= 8
        place += 8
    if word >= 16:
        word >>= 4
        place += 4
    if word >= 4:
        word >>= 2
        place += 2
    if word >= 2:
        place += 1
    return place


class MatchingCore:
    """The book and the matching rules of one instrument; each command leaves its events and its level changes.

    Prices and quantities are whole steps of the instrument; orders must be on the grids of *tick_steps* and
    *lot_steps*. A limit of 0 is off. *min_notional* is in price steps times size steps. *spot* holds balances (its
    accounts are the account numbers of the orders); without it nothing is booked. *window* is how many ticks a side
    keeps in its window, a power of two of at least 1024.

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
        spot: SpotAccounts | None = None,
        window: int = 4096,
    ) -> None:
        if not (0 < tick_steps <= MOST and 0 < lot_steps <= MOST):
            raise ValueError(f"tick and lot should be 1 to {MOST} steps, were {tick_steps} and {lot_steps}")
        if window < 1024 or window & (window - 1):
            raise ValueError(f"window should be a power of two of at least 1024, was {window}")
        if amend_policy not in (QTY_DOWN_KEEPS, ALWAYS_REQUEUES, QTY_DOWN_ONLY):
            raise ValueError(f"amend_policy should be 0, 1 or 2, was {amend_policy}")
        if amend_post_only_cross not in (CROSS_REJECT, CROSS_CANCEL):
            raise ValueError(f"amend_post_only_cross should be 0 or 1, was {amend_post_only_cross}")
        self.tick_steps = tick_steps
        self.lot_steps = lot_steps
        self.min_quantity = min(max(min_quantity, 0), MOST + 1)
        self.max_quantity = MOST if max_quantity <= 0 else min(max_quantity, MOST)
        # The smallest product that passes, less one: price * quantity >= n is quantity > (n - 1) // price.
        self.is_notional_checked = min_notional > 0
        self.is_notional_large = min_notional > MOST
        self.notional_below = 0 if self.is_notional_large else max(min_notional - 1, 0)
        self.min_notional = min_notional
        self.max_open_orders = max_open_orders
        self.amend_policy = amend_policy
        self.amend_post_only_cross = amend_post_only_cross
        self.spot: SpotAccounts = SpotAccounts(0, 0) if spot is None else spot
        self.is_spot = spot is not None
        self.phase = TRADING
        self.window_size = window
        self.near = window - window // 4
        self.last_price = 0
        self.trade_number = 0
        self.accept_number = 0
        self.feed_sequence = 0
        self.command_count = 0
        self.ticks = 0

        self.orders = zeros(ORDER_WORDS)
        self.free_order = 0
        self.levels_pool = zeros(LEVEL_WORDS)
        self.free_level = 0
        self.sides = zeros(3 * SIDE_WORDS)
        words = window // 32
        summary = words // 32
        self.windows = zeros(2 * window)
        self.bits = zeros(2 * words)
        self.summary = zeros(2 * summary)
        for side in (BUY, SELL):
            here = side * SIDE_WORDS
            self.sides[here + S_BEST] = NO_RANK
            self.sides[here + S_WINDOW] = (side - BUY) * window
            self.sides[here + S_BITS] = (side - BUY) * words
            self.sides[here + S_SUMMARY] = (side - BUY) * summary
        self.far_levels: list[dict[int, int]] = [{}, {}, {}]
        self.far_ranks: list[list[int]] = [[], [], []]

        self.handles = zeros(1024)
        self.id_count = 1024
        self.id_end = 0
        self.account_heads = zeros(64)
        self.account_tails = zeros(64)
        self.account_orders = zeros(64)
        self.account_count = 64

        self.touched = zeros(256)
        self.touched_room = 256
        self.touched_count = 0
        self.event_words = zeros(256 * EVENT_WORDS)
        self.event_room = 256
        self.event_count = 0
        self.change_words = zeros(256 * CHANGE_WORDS)
        self.change_room = 256
        self.change_count = 0
        self.first_trade_number = 1
        self._grow_orders()
        self._grow_levels()

    # Commands.

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
        self._finish()
        return self.event_count

    def cancel(self, order_id: int, account: int) -> int:
        """Cancel one order of *account* and return how many events that made."""
        self.clear()
        self._cancel(order_id, account)
        self._finish()
        return self.event_count

    def cancel_all(self, account: int) -> int:
        """Cancel every order of *account* in order of acceptance and return how many events that made."""
        self.clear()
        self._cancel_all(account)
        self._finish()
        return self.event_count

    def amend(self, order_id: int, account: int, price: int = KEEP, quantity: int = KEEP) -> int:
        """Change price and total quantity (filled part included) and return how many events that made."""
        self.clear()
        self._amend(order_id, account, price, quantity)
        self._finish()
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
            self._finish()
            row += 1
        return row

    def clear(self) -> bool:
        """Forget the events and level changes of what was carried out before."""
        self.event_count = 0
        self.change_count = 0
        self.first_trade_number = self.trade_number + 1
        if self.is_spot and self.spot.fees:
            self.spot.fees.clear()
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
        there = (BUY + SELL - side) * SIDE_WORDS
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
                elif self.max_open_orders > 0 and self.account_orders[account] >= self.max_open_orders:
                    reason = R_MAX_OPEN_ORDERS
                elif quantity > MOST - self.sides[side * SIDE_WORDS + S_OPEN]:
                    reason = R_MAX_QTY
        is_repriced = False
        if reason == R_NONE and post_only and rank + self.sides[there + S_BEST] >= 0:
            rank = -self.sides[there + S_BEST] - 1
            is_repriced = post_only == POST_ONLY_REPRICE and self._is_price(rank)
            if not is_repriced:
                reason = R_POST_ONLY
        if reason == R_NONE and self.is_spot and not self._is_covered(account, side, kind, rank, quantity):
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
            price = (rank if side == BUY else -rank) * self.tick_steps
            self._emit(REPRICED, order_id, 0, price, quantity, quantity, 0, 0, account, 0, 0)
        leaves = quantity
        if rank + self.sides[there + S_BEST] >= 0:
            if tif == FOK and not self._is_fillable(BUY + SELL - side, rank, quantity):
                self.handles[order_id] = -1 - account
                self._emit(CANCELED, order_id, 0, 0, quantity, 0, 0, R_FOK, account, 0, 0)
                return True
            leaves = self._match(order_id, account, side, there, rank, leaves)
        if leaves and kind == LIMIT and tif == GTC:
            self._rest(order_id, account, side, rank, leaves, quantity, post_only, number)
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
        order = self.account_heads[account]
        while order:
            after = self.orders[order + O_ACCOUNT_NEXT]
            self._cancel_order(order, R_USER)
            order = after
        return True

    def _amend(self, order_id: int, account: int, price: int, quantity: int) -> bool:
        reason = self._find(order_id, account)
        if reason != R_NONE:
            self._emit(AMEND_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        order = self.handles[order_id]
        side = self.orders[order + O_SIDE]
        here = side * SIDE_WORDS
        there = (BUY + SELL - side) * SIDE_WORDS
        rank = self.orders[order + O_RANK]
        before = self.orders[order + O_OPEN]
        total = self.orders[order + O_TOTAL]
        filled = total - before
        if price == KEEP:
            price = (rank if side == BUY else -rank) * self.tick_steps
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
            elif leaves > before and leaves - before > MOST - self.sides[here + S_OPEN]:
                reason = R_MAX_QTY
            elif self.orders[order + O_POST_ONLY] and wanted + self.sides[there + S_BEST] >= 0:
                if self.amend_post_only_cross == CROSS_CANCEL:
                    self._cancel_order(order, R_POST_ONLY)
                    return True
                reason = R_POST_ONLY
            elif self.is_spot and not self.spot.can_place(account, side, price, leaves, order):
                reason = R_INSUFFICIENT_FUNDS
        if reason != R_NONE:
            self._emit(AMEND_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self._emit(AMENDED, order_id, 0, price, quantity, leaves, 0, is_kept, account, 0, 0)
        self.orders[order + O_TOTAL] = quantity
        if self.is_spot:
            self.spot.release(account, side, order)
        if is_kept:
            if leaves != before:
                self._touch(self.orders[order + O_LEVEL])
                self.levels_pool[self.orders[order + O_LEVEL] + L_QUANTITY] -= before - leaves
                self.sides[here + S_OPEN] -= before - leaves
                self.orders[order + O_OPEN] = leaves
        else:
            self._leave_level(order)
            if wanted + self.sides[there + S_BEST] >= 0:
                leaves = self._match(order_id, account, side, there, wanted, leaves)
            if leaves == 0:
                self._forget(order)
                return True
            self.orders[order + O_OPEN] = leaves
            self.orders[order + O_RANK] = wanted
            self._join_level(order, side, wanted, leaves)
        if self.is_spot:
            self.spot.lock(account, side, price, leaves, order)
        return True

    def _find(self, order_id: int, account: int) -> int:
        """Return R_NONE if *order_id* is an open order of *account*, otherwise why not."""
        if self.phase != TRADING:
            return R_PHASE
        if order_id < 0 or order_id >= self.id_count:
            return R_UNKNOWN_ORDER
        handle = self.handles[order_id]
        if handle > 0:
            return R_NONE if self.orders[handle + O_ACCOUNT] == account else R_UNKNOWN_ORDER
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

    def _is_covered(self, account: int, side: int, kind: int, rank: int, quantity: int) -> bool:
        """Return whether a new order is paid for: a limit by its lock, a market buy by its real cost in this book."""
        if not self.spot.has_funds(account):
            return True
        if kind == LIMIT or side == SELL:
            price = (rank if side == BUY else -rank) * self.tick_steps if kind == LIMIT else 0
            return self.spot.can_place(account, side, price, quantity, 0)
        level = self.sides[SELL * SIDE_WORDS + S_BEST_LEVEL]
        leaves = quantity
        while level and leaves:
            price = -self.levels_pool[level + L_RANK] * self.tick_steps
            order = self.levels_pool[level + L_HEAD]
            while order and leaves:
                fill = self.orders[order + O_OPEN]
                if fill > leaves:
                    fill = leaves
                self.spot.add_cost(price, fill)
                leaves -= fill
                order = self.orders[order + O_NEXT]
            level = self._next_level(SELL, self.levels_pool[level + L_RANK])
        return self.spot.can_pay(account)

    def _is_fillable(self, side: int, rank: int, quantity: int) -> bool:
        """Return whether the makers on *side* that a taker of *rank* reaches hold *quantity*."""
        level = self.sides[side * SIDE_WORDS + S_BEST_LEVEL]
        while level and rank + self.levels_pool[level + L_RANK] >= 0:
            if self.levels_pool[level + L_QUANTITY] >= quantity:
                return True
            quantity -= self.levels_pool[level + L_QUANTITY]
            level = self._next_level(side, self.levels_pool[level + L_RANK])
        return False

    # Matching.

    def _match(self, order_id: int, account: int, side: int, there: int, rank: int, leaves: int) -> int:
        """Let a taker of *rank* trade with the makers it reaches and return what it has left."""
        while leaves and rank + self.sides[there + S_BEST] >= 0:
            level = self.sides[there + S_BEST_LEVEL]
            self._touch(level)
            ticks = self.levels_pool[level + L_RANK]
            price = (-ticks if side == BUY else ticks) * self.tick_steps
            order = self.levels_pool[level + L_HEAD]
            traded = 0
            while leaves and order:
                after = self.orders[order + O_NEXT]
                left = self.orders[order + O_OPEN]
                fill = left if left < leaves else leaves
                left -= fill
                leaves -= fill
                traded += fill
                self.trade_number += 1
                self._emit(
                    TRADED,
                    self.orders[order + O_ID],
                    order_id,
                    price,
                    fill,
                    left,
                    leaves,
                    side,
                    self.orders[order + O_ACCOUNT],
                    account,
                    self.trade_number,
                )
                if self.is_spot:
                    self.spot.trade(self.orders[order + O_ACCOUNT], order, left, account, side, price, fill)
                if left:
                    self.orders[order + O_OPEN] = left
                    break
                self._forget(order)
                order = after
            self.last_price = price
            self.levels_pool[level + L_QUANTITY] -= traded
            self.sides[there + S_OPEN] -= traded
            self.levels_pool[level + L_HEAD] = order
            if order:
                self.orders[order + O_PREVIOUS] = 0
            else:
                self.levels_pool[level + L_TAIL] = 0
                self._deactivate(level)
        return leaves

    def _rest(
        self,
        order_id: int,
        account: int,
        side: int,
        rank: int,
        leaves: int,
        total: int,
        post_only: int,
        number: int,
    ) -> bool:
        """Take a pool place for an order and put it at the back of its level and of its account's orders."""
        order = self.free_order
        if order == 0:
            self._grow_orders()
            order = self.free_order
        self.free_order = self.orders[order + O_NEXT]
        self.handles[order_id] = order
        self.orders[order + O_ID] = order_id
        self.orders[order + O_RANK] = rank
        self.orders[order + O_OPEN] = leaves
        self.orders[order + O_TOTAL] = total
        self.orders[order + O_SIDE] = side
        self.orders[order + O_ACCOUNT] = account
        self.orders[order + O_POST_ONLY] = post_only
        self.orders[order + O_NUMBER] = number
        tail = self.account_tails[account]
        self.orders[order + O_ACCOUNT_PREVIOUS] = tail
        self.orders[order + O_ACCOUNT_NEXT] = 0
        if tail:
            self.orders[tail + O_ACCOUNT_NEXT] = order
        else:
            self.account_heads[account] = order
        self.account_tails[account] = order
        self.account_orders[account] += 1
        self._join_level(order, side, rank, leaves)
        if self.is_spot:
            price = (rank if side == BUY else -rank) * self.tick_steps
            self.spot.lock(account, side, price, leaves, order)
        return True

    def _cancel_order(self, order: int, reason: int) -> bool:
        """Take an open order out of the book and tell why."""
        order_id = self.orders[order + O_ID]
        account = self.orders[order + O_ACCOUNT]
        leaves = self.orders[order + O_OPEN]
        self._emit(CANCELED, order_id, 0, 0, leaves, 0, 0, reason, account, 0, 0)
        self._leave_level(order)
        if self.is_spot:
            self.spot.release(account, self.orders[order + O_SIDE], order)
        self._forget(order)
        return True

    def _forget(self, order: int) -> bool:
        """Give back the pool place of an order that has left its level; its id stays used up."""
        account = self.orders[order + O_ACCOUNT]
        before = self.orders[order + O_ACCOUNT_PREVIOUS]
        after = self.orders[order + O_ACCOUNT_NEXT]
        if before:
            self.orders[before + O_ACCOUNT_NEXT] = after
        else:
            self.account_heads[account] = after
        if after:
            self.orders[after + O_ACCOUNT_PREVIOUS] = before
        else:
            self.account_tails[account] = before
        self.account_orders[account] -= 1
        self.handles[self.orders[order + O_ID]] = -1 - account
        self.orders[order + O_NEXT] = self.free_order
        self.free_order = order
        return True

    def _join_level(self, order: int, side: int, rank: int, leaves: int) -> bool:
        """Put an order at the back of the level of *rank*."""
        here = side * SIDE_WORDS
        offset = rank - self.sides[here + S_BASE]
        level = 0
        if 0 <= offset < self.window_size:
            level = self.windows[self.sides[here + S_WINDOW] + offset]
        if level == 0:
            level = self._open_level(side, rank)
        self._touch(level)
        tail = self.levels_pool[level + L_TAIL]
        self.orders[order + O_LEVEL] = level
        self.orders[order + O_NEXT] = 0
        self.orders[order + O_PREVIOUS] = tail
        self.levels_pool[level + L_TAIL] = order
        if tail:
            self.orders[tail + O_NEXT] = order
        else:
            self.levels_pool[level + L_HEAD] = order
            self._activate(level)
        self.levels_pool[level + L_QUANTITY] += leaves
        self.sides[here + S_OPEN] += leaves
        return True

    def _leave_level(self, order: int) -> bool:
        """Take an order out of its level's queue."""
        level = self.orders[order + O_LEVEL]
        self._touch(level)
        before = self.orders[order + O_PREVIOUS]
        after = self.orders[order + O_NEXT]
        leaves = self.orders[order + O_OPEN]
        self.levels_pool[level + L_QUANTITY] -= leaves
        self.sides[self.orders[order + O_SIDE] * SIDE_WORDS + S_OPEN] -= leaves
        if before:
            self.orders[before + O_NEXT] = after
        else:
            self.levels_pool[level + L_HEAD] = after
        if after:
            self.orders[after + O_PREVIOUS] = before
        else:
            self.levels_pool[level + L_TAIL] = before
            if before == 0:
                self._deactivate(level)
        return True

    # Levels.

    def _touch(self, level: int) -> bool:
        """Note what a level showed before the command, once a command."""
        if self.levels_pool[level + L_IS_TOUCHED] == 0:
            self.levels_pool[level + L_IS_TOUCHED] = 1
            self.levels_pool[level + L_BEFORE] = self.levels_pool[level + L_QUANTITY]
            if self.touched_count >= self.touched_room:
                self.touched = self._doubled(self.touched)
                self.touched_room *= 2
            self.touched[self.touched_count] = level
            self.touched_count += 1
        return True

    def _open_level(self, side: int, rank: int) -> int:
        """Return the level of *rank*, which the window does not show; make it, and move the window if it should."""
        here = side * SIDE_WORDS
        base = self.sides[here + S_BASE]
        best = self.sides[here + S_BEST]
        if not 0 <= rank - base < self.window_size:
            is_moved = True
            if self.sides[here + S_LEVELS] == 0 or rank > best:
                self._move_window(side, rank)
            elif best - base < self.window_size // 2 and best - rank <= self.near:
                self._move_window(side, best)
            else:
                is_moved = False
            level = self.far_levels[side].get(rank, 0)
            if is_moved and level == 0:
                level = self.windows[self.sides[here + S_WINDOW] + rank - self.sides[here + S_BASE]]
            if level:
                return level
        level = self.free_level
        if level == 0:
            self._grow_levels()
            level = self.free_level
        self.free_level = self.levels_pool[level + L_TAIL]
        self.levels_pool[level + L_QUANTITY] = 0
        self.levels_pool[level + L_HEAD] = 0
        self.levels_pool[level + L_TAIL] = 0
        self.levels_pool[level + L_RANK] = rank
        self.levels_pool[level + L_SIDE] = side
        self._place_level(level)
        return level

    def _place_level(self, level: int) -> bool:
        """Enter a level where it is looked for: the window, or the far ones."""
        side = self.levels_pool[level + L_SIDE]
        here = side * SIDE_WORDS
        rank = self.levels_pool[level + L_RANK]
        offset = rank - self.sides[here + S_BASE]
        if 0 <= offset < self.window_size:
            self.windows[self.sides[here + S_WINDOW] + offset] = level
            if self.levels_pool[level + L_IS_ACTIVE]:
                self._set_bit(here, offset)
        else:
            self.far_levels[side][rank] = level
            if self.levels_pool[level + L_IS_ACTIVE]:
                insort(self.far_ranks[side], rank)
        return True

    def _drop_level(self, level: int) -> bool:
        """Give back an empty level."""
        side = self.levels_pool[level + L_SIDE]
        here = side * SIDE_WORDS
        offset = self.levels_pool[level + L_RANK] - self.sides[here + S_BASE]
        if 0 <= offset < self.window_size:
            self.windows[self.sides[here + S_WINDOW] + offset] = 0
        else:
            del self.far_levels[side][self.levels_pool[level + L_RANK]]
        self.levels_pool[level + L_TAIL] = self.free_level
        self.free_level = level
        return True

    def _activate(self, level: int) -> bool:
        """Show a level that has its first order."""
        side = self.levels_pool[level + L_SIDE]
        here = side * SIDE_WORDS
        rank = self.levels_pool[level + L_RANK]
        offset = rank - self.sides[here + S_BASE]
        self.levels_pool[level + L_IS_ACTIVE] = 1
        self.sides[here + S_LEVELS] += 1
        if 0 <= offset < self.window_size:
            self._set_bit(here, offset)
        else:
            insort(self.far_ranks[side], rank)
        if rank > self.sides[here + S_BEST]:
            self.sides[here + S_BEST] = rank
            self.sides[here + S_BEST_LEVEL] = level
        return True

    def _deactivate(self, level: int) -> bool:
        """Hide a level that lost its last order, and find the next best if it was the best."""
        side = self.levels_pool[level + L_SIDE]
        here = side * SIDE_WORDS
        rank = self.levels_pool[level + L_RANK]
        offset = rank - self.sides[here + S_BASE]
        self.levels_pool[level + L_IS_ACTIVE] = 0
        self.sides[here + S_LEVELS] -= 1
        if 0 <= offset < self.window_size:
            bit = 1
            bit <<= offset & 31
            at = self.sides[here + S_BITS] + (offset >> 5)
            self.bits[at] ^= bit
            if self.bits[at] == 0:
                bit = 1
                bit <<= (offset >> 5) & 31
                self.summary[self.sides[here + S_SUMMARY] + (offset >> 10)] ^= bit
        else:
            del self.far_ranks[side][bisect_left(self.far_ranks[side], rank)]
        if rank == self.sides[here + S_BEST]:
            if self.sides[here + S_LEVELS] == 0:
                self.sides[here + S_BEST] = NO_RANK
                self.sides[here + S_BEST_LEVEL] = 0
                return True
            if self._highest(here, offset) < 0:
                self._move_window(side, self.far_ranks[side][-1])
            level = self._next_level(side, rank)
            self.sides[here + S_BEST_LEVEL] = level
            self.sides[here + S_BEST] = self.levels_pool[level + L_RANK]
        return True

    def _set_bit(self, here: int, offset: int) -> bool:
        bit = 1
        bit <<= offset & 31
        self.bits[self.sides[here + S_BITS] + (offset >> 5)] |= bit
        bit = 1
        bit <<= (offset >> 5) & 31
        self.summary[self.sides[here + S_SUMMARY] + (offset >> 10)] |= bit
        return True

    def _highest(self, here: int, offset: int) -> int:
        """Return the highest shown place of the window at or below *offset*, -1 if there is none."""
        if offset < 0:
            return -1
        at = offset >> 5
        mask = 2
        mask <<= offset & 31
        word = self.bits[self.sides[here + S_BITS] + at] & (mask - 1)
        if word == 0:
            if at == 0:
                return -1
            at -= 1
            group = at >> 5
            mask = 2
            mask <<= at & 31
            word = self.summary[self.sides[here + S_SUMMARY] + group] & (mask - 1)
            while word == 0:
                if group == 0:
                    return -1
                group -= 1
                word = self.summary[self.sides[here + S_SUMMARY] + group]
            at = (group << 5) + top_bit(word)
            word = self.bits[self.sides[here + S_BITS] + at]
        return (at << 5) + top_bit(word)

    def _next_level(self, side: int, rank: int) -> int:
        """Return the best shown level below *rank*, 0 if there is none."""
        here = side * SIDE_WORDS
        offset = rank - self.sides[here + S_BASE]
        if offset > 0:
            offset = self._highest(here, offset - 1 if offset <= self.window_size else self.window_size - 1)
            if offset >= 0:
                return self.windows[self.sides[here + S_WINDOW] + offset]
        count = bisect_left(self.far_ranks[side], rank)
        if count == 0:
            return 0
        return self.far_levels[side][self.far_ranks[side][count - 1]]

    def _move_window(self, side: int, rank: int) -> bool:
        """Move a side's window so that *rank* stands at three quarters of it; levels change between near and far."""
        here = side * SIDE_WORDS
        window = self.sides[here + S_WINDOW]
        found = []
        offset = self._highest(here, self.window_size - 1)
        while offset >= 0:
            found.append(self.windows[window + offset])
            self.windows[window + offset] = 0
            offset = self._highest(here, offset - 1)
        for index in range(self.window_size >> 5):
            self.bits[self.sides[here + S_BITS] + index] = 0
        for index in range(self.window_size >> 10):
            self.summary[self.sides[here + S_SUMMARY] + index] = 0
        for index in range(self.touched_count):
            level = self.touched[index]
            if self.levels_pool[level + L_SIDE] == side and self.levels_pool[level + L_IS_ACTIVE] == 0:
                offset = self.levels_pool[level + L_RANK] - self.sides[here + S_BASE]
                if 0 <= offset < self.window_size:
                    self.windows[window + offset] = 0
                else:
                    del self.far_levels[side][self.levels_pool[level + L_RANK]]
                found.append(level)
        self.sides[here + S_BASE] = rank - self.near
        while self.far_ranks[side] and self.far_ranks[side][-1] >= self.sides[here + S_BASE]:
            found.append(self.far_levels[side].pop(self.far_ranks[side].pop()))
        for level in found:
            self._place_level(level)
        return True

    def _finish(self) -> bool:
        """End a command: write down the net changes of its levels, best first, and give back the empty ones."""
        self.command_count += 1
        count = self.touched_count
        if count == 0:
            return True
        if count > 1:
            self._sort_touched()
        is_first = True
        for index in range(count):
            level = self.touched[index]
            quantity = self.levels_pool[level + L_QUANTITY]
            self.levels_pool[level + L_IS_TOUCHED] = 0
            if quantity != self.levels_pool[level + L_BEFORE]:
                if is_first:
                    self.feed_sequence += 1
                    is_first = False
                if self.change_count >= self.change_room:
                    self.change_words = self._doubled(self.change_words)
                    self.change_room *= 2
                at = self.change_count * CHANGE_WORDS
                ticks = self.levels_pool[level + L_RANK]
                if self.levels_pool[level + L_SIDE] == SELL:
                    ticks = -ticks
                self.change_words[at + H_SIDE] = self.levels_pool[level + L_SIDE]
                self.change_words[at + H_PRICE] = ticks * self.tick_steps
                self.change_words[at + H_QUANTITY] = quantity
                self.change_words[at + H_SEQUENCE] = self.feed_sequence
                self.change_count += 1
            if self.levels_pool[level + L_HEAD] == 0:
                self._drop_level(level)
        self.touched_count = 0
        return True

    def _sort_touched(self) -> bool:
        """Put the touched levels in feed order: bids from high to low, then offers from low to high."""
        if self.touched_count > 64:
            return self._sort_many()
        for index in range(1, self.touched_count):
            level = self.touched[index]
            side = self.levels_pool[level + L_SIDE]
            rank = self.levels_pool[level + L_RANK]
            at = index
            while at > 0:
                other = self.touched[at - 1]
                if self.levels_pool[other + L_SIDE] < side:
                    break
                if self.levels_pool[other + L_SIDE] == side and self.levels_pool[other + L_RANK] > rank:
                    break
                self.touched[at] = other
                at -= 1
            self.touched[at] = level
        return True

    def _sort_many(self) -> bool:
        def place(level: int) -> tuple[int, int]:
            return self.levels_pool[level + L_SIDE], -self.levels_pool[level + L_RANK]

        for index, level in enumerate(sorted(list(self.touched[: self.touched_count]), key=place)):
            self.touched[index] = level
        return True

    def _emit(
        self,
        kind: int,
        order: int,
        other: int,
        price: int,
        quantity: int,
        leaves: int,
        other_leaves: int,
        code: int,
        account: int,
        other_account: int,
        number: int,
    ) -> bool:
        if self.event_count >= self.event_room:
            self.event_words = self._doubled(self.event_words)
            self.event_room *= 2
        at = self.event_count * EVENT_WORDS
        self.event_words[at + E_TYPE] = kind
        self.event_words[at + E_ORDER] = order
        self.event_words[at + E_OTHER] = other
        self.event_words[at + E_PRICE] = price
        self.event_words[at + E_QUANTITY] = quantity
        self.event_words[at + E_LEAVES] = leaves
        self.event_words[at + E_OTHER_LEAVES] = other_leaves
        self.event_words[at + E_CODE] = code
        self.event_words[at + E_ACCOUNT] = account
        self.event_words[at + E_OTHER_ACCOUNT] = other_account
        self.event_words[at + E_NUMBER] = number
        self.event_count += 1
        return True

    # What came of the last command (or of the last run).

    def events(self) -> list[tuple[int, ...]]:
        """Return the events as tuples of the columns of an event row."""
        found: list[tuple[int, ...]] = []
        for index in range(self.event_count):
            at = index * EVENT_WORDS
            found.append(
                (
                    self.event_words[at],
                    self.event_words[at + 1],
                    self.event_words[at + 2],
                    self.event_words[at + 3],
                    self.event_words[at + 4],
                    self.event_words[at + 5],
                    self.event_words[at + 6],
                    self.event_words[at + 7],
                    self.event_words[at + 8],
                    self.event_words[at + 9],
                    self.event_words[at + 10],
                )
            )
        return found

    def changes(self) -> list[tuple[int, ...]]:
        """Return the level changes as tuples ``(side, price, quantity, sequence)``; quantity 0: the level is gone."""
        found: list[tuple[int, ...]] = []
        for index in range(self.change_count):
            at = index * CHANGE_WORDS
            found.append(
                (
                    self.change_words[at],
                    self.change_words[at + 1],
                    self.change_words[at + 2],
                    self.change_words[at + 3],
                )
            )
        return found

    def event(self, index: int, column: int) -> int:
        """Return one column of one event."""
        if not (0 <= index < self.event_count and 0 <= column < EVENT_WORDS):
            raise IndexError(f"event {index}, column {column}: there are {self.event_count} events")
        return self.event_words[index * EVENT_WORDS + column]

    def change(self, index: int, column: int) -> int:
        """Return one column of one level change."""
        if not (0 <= index < self.change_count and 0 <= column < CHANGE_WORDS):
            raise IndexError(f"change {index}, column {column}: there are {self.change_count} changes")
        return self.change_words[index * CHANGE_WORDS + column]

    def fees(self) -> list[tuple[int, bool, int, bool]]:
        """Return ``(maker's fee, is in base, taker's fee, is in base)`` of each trade, in order; empty without fees."""
        return list(self.spot.fees) if self.is_spot else []

    # The book.

    def best_bid(self) -> int:
        """Return the highest bid in steps, 0 if there is none."""
        rank = self.sides[BUY * SIDE_WORDS + S_BEST]
        return 0 if rank == NO_RANK else rank * self.tick_steps

    def best_offer(self) -> int:
        """Return the lowest offer in steps, 0 if there is none."""
        rank = self.sides[SELL * SIDE_WORDS + S_BEST]
        return 0 if rank == NO_RANK else -rank * self.tick_steps

    def size_at(self, side: int, price: int) -> int:
        """Return the displayed quantity at *price*, 0 if nothing stands there."""
        level = self._level_at(side, price)
        return self.levels_pool[level + L_QUANTITY] if level else 0

    def level_count(self, side: int) -> int:
        """Return how many levels *side* has."""
        return self.sides[self._side_place(side) + S_LEVELS]

    def open_quantity(self, side: int) -> int:
        """Return the sum of the open quantity on *side*."""
        return self.sides[self._side_place(side) + S_OPEN]

    def levels(self, side: int, count: int = -1) -> list[tuple[int, int]]:
        """Return up to *count* levels ``(price, quantity)``, best first; all of them for a negative count."""
        found = []
        level = self.sides[self._side_place(side) + S_BEST_LEVEL]
        while level and count != 0:
            rank = self.levels_pool[level + L_RANK]
            ticks = rank if side == BUY else -rank
            found.append((ticks * self.tick_steps, self.levels_pool[level + L_QUANTITY]))
            level = self._next_level(side, rank)
            count -= 1
        return found

    def orders_at(self, side: int, price: int) -> list[tuple[int, int]]:
        """Return ``(order id, open quantity)`` at *price* in the order in which they would trade."""
        found = []
        level = self._level_at(side, price)
        order = self.levels_pool[level + L_HEAD] if level else 0
        while order:
            found.append((self.orders[order + O_ID], self.orders[order + O_OPEN]))
            order = self.orders[order + O_NEXT]
        return found

    def is_used(self, order_id: int) -> bool:
        """Return whether *order_id* was accepted, open or not."""
        return 0 <= order_id < self.id_end and self.handles[order_id] != 0

    def leaves(self, order_id: int) -> int:
        """Return the open quantity of an order, 0 if it is not open."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return 0
        return self.orders[self.handles[order_id] + O_OPEN]

    def order(self, order_id: int) -> tuple[int, int, int, int, int, int, int] | None:
        """Return ``(account, side, price, total, open, post_only, number of acceptance)``, None if it is not open."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return None
        order = self.handles[order_id]
        side = self.orders[order + O_SIDE]
        rank = self.orders[order + O_RANK]
        return (
            self.orders[order + O_ACCOUNT],
            side,
            (rank if side == BUY else -rank) * self.tick_steps,
            self.orders[order + O_TOTAL],
            self.orders[order + O_OPEN],
            self.orders[order + O_POST_ONLY],
            self.orders[order + O_NUMBER],
        )

    def open_orders(self, account: int) -> list[int]:
        """Return the ids of an account's open orders, in order of acceptance."""
        found = []
        order = self.account_heads[account] if 0 <= account < self.account_count else 0
        while order:
            found.append(self.orders[order + O_ID])
            order = self.orders[order + O_ACCOUNT_NEXT]
        return found

    def open_order_count(self, account: int) -> int:
        """Return how many open orders *account* has."""
        return self.account_orders[account] if 0 <= account < self.account_count else 0

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
        if self.is_spot:
            spot = self.spot
            balances = [(account, *spot.balance(account)) for account in range(spot.account_count())]
            digest.update(repr((balances, spot.base_fees, spot.quote_fees)).encode())
        return digest.hexdigest()

    def _side_place(self, side: int) -> int:
        if side not in (BUY, SELL):
            raise ValueError(f"side should be 1 (buy) or 2 (sell), was {side}")
        return side * SIDE_WORDS

    def _level_at(self, side: int, price: int) -> int:
        """Return the level of *price*, 0 if there is none."""
        if (side != BUY and side != SELL) or price <= 0 or price > MOST:
            return 0
        ticks = price // self.tick_steps
        if ticks * self.tick_steps != price:
            return 0
        here = side * SIDE_WORDS
        rank = ticks if side == BUY else -ticks
        offset = rank - self.sides[here + S_BASE]
        if 0 <= offset < self.window_size:
            return self.windows[self.sides[here + S_WINDOW] + offset]
        return self.far_levels[side].get(rank, 0)

    # Room.

    def _doubled(self, words: memoryview[int]) -> array[int]:
        """Return *words* with as many zeros behind them."""
        larger = array("q", words)
        larger.extend(zeros(len(words)))
        return larger

    def _make_room_for_order(self, order_id: int) -> bool:
        if not 0 <= order_id < self.id_end + ID_GAP:
            raise ValueError(
                f"order id {order_id} should be at least 0 and less than {ID_GAP} above the highest so far: count them up"
            )
        while order_id >= self.id_count:
            self.handles = self._doubled(self.handles)
            self.id_count *= 2
        return True

    def _make_room_for_account(self, account: int) -> bool:
        if not 0 <= account < ID_GAP:
            raise ValueError(f"account number {account} should be at least 0 and less than {ID_GAP}: count them up")
        while account >= self.account_count:
            self.account_heads = self._doubled(self.account_heads)
            self.account_tails = self._doubled(self.account_tails)
            self.account_orders = self._doubled(self.account_orders)
            self.account_count *= 2
        return True

    def _grow_orders(self) -> bool:
        first = len(self.orders)
        self.orders = self._doubled(self.orders)
        self.free_order = 0
        for order in range(len(self.orders) - ORDER_WORDS, first - 1, -ORDER_WORDS):
            self.orders[order + O_NEXT] = self.free_order
            self.free_order = order
        return True

    def _grow_levels(self) -> bool:
        first = len(self.levels_pool)
        self.levels_pool = self._doubled(self.levels_pool)
        self.free_level = 0
        for level in range(len(self.levels_pool) - LEVEL_WORDS, first - 1, -LEVEL_WORDS):
            self.levels_pool[level + L_TAIL] = self.free_level
            self.free_level = level
        return True
