"""What the matching core asks of the money behind it, and spot balances: free and locked, fees rounded per trade."""

from __future__ import annotations

from typing import Any

from quotewright.kernel.codes import BUY, MONEY_SCALE
from quotewright_simexchange.matching.ledger import Ledger, Wallets
from quotewright_simexchange.matching.transactions import FEES, OUTSIDE, Posting

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

    They stand in *ledger*, which engines can share (its scale counts then); account numbers are the ledger's. Fee rates
    that the ledger has for an account go before *maker_rate* and *taker_rate*.

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
        ledger: Ledger | None = None,
        base: str = "BASE",
        quote: str = "QUOTE",
        source: str = "",
    ) -> None:
        super().__init__()
        if ledger is not None:
            scale = ledger.scale
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
        self.ledger: Ledger = Ledger(scale) if ledger is None else ledger
        self.base_wallets: Wallets = self.ledger.wallet(base)
        self.quote_wallets: Wallets = self.ledger.wallet(quote)
        self.source = source
        self.base_fees = 0
        self.quote_fees = 0
        self.locks: dict[int, int] = {}
        self.costs: list[int] = []

    def deposit(self, account: int, base: int, quote: int) -> bool:
        """Add *base* and *quote* to what *account* has free (negative withdraws); from now on it is funded."""
        self.ledger.make_room(account)
        if self.base_wallets.free[account] + base < 0 or self.quote_wallets.free[account] + quote < 0:
            raise ValueError(f"account {account} cannot withdraw more than it has free")
        self.ledger.open(account)
        for wallets, amount in ((self.base_wallets, base), (self.quote_wallets, quote)):
            if amount > 0:
                self.ledger.deposit(account, wallets.currency, amount)
            elif amount < 0:
                self.ledger.withdraw(account, wallets.currency, -amount)
        return True

    def balance(self, account: int) -> tuple[int, int, int, int]:
        """Return base free, base locked, quote free and quote locked of *account*; zeros if it is unfunded."""
        if account >= len(self.base_wallets.free) or account < 0:
            return 0, 0, 0, 0
        return (
            self.base_wallets.free[account],
            self.base_wallets.locked[account],
            self.quote_wallets.free[account],
            self.quote_wallets.locked[account],
        )

    def account_count(self) -> int:
        """Return one more than the highest account number with a deposit."""
        count = len(self.ledger.is_funded)
        while count and not self.ledger.is_funded[count - 1]:
            count -= 1
        return count

    def has_funds(self, account: int) -> bool:
        """Return whether *account* is funded, so that its orders are checked and its trades booked."""
        return 0 <= account < len(self.ledger.is_funded) and self.ledger.is_funded[account]

    def maker_rate_of(self, account: int) -> int:
        """Return the maker rate of *account*: its own, or the instrument's."""
        if self.ledger.rates and account in self.ledger.rates:
            rate = self.ledger.rates[account][0]
            if rate is not None:
                return rate
        return self.maker_rate

    def taker_rate_of(self, account: int) -> int:
        """Return the taker rate of *account*: its own, or the instrument's."""
        if self.ledger.rates and account in self.ledger.rates:
            rate = self.ledger.rates[account][1]
            if rate is not None:
                return rate
        return self.taker_rate

    def fee(self, amount: int, rate: int) -> int:
        """Return the fee on *amount*: a charge rounded up, a rebate (negative) toward zero, at the fee scale."""
        units: int = -(-amount * rate // self.fee_divisor)
        return units * self.fee_unit

    def lock_amount(self, account: int, side: int, price: int, quantity: int) -> int:
        """Return what an order locks: quote currency for a buy, base currency for a sell."""
        if side != BUY:
            return quantity * self.base_unit
        value = price * quantity * self.value_unit
        if self.fee_in_quote:
            rate = max(self.maker_rate_of(account), self.taker_rate_of(account), 0)
            value = -(-value * (RATE_UNIT + rate) // self.fee_divisor) * self.fee_unit
        return value

    def can_place(self, account: int, side: int, price: int, quantity: int, order: int) -> bool:
        """Return whether what is free, and what *order* (a handle, 0 none) has locked, covers an order's lock."""
        if not self.has_funds(account):
            return True
        needed = self.lock_amount(account, side, price, quantity) - self.locks.get(order, 0)
        free = self.quote_wallets.free[account] if side == BUY else self.base_wallets.free[account]
        return needed <= free

    def add_cost(self, price: int, quantity: int) -> bool:
        """Add one fill of a market buy to what it costs."""
        self.costs.append(price * quantity * self.value_unit)
        return True

    def can_pay(self, account: int) -> bool:
        """Return whether *account* has the cost free in quote currency, fees included, and forget the cost."""
        cost = 0
        rate = self.taker_rate_of(account)
        for value in self.costs:
            cost += value
            if self.fee_in_quote:
                cost += self.fee(value, rate)
        self.costs.clear()
        return not self.has_funds(account) or cost <= self.quote_wallets.free[account]

    def lock(self, account: int, side: int, price: int, quantity: int, order: int) -> bool:
        """Lock what resting *order* needs; it holds no lock yet."""
        if self.has_funds(account):
            amount = self.lock_amount(account, side, price, quantity)
            self.locks[order] = amount
            if side == BUY:
                self.quote_wallets.free[account] -= amount
                self.quote_wallets.locked[account] += amount
            else:
                self.base_wallets.free[account] -= amount
                self.base_wallets.locked[account] += amount
        return True

    def release(self, account: int, side: int, order: int) -> bool:
        """Give back what *order* has locked."""
        amount = self.locks.pop(order, 0)
        if amount:
            if side == BUY:
                self.quote_wallets.free[account] += amount
                self.quote_wallets.locked[account] -= amount
            else:
                self.base_wallets.free[account] += amount
                self.base_wallets.locked[account] -= amount
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
        if self.has_fees or self.ledger.rates:
            if not self.fee_in_quote:
                is_taker_base = taker_side == BUY
                is_maker_base = not is_taker_base
            maker_fee = self.fee(size if is_maker_base else value, self.maker_rate_of(maker))
            taker_fee = self.fee(size if is_taker_base else value, self.taker_rate_of(taker))
            self.fees.append((maker_fee, is_maker_base, taker_fee, is_taker_base))
        if self.has_funds(maker):
            side = BUY + 1 - (taker_side - BUY)
            self.release(maker, side, maker_order)
            self.book(maker, side, size, value, maker_fee, is_maker_base)
            if maker_leaves:
                self.lock(maker, side, price, maker_leaves, maker_order)
        if self.has_funds(taker):
            self.book(taker, taker_side, size, value, taker_fee, is_taker_base)
        if taker_side == BUY:
            self.close_trade(taker, taker_fee, is_taker_base, maker, maker_fee, is_maker_base, size, value)
        else:
            self.close_trade(maker, maker_fee, is_maker_base, taker, taker_fee, is_taker_base, size, value)
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
        if self.has_fees or self.ledger.rates:
            is_buy_base = not self.fee_in_quote
            buy_fee = self.fee(size if is_buy_base else value, self.maker_rate_of(buyer))
            sell_fee = self.fee(value, self.maker_rate_of(seller))
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
        self.close_trade(buyer, buy_fee, is_buy_base, seller, sell_fee, False, size, value)
        return True

    def state(self) -> str:
        """Return balances and fees as text."""
        balances = [(account, *self.balance(account)) for account in range(self.account_count())]
        rates = sorted(self.ledger.rates.items())
        return repr(
            (balances, self.base_fees, self.quote_fees, rates) if rates else (balances, self.base_fees, self.quote_fees)
        )

    def book(self, account: int, side: int, size: int, value: int, fee: int, is_base: bool) -> bool:
        """Move *size* of base and *value* of quote currency, and take the fee out of one of them."""
        if side == BUY:
            self.base_wallets.free[account] += size
            self.quote_wallets.free[account] -= value
        else:
            self.base_wallets.free[account] -= size
            self.quote_wallets.free[account] += value
        if is_base:
            self.base_wallets.free[account] -= fee
            self.base_wallets.fees += fee
            self.base_fees += fee
        else:
            self.quote_wallets.free[account] -= fee
            self.quote_wallets.fees += fee
            self.quote_fees += fee
        return True

    def close_trade(
        self,
        buyer: int,
        buy_fee: int,
        is_buy_base: bool,
        seller: int,
        sell_fee: int,
        is_sell_base: bool,
        size: int,
        value: int,
    ) -> bool:
        """Give the outside what an unfunded party paid or got, and number the transactions of a trade."""
        is_bought = self.has_funds(buyer)
        is_sold = self.has_funds(seller)
        if not is_bought and not is_sold:
            return True
        if not is_bought:
            self.base_wallets.outside += size
            self.quote_wallets.outside -= value
        elif not is_sold:
            self.base_wallets.outside -= size
            self.quote_wallets.outside += value
        count = 1 + (is_bought and buy_fee != 0) + (is_sold and sell_fee != 0)
        if not self.ledger.is_heard:
            self.ledger.sequence += count
            return True
        self._tell_trade(buyer if is_bought else OUTSIDE, seller if is_sold else OUTSIDE, size, value)
        if is_bought and buy_fee:
            self._tell_fee(buyer, buy_fee, is_buy_base)
        if is_sold and sell_fee:
            self._tell_fee(seller, sell_fee, is_sell_base)
        return True

    def _tell_trade(self, buyer: int, seller: int, size: int, value: int) -> None:
        base, quote = self.base_wallets.currency, self.quote_wallets.currency
        bought = [Posting(buyer, base, size), Posting(buyer, quote, -value)]
        sold = [Posting(seller, base, -size), Posting(seller, quote, value)]
        self.ledger.record("trade", self.source, bought + sold)

    def _tell_fee(self, account: int, fee: int, is_base: bool) -> None:
        currency = self.base_wallets.currency if is_base else self.quote_wallets.currency
        self.ledger.record("fee", self.source, [Posting(account, currency, -fee), Posting(FEES, currency, fee)])

    def snapshot(self) -> dict[str, Any]:
        """Return what stands outside the ledger, as what JSON can hold: locks by order, and this instrument's fees."""
        return {"locks": sorted(self.locks.items()), "fees": [self.base_fees, self.quote_fees]}

    def restore(self, saved: dict[str, Any]) -> bool:
        """Take over what ``snapshot`` returned; the ledger is restored by itself."""
        self.locks.clear()
        self.locks.update(saved["locks"])
        self.base_fees, self.quote_fees = saved["fees"]
        return True
