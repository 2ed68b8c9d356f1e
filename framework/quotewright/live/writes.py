"""What became of requests that place, change or cancel orders: accepted, rejected, or unknown; pure.

A write is sent once. What nobody can tell stays unknown until the venue proves it; nothing here sends anything again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import attrs

from quotewright.errors import InputError

if TYPE_CHECKING:
    from quotewright.wire import Trouble


class Outcome(IntEnum):
    PENDING = 0
    ACCEPTED = 1
    REJECTED = 2
    """The venue says that it was not done."""
    UNKNOWN = 3
    """It may have been done: it counts fully against limits, and is asked for by its client id."""
    NOT_SENT = 4
    """No byte of it left: it was surely not done."""


ANSWERED_KEPT: Final = 4096
"""Numbers of answered requests that are remembered, to tell an answer given twice from a foreign one."""


@attrs.frozen
class ItemAnswer:
    """What an answer says about one item of a request, by its client id; *is_accepted* None: it does not tell."""

    item: str
    is_accepted: bool | None
    code: str = ""
    text: str = ""
    venue_id: str = ""


@attrs.define
class Item:
    """One order of a request, by its client id."""

    name: str
    outcome: Outcome = Outcome.PENDING
    code: str = ""
    text: str = ""
    venue_id: str = ""


@attrs.define
class Write:
    """One request under way."""

    request: str
    items: dict[str, Item]
    deadline_ns: int
    was_sent: bool = False


class Writes:
    """All writes of one account over one way (a socket, or HTTP), by the number that the venue's answer repeats."""

    def __init__(self) -> None:
        self.under_way: dict[str, Write] = {}
        self.answered_twice = 0
        self.foreign = 0
        """Answers to requests that nobody here made."""
        self.strange_items = 0
        """Items in an answer that its request did not hold."""
        self._done: set[str] = set()
        self._order: deque[str] = deque()

    def begin(self, request: str, items: Sequence[str], deadline_ns: int) -> None:
        """Note a request before its first byte may leave.

        Raises:
            InputError: the number or an item occurs twice, or there is no item.
        """
        if request in self.under_way or request in self._done:
            raise InputError(f"request {request!r} was used before; a write has a number of its own")
        if not items or len(set(items)) != len(items):
            raise InputError(f"request {request!r} should hold every client id once, holds {list(items)!r}")
        self.under_way[request] = Write(request, {item: Item(item) for item in items}, deadline_ns)

    def sent(self, request: str) -> None:
        """The first byte may have left."""
        write = self.under_way.get(request)
        if write is not None:
            write.was_sent = True

    def answered(self, request: str, answers: Sequence[ItemAnswer]) -> list[Item]:
        """Settle a request by what its answer says of each item; what the answer leaves out is unknown.

        An answer that nobody waits for is dropped and counted.
        """
        write = self._take(request)
        if write is None:
            return []
        told: dict[str, ItemAnswer] = {}
        for answer in answers:
            if answer.item not in write.items:
                self.strange_items += 1
            elif answer.item in told and told[answer.item].is_accepted != answer.is_accepted:
                told[answer.item] = ItemAnswer(answer.item, None, text="the answer says two things of it")
            else:
                told[answer.item] = answer
        for name, item in write.items.items():
            found = told.get(name)
            if found is None:
                item.outcome = Outcome.UNKNOWN
                item.text = "the answer does not name it"
                continue
            item.code, item.text, item.venue_id = found.code, found.text, found.venue_id
            item.outcome = Outcome.UNKNOWN
            if found.is_accepted is not None:
                item.outcome = Outcome.ACCEPTED if found.is_accepted else Outcome.REJECTED
        return list(write.items.values())

    def troubled(self, request: str, trouble: Trouble) -> list[Item]:
        """Settle a request answered by no success as a whole: rejected where that is sure, else unknown.

        Whatever the kind of *trouble*, nothing is sent again: a strategy may decide anew once it is settled.
        """
        outcome = Outcome.UNKNOWN if trouble.kind == "unknown" else Outcome.REJECTED
        return self._settle(request, outcome, trouble.text)

    def lost(self, request: str, why: str) -> list[Item]:
        """No answer will come: what was sent is unknown, what was not is surely not done."""
        write = self.under_way.get(request)
        outcome = Outcome.UNKNOWN if write is not None and write.was_sent else Outcome.NOT_SENT
        return self._settle(request, outcome, why)

    def disconnected(self, why: str) -> list[Item]:
        """The socket that they went by is gone: settle all requests under way."""
        return [item for request in list(self.under_way) for item in self.lost(request, why)]

    def tick(self, now_ns: int) -> list[Item]:
        """Settle what has not been answered in time."""
        late = [write.request for write in self.under_way.values() if write.deadline_ns <= now_ns]
        return [item for request in late for item in self.lost(request, "no answer in time")]

    def _settle(self, request: str, outcome: Outcome, why: str) -> list[Item]:
        write = self._take(request)
        if write is None:
            return []
        for item in write.items.values():
            item.outcome = outcome
            item.text = why
        return list(write.items.values())

    def _take(self, request: str) -> Write | None:
        write = self.under_way.pop(request, None)
        if write is None:
            if request in self._done:
                self.answered_twice += 1
            else:
                self.foreign += 1
            return None
        self._done.add(request)
        self._order.append(request)
        if len(self._order) > ANSWERED_KEPT:
            self._done.discard(self._order.popleft())
        return write


def unknown_items(items: Sequence[Item]) -> Mapping[str, str]:
    """Return the client ids that must be asked for at the venue, each with the reason."""
    return {item.name: item.text for item in items if item.outcome == Outcome.UNKNOWN}
