"""What may still be asked of a venue: windows of weights that are never overdrawn, and who is next.

Nothing here reads a clock: times are ns that the caller passes in and that never go back. A limit of n in T holds for
*every* span of T, wherever it begins, hence also for the venue's own minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import attrs

from quotewright.errors import InputError
from quotewright.wire import Window

T = TypeVar("T")


class Limit(Protocol):
    """One thing that is counted by the venue."""

    def wait_ns(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> int:
        """Return how long to wait until *weight* may be taken; 0: now."""

    def take(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> bool:
        """Take *weight* and return True, or take nothing and return False."""


class _Log:
    """What was taken in one window and still counts."""

    def __init__(self, window: Window, reserve: float) -> None:
        self.window = window
        self.taken: deque[tuple[int, int]] = deque()
        self.sum = 0
        self.common = max(1, window.limit - int(window.limit * reserve))
        """What those may take who are no cancels."""

    def forget(self, now_ns: int) -> None:
        before_ns = now_ns - self.window.per_ns
        taken = self.taken
        while taken and taken[0][0] <= before_ns:
            self.sum -= taken.popleft()[1]

    def wait_ns(self, now_ns: int, weight: int, is_cancel: bool) -> int:
        room = self.window.limit if is_cancel else self.common
        if weight > room:
            raise InputError(
                f"a request of weight {weight} never fits into '{self.window.name}', which allows {room} "
                f"in {self.window.per_ns / 1e9:g} s{'' if is_cancel else ' to others than cancels'}: split it"
            )
        excess = self.sum + weight - room
        if excess <= 0:
            return 0
        for at_ns, part in self.taken:
            excess -= part
            if excess <= 0:
                return max(0, at_ns + self.window.per_ns - now_ns)
        return self.window.per_ns

    def used(self, now_ns: int) -> int:
        before_ns = now_ns - self.window.per_ns
        return sum(weight for at_ns, weight in self.taken if at_ns > before_ns)

    def add(self, now_ns: int, weight: int) -> None:
        self.forget(now_ns)
        if self.taken and self.taken[-1][0] == now_ns:
            weight_before = self.taken.pop()[1]
            self.taken.append((now_ns, weight_before + weight))
        else:
            self.taken.append((now_ns, weight))
        self.sum += weight


class Windows:
    """Several windows of one count, taken together or not at all; none of them: everything may go.

    Args:
        windows: The venue's.
        reserve: The share of each window that only cancels may use.
    """

    def __init__(self, windows: Sequence[Window] = (), reserve: float = 0.0) -> None:
        if not 0 <= reserve < 1:
            raise InputError(f"reserve should be a share from 0 to below 1, was {reserve!r}")
        self._logs = [_Log(window, reserve) for window in windows]
        self.held_until_ns = 0
        """The venue wants silence before this time, cancels included."""

    @property
    def windows(self) -> tuple[Window, ...]:
        return tuple(log.window for log in self._logs)

    def wait_ns(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> int:
        """Return how long to wait until *weight* may be taken; 0: now.

        Raises:
            InputError: *weight* is more than a whole window, so that no waiting helps.
        """
        wait_ns = max(0, self.held_until_ns - now_ns)
        for log in self._logs:
            wait_ns = max(wait_ns, log.wait_ns(now_ns, weight, is_cancel))
        return wait_ns

    def earliest_ns(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> int:
        """Return when *weight* may be taken at the earliest."""
        return now_ns + self.wait_ns(now_ns, weight, is_cancel=is_cancel)

    def take(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> bool:
        """Take *weight* from all windows and return True; if one of them has no room, take nothing."""
        if self.wait_ns(now_ns, weight, is_cancel=is_cancel) > 0:
            return False
        for log in self._logs:
            log.add(now_ns, weight)
        return True

    def used(self, name: str, now_ns: int) -> int:
        """Return what counts in the window *name* now."""
        return self._log(name).used(now_ns)

    def told(self, name: str, used: int, now_ns: int) -> None:
        """Take the venue's own count (a header such as the used weight): what it counts beyond ours is taken now.

        A smaller count than ours changes nothing: requests of ours may be on their way, and windows may begin anew.
        """
        log = self._log(name)
        ours = log.used(now_ns)
        if used > ours:
            log.add(now_ns, used - ours)

    def hold(self, until_ns: int) -> None:
        """Let nothing through before *until_ns*: the venue has banned us or asked for a pause."""
        self.held_until_ns = max(self.held_until_ns, until_ns)

    def _log(self, name: str) -> _Log:
        for log in self._logs:
            if log.window.name == name:
                return log
        raise InputError(f"no window {name!r}; windows: {', '.join(log.window.name for log in self._logs) or 'none'}")


class Bucket:
    """A store of *capacity* that fills by *refill* every *per_ns*: how venues count that speak of credits.

    Args:
        reserve: The share of the capacity that only cancels may use.
    """

    def __init__(self, name: str, capacity: int, refill: int, per_ns: int, reserve: float = 0.0) -> None:
        if capacity < 1 or refill < 1 or per_ns < 1 or not 0 <= reserve < 1:
            raise InputError(
                f"{name}: capacity, refill and time should be positive and reserve a share below 1, "
                f"was {capacity}, {refill}, {per_ns}, {reserve}"
            )
        self.name = name
        self.capacity = capacity
        self.refill = refill
        self.per_ns = per_ns
        self._kept = int(capacity * reserve) * per_ns
        self._level = capacity * per_ns  # in 1/per_ns of a unit, so that filling is exact
        self._at_ns: int | None = None

    def _at(self, now_ns: int) -> int:
        """Return the level at *now_ns*."""
        if self._at_ns is None or now_ns <= self._at_ns:
            return self._level
        return min(self.capacity * self.per_ns, self._level + (now_ns - self._at_ns) * self.refill)

    def wait_ns(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> int:
        """Return how long to wait until *weight* may be taken; 0: now.

        Raises:
            InputError: *weight* is more than the store ever holds.
        """
        kept = 0 if is_cancel else self._kept
        if weight * self.per_ns + kept > self.capacity * self.per_ns:
            raise InputError(f"a request of weight {weight} never fits into '{self.name}' of {self.capacity}: split it")
        return max(0, -((self._at(now_ns) - kept - weight * self.per_ns) // self.refill))

    def take(self, now_ns: int, weight: int = 1, *, is_cancel: bool = False) -> bool:
        """Take *weight* and return True; take nothing and return False if there is not as much."""
        if self.wait_ns(now_ns, weight, is_cancel=is_cancel) > 0:
            return False
        self._level = self._at(now_ns) - weight * self.per_ns
        self._at_ns = now_ns
        return True

    def told(self, left: int, now_ns: int) -> None:
        """Take the venue's own count of what is left, if it is less than ours."""
        self._level = min(self._at(now_ns), max(0, left) * self.per_ns)
        self._at_ns = now_ns


