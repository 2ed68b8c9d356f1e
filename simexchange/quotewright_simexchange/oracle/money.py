"""Money of the oracle: fees, spot balances, derivative positions. Every trade is booked for both parties."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from quotewright_simexchange.oracle.numbers import EXACT, ZERO, fee_rounded, plain, setting, to_money
from quotewright_simexchange.oracle.orders import Order, price_of

DERIVATIVES = ("linear", "inverse", "option")


@attrs.define
class Account:
    """What one account owns. *cash* of an account that was not listed counts from zero and is not reported."""

    name: str
    is_listed: bool = False
    has_cash: bool = False
    group: str | None = None
    balances: dict[str, Decimal] = attrs.field(factory=dict)
    position: Decimal = ZERO
    entry_value: Decimal = ZERO
    realized: Decimal = ZERO
    cash: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO


class Money:
    """Fees and accounts of one instrument."""

    def __init__(self, instrument: Mapping[str, Any], accounts: Mapping[str, Any]) -> None:
        self.kind: str = instrument["kind"]
        self.mult = Decimal(instrument["mult"])
        self.base: str = instrument["base"]
        self.quote: str = instrument["quote"]
        self.fee_mode: str = instrument["fee_mode"]
        self.fee_scale = int(instrument["fee_scale"])
        self.rates = {"maker": Decimal(instrument["maker_fee"]), "taker": Decimal(instrument["taker_fee"])}
        self.option_rate = setting(instrument["option_fee_rate"]) or ZERO
        self.option_cap = setting(instrument["option_fee_cap"])
        self.accounts: dict[str, Account] = {}
        for name, given in accounts.items():
            account = self.account(name)
            account.is_listed = "balances" in given
            account.has_cash = "cash" in given
            account.group = given.get("stp_group")
            account.balances = {ccy: Decimal(total) for ccy, total in given.get("balances", {}).items()}
            account.cash = Decimal(given.get("cash", "0"))
            account.position = Decimal(given.get("pos", "0"))
            if account.position:
                account.entry_value = self.value(Decimal(given.get("entry", "0")), abs(account.position))

    @property
    def is_derivative(self) -> bool:
        return self.kind in DERIVATIVES

    @property
    def currency(self) -> str:
        """Return the currency of a derivative's cash and fees."""
        return self.quote if self.kind in ("spot", "linear", "plain") else self.base

    def account(self, name: str) -> Account:
        return self.accounts.setdefault(name, Account(name))

    def is_same_trader(self, one: str, other: str) -> bool:
        if one == other:
            return True
        group = self.account(one).group
        return group is not None and group == self.account(other).group

    def value(self, price: Decimal, qty: Decimal) -> Decimal:
        """Return what *qty* at *price* is worth."""
        if self.kind == "inverse":
            return to_money(EXACT.divide(qty * self.mult, price))
        return price * qty * self.mult

    # Fees

    @property
    def has_fees(self) -> bool:
        if self.kind == "plain":
            return False
        return any(self.rates.values()) or (self.kind == "option" and self.option_rate != 0)

    def fee(self, role: str, is_buy: bool, price: Decimal, qty: Decimal) -> tuple[Decimal, str]:
        """Return amount and currency of the fee of one party of a trade."""
        value = self.value(price, qty)
        if self.kind == "option":
            fee = self.option_rate * qty * self.mult
            if self.option_cap is not None:
                fee = min(fee, self.option_cap * value)
            return fee_rounded(fee, self.fee_scale), self.currency
        if self.kind == "spot" and self.fee_mode == "received" and is_buy:
            return fee_rounded(qty * self.rates[role], self.fee_scale), self.base
        return fee_rounded(value * self.rates[role], self.fee_scale), self.currency

    # Trades

    def trade(self, maker: Order, taker: Order, qty: Decimal, roles: tuple[str, str]) -> dict[str, Any] | None:
        """Book a trade at the maker's price; return its fees, keyed by the roles the event names, if there are any."""
        return self.trade_at(maker, taker, price_of(maker), qty, roles)

    def trade_at(
        self, maker: Order, taker: Order, price: Decimal, qty: Decimal, roles: tuple[str, str]
    ) -> dict[str, Any] | None:
        if self.kind == "plain":
            return None
        value = self.value(price, qty)
        if maker.account != taker.account:
            for order in (maker, taker):
                account = self.account(order.account)
                if self.kind == "spot":
                    self._exchange(account, order.is_buy, qty, value)
                else:
                    self._move(account, qty if order.is_buy else -qty, value)
        if not self.has_fees:
            return None
        fees = {}
        rates = ("maker", "maker" if roles[0] == "buy" else "taker")
        for order, role, rate in zip((maker, taker), roles, rates, strict=True):
            amount, currency = self.fee(rate, order.is_buy, price, qty)
            account = self.account(order.account)
            if self.kind == "spot":
                account.balances[currency] = account.balances.get(currency, ZERO) - amount
            else:
                account.cash -= amount
                account.fees += amount
            fees[role] = [plain(amount), currency]
        return fees

    def _exchange(self, account: Account, is_buy: bool, qty: Decimal, value: Decimal) -> None:
        sign = 1 if is_buy else -1
        account.balances[self.base] = account.balances.get(self.base, ZERO) + sign * qty
        account.balances[self.quote] = account.balances.get(self.quote, ZERO) - sign * value

    def _move(self, account: Account, change: Decimal, value: Decimal) -> None:
        if self.kind == "option":
            account.cash -= value if change > 0 else -value
            account.position += change
            return
        held = account.position
        if held * change >= 0:
            account.entry_value += value
            account.position += change
            return
        closing = min(abs(change), abs(held))
        is_whole = closing == abs(held)
        share = account.entry_value if is_whole else to_money(EXACT.divide(account.entry_value * closing, abs(held)))
        opening = abs(change) - closing
        closed_value = value if opening == 0 else to_money(EXACT.divide(value * closing, abs(change)))
        self._realize(account, held > 0, closed_value - share)
        account.entry_value -= share
        account.position += change
        if opening:
            account.entry_value = value - closed_value

    def _realize(self, account: Account, is_long: bool, gain: Decimal) -> None:
        if (self.kind == "linear") != is_long:
            gain = -gain
        account.realized += gain
        account.cash += gain

    # Spot funds

    def lock(self, order: Order, qty: Decimal) -> tuple[str, Decimal]:
        """Return the currency and amount an order holds back for *qty*."""
        if not order.is_buy:
            return self.base, qty
        value = self.value(price_of(order), qty)
        if self.fee_mode == "quote":
            rate = max(self.rates["maker"], self.rates["taker"], ZERO)
            value = fee_rounded(value * (1 + rate), self.fee_scale)
        return self.quote, value

    def locked(self, name: str, currency: str, resting: list[Order]) -> Decimal:
        total = ZERO
        for order in resting:
            if order.account == name:
                where, amount = self.lock(order, order.open)
                if where == currency:
                    total += amount
        return total

    def free(self, name: str, currency: str, resting: list[Order]) -> Decimal:
        return self.account(name).balances.get(currency, ZERO) - self.locked(name, currency, resting)

    # Derivatives

    def unrealized(self, account: Account, mark: Decimal | None) -> Decimal:
        if mark is None or not account.position or self.kind == "option":
            return ZERO
        gain = self.value(mark, abs(account.position)) - account.entry_value
        return gain if (self.kind == "linear") == (account.position > 0) else -gain

    def fund(self, account: Account, mark: Decimal, rate: Decimal) -> Decimal:
        """Pay funding; return what the account received."""
        amount = to_money(self.value(mark, abs(account.position)) * rate)
        if account.position > 0:
            amount = -amount
        account.cash += amount
        account.funding += amount
        return amount

    def settle(self, account: Account, price: Decimal, strike: Decimal | None, option_type: str | None) -> Decimal:
        """Close the position at the settlement price; return what the account received."""
        before = account.cash
        if self.kind == "option":
            assert strike is not None
            intrinsic = max(price - strike if option_type == "call" else strike - price, ZERO)
            account.cash += to_money(EXACT.divide(intrinsic * account.position * self.mult, price))
            account.position = ZERO
        elif account.position:
            self._move(account, -account.position, self.value(price, abs(account.position)))
        return account.cash - before

    # Final state

    def final(self, resting: list[Order]) -> dict[str, Any]:
        """Return what every account has at the end."""
        if self.kind == "spot":
            return {
                name: {"balances": self._balances(account, resting)}
                for name, account in sorted(self.accounts.items())
                if account.is_listed
            }
        shown = {}
        for name, account in sorted(self.accounts.items()):
            state = {
                "position": account.position,
                "entry_value": account.entry_value,
                "realized": account.realized,
                "fees": account.fees,
                "funding": account.funding,
            }
            if account.has_cash or any(state.values()):
                if account.has_cash:
                    state["cash"] = account.cash
                shown[name] = {key: plain(amount) for key, amount in state.items()}
        return shown

    def _balances(self, account: Account, resting: list[Order]) -> dict[str, dict[str, str]]:
        shown = {}
        for currency in sorted({*account.balances, self.base, self.quote}):
            locked = self.locked(account.name, currency, resting)
            free = account.balances.get(currency, ZERO) - locked
            shown[currency] = {"free": plain(free), "locked": plain(locked)}
        return shown


def floor_to(number: Decimal, step: Decimal, up: bool) -> Decimal:
    """Return *number* on the grid of *step*, rounded *up* or down."""
    mode = decimal.ROUND_CEILING if up else decimal.ROUND_FLOOR
    return EXACT.divide(number, step).quantize(Decimal(1), mode, context=EXACT) * step
