"""The matching core: commands on one instrument in, events and level changes out, price-time priority.

One command is carried out at a time and leaves its events as rows of int64; see ``docs/matching.md`` for the columns.
Without spot accounts nothing but int64 arithmetic takes place; money is Python ints in the accounts.
"""

from __future__ import annotations

import hashlib
import sys
from array import array

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import REFERENCE_UNIT
from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    ALWAYS_REQUEUES,
    AMEND,
    AMEND_REJECTED,
    AMENDED,
    C_ACCOUNT,
    C_DISPLAY,
    C_EXPIRY,
    C_KIND,
    C_MARKS,
    C_OPERATION,
    C_ORDER,
    C_POST_ONLY,
    C_PRICE,
    C_QUANTITY,
    C_SIDE,
    C_STP,
    C_TIF,
    C_TRIGGER,
    C_TRIGGER_BY,
    CANCEL,
    CANCEL_ALL,
    CANCEL_REJECTED,
    CANCELED,
    CLOCK,
    COMMAND_WORDS,
    CROSS_CANCEL,
    F_POST_ONLY,
    FOK,
    GTC,
    HALT,
    KEEP,
    LAST,
    LIMIT,
    MARKET,
    MOST,
    NEW,
    NO_STP,
    NOT_POST_ONLY,
    PHASE,
    POST_ONLY_REPRICE,
    QTY_DOWN_ONLY,
    R_AMEND_BELOW_FILLED,
    R_BAD_FLAGS,
    R_DUPLICATE_ID,
    R_FOK,
    R_INSUFFICIENT_FUNDS,
    R_IOC,
    R_MAX_OPEN_ORDERS,
    R_MAX_QTY,
    R_NO_LIQUIDITY,
    R_NONE,
    R_NOT_ALLOWED,
    R_POST_ONLY,
    R_USER,
    REFERENCE,
    REJECTED,
    REPRICED,
    TRADED,
    TRADING,
    UNCROSS,
)
from quotewright_simexchange.matching.entry import EntryBook