@attrs.frozen
class Turn(Generic[T]):
    """Something that waits for its turn: what it takes of each limit, whose it is, whether it is a cancel."""

    what: T
    weights: Mapping[str, int]
    owner: str = ""
    is_cancel: bool = False


class Budget(Generic[T]):
    """Linked limits taken together or not at all, and the queue before them.

    One request may count in several limits at once (the address's weight, the account's orders per ten seconds and
    per day). Cancels go first and may use the reserves; among the others the owners take turns, and the one whose
    turn it is waits until there is room: a heavy request is never starved by light ones behind it.
    """

    def __init__(self, limits: Mapping[str, Limit], most_waiting: int = 10_000) -> None:
        self.limits = dict(limits)
        self.most_waiting = most_waiting
        self._cancels: deque[Turn[T]] = deque()
        self._owners: dict[str, deque[Turn[T]]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def wait_ns(self, now_ns: int, weights: Mapping[str, int], *, is_cancel: bool = False) -> int:
        """Return how long to wait until all *weights* may be taken together."""
        return max(
            (self._limit(name).wait_ns(now_ns, weight, is_cancel=is_cancel) for name, weight in weights.items()),
            default=0,
        )

    def take(self, now_ns: int, weights: Mapping[str, int], *, is_cancel: bool = False) -> bool:
        """Take all *weights* and return True; if one limit has no room, take nothing."""
        if self.wait_ns(now_ns, weights, is_cancel=is_cancel) > 0:
            return False
        for name, weight in weights.items():
            self._limit(name).take(now_ns, weight, is_cancel=is_cancel)
        return True

    def queue(self, turn: Turn[T]) -> bool:
        """Put *turn* at the end of its owner's queue; False if too many wait already (cancels always may)."""
        for name in turn.weights:
            self._limit(name)
        if turn.is_cancel:
            self._cancels.append(turn)
        elif self._waiting >= self.most_waiting:
            return False
        else:
            self._owners.setdefault(turn.owner, deque()).append(turn)
        self._waiting += 1
        return True

    def release(self, now_ns: int) -> list[Turn[T]]:
        """Return whose turn it is, in order, taking what they need."""
        released: list[Turn[T]] = []
        while self._cancels and self.take(now_ns, self._cancels[0].weights, is_cancel=True):
            released.append(self._cancels.popleft())
        while self._owners and not self._cancels:
            owner, waiting = next(iter(self._owners.items()))
            if not self.take(now_ns, waiting[0].weights):
                break
            released.append(waiting.popleft())
            del self._owners[owner]
            if waiting:
                self._owners[owner] = waiting  # behind the others
        self._waiting -= len(released)
        return released

    def next_ns(self, now_ns: int) -> int | None:
        """Return when :meth:`release` will give something at the earliest; None if nobody waits."""
        if self._cancels:
            return now_ns + self.wait_ns(now_ns, self._cancels[0].weights, is_cancel=True)
        for waiting in self._owners.values():
            return now_ns + self.wait_ns(now_ns, waiting[0].weights)
        return None

    def _limit(self, name: str) -> Limit:
        limit = self.limits.get(name)
        if limit is None:
            raise InputError(f"no limit {name!r}; limits: {', '.join(self.limits) or 'none'}")
        return limit


class Addresses:
    """The windows of each venue's address, shared by all feeds and venues of a process that go out by it.

    So a hundred connections that drop together come back within the venue's limit of new connections, whoever owns
    them.
    """

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Windows] = {}

    def windows(self, venue: str, what: str, windows: Iterable[Window], reserve: float = 0.0) -> Windows:
        """Return the windows in which *what* (``connects``, ``requests``) of *venue* counts, made at first sight."""
        key = (venue, what)
        found = self._windows.get(key)
        if found is None:
            found = self._windows[key] = Windows(tuple(windows), reserve)
        return found
