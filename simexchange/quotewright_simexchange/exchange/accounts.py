"""Test accounts of the local exchange, their keys and positions."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable
from decimal import Decimal

import attrs

LETTERS = string.ascii_letters + string.digits
KEY_LENGTH = 64


@attrs.frozen(kw_only=True)
class Account:
    """One account. Rates None: the instrument's."""

    name: str
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    stp_group: str = ""
    """Accounts of one group are one trader to self-trade prevention."""


@attrs.define(kw_only=True)
class ApiKey:
    """One key of an account; *rights* are read and trade."""

    key: str
    secret: str = attrs.field(repr=lambda _: "***")
    passphrase: str = attrs.field(default="", repr=lambda _: "***")
    account: str
    rights: tuple[str, ...] = ("read", "trade")
    is_enabled: bool = True


@attrs.frozen(kw_only=True)
class Position:
    """An account's position in a derivative; *quantity* is negative if short, money is of the settlement currency."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    entry_value: Decimal
    realized: Decimal
    unrealized: Decimal
    mark: Decimal | None


class KeyMaker:
    """Invents keys, the same for the same seed."""

    def __init__(self, seed: int, taken: Iterable[str]) -> None:
        self._draw = random.Random(f"keys {seed}").random
        self._taken = taken
        self.drawn = 0

    def skip(self, count: int) -> None:
        """Draw *count* texts that an exchange before this one has drawn."""
        for _ in range(count):
            self._text()

    def _text(self) -> str:
        self.drawn += 1
        return "".join(LETTERS[int(self._draw() * len(LETTERS))] for _ in range(KEY_LENGTH))

    def key(self) -> str:
        """Return a public key that nobody has."""
        while (found := self._text()) in self._taken:
            pass
        return found

    def secret(self) -> str:
        return self._text()
