"""The double-entry ledger that the engines of one exchange share: every movement sums to zero in its currency."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from quotewright.kernel.codes import MONEY_SCALE
from quotewright_simexchange.matching.transactions import CLEARING, FEES, INSURANCE, OUTSIDE, Posting, Transaction


class Wallets:
    """What is owned in one currency, by account number; whole numbers of 10**-scale.

    ``free`` and ``locked`` are the wallets; ``held`` is the value derivatives' positions were built with, below zero
    for what has been paid. ``outside``, ``fees``, ``insurance`` and ``clearing`` belong to no account. All of them
    together are zero after every command.
    """

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.free: list[int] = []
        self.locked: list[int] = []
        self.held: list[int] = []
        self.outside = 0
        self.fees = 0
        self.insurance = 0
        self.clearing = 0
        self.members: list[Any] = []
        """The derivatives that are settled in this currency: an account's margin is one for all of them."""

    def make_room(self, count: int) -> bool:
        """Have a row for each of *count* accounts."""
        while len(self.free) < count:
            self.free.append(0)
            self.locked.append(0)
            self.held.append(0)
        return True

    def total(self) -> int:
        """Return the sum over everything, which is zero."""
        own: int = self.outside + self.fees + self.insurance + self.clearing
        return own + sum(self.free) + sum(self.locked) + sum(self.held)

    def rows(self) -> list[Any]:
        """Return every balance, for states and snapshots."""
        system = [self.outside, self.fees, self.insurance, self.clearing]
        return [list(self.free), list(self.locked), list(self.held), system]


