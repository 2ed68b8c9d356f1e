"""Spot balances: exact money for the matching core, free and locked, with fees rounded per trade."""

from __future__ import annotations

from quotewright.kernel.codes import BUY, MONEY_SCALE

RATE_UNIT = 10**18
"""Fee rates are whole numbers of 10**-18."""


class SpotAccounts:
    """Balances of base and quote currency by account number; amounts are Python ints of 10**-scale of their currency.

    An account without a deposit is unfunded: it trades without any check and nothing is booked for it. A resting buy
    locks price times open quantity (with ``fee_in_quote`` one plus the larger positive rate times that, rounded up at
    ``fee_scale`` decimals), a sell its open quantity. Every trade rounds its fees by itself, charges up and rebates
    toward zero; a buy that fills in n pieces can so cost up to n units of the fee scale more than was locked.
    """

    def __init__(
        self,
        price_decimals: int,
        size_decimals: int,
        maker_rate: int = 0,
        taker_rate: int = 0,
        fee_in_quote: bool = False,
        fee_scale: int = 8,
        scale: int = MONEY_SCALE,
    ) -> None:
        if min(price_decimals, size_decimals, fee_scale) < 0:
            raise ValueError(f"decimals should not be negative, were {price_decimals}, {size_decimals}, {fee_scale}")
        if scale < max(price_decimals + size_decimals, fee_scale):
            raise ValueError(
                f"money of {scale} decimals cannot hold price decimals {price_decimals} + size decimals {size_decimals}"
                f" and a fee scale of {fee_scale}"
            )
        self.scale = scale
        self.maker_rate = maker_rate
        self.taker_rate = taker_rate
        self.has_fees = maker_rate != 0 or taker_rate != 0
        self.fee_in_quote = fee_in_quote
        self.value_unit: int = 10 ** (scale - price_decimals - size_decimals)
        self.base_unit: int = 10 ** (scale - size_decimals)
        self.fee_unit: int = 10 ** (scale - fee_scale)
        self.fee_divisor = RATE_UNIT * self.fee_unit
        self.lock_rate = RATE_UNIT + max(maker_rate, taker_rate, 0)
        self.is_funded: list[bool] = []
        self.base_free: list[int] = []
        self.base_locked: list[int] = []
        self.quote_free: list[int] = []
        self.quote_locked: list[int] = []
        self.base_fees = 0
        self.quote_fees = 0
        self.locks: dict[int, int] = {}
        self.fees: list[tuple[int, bool, int, bool]] = []
        self.cost = 0

    def deposit(self, account: int, base: int, quote: int) -> bool:
        """Add *base* and *quote* to what *account* has free (negative withdraws); from now on it is funded."""
        self._make_room(account)
        if self.base_free[account] + base < 0 or self.quote_free[account] + quote < 0:
            raise ValueError(f"account {account} cannot withdraw more than it has free")
        self.is_funded[account] = True
        self.base_free[account] += base
        self.quote_free[account] += quote
        return True

    def balance(self, account: int) -> tuple[int, int, int, int]:
        """Return base free, base locked, quote free and quote locked of *account*; zeros if it is unfunded."""
        if account >= len(self.is_funded) or account < 0:
            return 0, 0, 0, 0
        return (
            self.base_free[account],
            self.base_locked[account],
            self.quote_free[account],
            self.quote_locked[account],
        )

    def account_count(self) -> int:
        """Return one more than the highest account number with a deposit."""
        return len(self.is_funded)

    def has_funds(self, account: int) -> bool:
        """Return whether *account* is funded, so that its orders are checked and its trades booked."""
        return 0 <= account < len(self.is_funded) and self.is_funded[account]

    def fee(self, amount: int, rate: int) -> int:
        """Return the fee on *amount*: a charge rounded up, a rebate (negative) toward zero, at the fee scale."""
        units: int = -(-amount * rate // self.fee_divisor)
        return units * self.fee_unit

    def lock_amount(self, side: int, price: int, quantity: int) -> int:
        """Return what an order locks: quote currency for a buy, base currency for a sell."""
        if side != BUY:
            return quantity * self.base_unit
        value = price * quantity * self.value_unit
        if self.fee_in_quote:
            value = -(-value * self.lock_rate // self.fee_divisor) * self.fee_unit
        return value

    def can_place(self, account: int, side: int, price: int, quantity: int, order: int) -> bool:
        """Return whether what is free, and what *order* (a handle, 0 none) has locked, covers an order's lock."""
        if not self.has_funds(account):
            return True
        needed = self.lock_amount(side, price, quantity) - self.locks.get(order, 0)
        free = self.quote_free[account] if side == BUY else self.base_free[account]
        return needed <= free

    def add_cost(self, price: int, quantity: int) -> bool:
        """Add one fill of a market buy to ``cost``, with its fee where that is paid in quote currency."""
        value = price * quantity * self.value_unit
        self.cost += value
        if self.fee_in_quote:
            self.cost += self.fee(value, self.taker_rate)
        return True

    def can_pay(self, account: int) -> bool:
        """Return whether *account* has ``cost`` free in quote currency, and forget the cost."""
        cost = self.cost
        self.cost = 0
        return not self.has_funds(account) or cost <= self.quote_free[account]

    def lock(self, account: int, side: int, price: int, quantity: int, order: int) -> bool:
        """Lock what resting *order* needs; it holds no lock yet."""
        if self.has_funds(account):
            amount = self.lock_amount(side, price, quantity)
            self.locks[order] = amount
            if side == BUY:
                self.quote_free[account] -= amount
                self.quote_locked[account] += amount
            else:
                self.base_free[account] -= amount
                self.base_locked[account] += amount
        return True

    def release(self, account: int, side: int, order: int) -> bool:
        """Give back what *order* has locked."""
        amount = self.locks.pop(order, 0)
        if amount:
            if side == BUY:
                self.quote_free[account] += amount
                self.quote_locked[account] -= amount
            else:
                self.base_free[account] += amount
                self.base_locked[account] -= amount
        return True

    def trade(
        self,
        maker: int,
        maker_order: int,
        maker_leaves: int,
        taker: int,
        taker_side: int,
        price: int,
        quantity: int,
    ) -> bool:
        """Book one trade: the maker's lock shrinks to what *maker_leaves* needs, the taker pays from what is free."""
        value = price * quantity * self.value_unit
        size = quantity * self.base_unit
        maker_fee = 0
        taker_fee = 0
        is_maker_base = False
        is_taker_base = False
        if self.has_fees:
            if not self.fee_in_quote:
                is_taker_base = taker_side == BUY
                is_maker_base = not is_taker_base
            maker_fee = self.fee(size if is_maker_base else value, self.maker_rate)
            taker_fee = self.fee(size if is_taker_base else value, self.taker_rate)
            self.fees.append((maker_fee, is_maker_base, taker_fee, is_taker_base))
        if self.has_funds(maker):
            side = BUY + 1 - (taker_side - BUY)
            self.release(maker, side, maker_order)
            self.book(maker, side, size, value, maker_fee, is_maker_base)
            if maker_leaves:
                self.lock(maker, side, price, maker_leaves, maker_order)
        if self.has_funds(taker):
            self.book(taker, taker_side, size, value, taker_fee, is_taker_base)
        return True

    def book(self, account: int, side: int, size: int, value: int, fee: int, is_base: bool) -> bool:
        """Move *size* of base and *value* of quote currency, and take the fee out of one of them."""
        if side == BUY:
            self.base_free[account] += size
            self.quote_free[account] -= value
        else:
            self.base_free[account] -= size
            self.quote_free[account] += value
        if is_base:
            self.base_free[account] -= fee
            self.base_fees += fee
        else:
            self.quote_free[account] -= fee
            self.quote_fees += fee
        return True

    def _make_room(self, account: int) -> None:
        if account < 0:
            raise ValueError(f"account numbers start at 0, was {account}")
        while len(self.is_funded) <= account:
            self.is_funded.append(False)
            for amounts in (self.base_free, self.base_locked, self.quote_free, self.quote_locked):
                amounts.append(0)
