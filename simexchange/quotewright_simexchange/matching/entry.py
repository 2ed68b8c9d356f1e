"""Orders of every kind at the entry of the book: the checks of a new order and of an amend, in the documented order."""

from __future__ import annotations

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import Accounts
from quotewright_simexchange.matching.auction import MarketBook
from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    ALWAYS_REQUEUES,
    AMENDED,
    AUCTION,
    BAND,
    CANCEL_ONLY,
    CROSS_CANCEL,
    CROSS_REJECT,
    F_CONDITIONAL,
    F_FOK,
    F_GTD,
    F_HIDDEN,
    F_ICEBERG,
    F_IOC,
    F_MARKET,
    F_POST_ONLY,
    F_REDUCE,
    FOK,
    GTC,
    GTD,
    HALT,
    INDEX,
    IOC,
    IS_HIDDEN,
    IS_REDUCE_ONLY,
    KEEP,
    LAST,
    LIMIT,
    MARKET,
    MET_REJECT,
    MET_TRIGGER,
    MOST,
    NO_STP,
    NOT_POST_ONLY,
    OFF_STEP,
    POST_ONLY_PHASE,
    POST_ONLY_REPRICE,
    QTY_DOWN_KEEPS,
    QTY_DOWN_ONLY,
    R_AMEND_BELOW_FILLED,
    R_BAD_FLAGS,
    R_BAD_PRICE,
    R_BAD_QTY,
    R_DUPLICATE_ID,
    R_LOT,
    R_MAX_OPEN_ORDERS,
    R_MAX_QTY,
    R_MIN_NOTIONAL,
    R_MIN_QTY,
    R_NONE,
    R_NOT_ALLOWED,
    R_ORDER_CLOSED,
    R_PHASE,
    R_POST_ONLY,
    R_PRICE_BAND,
    R_REDUCE_ONLY,
    R_TICK,
    R_TRIGGER_MET,
    R_UNKNOWN_ORDER,
    REJECTED,
    REPRICED,
    STOP,
    STOP_LIMIT,
    STP_DECREMENT,
    STP_SHIFT,
    TAKE_PROFIT_LIMIT,
    TRADING,
)


