"""What may be asked how often: weight by address, orders by account, and what the venue says about both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from quotewright_simexchange.dialects.binance.errors import ApiError

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard

SECOND_NS = 1_000_000_000
KINDS = {"request weight": "REQUEST_WEIGHT", "raw requests": "RAW_REQUESTS"}
INTERVALS = (("DAY", "D", 86_400), ("HOUR", "H", 3_600), ("MINUTE", "M", 60), ("SECOND", "S", 1))
PATIENCE = 10
"""Refused requests within one window after which an address is banned."""
FIRST_BAN_NS = 120 * SECOND_NS
LONGEST_BAN_NS = 3 * 86_400 * SECOND_NS

Kind = Literal["REQUEST_WEIGHT", "RAW_REQUESTS", "ORDERS", "CONNECTIONS"]


@attrs.define
class Pool:
    """One counter in windows that begin at whole multiples of its time."""

    kind: str
    limit: int
    per_ns: int
    counts: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    """By whom: (window, count)."""

    @property
    def interval(self) -> tuple[str, str, int]:
        """Its time as the venue writes it: (MINUTE, M, 1)."""
        for name, letter, seconds in INTERVALS:
            if self.per_ns % (seconds * SECOND_NS) == 0:
                return name, letter, self.per_ns // (seconds * SECOND_NS)
        raise ValueError(f"a limit's time should be whole seconds, was {self.per_ns} ns")

    def count(self, who: str, now_ns: int) -> int:
        window, count = self.counts.get(who, (0, 0))
        return count if window == now_ns // self.per_ns else 0

    def add(self, who: str, amount: int, now_ns: int) -> None:
        """Count *amount*, which may be negative; a count is never below zero."""
        self.counts[who] = (now_ns // self.per_ns, max(0, self.count(who, now_ns) + amount))

    def left_ns(self, now_ns: int) -> int:
        """Return how long the window still lasts."""
        return self.per_ns - now_ns % self.per_ns

    def described(self, count: int | None = None) -> dict[str, object]:
        """Return it as in exchangeInfo and in answers of the WebSocket API."""
        name, _, number = self.interval
        entry: dict[str, object] = {
            "rateLimitType": self.kind,
            "interval": name,
            "intervalNum": number,
            "limit": self.limit,
        }
        if count is not None:
            entry["count"] = count
        return entry


def seconds_up(time_ns: int) -> int:
    return -(-time_ns // SECOND_NS)


class Limits:
    """The counters of one door, as the venue card states them. All times are the door clock's."""

    def __init__(self, card: VenueCard) -> None:
        self.pools: list[Pool] = []
        self.now_ns = 0
        """When the newest request came."""
        self.connections = Pool("CONNECTIONS", 0, 300 * SECOND_NS)
        self.messages_per_second = 0
        for rate in card.limits.rates:
            per_ns = int(rate.per)
            if rate.scope == "connection":
                self.messages_per_second = rate.limit * SECOND_NS // per_ns
            elif rate.name == "new connections":
                self.connections = Pool("CONNECTIONS", rate.limit, per_ns)
            else:
                self.pools.append(Pool(KINDS.get(rate.name, "ORDERS"), rate.limit, per_ns))
        self.bans: dict[str, tuple[int, int]] = {}
        """By address: (until, how long it was)."""
        self.refused: dict[str, tuple[int, int]] = {}
        """By address: (end of the window, how often refused in it)."""

    def of_kind(self, kind: str) -> list[Pool]:
        return [pool for pool in self.pools if pool.kind == kind]

    def take(self, address: str, weight: int, now_ns: int) -> None:
        """Count a request of *weight* from *address*, or refuse it with 429, and with 418 who goes on."""
        self.now_ns = now_ns
        until, _ = self.bans.get(address, (0, 0))
        if now_ns < until:
            raise self._banned(until, now_ns)
        for pool in self.pools:
            amount = {"REQUEST_WEIGHT": weight, "RAW_REQUESTS": 1}.get(pool.kind, 0)
            if amount and pool.count(address, now_ns) + amount > pool.limit:
                raise self._too_much(address, pool, now_ns)
        for pool in self.pools:
            pool.add(address, {"REQUEST_WEIGHT": weight, "RAW_REQUESTS": 1}.get(pool.kind, 0), now_ns)

    def give_back(self, address: str, weight: int, now_ns: int) -> None:
        """Take *weight* off again: a request that turned out to cost nothing."""
        for pool in self.of_kind("REQUEST_WEIGHT"):
            pool.add(address, -weight, now_ns)

    def connect(self, address: str, now_ns: int) -> bool:
        """Count a WebSocket connection; False if there were too many."""
        if self.connections.limit and self.connections.count(address, now_ns) >= self.connections.limit:
            return False
        self.connections.add(address, 1, now_ns)
        return True

    def check_orders(self, account: str, now_ns: int, amount: int = 1) -> None:
        """Refuse *amount* new orders of *account* that are past a limit."""
        for pool in self.of_kind("ORDERS"):
            if pool.count(account, now_ns) + amount > pool.limit:
                name, _, number = pool.interval
                raise ApiError(
                    -1015,
                    f"Too many new orders; current limit is {pool.limit} orders per {number} {name}.",
                    429,
                    headers={"Retry-After": str(seconds_up(pool.left_ns(now_ns)))},
                    data={
                        "serverTime": now_ns // 1_000_000,
                        "retryAfter": (now_ns + pool.left_ns(now_ns)) // 1_000_000,
                    },
                )

    def count_orders(self, account: str, now_ns: int, amount: int = 1) -> None:
        """Count accepted orders; a negative *amount* gives back, as an order's first fill does."""
        for pool in self.of_kind("ORDERS"):
            pool.add(account, amount, now_ns)

    def headers(self, address: str, account: str, now_ns: int, *, with_orders: bool) -> dict[str, str]:
        """Return the counters as headers; those of orders only in answers to orders."""
        headers = {}
        for pool in self.pools:
            _, letter, number = pool.interval
            if pool.kind == "REQUEST_WEIGHT":
                headers["X-MBX-USED-WEIGHT"] = str(pool.count(address, now_ns))
                headers[f"X-MBX-USED-WEIGHT-{number}{letter}"] = str(pool.count(address, now_ns))
            elif pool.kind == "ORDERS" and with_orders:
                headers[f"X-MBX-ORDER-COUNT-{number}{letter}"] = str(pool.count(account, now_ns))
        return headers

    def counters(self, address: str, account: str, now_ns: int, kinds: tuple[str, ...]) -> list[dict[str, object]]:
        """Return the counters of *kinds* as the WebSocket API tells them."""
        return [
            pool.described(pool.count(account if pool.kind == "ORDERS" else address, now_ns))
            for kind in kinds
            for pool in self.of_kind(kind)
        ]

    def described(self) -> list[dict[str, object]]:
        """Return the limits as in exchangeInfo."""
        return [pool.described() for pool in self.pools]

    def _too_much(self, address: str, pool: Pool, now_ns: int) -> ApiError:
        end_ns = now_ns + pool.left_ns(now_ns)
        window, often = self.refused.get(address, (0, 0))
        often = often + 1 if window == end_ns else 1
        self.refused[address] = (end_ns, often)
        if often > PATIENCE:
            until, last = self.bans.get(address, (0, 0))
            length = min(2 * last, LONGEST_BAN_NS) if last and now_ns - until < LONGEST_BAN_NS else FIRST_BAN_NS
            self.bans[address] = (now_ns + length, length)
            return self._banned(now_ns + length, now_ns)
        name, _, number = pool.interval
        what = "request weight" if pool.kind == "REQUEST_WEIGHT" else "requests"
        return ApiError(
            -1003,
            f"Too many requests; current limit is {pool.limit} {what} per {number} {name}. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
            429,
            headers={"Retry-After": str(seconds_up(end_ns - now_ns))},
            data={"serverTime": now_ns // 1_000_000, "retryAfter": end_ns // 1_000_000},
        )

    def _banned(self, until: int, now_ns: int) -> ApiError:
        return ApiError(
            -1003,
            f"Way too much request weight used; IP banned until {until // 1_000_000}. "
            "Please use WebSocket Streams for live updates to avoid bans.",
            418,
            headers={"Retry-After": str(seconds_up(until - now_ns))},
            data={"serverTime": now_ns // 1_000_000, "retryAfter": until // 1_000_000},
        )
