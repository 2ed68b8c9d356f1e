"""What happens to the whole market at once: phases, auctions, mark prices, funding, settlement, the clock."""

from __future__ import annotations

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import REFERENCE_UNIT, Accounts
from quotewright_simexchange.matching.codes import (
    AUCTION,
    CROSSED,
    F_MARKET,
    FUNDED,
    INSURED,
    LIQUIDATED,
    MARK,
    MOST,
    PHASE_CHANGED,
    R_EXPIRED,
    R_LIQUIDATION,
    R_SETTLED,
    REF,
    SETTLED,
    TRADING,
    UNCROSSED,
    WAITING,
)
from quotewright_simexchange.matching.taking import TakingBook

BEYOND = MOST + 1


class MarketBook(TakingBook):
    """Commands that are no order's: each acts on every account or every order it meets."""

    def __init__(self, tick_steps: int = 1, window: int = 4096, money: Accounts | None = None) -> None:
        super().__init__(tick_steps, window, money)
        self.account_order: list[int] = []

    def set_account_order(self, accounts: list[int]) -> bool:
        """Say in which order accounts are liquidated, pay funding and are settled; others are left out."""
        self.account_order = list(accounts)
        return True

    # Prices and time.

    def _take_reference(self, source: int, price: int) -> bool:
        """Take a reference price; a mark price can end with liquidations."""
        if source < MARK or source > REF:
            raise ValueError(f"the reference price should be 1 (mark), 2 (index) or 3 (ref), was {source}")
        self._set_reference(source, price)
        if source == MARK and self.has_money:
            self.money.set_mark(price)
            if self.money.is_liquidated:
                self._liquidate()
        return True

    def _tell_time(self, now: int) -> bool:
        """Move the clock and cancel the orders whose end has come: earliest end first, then by acceptance."""
        self.now = now
        order = self._due()
        while order:
            self._end(order, R_EXPIRED)
            order = self._due()
        return True

    def _set_phase(self, phase: int) -> bool:
        if phase < TRADING or phase > AUCTION:
            raise ValueError(f"phase should be {TRADING} to {AUCTION}, was {phase}")
        if self.phase != TRADING:
            self.specials -= 1
        if phase != TRADING:
            self.specials += 1
        self.phase = phase
        self._emit(PHASE_CHANGED, 0, 0, 0, 0, 0, 0, phase, 0, 0, 0)
        return True

    # Every order of one or all accounts.

    def _cancel_every(self, account: int, reason: int) -> bool:
        """Cancel every order of an account that rests or waits, by acceptance."""
        order = self.owners[account].first
        while order:
            after = self.slots[order].account_next
            if self.slots[order].level >= WAITING:
                self._end(order, reason)
            order = after
        return True

    def _cancel_market(self, reason: int) -> bool:
        """Cancel every order of everybody that rests or waits, by acceptance."""
        found = []
        for account in range(self.account_count):
            order = self.owners[account].first
            while order:
                if self.slots[order].level >= WAITING:
                    found.append((self.slots[order].number, order))
                order = self.slots[order].account_next
        for _, order in sorted(found):
            self._end(order, reason)
        return True

    # Derivatives.

    def _liquidate(self) -> bool:
        """Close the positions of the accounts that no longer maintain them, as far as the book can take them."""
        for account in list(self.account_order):
            if not self.money.is_breached(account):
                continue
            if account >= self.account_count:
                self._make_room_for_account(account)
            self._cancel_every(account, R_LIQUIDATION)
            position = self.money.position(account)
            side = SELL if position > 0 else BUY
            leaves = position if position > 0 else -position
            self._emit(LIQUIDATED, 0, 0, 0, leaves, 0, 0, side, account, 0, 0)
            order = self._enroll(-2 - account, account, side, 0, leaves, leaves, F_MARKET, 0)
            self._take(order, MOST, -BEYOND, BEYOND)
            if self.slots[order].open > 0:
                self._retire(order)
            if self.money.insure(account):
                self._tell_amount(INSURED, account)
        return True

    def _tell_amount(self, kind: int, account: int) -> bool:
        self._emit(kind, 0, 0, 0, len(self.money.amounts) - 1, 0, 0, 0, account, 0, 0)
        return True

    def _fund(self, rate: int) -> bool:
        """Let long and short positions pay each other at *rate*."""
        for account in self.account_order:
            if self.money.fund(account, rate):
                self._tell_amount(FUNDED, account)
        return True

    def _settle(self, price: int) -> bool:
        """Cancel everything and close every position at *price*."""
        self._cancel_market(R_SETTLED)
        for account in self.account_order:
            if self.money.settle(account, price):
                self._tell_amount(SETTLED, account)
        return True

    # The end of an auction.

    def _uncross(self) -> bool:
        """Trade everything that crosses at the one price of the largest volume; then the market trades."""
        price, volume = self._clearing_price()
        self._emit(UNCROSSED, 0, 0, price, volume, 0, 0, 0, 0, 0, 0)
        while volume > 0:
            bid = self.sides[BUY].best_level
            offer = self.sides[SELL].best_level
            # Reduce-only orders can have lost what they were counted with.
            if bid == 0 or offer == 0:
                break
            if self._price(self.rungs[bid].rank) < price or self._price(self.rungs[offer].rank) > price:
                break
            volume -= self._cross(self.rungs[bid].head, self.rungs[offer].head, price, volume)
        self._set_phase(TRADING)
        return True

    def _cross(self, buy: int, sell: int, price: int, most: int) -> int:
        """Let two resting orders trade at *price* and return how much they did."""
        fill = self._shown(buy)
        if fill > self._shown(sell):
            fill = self._shown(sell)
        if fill > most:
            fill = most
        buyer = self.slots[buy].account
        seller = self.slots[sell].account
        buy_left = self.slots[buy].open - fill
        sell_left = self.slots[sell].open - fill
        self.trade_number += 1
        self._emit(
            CROSSED,
            self.slots[buy].id,
            self.slots[sell].id,
            price,
            fill,
            buy_left,
            sell_left,
            0,
            buyer,
            seller,
            self.trade_number,
        )
        if self.has_money:
            buy_price = self._price(self.slots[buy].rank)
            sell_price = self._price(self.slots[sell].rank)
            self.money.cross(buyer, buy, buy_left, buy_price, seller, sell, sell_left, sell_price, price, fill)
        self._fill_resting(buy, fill)
        self._fill_resting(sell, fill)
        self._print(price)
        if self.reduce_count:
            self._enforce(buyer, 0)
            self._enforce(seller, 0)
        return fill

    def _totals(self, side: int) -> list[tuple[int, int]]:
        """Return price and whole open quantity of every level, best first, hidden and reserve included."""
        found = []
        for price in self.prices(side):
            total = 0
            for _, leaves in self.orders_at(side, price):
                total += leaves
            found.append((price, total))
        return found

    def _clearing_price(self) -> tuple[int, int]:
        """Return price and volume of the uncross, zeros if nothing crosses."""
        bids = self._totals(BUY)
        bids.reverse()
        offers = self._totals(SELL)
        prices = sorted({price for price, _ in bids} | {price for price, _ in offers})
        demand = sum([total for _, total in bids])
        supply = 0
        found = []
        for price in prices:
            while offers and offers[0][0] <= price:
                supply += offers.pop(0)[1]
            found.append((price, min(demand, supply), demand - supply))
            if bids and bids[0][0] == price:
                demand -= bids.pop(0)[1]
        volume = max([row[1] for row in found], default=0)
        if volume == 0:
            return 0, 0
        least = min([abs(row[2]) for row in found if row[1] == volume])
        best = [row for row in found if row[1] == volume and abs(row[2]) == least]
        if min([row[2] for row in best]) > 0:
            return best[len(best) - 1][0], volume
        if max([row[2] for row in best]) < 0:
            return best[0][0], volume
        reference = self.reference(REF)
        if reference is None and self.last_price:
            reference = self.last_price * REFERENCE_UNIT
        if reference is None:
            return best[len(best) - 1][0], volume
        ranked = sorted([(abs(row[0] * REFERENCE_UNIT - reference), -row[0]) for row in best])
        return -ranked[0][1], volume
