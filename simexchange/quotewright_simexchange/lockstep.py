"""Several exchanges of one run on one clock: none runs ahead of what the others may still show or be sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from quotewright.kernel.codes import NEVER

if TYPE_CHECKING:
    from quotewright.kernel.source import RowSource
    from quotewright.wiring import Market


class Clocked(Protocol):
    """An exchange in process whose next step is known before it is made."""

    def due_ns(self) -> int:
        """Return when something happens here next by itself or by a command under way, NEVER if nothing does."""

    def known_ns(self) -> int:
        """Return when the first row or report that nobody has taken becomes known outside, NEVER if there is none."""

    def act(self) -> None:
        """Let what is due next happen."""


@runtime_checkable
class ClockedSource(Protocol):
    """A source of rows with an exchange behind it."""

    @property
    def clocked(self) -> Clocked:
        """The exchange whose rows these are."""


class Lockstep:
    """Lets *exchanges* act one step at a time, always the one whose step is due first; ties go by their order."""

    def __init__(self, exchanges: Sequence[Clocked]) -> None:
        self.exchanges = tuple(exchanges)

    def go_on(self, until_ns: int) -> None:
        """Act up to *until_ns*, never past the moment at which anything first becomes known outside."""
        while True:
            bound_ns, due_ns = until_ns, NEVER
            chosen: Clocked | None = None
            for exchange in self.exchanges:
                bound_ns = min(bound_ns, exchange.known_ns())
                step_ns = exchange.due_ns()
                if step_ns < due_ns:
                    due_ns, chosen = step_ns, exchange
            if chosen is None or due_ns > bound_ns:
                return
            chosen.act()


def lockstep_of(market: Market) -> Lockstep | None:
    """Return what keeps the exchanges behind *market* in step, None where only one is."""
    found = list(_exchanges(part.source for part in market.parts.values()))
    return Lockstep(found) if len(found) > 1 else None


def _exchanges(sources: Iterable[RowSource]) -> Iterable[Clocked]:
    for source in sources:
        if isinstance(source, ClockedSource):
            yield source.clocked
