"""Paging by time, exact inside one millisecond: no row is lost at a page's end and none comes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import attrs

from quotewright.errors import InputError

R = TypeVar("R")


@attrs.frozen
class Ask:
    """A page to ask for: rows from *start* on (included) and before *end*, at most *limit*."""

    start: int
    end: int
    limit: int


class TimeCursor(Generic[R]):
    """Walks rows in order of time over a service that takes a first time and a limit.

    The cursor is the newest time and the ids seen at it: the next page begins at that very time, and what was seen is
    left out. A full page on which nothing is new means that more rows share one time than a page holds: the limit is
    doubled up to *most*; beyond that the walk stops with an error, for going on would lose rows.

    Args:
        start, end: The half-open interval, in the service's unit of time.
        time_of, id_of: What a row says.
        limit: Rows of a page.
        most: Largest limit that the service takes.
    """

    def __init__(
        self,
        start: int,
        end: int,
        time_of: Callable[[R], int],
        id_of: Callable[[R], object],
        *,
        limit: int = 1000,
        most: int | None = None,
    ) -> None:
        self.newest = start
        self.end = end
        self.time_of = time_of
        self.id_of = id_of
        self.limit = self.usual = limit
        self.most = max(limit, most or limit)
        self.seen: set[object] = set()
        self.is_done = start >= end

    def ask(self) -> Ask:
        """Return the next page to ask for."""
        return Ask(self.newest, self.end, self.limit)

    def take(self, page: list[R]) -> list[R]:
        """Return the rows of *page* that are new, and move on.

        Raises:
            InputError: a row lies before the cursor (the service does not sort), or the walk cannot move on.
        """
        asked = self.newest
        fresh = []
        for row in page:
            time = self.time_of(row)
            if time < self.newest:
                raise InputError(
                    f"a page that begins at {asked} holds a row of {time} behind one of {self.newest}; pages should be "
                    "sorted by time, oldest first"
                )
            if time >= self.end:
                self.is_done = True
                break
            if time > self.newest:
                self.newest = time
                self.seen.clear()
            id = self.id_of(row)
            if id not in self.seen:
                self.seen.add(id)
                fresh.append(row)
        is_full = len(page) >= self.limit
        if not is_full:
            self.is_done = True
        elif self.newest > asked:
            self.limit = self.usual
        elif not (fresh or self.is_done):
            if self.limit >= self.most:
                raise InputError(
                    f"{self.limit} rows or more share the time {self.newest}, which is as much as a page holds; going "
                    "on might lose rows"
                )
            self.limit = min(2 * self.limit, self.most)
        return fresh

    def walk(self, fetch: Callable[[Ask], list[R]]) -> Iterator[R]:
        """Yield every row once; *fetch* answers a page."""
        while not self.is_done:
            yield from self.take(fetch(self.ask()))
