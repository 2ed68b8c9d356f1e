"""Derivative accounts: positions and entry values, margin, funding, settlement, insurance, over the shared ledger."""

from __future__ import annotations

from typing import Any

from quotewright.kernel.codes import BUY, MONEY_SCALE
from quotewright_simexchange.matching.accounts import RATE_UNIT, REFERENCE_UNIT, Accounts
from quotewright_simexchange.matching.ledger import Ledger, Wallets
from quotewright_simexchange.matching.transactions import (
    CLEARING,
    FEES,
    INSURANCE,
    INVERSE,
    LINEAR,
    OPTION,
    OUTSIDE,
    Posting,
)

MONEY_DECIMALS = 8
"""Inverse values, shares of entry values, funding and settlement are rounded half-even to this many decimals."""
MONEY_PARTS = 10**MONEY_DECIMALS


def half_even(number: int, divisor: int) -> int:
    """Return *number* / *divisor* (above zero), rounded half-even."""
    whole, rest = divmod(number, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and whole % 2):
        whole += 1
    return whole


class DerivativeAccounts(Accounts):
    """Positions in one derivative; the cash of an account is its wallet in the settle *currency* of *ledger*.

    *kind* is LINEAR, INVERSE or OPTION. *multiplier* is in 10**-multiplier_decimals. Rates are in parts of RATE_UNIT,
    *margin_rate*, *maintenance_rate* and *option_cap* below zero are off. *strike* is in REFERENCE_UNIT parts of a
    price step.

    Every account's positions are booked; only funded ones are checked and liquidated. Margin is cross: equity is the
    wallet and the unrealised profit of every derivative that is settled in *currency*, and what is needed counts the
    positions of all of them; resting orders count in the instrument they rest in.
    """

    def __init__(
        self,
        kind: int,
        price_decimals: int,
        size_decimals: int,
        multiplier: int = 1,
        multiplier_decimals: int = 0,
        maker_rate: int = 0,
        taker_rate: int = 0,
        fee_scale: int = 8,
        margin_rate: int = -1,
        maintenance_rate: int = -1,
        option_rate: int = 0,
        option_cap: int = -1,
        strike: int = 0,
        is_put: bool = False,
        scale: int = MONEY_SCALE,
        ledger: Ledger | None = None,
        currency: str = "QUOTE",
        source: str = "",
    ) -> None:
        super().__init__()
        if kind not in (LINEAR, INVERSE, OPTION):
            raise ValueError(f"kind should be {LINEAR}, {INVERSE} or {OPTION}, was {kind}")
        if min(price_decimals, size_decimals, multiplier_decimals, fee_scale) < 0 or multiplier <= 0:
            raise ValueError("decimals should not be negative, and the multiplier should be above zero")
        self.ledger: Ledger = Ledger(scale) if ledger is None else ledger
        scale = self.ledger.scale
        self.scale = scale
        decimals = price_decimals + size_decimals + multiplier_decimals
        if self.scale < max(0 if kind == INVERSE else decimals, fee_scale):
            raise ValueError(
                f"money of {self.scale} decimals cannot hold price, size and multiplier of {decimals} decimals together"
                f" and a fee scale of {fee_scale}"
            )
        self.kind = kind
        self.maker_rate = maker_rate
        self.taker_rate = taker_rate
        self.margin_rate = margin_rate
        self.maintenance_rate = maintenance_rate
        self.option_rate = option_rate
        self.option_cap = option_cap
        self.strike = strike
        self.is_put = is_put
        self.has_fees = maker_rate != 0 or taker_rate != 0 or (kind == OPTION and option_rate != 0)
        self.is_derivative = True
        self.is_margined = margin_rate >= 0
        self.is_liquidated = maintenance_rate >= 0
        self.multiplier = multiplier
        self.price_unit: int = 10**price_decimals
        self.size_unit: int = 10 ** (size_decimals + multiplier_decimals)
        self.money_unit: int = 10 ** (scale - MONEY_DECIMALS)
        self.scale_unit: int = 10**scale
        self.value_unit: int = 0 if kind == INVERSE else multiplier * 10 ** (scale - decimals)
        self.fee_unit: int = 10 ** (scale - fee_scale)
        self.wallets: Wallets = self.ledger.wallet(currency)
        self.wallets.members.append(self)
        self.source = source
        self.mark = 0
        self.needed = 0
        self.gained = 0
        self.built = 0
        self.positions: list[int] = []
        self.entries: list[int] = []
        self.realized: list[int] = []
        self.paid_fees: list[int] = []
        self.funding: list[int] = []

    def make_room(self, account: int) -> bool:
        """Have a row for *account*, here and in the ledger."""
        self.ledger.make_room(account)
        while len(self.positions) <= account:
            for rows in (self.positions, self.entries, self.realized, self.paid_fees, self.funding):
                rows.append(0)
        return True

    # What there is.

    def position(self, account: int) -> int:
        """Return the position in size steps, below zero if it is short."""
        return self.positions[account] if 0 <= account < len(self.positions) else 0

    def entry_value(self, account: int) -> int:
        """Return the sum of the values that built the position."""
        return self.entries[account] if 0 <= account < len(self.entries) else 0

    def realized_profit(self, account: int) -> int:
        """Return what closing positions has brought *account* so far."""
        return self.realized[account] if 0 <= account < len(self.realized) else 0

    def fees_paid(self, account: int) -> int:
        """Return what *account* has paid in fees, less rebates."""
        return self.paid_fees[account] if 0 <= account < len(self.paid_fees) else 0

    def funding_received(self, account: int) -> int:
        """Return what *account* got from funding; below zero if it paid."""
        return self.funding[account] if 0 <= account < len(self.funding) else 0

    def cash(self, account: int) -> int:
        """Return the wallet balance of *account* in the settle currency."""
        free, locked = self.ledger.balance(account, self.wallets.currency)
        return free + locked

    def has_funds(self, account: int) -> bool:
        """Return whether *account* is funded, so that its orders are checked and it can be liquidated."""
        return 0 <= account < len(self.ledger.is_funded) and self.ledger.is_funded[account]

    # Values.

    def value_at(self, reference: int, quantity: int) -> int:
        """Return what *quantity* is worth at *reference*, in REFERENCE_UNIT parts of a price step."""
        size = quantity * self.multiplier
        if self.kind == INVERSE:
            money = half_even(size * self.price_unit * REFERENCE_UNIT * MONEY_PARTS, reference * self.size_unit)
            return money * self.money_unit
        return half_even(reference * size * self.scale_unit, REFERENCE_UNIT * self.price_unit * self.size_unit)

    def value(self, price: int, quantity: int) -> int:
        """Return what *quantity* is worth at *price* in steps."""
        if self.kind == INVERSE:
            size = quantity * self.multiplier * self.price_unit * MONEY_PARTS
            return half_even(size, price * self.size_unit) * self.money_unit
        return price * quantity * self.value_unit

    def fee(self, account: int, is_maker: bool, value: int, quantity: int) -> int:
        """Return one party's fee of a trade: charges rounded up, rebates toward zero, at the fee scale."""
        if self.kind == OPTION:
            unit = self.size_unit * RATE_UNIT
            amount = self.option_rate * quantity * self.multiplier * self.scale_unit
            if self.option_cap >= 0:
                amount = min(amount, self.option_cap * value * self.size_unit)
        else:
            own = self.ledger.rates.get(account, (None, None))[0 if is_maker else 1]
            rate = own if own is not None else self.maker_rate if is_maker else self.taker_rate
            unit = RATE_UNIT
            amount = value * rate
        return -(-amount // (unit * self.fee_unit)) * self.fee_unit

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
        """Book one trade for both parties; an account that trades with itself only pays the fees."""
        value = self.value(price, quantity)
        if taker_side == BUY:
            self._book_trade(taker, maker, value, quantity)
        else:
            self._book_trade(maker, taker, value, quantity)
        if self.has_fees or self.ledger.rates:
            maker_fee = self.fee(maker, True, value, quantity)
            taker_fee = self.fee(taker, False, value, quantity)
            self._book_fees(maker, maker_fee, taker, taker_fee)
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
        """Book one trade of an auction: both pay the maker's rate."""
        value = self.value(price, quantity)
        self._book_trade(buyer, seller, value, quantity)
        if self.has_fees or self.ledger.rates:
            buy_fee = self.fee(buyer, True, value, quantity)
            sell_fee = self.fee(seller, True, value, quantity)
            self._book_fees(buyer, buy_fee, seller, sell_fee)
        return True

    def _book_trade(self, buyer: int, seller: int, value: int, quantity: int) -> bool:
        count = len(self.positions)
        if buyer >= count or seller >= count:
            self.make_room(max(buyer, seller))
        if buyer == seller:
            return True
        if not self.ledger.is_heard:
            self._shift(buyer, quantity, value)
            self._shift(seller, -quantity, value)
            self.ledger.sequence += 1
            return True
        postings = self._move(buyer, quantity, value) + self._move(seller, -quantity, value)
        self.ledger.record("trade", self.source, postings)
        return True

    def _book_fees(self, first: int, first_fee: int, second: int, second_fee: int) -> bool:
        is_base = self.kind != LINEAR
        self.fees.append((first_fee, is_base, second_fee, is_base))
        for account, fee in ((first, first_fee), (second, second_fee)):
            if fee:
                self.wallets.fees += fee
                self.paid_fees[account] += fee
                self._pay("fee", account, -fee, FEES)
        return True

    def _pay(self, kind: str, account: int, amount: int, other: int) -> None:
        """Add *amount* to the cash of *account*; the caller has changed what *other* has."""
        currency = self.wallets.currency
        self.wallets.free[account] += amount
        if not self.ledger.is_heard:
            self.ledger.sequence += 1
            return
        self.ledger.record(kind, self.source, [Posting(account, currency, amount), Posting(other, currency, -amount)])

    def _move(self, account: int, change: int, value: int) -> list[Posting]:
        """Change a position by *change* size steps worth *value*; the postings sum to what the other side gets."""
        currency = self.wallets.currency
        self._shift(account, change, value)
        if self.kind == OPTION:
            return [Posting(account, currency, self.gained)]
        return [Posting(account, currency, self.gained), Posting(account, currency, self.built, True)]

    def _shift(self, account: int, change: int, value: int) -> bool:
        """Change a position; ``gained`` is what that brought in cash, ``built`` by how much the value held changed."""
        if self.kind == OPTION:
            self.gained = -value if change > 0 else value
            self.built = 0
            self.wallets.free[account] += self.gained
            self.positions[account] += change
            return True
        held = self.positions[account]
        entry = self.entries[account]
        before = self._signed(held, entry)
        gain = 0
        if held * change >= 0:
            entry += value
        else:
            size = abs(change)
            closing = min(size, abs(held))
            share = entry
            if closing != abs(held):
                share = half_even(entry * closing, abs(held) * self.money_unit) * self.money_unit
            closed = value
            if closing != size:
                closed = half_even(value * closing, size * self.money_unit) * self.money_unit
            gain = closed - share if (self.kind == LINEAR) == (held > 0) else share - closed
            entry = entry - share if closing == size else value - closed
            self.realized[account] += gain
        self.positions[account] = held + change
        self.entries[account] = entry
        built = before - self._signed(held + change, entry)
        self.wallets.free[account] += gain
        self.wallets.held[account] += built
        self.gained = gain
        self.built = built
        return True

    def _close(self, kind: str, postings: list[Posting], other: int) -> int:
        """Record *postings* with *other* as the other side, and return what it gets."""
        left = -sum(posting.amount for posting in postings)
        self.ledger.record(kind, self.source, [*postings, Posting(other, self.wallets.currency, left)])
        return left

    def _signed(self, position: int, entry: int) -> int:
        """Return what the position was paid with in the settle currency: above zero for a linear long."""
        return entry if (self.kind == LINEAR) == (position > 0) else -entry

    def add_position(self, account: int, quantity: int, price: int) -> bool:
        """Give *account*, which is flat, a position that was built at *price*; the outside has the other side."""
        self.make_room(account)
        if self.positions[account]:
            raise ValueError(f"account {account} has a position of {self.positions[account]} size steps already")
        if quantity == 0:
            return True
        if self.kind == OPTION:
            self.positions[account] = quantity
            self.entries[account] = self.value(price, abs(quantity))
            return True
        postings = self._move(account, quantity, self.value(price, abs(quantity)))
        self.wallets.outside += self._close("transfer", postings, OUTSIDE)
        return True

    # Margin.

    def set_mark(self, mark: int) -> bool:
        """Take the mark price, in REFERENCE_UNIT parts of a price step."""
        self.mark = mark
        return True

    def unrealized(self, account: int) -> int:
        """Return the profit of the position at the mark; 0 without a mark, and for options."""
        held = self.position(account)
        if held == 0 or self.mark == 0 or self.kind == OPTION:
            return 0
        gain = self.value_at(self.mark, abs(held)) - self.entries[account]
        return gain if (self.kind == LINEAR) == (held > 0) else -gain

    def maintenance(self, account: int) -> int:
        """Return what the position needs at the mark, times RATE_UNIT; 0 where nothing is checked."""
        held = self.position(account)
        if held == 0 or self.mark == 0 or self.maintenance_rate < 0:
            return 0
        return self.maintenance_rate * self.value_at(self.mark, abs(held))

    def equity(self, account: int) -> int:
        """Return the wallet and every unrealised profit of *account* in the settle currency."""
        total: int = self.cash(account)
        for member in self.wallets.members:
            total += member.unrealized(account)
        return total

    def add_margin(self, account: int, side: int, price: int, quantity: int) -> bool:
        """Add one order's open quantity, less what of it closes the present position, to what is to be covered."""
        held = self.position(account)
        against = max(-held if side == BUY else held, 0)
        if quantity > against and price > 0:
            self.needed += self.value(price, quantity - against)
        return True

    def can_margin(self, account: int) -> bool:
        """Return whether *account* covers its position and what was added up, and forget the latter."""
        needed = self.needed
        self.needed = 0
        if self.margin_rate < 0 or not self.has_funds(account):
            return True
        needed = self.margin_rate * (needed + self.entry_value(account))
        for member in self.wallets.members:
            if member is not self and member.margin_rate >= 0:
                needed += member.margin_rate * member.entry_value(account)
        return needed <= (self.equity(account) - self.wallets.locked[account]) * RATE_UNIT

    def is_breached(self, account: int) -> bool:
        """Return whether *account* has a position that its equity at the mark no longer maintains."""
        if self.maintenance_rate < 0 or not self.has_funds(account) or self.position(account) == 0 or self.mark == 0:
            return False
        needed = 0
        for member in self.wallets.members:
            needed += member.maintenance(account)
        return self.equity(account) * RATE_UNIT <= needed

    def insure(self, account: int) -> bool:
        """Cover negative cash of an account without a position; True if there was any, its size is in ``amounts``."""
        amount = -self.cash(account)
        if amount <= 0:
            return False
        for member in self.wallets.members:
            if member.position(account):
                return False
        self.wallets.insurance -= amount
        self._pay("insurance", account, amount, INSURANCE)
        self.amounts.append(amount)
        return True

    # Funding and settlement.

    def fund(self, account: int, rate: int) -> bool:
        """Pay funding at *rate* (of RATE_UNIT) on the value at the mark; False, and no amount, without a position or
        a mark price."""
        held = self.position(account)
        if held == 0 or self.mark == 0:
            return False
        if self.kind == INVERSE:
            number, divisor = self.value_at(self.mark, abs(held)) * rate, self.money_unit * RATE_UNIT
        else:
            number = self.mark * abs(held) * self.multiplier * rate * MONEY_PARTS
            divisor = REFERENCE_UNIT * self.price_unit * self.size_unit * RATE_UNIT
        amount = half_even(number, divisor) * self.money_unit
        if held > 0:
            amount = -amount
        self.funding[account] += amount
        self.wallets.clearing -= amount
        self._pay("funding", account, amount, CLEARING)
        self.amounts.append(amount)
        return True

    def settle(self, account: int, price: int) -> bool:
        """Close the position at *price*, in REFERENCE_UNIT parts of a step; False, and no amount, without one."""
        held = self.position(account)
        if held == 0:
            return False
        if self.kind == OPTION:
            intrinsic = max(self.strike - price if self.is_put else price - self.strike, 0)
            number = intrinsic * held * self.multiplier * MONEY_PARTS
            amount = half_even(number, price * self.size_unit) * self.money_unit
            self.positions[account] = 0
            self.wallets.clearing -= amount
            self._pay("settlement", account, amount, CLEARING)
            self.amounts.append(amount)
            return True
        before = self.wallets.free[account]
        postings = self._move(account, -held, self.value_at(price, abs(held)))
        self.wallets.clearing += self._close("settlement", postings, CLEARING)
        self.amounts.append(self.wallets.free[account] - before)
        return True

    # States and snapshots.

    def snapshot(self) -> dict[str, Any]:
        """Return what stands outside the ledger as what JSON can hold."""
        return {
            "mark": self.mark,
            "rows": [list(rows) for rows in self._rows()],
        }

    def restore(self, saved: dict[str, Any]) -> bool:
        """Take over what ``snapshot`` returned; the ledger is restored by itself."""
        self.mark = saved["mark"]
        for rows, found in zip(self._rows(), saved["rows"], strict=True):
            rows[:] = found
        return True

    def _rows(self) -> tuple[list[int], ...]:
        return self.positions, self.entries, self.realized, self.paid_fees, self.funding

    def state(self) -> str:
        """Return positions, the mark and the settle currency's wallets as text."""
        booked = self._booked()
        rates = sorted(self.ledger.rates.items())
        return repr((self.mark, booked, rates))

    def _booked(self) -> list[tuple[int, ...]]:
        """Return what every account has, by number, without accounts that have nothing."""
        rows = list(zip(*self._rows(), strict=True))
        none = (0,) * 5
        found = []
        for account, funded in enumerate(self.ledger.is_funded):
            row = rows[account] if account < len(rows) else none
            cash = self.cash(account)
            if funded or cash or row != none:
                found.append((account, int(funded), *self.ledger.balance(account, self.wallets.currency), *row))
        return found
