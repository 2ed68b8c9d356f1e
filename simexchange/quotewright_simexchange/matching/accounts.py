"""What the matching core asks of the money behind it, and spot balances: free and locked, fees rounded per trade."""

from __future__ import annotations

from quotewright.kernel.codes import BUY, MONEY_SCALE

RATE_UNIT = 10**18
"""Fee rates are whole numbers of 10**-18."""

REFERENCE_UNIT = 10**18
"""Mark, settlement and other reference prices are whole numbers of 10**-18 of a price step: they need no grid."""


class Accounts:
    """The money of one engine's accounts, by account number. This one books nothing and refuses nothing.

    Prices and quantities are steps of the instrument, an *order* is the core's handle of it (0: none). What a command
    moved stands in ``fees``, a row ``(maker's or buyer's fee, is in base, taker's or seller's fee, is in base)`` for
    each trade, and in ``amounts``, one number for each event of funding, settlement or insurance, in order.

    ``is_derivative``: positions are kept, reduce-only orders can be placed. ``is_margined``: new orders, amends and
    triggered orders are checked with ``add_margin`` and ``can_margin``. ``is_liquidated``: every mark price is followed
    by ``is_breached`` for the accounts in the order of their names.
    """

    def __init__(self) -> None:
        self.is_derivative = False
        self.is_margined = False
        self.is_liquidated = False
        self.fees: list[tuple[int, bool, int, bool]] = []
        self.amounts: list[int] = []

    def clear(self) -> bool:
        """Forget the fees and amounts of the command before."""
        if self.fees:
            self.fees.clear()
        if self.amounts:
            self.amounts.clear()
        return True

    def state(self) -> str:
        """Return everything later commands depend on as text, the same on every platform."""
        return ""

    def has_funds(self, account: int) -> bool:
        """Return whether orders of *account* are checked against what it has."""
        return False

    # Spot: what an order locks, what a market buy costs.

    def can_place(self, account: int, side: int, price: int, quantity: int, order: int) -> bool:
        """Return whether what is free, and what *order* has locked, covers an order's lock."""
        return True

    def add_cost(self, price: int, quantity: int) -> bool:
        """Add one fill of a market buy to what it costs."""
        return True

    def can_pay(self, account: int) -> bool:
        """Return whether *account* can pay the cost that was added up, and forget the cost."""
        return True

    def lock(self, account: int, side: int, price: int, quantity: int, order: int) -> bool:
        """Lock what resting *order* needs; it holds no lock yet."""
        return True

    def release(self, account: int, side: int, order: int) -> bool:
        """Give back what *order* has locked."""
        return True

    # Trades.

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
        """Book one trade; the maker's order keeps a lock for *maker_leaves*."""
        return True

    def cross(
        self,
        buyer: int,
        buy_order: int,
        buy_leaves: int,
        buy_price: int,
        seller: int,
        sell_order: int,
        sell_leaves: int,
        sell_price: int,
        price: int,
        quantity: int,
    ) -> bool:
        """Book one trade of an auction at *price*: two resting orders, both pay the maker's rate."""
        return True

    # Derivatives.

    def position(self, account: int) -> int:
        """Return the position in size steps, below zero if it is short."""
        return 0

    def set_mark(self, mark: int) -> bool:
        """Take the mark price, in REFERENCE_UNIT parts of a price step."""
        return True

    def add_margin(self, account: int, side: int, price: int, quantity: int) -> bool:
        """Add one order's open quantity, less what of it closes the present position, to what is to be covered."""
        return True

    def can_margin(self, account: int) -> bool:
        """Return whether *account* covers its position and what was added up, and forget the latter."""
        return True

    def is_breached(self, account: int) -> bool:
        """Return whether *account* has a position that its equity at the mark no longer maintains."""
        return False

    def insure(self, account: int) -> bool:
        """Cover negative cash of an account without a position; True if there was any, its size is in ``amounts``."""
        return False

    def fund(self, account: int, rate: int) -> bool:
        """Pay funding at *rate* (of RATE_UNIT) on the value at the mark; False, and no amount, without a position or
        a mark price."""
        return False

    def settle(self, account: int, price: int) -> bool:
        """Close the position at *price*, in REFERENCE_UNIT parts of a step; False, and no amount, without one."""
        return False


class SpotAccounts(Accounts):
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
        super().__init__()
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

    def cross(
        self,
        buyer: int,
        buy_order: int,
        buy_leaves: int,
        buy_price: int,
        seller: int,
        sell_order: int,
        sell_leaves: int,
        sell_price: int,
        price: int,
        quantity: int,
    ) -> bool:
        """Book one trade of an auction: both locks shrink, both pay the maker's rate."""
        value = price * quantity * self.value_unit
        size = quantity * self.base_unit
        buy_fee = 0
        sell_fee = 0
        is_buy_base = False
        if self.has_fees:
            is_buy_base = not self.fee_in_quote
            buy_fee = self.fee(size if is_buy_base else value, self.maker_rate)
            sell_fee = self.fee(value, self.maker_rate)
            self.fees.append((buy_fee, is_buy_base, sell_fee, False))
        if self.has_funds(buyer):
            self.release(buyer, BUY, buy_order)
            self.book(buyer, BUY, size, value, buy_fee, is_buy_base)
            if buy_leaves:
                self.lock(buyer, BUY, buy_price, buy_leaves, buy_order)
        if self.has_funds(seller):
            self.release(seller, BUY + 1, sell_order)
            self.book(seller, BUY + 1, size, value, sell_fee, False)
            if sell_leaves:
                self.lock(seller, BUY + 1, sell_price, sell_leaves, sell_order)
        return True

    def state(self) -> str:
        """Return balances and fees as text."""
        balances = [(account, *self.balance(account)) for account in range(self.account_count())]
        return repr((balances, self.base_fees, self.quote_fees))

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
