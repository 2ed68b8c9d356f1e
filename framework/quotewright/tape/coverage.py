"""Whether a tape tells what the book models of a run are made of: levels, or best quotes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BEST_QUOTE, SNAPSHOT_BEGIN

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
    other: set[int] = set()
    for _, block in tape.blocks():
        kinds, numbers = block["kind"], block["instrument"]
        with_levels = set(numbers[kinds <= SNAPSHOT_BEGIN].tolist())
        with_quotes = set(numbers[kinds == BEST_QUOTE].tolist())
        for number, view in list(missing.items()):
            wanted, unwanted = (with_quotes, with_levels) if view.book.wants_quotes else (with_levels, with_quotes)
            if number in wanted:
                del missing[number]
            elif number in unwanted:
                other.add(number)
        if not missing:
            return
    for number, view in missing.items():
        if number not in other:
            continue
        if view.book.wants_quotes:
            raise ConfigError(
                f"{where}.book: this tape holds no best quotes of {view.instrument.name}, only levels: "
                f'leave book out, or set book = "ladder"'
            )
        raise ConfigError(
            f"{where}.book: this tape holds best quotes of {view.instrument.name} only, no levels: "
            f'set book = "top_of_book" under [{where.rpartition(": ")[2]}]'
        )