class Ledger:
    """Accounts by name and number, their wallets by currency, and the drop copy of what moved.

    Amounts are whole numbers of 10**-scale. The last *keep* transactions can be read again with ``transactions``
    (None: all of them, 0: none); ``listen`` streams them. ``now_ns`` is the time they are stamped with. Each counts up
    ``sequence``, whether anybody keeps or hears it or not.
    """

    def __init__(self, scale: int = MONEY_SCALE, keep: int | None = 0) -> None:
        if scale < 8:
            raise ValueError(f"money should have 8 decimals or more, had {scale}")
        self.scale = scale
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        self.is_funded: list[bool] = []
        self.wallets: dict[str, Wallets] = {}
        self.rates: dict[int, tuple[int | None, int | None]] = {}
        self.sequence = 0
        self.now_ns = 0
        self.is_heard = keep != 0
        self._kept: deque[Transaction] = deque(maxlen=keep)
        self._listeners: list[Callable[[Transaction], None]] = []

    # Accounts.

    def number(self, name: str) -> int:
        """Return the number of account *name*, which is a new one for a new name."""
        found = self.numbers.get(name)
        if found is None:
            found = len(self.names)
            self.numbers[name] = found
            self._make_room(found + 1, name)
        return found

    def make_room(self, account: int) -> bool:
        """Let *account* be a number of this ledger, named by its digits where it has no name."""
        if account < 0:
            raise ValueError(f"account numbers start at 0, was {account}")
        while len(self.names) <= account:
            count = len(self.names)
            name = str(count)
            while name in self.numbers:
                name = "#" + name
            self.numbers[name] = count
            self._make_room(count + 1, name)
        return True

    def _make_room(self, count: int, name: str) -> None:
        self.names.append(name)
        self.is_funded.append(False)
        for wallets in self.wallets.values():
            wallets.make_room(count)

    def open(self, account: int) -> bool:
        """Fund *account*: from now on its orders are checked against what it has, even if that is nothing."""
        self.make_room(account)
        self.is_funded[account] = True
        return True

    def wallet(self, currency: str) -> Wallets:
        """Return the wallets of *currency*, with a row for every account."""
        found = self.wallets.get(currency)
        if found is None:
            found = Wallets(currency)
            found.make_room(len(self.names))
            self.wallets[currency] = found
        return found

    def set_rates(self, account: int, maker: int | None, taker: int | None) -> bool:
        """Give *account* fee rates of its own, in parts of RATE_UNIT; None: the instrument's."""
        self.make_room(account)
        self.rates[account] = (maker, taker)
        return True

    # Movements from outside.

    def deposit(self, account: int, currency: str, amount: int) -> bool:
        """Add *amount* to what *account* has free; it is funded from now on."""
        if amount < 0:
            raise ValueError(f"a deposit should not be negative, was {amount}; use withdraw()")
        self.open(account)
        wallets = self.wallet(currency)
        wallets.free[account] += amount
        wallets.outside -= amount
        self.record("deposit", "", [Posting(account, currency, amount), Posting(OUTSIDE, currency, -amount)])
        return True

    def withdraw(self, account: int, currency: str, amount: int) -> bool:
        """Take *amount* out of what *account* has free; False, and nothing is done, if it has less."""
        if amount < 0:
            raise ValueError(f"a withdrawal should not be negative, was {amount}; use deposit()")
        self.make_room(account)
        wallets = self.wallet(currency)
        if wallets.free[account] < amount:
            return False
        wallets.free[account] -= amount
        wallets.outside += amount
        self.record("withdrawal", "", [Posting(account, currency, -amount), Posting(OUTSIDE, currency, amount)])
        return True

    def transfer(self, source: int, target: int, currency: str, amount: int) -> bool:
        """Move *amount* from what *source* has free to *target*; False, and nothing is done, if it has less."""
        if amount < 0:
            raise ValueError(f"a transfer should not be negative, was {amount}")
        self.make_room(max(source, target))
        if min(source, target) < 0:
            raise ValueError(f"account numbers start at 0, were {source} and {target}")
        wallets = self.wallet(currency)
        if wallets.free[source] < amount:
            return False
        self.open(target)
        wallets.free[source] -= amount
        wallets.free[target] += amount
        self.record("transfer", "", [Posting(source, currency, -amount), Posting(target, currency, amount)])
        return True

    # What there is.

    def balance(self, account: int, currency: str) -> tuple[int, int]:
        """Return what *account* has free and locked in *currency*; zeros for what nobody has heard of."""
        found = self.wallets.get(currency)
        if found is None or not 0 <= account < len(found.free):
            return 0, 0
        return found.free[account], found.locked[account]

    def system(self, account: int, currency: str) -> int:
        """Return what OUTSIDE, FEES, INSURANCE or CLEARING has in *currency*."""
        found = self.wallets.get(currency)
        if found is None:
            return 0
        return {
            OUTSIDE: found.outside,
            FEES: found.fees,
            INSURANCE: found.insurance,
            CLEARING: found.clearing,
        }[account]

    def sums(self) -> dict[str, int]:
        """Return the sum over everything by currency: zero each, always."""
        return {currency: wallets.total() for currency, wallets in sorted(self.wallets.items())}

    def state(self) -> str:
        """Return everything as text, the same on every platform."""
        return repr(sorted(self.snapshot().items()))

    # The drop copy.

    def record(self, kind: str, source: str, postings: list[Posting]) -> bool:
        """Number a transaction whose balances have been changed, and tell those who listen."""
        self.sequence += 1
        if self.is_heard:
            sums: dict[str, int] = {}
            for posting in postings:
                sums[posting.currency] = sums.get(posting.currency, 0) + posting.amount
            if any(sums.values()):
                raise ValueError(f"{kind} {self.sequence} of {source or 'the ledger'} does not sum to zero: {postings}")
            transaction = Transaction(self.sequence, self.now_ns, kind, source, tuple(postings))
            self._kept.append(transaction)
            for listener in self._listeners:
                listener(transaction)
        return True

    def transactions(self, after: int = 0) -> Iterator[Transaction]:
        """Return those kept with a sequence above *after*, oldest first."""
        return iter([transaction for transaction in self._kept if transaction.sequence > after])

    def listen(self, listener: Callable[[Transaction], None]) -> Callable[[], None]:
        """Call *listener* with every transaction from now on; call what is returned to stop that."""
        self._listeners.append(listener)
        self.is_heard = True

        def unlisten() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]
            self.is_heard = bool(self._listeners) or self._kept.maxlen != 0

        return unlisten

    # Snapshots.

    def snapshot(self) -> dict[str, Any]:
        """Return accounts, balances, rates and sequence as what JSON can hold; without the drop copy."""
        return {
            "scale": self.scale,
            "names": list(self.names),
            "funded": list(self.is_funded),
            "rates": [[account, *rates] for account, rates in sorted(self.rates.items())],
            "sequence": self.sequence,
            "now_ns": self.now_ns,
            "wallets": {currency: wallets.rows() for currency, wallets in sorted(self.wallets.items())},
        }

    def restore(self, saved: Mapping[str, Any]) -> bool:
        """Take over what ``snapshot`` returned; the engines that share this ledger keep their wallets."""
        if saved["scale"] != self.scale:
            raise ValueError(f"the snapshot's money has {saved['scale']} decimals, this ledger's {self.scale}")
        self.names[:] = saved["names"]
        self.numbers.clear()
        self.numbers.update({name: number for number, name in enumerate(self.names)})
        self.is_funded[:] = saved["funded"]
        self.rates.clear()
        self.rates.update({account: (maker, taker) for account, maker, taker in saved["rates"]})
        self.sequence = saved["sequence"]
        self.now_ns = saved["now_ns"]
        for currency in saved["wallets"]:
            self.wallet(currency)
        for currency, wallets in self.wallets.items():
            none = [0] * len(self.names)
            free, locked, held, system = saved["wallets"].get(currency, (none, none, none, (0, 0, 0, 0)))
            wallets.free[:] = free
            wallets.locked[:] = locked
            wallets.held[:] = held
            wallets.outside, wallets.fees, wallets.insurance, wallets.clearing = system
        return True
