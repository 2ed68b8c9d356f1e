"""What a ledger's drop copy is made of: transactions, whose postings sum to zero per currency; kinds of derivatives."""

from __future__ import annotations

from typing import Final, NamedTuple

OUTSIDE: Final = -1
"""Where deposits come from and withdrawals go, and the other side of trades with accounts without funds."""
FEES: Final = -2
INSURANCE: Final = -3
CLEARING: Final = -4
"""What funding and settlement pay out of and into; what their rounding leaves stays here."""

SYSTEM_NAMES: Final = {OUTSIDE: "outside", FEES: "fees", INSURANCE: "insurance", CLEARING: "clearing"}

LINEAR: Final = 1
INVERSE: Final = 2
OPTION: Final = 3


class Posting(NamedTuple):
    """One change of one balance: *account* is a number of the ledger, or below zero one of SYSTEM_NAMES."""

    account: int
    currency: str
    amount: int
    is_position: bool = False
    """The value a derivative's position was built with, not the wallet."""


class Transaction(NamedTuple):
    """One movement of money. *kind* is deposit, withdrawal, transfer, trade, fee, funding, settlement or insurance."""

    sequence: int
    now_ns: int
    kind: str
    source: str
    postings: tuple[Posting, ...]