class EntryBook(MarketBook):
    """New orders and amends of every kind, and the limits they are held to; see MatchingCore for the parameters."""

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
        stop_if_met: int = MET_REJECT,
    ) -> None:
        super().__init__(tick_steps, window, money)
        if not 0 < lot_steps <= MOST:
            raise ValueError(f"lot_steps should be 1 to {MOST}, was {lot_steps}")
        if amend_policy not in (QTY_DOWN_KEEPS, ALWAYS_REQUEUES, QTY_DOWN_ONLY):
            raise ValueError(f"amend_policy should be 0, 1 or 2, was {amend_policy}")
        if amend_post_only_cross not in (CROSS_REJECT, CROSS_CANCEL):
            raise ValueError(f"amend_post_only_cross should be 0 or 1, was {amend_post_only_cross}")
        if stop_if_met not in (MET_REJECT, MET_TRIGGER):
            raise ValueError(f"stop_if_met should be 0 or 1, was {stop_if_met}")
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
        self.stop_if_met = stop_if_met
        self.ticks = 0

    # Checks.

    def _find(self, order_id: int, account: int, is_amend: bool) -> int:
        """Return R_NONE if *order_id* is an open order of *account* that may be touched now, otherwise why not."""
        if self.phase == HALT or (is_amend and (self.phase in (CANCEL_ONLY, AUCTION))):
            return R_PHASE
        if order_id < 0 or order_id >= self.id_count:
            return R_UNKNOWN_ORDER
        handle = self.handles[order_id]
        if handle > 0:
            return R_NONE if self.slots[handle].account == account else R_UNKNOWN_ORDER
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

    def _check_numbers(self, is_limit: bool, is_stop: bool, price: int, trigger: int, quantity: int) -> int:
        """Return the first reason against quantity, price and trigger of a new order."""
        if is_stop and (quantity > 0 or quantity == OFF_STEP) and quantity <= MOST:
            if is_limit and ((price <= 0 and price != OFF_STEP) or price > MOST):
                return R_BAD_PRICE
            if (trigger <= 0 and trigger != OFF_STEP) or trigger > MOST:
                return R_BAD_PRICE
            if trigger == OFF_STEP or trigger % self.tick_steps != 0:
                return R_TICK
        return self._check(LIMIT if is_limit else MARKET, price, quantity)

    def _room(self, side: int) -> int:
        """Return how much more *side* can hold."""
        return MOST - self.sides[side].open_lots - self.sides[side].waiting_lots

    def _is_in_band(self, side: int, price: int) -> bool:
        return self.rule_on[BAND] == 0 or self._low(BAND, side) <= price <= self._high(BAND, side)

    def _is_phase_refused(self, kind: int, tif: int, post_only: int) -> bool:
        """Return whether the phase keeps a new order out."""
        if self.phase == POST_ONLY_PHASE:
            return kind != LIMIT or post_only == NOT_POST_ONLY
        if self.phase == AUCTION:
            return kind != LIMIT or tif in (IOC, FOK) or post_only != NOT_POST_ONLY
        return self.phase != TRADING

    def _check_flags(
        self, is_limit: bool, quantity: int, tif: int, post_only: int, display: int, marks: int, expiry: int
    ) -> int:
        """Return R_BAD_FLAGS if the flags of an order with good numbers do not go together."""
        if post_only and (not is_limit or tif in (IOC, FOK)):
            return R_BAD_FLAGS
        if display and (display < 0 or display > quantity or display % self.lot_steps != 0 or marks & IS_HIDDEN):
            return R_BAD_FLAGS
        if marks & IS_REDUCE_ONLY and not self.is_derivative:
            return R_BAD_FLAGS
        return R_BAD_FLAGS if tif == GTD and expiry <= self.now else R_NONE

    def _compose(self, kind: int, is_limit: bool, tif: int, post_only: int, stp: int, display: int, marks: int) -> int:
        """Return the flags of a new order."""
        flags = post_only + (stp << STP_SHIFT)
        if marks & IS_HIDDEN:
            flags += F_HIDDEN
        if display:
            flags += F_ICEBERG
        if marks & IS_REDUCE_ONLY:
            flags += F_REDUCE
        if not is_limit:
            flags += F_MARKET
        if tif == IOC:
            flags += F_IOC
        elif tif == FOK:
            flags += F_FOK
        elif tif == GTD:
            flags += F_GTD
        if kind >= STOP:
            flags += F_CONDITIONAL
        return flags

    def _refuse_order(self, order_id: int, side: int, kind: int, tif: int, post_only: int) -> bool:
        """Say what is wrong with what is no order at all."""
        if side != BUY and side != SELL:
            raise ValueError(f"order {order_id}: side should be 1 (buy) or 2 (sell), was {side}")
        if (kind != LIMIT and kind != MARKET) or tif < GTC or tif > FOK:
            raise ValueError(f"order {order_id}: kind {kind} with time in force {tif} is not known to the core")
        raise ValueError(f"order {order_id}: post_only should be 0, 1 or 2, was {post_only}")

    def _refuse_row(self, row: int, operation: int) -> bool:
        raise ValueError(f"command {row}: operation should be 1 to 8, was {operation}")

    # New orders.

    def _new_order(
        self,
        order_id: int,
        account: int,
        side: int,
        kind: int,
        price: int,
        quantity: int,
        tif: int,
        post_only: int,
        stp: int,
        display: int,
        marks: int,
        trigger: int,
        trigger_by: int,
        expiry: int,
    ) -> bool:
        """Check a new order of any kind and let it act, or wait."""
        if side != BUY and side != SELL:
            raise ValueError(f"order {order_id}: side should be 1 (buy) or 2 (sell), was {side}")
        if kind < LIMIT or kind > TAKE_PROFIT_LIMIT or tif < GTC or tif > GTD:
            raise ValueError(f"order {order_id}: kind {kind} with time in force {tif} is not known to the core")
        if post_only < NOT_POST_ONLY or post_only > POST_ONLY_REPRICE:
            raise ValueError(f"order {order_id}: post_only should be 0, 1 or 2, was {post_only}")
        if stp < NO_STP or stp > STP_DECREMENT or marks < 0 or marks > IS_HIDDEN + IS_REDUCE_ONLY:
            raise ValueError(f"order {order_id}: stp {stp} with marks {marks} is not known to the core")
        if trigger_by < LAST or trigger_by > INDEX:
            raise ValueError(f"order {order_id}: trigger_by should be 0, 1 or 2, was {trigger_by}")
        if order_id < 0 or order_id >= self.id_count:
            self._make_room_for_order(order_id)
        if account < 0 or account >= self.account_count:
            self._make_room_for_account(account)
        is_stop = kind >= STOP
        is_limit = kind in (LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT)
        other = BUY + SELL - side
        rank = 0
        reason = R_NONE
        if self.phase != TRADING and self._is_phase_refused(kind, tif, post_only):
            reason = R_PHASE
        elif self.handles[order_id] != 0:
            reason = R_DUPLICATE_ID
        else:
            reason = self._check_numbers(is_limit, is_stop, price, trigger, quantity)
            if reason == R_NONE and is_limit:
                rank = self.ticks if side == BUY else -self.ticks
                if not self._is_in_band(side, price):
                    reason = R_PRICE_BAND
            if reason == R_NONE:
                reason = self._check_flags(is_limit, quantity, tif, post_only, display, marks, expiry)
            if reason == R_NONE:
                if self.max_open_orders > 0 and self.owners[account].count >= self.max_open_orders:
                    reason = R_MAX_OPEN_ORDERS
                elif quantity > self._room(side):
                    reason = R_MAX_QTY
        slot = 0
        is_met = False
        is_repriced = False
        flags = self._compose(kind, is_limit, tif, post_only, stp, display, marks)
        if reason == R_NONE:
            if is_stop:
                # A stop waits for a price at or beyond its trigger, a take-profit for one at or before it.
                is_downward = (side == BUY) != (kind in (STOP, STOP_LIMIT))
                slot = 2 * trigger_by + is_downward
                is_met = self._reach(slot) >= (-trigger if is_downward else trigger)
                if is_met and self.stop_if_met == MET_REJECT:
                    reason = R_TRIGGER_MET
            else:
                if marks & IS_REDUCE_ONLY and self._closable(account, side) == 0:
                    reason = R_REDUCE_ONLY
                elif post_only and self.phase != AUCTION and rank + self.sides[other].best_rank >= 0:
                    rank = -self.sides[other].best_rank - 1
                    is_repriced = post_only == POST_ONLY_REPRICE and self._is_price(rank, side)
                    if not is_repriced:
                        reason = R_POST_ONLY
                if reason == R_NONE:
                    reason = self._money_fault(account, side, not is_limit, rank, quantity, flags, 0)
        if reason != R_NONE:
            self._emit(REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self.accept_number += 1
        number = self.accept_number
        if order_id >= self.id_end:
            self.id_end = order_id + 1
        if not is_limit:
            price = 0
        self._emit(ACCEPTED, order_id, 0, price, quantity, quantity, 0, side, account, 0, number)
        order = self._enroll(order_id, account, side, rank, quantity, quantity, flags, number)
        self.slots[order].display = display
        if tif == GTD:
            self.slots[order].expiry = expiry
            self._expire_later(order)
        if marks & IS_REDUCE_ONLY:
            self.reduce_count += 1
        if is_stop:
            self.slots[order].slot = slot
            self.slots[order].trigger = trigger
            if is_met:
                return self._queue_elected(order)
            return self._wait(order)
        if is_repriced:
            self._emit(REPRICED, order_id, 0, self._price(rank), quantity, quantity, 0, 0, account, 0, 0)
        if self.reduce_count:
            self._enforce(account, order)
            if self.slots[order].open == 0:
                return True
        return self._act(order)

    # Amends.

    def _amend_order(self, order: int, price: int, quantity: int) -> int:
        """Amend an open order of any kind; return why not, R_NONE once it is told what became of it."""
        side = self.slots[order].side
        other = BUY + SELL - side
        flags = self.slots[order].flags
        rank = self.slots[order].rank
        before = self.slots[order].open
        total = self.slots[order].total
        filled = total - before
        account = self.slots[order].account
        is_resting = self.slots[order].level > 0
        is_market = (flags & F_MARKET) != 0 and price == KEEP
        if quantity == KEEP:
            quantity = total
        wanted = rank
        if is_market:
            price = 0
        elif price == KEEP:
            price = self._price(rank)
        reason = self._check(MARKET if is_market else LIMIT, price, quantity)
        if reason != R_NONE:
            return reason
        if not is_market:
            wanted = self.ticks if side == BUY else -self.ticks
            if not self._is_in_band(side, price):
                return R_PRICE_BAND
        leaves = quantity - filled
        is_cut = wanted == rank and quantity <= total
        if self.amend_policy == QTY_DOWN_ONLY and not is_cut:
            return R_NOT_ALLOWED
        if leaves <= 0:
            self._end(order, R_AMEND_BELOW_FILLED)
            return R_NONE
        if leaves > before and leaves - before > self._room(side):
            return R_MAX_QTY
        if is_resting:
            if flags & F_POST_ONLY and self.phase != AUCTION and wanted + self.sides[other].best_rank >= 0:
                if self.amend_post_only_cross == CROSS_CANCEL:
                    self._end(order, R_POST_ONLY)
                    return R_NONE
                return R_POST_ONLY
            reason = self._money_fault(account, side, False, wanted, leaves, flags, order)
            if reason != R_NONE:
                return reason
        is_kept = is_cut and self.amend_policy != ALWAYS_REQUEUES
        self._emit(AMENDED, self.slots[order].id, 0, price, quantity, leaves, 0, is_kept, account, 0, 0)
        if not is_resting:
            self.slots[order].total = quantity
            self.slots[order].open = leaves
            self.slots[order].rank = wanted
            self.sides[side].waiting_lots += leaves - before
            if not is_market and flags & F_MARKET:
                self.slots[order].flags = flags - F_MARKET
            return R_NONE
        if self.is_spot:
            self.money.release(account, side, order)
        if is_kept:
            self._shrink(order, before - leaves)
            if self.is_spot:
                self.money.lock(account, side, price, leaves, order)
        else:
            self._leave_level(order)
            self.slots[order].open = leaves
            self.slots[order].rank = wanted
        self.slots[order].total = quantity
        if self.reduce_count:
            self._enforce(account, order)
        if not is_kept and self.slots[order].open > 0:
            self._act(order)
        return R_NONE
