"""How an order takes, rests and sets off others, with every rule: the thorough way beside the core's quick one."""

from __future__ import annotations

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import Accounts
from quotewright_simexchange.matching.codes import (
    ACTIVE,
    AUCTION,
    CANCELED,
    F_FOK,
    F_HIDDEN,
    F_ICEBERG,
    F_IOC,
    F_MARKET,
    F_POST_ONLY,
    F_REDUCE,
    F_STP,
    MOST,
    POST_ONLY_REJECT,
    R_FOK,
    R_INSUFFICIENT_FUNDS,
    R_INSUFFICIENT_MARGIN,
    R_IOC,
    R_NO_LIQUIDITY,
    R_NONE,
    R_PHASE,
    R_POST_ONLY,
    R_PRICE_RANGE,
    R_PROTECTION,
    R_REDUCE_ONLY,
    R_STP,
    RANGE,
    REDUCED,
    REFRESHED,
    REPRICED,
    STP_BOTH,
    STP_DECREMENT,
    STP_MAKER,
    STP_SHIFT,
    STP_TAKER,
    TRADED,
    TRADING,
    TRIGGERED,
    WAITING,
)
from quotewright_simexchange.matching.conditional import ConditionalBook
from quotewright_simexchange.matching.levels import doubled, zeros

REACHED = 0
BY_LIMIT = 1
BY_RANGE = 2