class MatchingCore(EntryBook):
    """The matching rules of one instrument on its book; each command leaves its events and its level changes.

    As long as no rule is on and nothing but plain orders is about (``specials`` is 0), orders go the quick way here;
    otherwise the thorough way of the classes below.

    Prices and quantities are whole steps of the instrument; orders must be on the grids of *tick_steps* and
    *lot_steps*. A limit of 0 is off. *min_notional* is in price steps times size steps. *money* is what the accounts
    own; without it nothing is booked. *window*: see LevelIndex.

    Order ids and account numbers are counted up from 0 by the caller: they index arrays.
    """

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
        stp: int = NO_STP,
        display: int = 0,
        marks: int = 0,
        trigger: int = 0,
        trigger_by: int = LAST,
        expiry: int = 0,
    ) -> int:
        """Place an order and return how many events that made; *price* is not looked at for a market order."""
        self.clear()
        if self.specials or kind > MARKET or tif > FOK or stp or display or marks:
            self._new_order(
                order_id,
                account,
                side,
                kind,
                price,
                quantity,
                tif,
                post_only,
                stp,
                display,
                marks,
                trigger,
                trigger_by,
                expiry,
            )
        else:
            self._new(order_id, account, side, kind, price, quantity, tif, post_only)
        return self._finish()

    def cancel(self, order_id: int, account: int) -> int:
        """Cancel one order of *account* and return how many events that made."""
        self.clear()
        self._cancel(order_id, account)
        return self._finish()

    def cancel_all(self, account: int) -> int:
        """Cancel every order of *account* in order of acceptance and return how many events that made."""
        self.clear()
        self._cancel_all(account)
        return self._finish()

    def amend(self, order_id: int, account: int, price: int = KEEP, quantity: int = KEEP) -> int:
        """Change price and total quantity (filled part included) and return how many events that made."""
        self.clear()
        self._amend(order_id, account, price, quantity)
        return self._finish()

    def set_reference(self, source: int, price: int) -> int:
        """Take a mark, index or reference price, in REFERENCE_UNIT parts of a step; return how many events it made."""
        self.clear()
        self._take_reference(source, price)
        return self._finish()

    def set_time(self, now: int) -> int:
        """Move the clock to *now*, cancel what has expired, and return how many events that made."""
        self.clear()
        self._tell_time(now)
        return self._finish()

    def set_phase(self, phase: int) -> int:
        """Change the phase of the market; always one event."""
        self.clear()
        self._set_phase(phase)
        return self._finish()

    def uncross(self) -> int:
        """End an auction and return how many events that made."""
        self.clear()
        self._uncross()
        return self._finish()

    def fund(self, rate: int) -> int:
        """Pay funding at *rate*, in RATE_UNIT parts, and return how many events that made."""
        self.clear()
        self._fund(rate)
        return self._finish()

    def settle(self, price: int) -> int:
        """Cancel every order, close every position at *price*, in REFERENCE_UNIT parts; return how many events."""
        self.clear()
        self._settle(price)
        return self._finish()

    def tell(
        self,
        operation: int,
        order_id: int,
        account: int,
        side: int = BUY,
        kind: int = LIMIT,
        price: int = KEEP,
        quantity: int = KEEP,
        tif: int = GTC,
    ) -> int | tuple[tuple[int, ...], ...]:
        """Carry out a plain ``NEW``, ``AMEND`` or ``CANCEL`` (the first columns of a row of :meth:`run`) and return its
        events: the quickest way to learn all that came of it. One number stands for a single event that says no more
        than that it was done as told, with this price and quantity: the open quantity of a new order that rests, or of
        an amended one (negative: it has lost its place), or what was open of an order that its owner cancelled."""
        if operation == AMEND:
            self.amend(order_id, account, price, quantity)
        elif operation == NEW:
            self.new(order_id, account, side, kind, price, quantity, tif)
        elif operation == CANCEL:
            self.cancel(order_id, account)
        else:
            raise ValueError(f"operation should be {NEW} (new), {AMEND} (amend) or {CANCEL} (cancel), was {operation}")
        return self._told(operation, price, quantity)

    def _finish(self) -> int:
        """End a command: elected orders act, level changes are written down; return how many events it made."""
        if self.elected_first:
            self._run_elected()
        if self.touched_count:
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
                kind = commands[at + C_KIND]
                tif = commands[at + C_TIF]
                stp = commands[at + C_STP]
                display = commands[at + C_DISPLAY]
                marks = commands[at + C_MARKS]
                if self.specials or kind > MARKET or tif > FOK or stp or display or marks:
                    self._new_order(
                        commands[at + C_ORDER],
                        commands[at + C_ACCOUNT],
                        commands[at + C_SIDE],
                        kind,
                        commands[at + C_PRICE],
                        commands[at + C_QUANTITY],
                        tif,
                        commands[at + C_POST_ONLY],
                        stp,
                        display,
                        marks,
                        commands[at + C_TRIGGER],
                        commands[at + C_TRIGGER_BY],
                        commands[at + C_EXPIRY],
                    )
                else:
                    self._new(
                        commands[at + C_ORDER],
                        commands[at + C_ACCOUNT],
                        commands[at + C_SIDE],
                        kind,
                        commands[at + C_PRICE],
                        commands[at + C_QUANTITY],
                        tif,
                        commands[at + C_POST_ONLY],
                    )
            elif operation == CANCEL:
                self._cancel(commands[at + C_ORDER], commands[at + C_ACCOUNT])
            elif operation == CANCEL_ALL:
                self._cancel_all(commands[at + C_ACCOUNT])
            elif operation == REFERENCE:
                self._take_reference(commands[at + C_KIND], commands[at + C_PRICE] * REFERENCE_UNIT)
            elif operation == CLOCK:
                self._tell_time(commands[at + C_EXPIRY])
            elif operation == PHASE:
                self._set_phase(commands[at + C_KIND])
            elif operation == UNCROSS:
                self._uncross()
            else:
                self._refuse_row(row, operation)
            if self.elected_first:
                self._run_elected()
            if self.touched_count:
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
        """Place a plain order while nothing special is in the book and no rule is on."""
        if (side != BUY and side != SELL) or (kind != LIMIT and kind != MARKET) or tif < GTC or tif > FOK:
            self._refuse_order(order_id, side, kind, tif, post_only)
        if post_only < NOT_POST_ONLY or post_only > POST_ONLY_REPRICE:
            self._refuse_order(order_id, side, kind, tif, post_only)
        if order_id < 0 or order_id >= self.id_count:
            self._make_room_for_order(order_id)
        if account < 0 or account >= self.account_count:
            self._make_room_for_account(account)
        other = BUY + SELL - side
        rank = MOST
        reason = R_NONE
        if self.handles[order_id] != 0:
            reason = R_DUPLICATE_ID
        else:
            reason = self._check(kind, price, quantity)
            if reason == R_NONE:
                if kind == LIMIT:
                    rank = self.ticks if side == BUY else -self.ticks
                if post_only and (kind == MARKET or tif != GTC):
                    reason = R_BAD_FLAGS
                elif self.max_open_orders > 0 and self.owners[account].count >= self.max_open_orders:
                    reason = R_MAX_OPEN_ORDERS
                elif quantity > self._room(side):
                    reason = R_MAX_QTY
        is_repriced = False
        if reason == R_NONE and post_only and rank + self.sides[other].best_rank >= 0:
            rank = -self.sides[other].best_rank - 1
            is_repriced = post_only == POST_ONLY_REPRICE and self._is_price(rank, side)
            if not is_repriced:
                reason = R_POST_ONLY
        if reason == R_NONE and self.is_spot and not self._is_covered(account, side, kind, rank, quantity, tif):
            reason = R_INSUFFICIENT_FUNDS
        if reason != R_NONE:
            self._emit(REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self.accept_number = self.accept_number + 1
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
        if rank + self.sides[other].best_rank >= 0:
            if tif == FOK and not self._is_fillable(other, rank, quantity):
                self.handles[order_id] = -1 - account
                self._emit(CANCELED, order_id, 0, 0, quantity, 0, 0, R_FOK, account, 0, 0)
                return True
            leaves = self._match(order_id, account, side, rank, leaves)
        if leaves and kind == LIMIT and tif == GTC:
            order = self._add_order(order_id, account, side, rank, leaves, quantity, post_only, number)
            if self.is_spot:
                self._lock(order)
            return True
        self.handles[order_id] = -1 - account
        if leaves:
            reason = R_FOK if tif == FOK else R_NO_LIQUIDITY if kind == MARKET else R_IOC
            self._emit(CANCELED, order_id, 0, 0, leaves, 0, 0, reason, account, 0, 0)
        return True

    def _cancel(self, order_id: int, account: int) -> bool:
        order = 0
        if self.phase == TRADING and 0 <= order_id < self.id_count:
            order = self.handles[order_id]
        if order <= 0 or self.slots[order].account != account:
            reason = self._find(order_id, account, False)
            if reason != R_NONE:
                self._emit(CANCEL_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
                return True
            order = self.handles[order_id]
        self._cancel_order(order, R_USER)
        return True

    def _cancel_all(self, account: int) -> bool:
        if account >= 0 and account < self.account_count and self.phase != HALT:
            self._cancel_every(account, R_USER)
        return True

    def _amend(self, order_id: int, account: int, price: int, quantity: int) -> bool:
        reason = R_NONE
        order = 0
        if self.phase == TRADING and 0 <= order_id < self.id_count:
            order = self.handles[order_id]
        if order <= 0 or self.slots[order].account != account:
            reason = self._find(order_id, account, True)
        if reason == R_NONE:
            order = self.handles[order_id]
            if self.specials or self.slots[order].flags > F_POST_ONLY:
                reason = self._amend_order(order, price, quantity)
                if reason == R_NONE:
                    return True
        if reason != R_NONE:
            self._emit(AMEND_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        side = self.slots[order].side
        other = BUY + SELL - side
        rank = self.slots[order].rank
        before = self.slots[order].open
        total = self.slots[order].total
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
            elif leaves > before and leaves - before > self._room(side):
                reason = R_MAX_QTY
            elif self.slots[order].flags and wanted + self.sides[other].best_rank >= 0:
                if self.amend_post_only_cross == CROSS_CANCEL:
                    self._cancel_order(order, R_POST_ONLY)
                    return True
                reason = R_POST_ONLY
            elif self.is_spot and not self._can_place(order, price, leaves):
                reason = R_INSUFFICIENT_FUNDS
        if reason != R_NONE:
            self._emit(AMEND_REJECTED, order_id, 0, 0, 0, 0, 0, reason, account, 0, 0)
            return True
        self._emit(AMENDED, order_id, 0, price, quantity, leaves, 0, is_kept, account, 0, 0)
        self.slots[order].total = quantity
        if self.is_spot:
            self._release(order)
        if is_kept:
            if leaves != before:
                level = self.slots[order].level
                self._touch(level)
                self.rungs[level].quantity = self.rungs[level].quantity - (before - leaves)
                self.sides[side].open_lots = self.sides[side].open_lots - (before - leaves)
                self.slots[order].open = leaves
        else:
            self._leave_level(order)
            if wanted + self.sides[other].best_rank >= 0:
                leaves = self._match(order_id, account, side, wanted, leaves)
            if leaves == 0:
                self._forget(order)
                return True
            self.slots[order].open = leaves
            self._join_level(order, side, wanted, leaves)
        if self.is_spot:
            self._lock(order)
        return True

    def _is_covered(self, account: int, side: int, kind: int, rank: int, quantity: int, tif: int) -> bool:
        """Return whether a new order is paid for: a limit by its lock, a market buy by its real cost in this book."""
        if not self.money.has_funds(account):
            return True
        if kind == LIMIT or side == SELL:
            price = self._price(rank) if kind == LIMIT else 0
            return self.money.can_place(account, side, price, quantity, 0)
        if tif == FOK and not self._is_fillable(SELL, rank, quantity):
            return self.money.can_pay(account)
        level = self.sides[SELL].best_level
        leaves = quantity
        while level and leaves:
            price = -self.rungs[level].rank * self.tick_steps
            order = self.rungs[level].head
            while order and leaves:
                fill = self.slots[order].open
                if fill > leaves:
                    fill = leaves
                self.money.add_cost(price, fill)
                leaves -= fill
                order = self.slots[order].next
            level = self._next_level(SELL, self.rungs[level].rank)
        return self.money.can_pay(account)

    def _is_fillable(self, side: int, rank: int, quantity: int) -> bool:
        """Return whether the makers on *side* that a taker of *rank* reaches hold *quantity*."""
        level = self.sides[side].best_level
        while level and rank + self.rungs[level].rank >= 0:
            if self.rungs[level].quantity >= quantity:
                return True
            quantity -= self.rungs[level].quantity
            level = self._next_level(side, self.rungs[level].rank)
        return False

    def _match(self, order_id: int, account: int, side: int, rank: int, leaves: int) -> int:
        """Let a taker of *rank* trade with the makers it reaches and return what it has left."""
        other = BUY + SELL - side
        while leaves and rank + self.sides[other].best_rank >= 0:
            level = self.sides[other].best_level
            if self.rungs[level].is_touched == 0:
                self._touch(level)
            ticks = self.rungs[level].rank
            price = (-ticks if side == BUY else ticks) * self.tick_steps
            order = self.rungs[level].head
            traded = 0
            while leaves and order:
                after = self.slots[order].next
                left = self.slots[order].open
                fill = left if left < leaves else leaves
                left -= fill
                leaves -= fill
                traded += fill
                self.trade_number = self.trade_number + 1
                self._emit(
                    TRADED,
                    self.slots[order].id,
                    order_id,
                    price,
                    fill,
                    left,
                    leaves,
                    side,
                    self.slots[order].account,
                    account,
                    self.trade_number,
                )
                if self.has_money:
                    self._book_trade(order, left, account, side, price, fill)
                if left:
                    self.slots[order].open = left
                    break
                self._forget(order)
                order = after
            self.last_price = price
            self.rungs[level].quantity = self.rungs[level].quantity - traded
            self.sides[other].open_lots = self.sides[other].open_lots - traded
            self.rungs[level].head = order
            if order:
                self.slots[order].previous = 0
            else:
                self.rungs[level].tail = 0
                self._hide(level)
        return leaves

    def _cancel_order(self, order: int, reason: int) -> bool:
        """Take an open order out of the book and tell why."""
        if self.slots[order].level <= 0 or self.slots[order].flags > F_POST_ONLY:
            return self._end(order, reason)
        order_id = self.slots[order].id
        account = self.slots[order].account
        leaves = self.slots[order].open
        self._emit(CANCELED, order_id, 0, 0, leaves, 0, 0, reason, account, 0, 0)
        self._leave_level(order)
        if self.is_spot:
            self._release(order)
        self._forget(order)
        return True

    def state_hash(self) -> str:
        """Return a SHA-256 over everything that later commands can depend on, the same on every platform."""
        counts = (self.phase, self.last_price, self.trade_number, self.accept_number, self.feed_sequence, self.now)
        state = array("q", [2, *counts])
        ids = array("q", self.handles[: self.id_end])
        found = []
        for side in (BUY, SELL):
            found.append(-side)
            for price in self.prices(side):
                found += [order_id for order_id, _ in self.orders_at(side, price)]
        found.append(-SELL - 1)
        found += self.waiting_orders()
        for order_id in found:
            order = self.order(order_id) if order_id >= 0 else None
            state.append(order_id)
            if order is not None:
                state.extend(order)
                state.extend(self.conditions(order_id))
                ids[order_id] = 1
        state.append(len(ids))
        state.extend(ids)
        for account in range(self.group_count):
            if self.groups[account]:
                state.extend((account, self.groups[account]))
        if sys.byteorder == "big":
            state.byteswap()
        digest = hashlib.sha256(state.tobytes())
        digest.update(self.references().encode())
        if self.has_money:
            digest.update(self.money.state().encode())
        return digest.hexdigest()
