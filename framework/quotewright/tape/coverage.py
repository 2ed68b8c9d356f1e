"""Whether a tape tells what the book models of a run are made of: levels, best quotes, or single orders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BEST_QUOTE, LEVEL_DELETE, ORDER_ADD, ORDER_DELETE

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.tape.tape import Tape


def require_books(tape: Tape, views: Iterable[View], where: str) -> None:
    """Check that every book of *views* gets rows from *tape*.

    Args:
        where: The feed's table, such as ``bt.toml: feeds.market``.

    Raises:
        ConfigError: a book wants levels and the tape has best quotes of that instrument only, or the reverse.
    """
    missing = {view.instrument_id: view for view in views}
    told: dict[int, set[str]] = {number: set() for number in missing}
    for _, block in tape.blocks():
        kinds, numbers = block["kind"], block["instrument"]
        found = {
            LEVELS: kinds <= LEVEL_DELETE,
            QUOTES: kinds == BEST_QUOTE,
            ORDERS: (kinds >= ORDER_ADD) & (kinds <= ORDER_DELETE),
        }
        for what, rows in found.items():
            for number in set(numbers[rows].tolist()) & set(missing):
                told[number].add(what)
        for number, view in list(missing.items()):
            if wanted(view) in told[number]:
                del missing[number]
        if not missing:
            return
    for number, view in missing.items():
        if not told[number]:
            continue
        there = " and ".join(sorted(told[number]))
        model = next(MODELS[what] for what in (LEVELS, ORDERS, QUOTES) if what in told[number])
        told_only = f"{there} of {view.instrument.name} only, no {wanted(view)}"
        is_default = model == MODELS[LEVELS]
        raise ConfigError(
            f"{where}.book: this tape holds {told_only}: {'leave book out, or ' if is_default else ''}"
            f'set book = "{model}" under [{where.rpartition(": ")[2]}]'
        )


LEVELS, QUOTES, ORDERS = "levels", "best quotes", "single orders"
MODELS = {LEVELS: "ladder", QUOTES: "top_of_book", ORDERS: "orders"}
"""The model that makes a book of them."""


def wanted(view: View) -> str:
    """Return what the book of *view* is made of."""
    if view.book.wants_quotes:
        return QUOTES
    return ORDERS if view.book.wants_orders else LEVELS