class TakingBook(ConditionalBook):
    """Orders act on the book one at a time; a taker that is not in the book has the level ACTIVE."""

    def __init__(self, tick_steps: int = 1, window: int = 4096, money: Accounts | None = None) -> None:
        super().__init__(tick_steps, window)
        self.money: Accounts = Accounts() if money is None else money
        self.has_money = money is not None
        self.is_derivative = self.money.is_derivative
        self.is_spot = self.has_money and not self.is_derivative
        if self.money.is_margined:
            self.specials += 1
        self.phase = TRADING
        self.trade_number = 0
        self.accept_number = 0
        self.reduce_count = 0
        self.groups = zeros(64)
        self.group_count = 64

    def set_group(self, account: int, group: int) -> bool:
        """Let self-trade prevention see accounts of one *group* as one; 0: an account for itself."""
        if account < 0 or account >= self.account_count:
            self._make_room_for_account(account)
        while account >= self.group_count:
            self.groups = doubled(self.groups)
            self.group_count *= 2
        self.groups[account] = group
        return True

    def _is_same_trader(self, one: int, other: int) -> bool:
        if one == other:
            return True
        if one >= self.group_count or other >= self.group_count:
            return False
        return self.groups[one] != 0 and self.groups[one] == self.groups[other]

    # What happens to one order.

    def _act(self, order: int) -> bool:
        """Let an accepted order take and rest."""
        flags = self.slots[order].flags
        side = self.slots[order].side
        is_market = (flags & F_MARKET) != 0
        if self.phase == AUCTION:
            if flags & (F_MARKET | F_IOC | F_FOK):
                return self._end(order, R_PHASE)
            return self._rest(order)
        rank = self._protected_rank(side) if is_market else self.slots[order].rank
        is_limited = rank != MOST
        low = self._low(RANGE, side)
        high = self._high(RANGE, side)
        if flags & F_FOK:
            leaves = self.slots[order].open
            stp = (flags & F_STP) >> STP_SHIFT
            if self._would_trade(self.slots[order].account, side, rank, leaves, stp, low, high, False) < leaves:
                return self._end(order, R_FOK)
        stopped = self._take(order, rank, low, high)
        if self.slots[order].open == 0:
            return True
        if stopped == BY_RANGE:
            return self._end(order, R_PRICE_RANGE)
        if not is_market:
            if flags & F_IOC:
                return self._end(order, R_IOC)
            if flags & F_FOK:
                return self._end(order, R_FOK)
            return self._rest(order)
        if is_limited and self.protection_rests and flags & (F_IOC | F_FOK) == 0 and self._is_price(rank, side):
            self.slots[order].rank = rank
            self.slots[order].flags = flags - F_MARKET
            account = self.slots[order].account
            leaves = self.slots[order].open
            price = self._price(rank)
            self._emit(REPRICED, self.slots[order].id, 0, price, self.slots[order].total, leaves, 0, 0, account, 0, 0)
            return self._rest(order)
        is_protected = is_limited and self.sides[BUY + SELL - side].best_level != 0
        return self._end(order, R_PROTECTION if is_protected else R_NO_LIQUIDITY)

    def _is_price(self, rank: int, side: int) -> bool:
        """Return whether an order of *side* may stand at *rank*: a tick at least, not beyond the largest."""
        ticks = rank if side == BUY else -rank
        return ticks > 0 and ticks <= MOST // self.tick_steps

    def _rest(self, order: int) -> bool:
        """Put an order at the back of its level; spot money is locked for it."""
        side = self.slots[order].side
        leaves = self.slots[order].open
        self._join_level(order, side, self.slots[order].rank, leaves)
        if self.is_spot:
            self._lock(order)
        return True

    def _end(self, order: int, reason: int) -> bool:
        """Cancel an open order, wherever it is, and tell why."""
        account = self.slots[order].account
        level = self.slots[order].level
        self._emit(CANCELED, self.slots[order].id, 0, 0, self.slots[order].open, 0, 0, reason, account, 0, 0)
        if level > 0:
            self._leave_level(order)
            if self.is_spot:
                self._release(order)
        elif level == WAITING:
            self._stop_waiting(order, ACTIVE)
        return self._retire(order)

    def _retire(self, order: int) -> bool:
        """Give back an order that has ended."""
        if self.slots[order].flags & F_REDUCE:
            self.reduce_count -= 1
        self.slots[order].open = 0
        return self._forget(order)

    def _lose(self, order: int, by: int, reason: int) -> bool:
        """Take *by* off an order's open quantity without a trade; place, and as much of a slice as fits, stay."""
        leaves = self.slots[order].open - by
        if leaves <= 0:
            return self._end(order, reason)
        side = self.slots[order].side
        account = self.slots[order].account
        self.slots[order].total -= by
        if self.slots[order].level > 0:
            self._shrink(order, by)
            if self.is_spot:
                self.money.release(account, side, order)
                self.money.lock(account, side, self._price(self.slots[order].rank), leaves, order)
        else:
            self.slots[order].open = leaves
        self._emit(REDUCED, self.slots[order].id, 0, 0, by, leaves, 0, reason, account, 0, 0)
        return True

    def _shrink(self, order: int, by: int) -> bool:
        """Take *by* off a resting order in its place; its slice shrinks only when it is larger than what is left."""
        level = self.slots[order].level
        flags = self.slots[order].flags
        if self.rungs[level].is_touched == 0:
            self._touch(level)
        self.slots[order].open -= by
        self.sides[self.slots[order].side].open_lots -= by
        if flags & F_HIDDEN:
            return True
        if flags & F_ICEBERG:
            by = self.slots[order].shown - self.slots[order].open
            if by <= 0:
                return True
            self.slots[order].shown -= by
        self.rungs[level].quantity -= by
        return True

    # Money, apart from the ways of orders: it is made of Python's ints.

    def _lock(self, order: int) -> bool:
        """Lock what a resting order needs."""
        price = self._price(self.slots[order].rank)
        leaves = self.slots[order].open
        return self.money.lock(self.slots[order].account, self.slots[order].side, price, leaves, order)

    def _release(self, order: int) -> bool:
        return self.money.release(self.slots[order].account, self.slots[order].side, order)

    def _can_place(self, order: int, price: int, leaves: int) -> bool:
        return self.money.can_place(self.slots[order].account, self.slots[order].side, price, leaves, order)

    def _book_trade(self, maker: int, left: int, account: int, side: int, price: int, fill: int) -> bool:
        return self.money.trade(self.slots[maker].account, maker, left, account, side, price, fill)

    def fees(self) -> list[tuple[int, bool, int, bool]]:
        """Return ``(maker's fee, is in base, taker's fee, is in base)`` of each trade, in order; empty without fees."""
        return list(self.money.fees) if self.has_money else []

    def amounts(self) -> list[int]:
        """Return the amounts of the events of funding, settlement and insurance, in order."""
        return list(self.money.amounts) if self.has_money else []

    # Taking.

    def _take(self, taker: int, rank: int, low: int, high: int) -> int:
        """Trade with the makers that *rank* and the price range reach; return what stopped it."""
        side = self.slots[taker].side
        other = BUY + SELL - side
        stp = (self.slots[taker].flags & F_STP) >> STP_SHIFT
        while self.slots[taker].open > 0:
            level = self.sides[other].best_level
            if level == 0:
                return REACHED
            if rank + self.rungs[level].rank < 0:
                return BY_LIMIT
            price = self._price(self.rungs[level].rank)
            if price < low or price > high:
                return BY_RANGE
            maker = self.rungs[level].head
            if stp and self._is_same_trader(self.slots[taker].account, self.slots[maker].account):
                self._prevent(taker, maker, stp)
            else:
                self._trade(taker, maker, price)
        return REACHED

    def _trade(self, taker: int, maker: int, price: int) -> bool:
        """Make one trade and what follows from it at once."""
        fill = self._shown(maker)
        if fill > self.slots[taker].open:
            fill = self.slots[taker].open
        left = self.slots[maker].open - fill
        leaves = self.slots[taker].open - fill
        maker_account = self.slots[maker].account
        account = self.slots[taker].account
        side = self.slots[taker].side
        self.trade_number += 1
        self._emit(
            TRADED,
            self.slots[maker].id,
            self.slots[taker].id,
            price,
            fill,
            left,
            leaves,
            side,
            maker_account,
            account,
            self.trade_number,
        )
        if self.has_money:
            self.money.trade(maker_account, maker, left, account, side, price, fill)
        self.slots[taker].open = leaves
        if leaves == 0:
            self._retire(taker)
        self._fill_resting(maker, fill)
        self._print(price)
        if self.reduce_count:
            self._enforce(maker_account, taker)
            if account != maker_account:
                self._enforce(account, taker)
        return True

    def _fill_resting(self, order: int, fill: int) -> bool:
        """Take a fill off a resting order; a used-up slice is shown again at the back of its level."""
        left = self.slots[order].open - fill
        if left == 0:
            self._leave_level(order)
            return self._retire(order)
        level = self.slots[order].level
        if self.rungs[level].is_touched == 0:
            self._touch(level)
        flags = self.slots[order].flags
        self.slots[order].open = left
        self.sides[self.slots[order].side].open_lots -= fill
        if flags & F_HIDDEN:
            return True
        self.rungs[level].quantity -= fill
        if flags & F_ICEBERG:
            self.slots[order].shown -= fill
            if self.slots[order].shown == 0:
                fill = self.slots[order].display
                if fill > left:
                    fill = left
                self.slots[order].shown = fill
                self.rungs[level].quantity += fill
                self._requeue(order)
                self._emit(REFRESHED, self.slots[order].id, 0, 0, fill, left, 0, 0, self.slots[order].account, 0, 0)
        return True

    def _prevent(self, taker: int, maker: int, stp: int) -> bool:
        """Apply the taker's self-trade prevention to it and its own *maker*."""
        if stp == STP_DECREMENT:
            by = self.slots[taker].open
            if by > self.slots[maker].open:
                by = self.slots[maker].open
            self._lose(maker, by, R_STP)
            self._lose(taker, by, R_STP)
            return True
        if stp in (STP_MAKER, STP_BOTH):
            self._end(maker, R_STP)
        if stp in (STP_TAKER, STP_BOTH):
            self._end(taker, R_STP)
        return True

    def _would_trade(
        self, account: int, side: int, rank: int, leaves: int, stp: int, low: int, high: int, is_costed: bool
    ) -> int:
        """Return what a taker would trade now, without trading; the cost goes to the money if *is_costed*."""
        other = BUY + SELL - side
        total = 0
        level = self.sides[other].best_level
        while level and leaves and rank + self.rungs[level].rank >= 0:
            price = self._price(self.rungs[level].rank)
            if price < low or price > high:
                break
            order = self.rungs[level].head
            hidden = self.rungs[level].hidden
            again: list[tuple[int, int]] = []
            while leaves and (order or again):
                if again and order == hidden:
                    maker, left = again.pop(0)
                else:
                    maker = order
                    left = self.slots[order].open
                    order = self.slots[order].next
                    if stp and self._is_same_trader(account, self.slots[maker].account):
                        if stp in (STP_TAKER, STP_BOTH):
                            return total
                        if stp == STP_DECREMENT:
                            leaves -= left if left < leaves else leaves
                        continue
                fill = left
                if self.slots[maker].flags & F_ICEBERG:
                    fill = self.slots[maker].shown if left == self.slots[maker].open else self.slots[maker].display
                    if fill > left:
                        fill = left
                if fill > leaves:
                    fill = leaves
                elif fill < left:
                    again.append((maker, left - fill))
                if is_costed:
                    self.money.add_cost(price, fill)
                total += fill
                leaves -= fill
            level = self._next_level(other, self.rungs[level].rank)
        return total

    def _money_fault(
        self, account: int, side: int, is_market: bool, rank: int, leaves: int, flags: int, order: int
    ) -> int:
        """Return why *account* cannot afford an order that rests, or would, as *order* (0: a new one)."""
        if not self.has_money or not self.money.has_funds(account):
            return R_NONE
        if self.is_spot:
            if is_market and side == BUY:
                stp = (flags & F_STP) >> STP_SHIFT
                rank = self._protected_rank(side)
                low = self._low(RANGE, side)
                high = self._high(RANGE, side)
                is_costed = True
                if flags & F_FOK:
                    is_costed = self._would_trade(account, side, rank, leaves, stp, low, high, False) >= leaves
                if is_costed:
                    self._would_trade(account, side, rank, leaves, stp, low, high, True)
                return R_NONE if self.money.can_pay(account) else R_INSUFFICIENT_FUNDS
            price = 0 if is_market else self._price(rank)
            return R_NONE if self.money.can_place(account, side, price, leaves, order) else R_INSUFFICIENT_FUNDS
        if not self.money.is_margined:
            return R_NONE
        other = self.owners[account].first
        while other:
            if other != order and self.slots[other].level > 0:
                self.money.add_margin(
                    account, self.slots[other].side, self._price(self.slots[other].rank), self.slots[other].open
                )
            other = self.slots[other].account_next
        if not is_market:
            price = self._price(rank)
        else:
            other = self.sides[BUY + SELL - side].best_level
            price = self._price(self.rungs[other].rank) if other else self.last_price
        if price:
            self.money.add_margin(account, side, price, leaves)
        return R_NONE if self.money.can_margin(account) else R_INSUFFICIENT_MARGIN

    # Reduce-only.

    def _closable(self, account: int, side: int) -> int:
        """Return the size of the position that an order of *side* would close."""
        position = self.money.position(account)
        if side == BUY:
            position = -position
        return position if position > 0 else 0

    def _enforce(self, account: int, active: int) -> bool:
        """Cut every resting reduce-only order of *account*, and the active one, to the position it closes."""
        order = self.owners[account].first
        while order:
            after = self.slots[order].account_next
            if self.slots[order].flags & F_REDUCE and (self.slots[order].level > 0 or order == active):
                most = self._closable(account, self.slots[order].side)
                if self.slots[order].open > most:
                    self._lose(order, self.slots[order].open - most, R_REDUCE_ONLY)
            order = after
        return True

    # Elected orders.

    def _run_elected(self) -> bool:
        """Let elected orders act, first elected first served, until no election is left."""
        while self.elected_first:
            order = self.elected_first
            self.elected_first = self.slots[order].next
            self.slots[order].level = ACTIVE
            self._emit(TRIGGERED, self.slots[order].id, 0, 0, 0, 0, 0, 0, self.slots[order].account, 0, 0)
            self._act_elected(order)
        return True

    def _act_elected(self, order: int) -> bool:
        account = self.slots[order].account
        side = self.slots[order].side
        flags = self.slots[order].flags
        rank = self.slots[order].rank
        is_market = (flags & F_MARKET) != 0
        if flags & F_REDUCE:
            if self._closable(account, side) == 0:
                return self._end(order, R_REDUCE_ONLY)
            self._enforce(account, order)
        other = BUY + SELL - side
        if flags & F_POST_ONLY and not is_market and self.phase != AUCTION and rank + self.sides[other].best_rank >= 0:
            rank = -self.sides[other].best_rank - 1
            if flags & F_POST_ONLY == POST_ONLY_REJECT or not self._is_price(rank, side):
                return self._end(order, R_POST_ONLY)
            self.slots[order].rank = rank
            price = self._price(rank)
            leaves = self.slots[order].open
            self._emit(REPRICED, self.slots[order].id, 0, price, self.slots[order].total, leaves, 0, 0, account, 0, 0)
        reason = self._money_fault(account, side, is_market, rank, self.slots[order].open, flags, order)
        if reason != R_NONE:
            return self._end(order, reason)
        return self._act(order)
