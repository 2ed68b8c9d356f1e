"""What a dialect of the local exchange is: doors without I/O, through which bytes come in and go out.

The hook ``dialects`` offers a factory called with ``(exchange, cards)``. A server, or a simulated world, owns
connections and clocks and hands bytes in; see ``docs/writing-plugins/dialects.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange

DIALECT_INTERFACE_VERSION = 1


@attrs.frozen
class HttpRequest:
    """One request as it came: *query* and *body* raw, *path* decoded, header names in lower case."""

    method: str
    path: str
    query: bytes
    body: bytes
    headers: Mapping[str, str]
    client: str = "127.0.0.1"
    """Address it came from: limits are counted by it."""


@attrs.frozen
class HttpResponse:
    """An answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)
    content_type: str = "application/json"


class Connection(Protocol):
    """One WebSocket connection as a door sees it; the owner sends in order and never blocks."""

    def send(self, frame: bytes) -> None:
        """Send one text frame."""

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; nothing is sent afterwards."""


class Session:
    """One WebSocket connection's state at a door. Times are the door clock's."""

    deadline_ns: int = 1 << 62
    """When :meth:`tick` wants to be called (pings, silence, end of life)."""

    def heard(self, frame: bytes, now_ns: int) -> None:
        """Take one text frame."""

    def pinged(self, payload: bytes, now_ns: int) -> None:
        """Take a ping frame; the owner has answered it."""

    def ponged(self, payload: bytes, now_ns: int) -> None:
        """Take a pong frame."""

    def tick(self, now_ns: int) -> None:
        """Let door time pass."""

    def closed(self) -> None:
        """The connection is gone; called once."""


class Door:
    """One listener of a dialect: an HTTP root and its WebSocket paths, as the venue lays them out."""

    name: str = ""
    """Such as binance-spot."""

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        """Answer one request; *now_ns* is the door clock. Never raises: the venue's own errors are answers."""
        raise TypeError(f"{type(self).__name__} lacks http()")

    def connect(
        self, path: str, query: bytes, headers: Mapping[str, str], client: str, connection: Connection, now_ns: int
    ) -> Session | HttpResponse:
        """Take a WebSocket connection, or say with what its handshake is refused."""
        raise TypeError(f"{type(self).__name__} lacks connect()")

    def is_private(self, frame: bytes) -> bool:
        """Return whether *frame* tells an account's own event; answers to requests are none."""
        return False

    def placed(self, message: HttpRequest | bytes) -> tuple[str, ...]:
        """Return the client ids of the orders that a request or a frame asks to place; nothing is carried out.

        For those who watch what clients send: a simulated world sees by it that no order is sent twice.
        """
        return ()

    def refusal(self, status: int, retry_after: int, now_ns: int) -> HttpResponse:
        """Return how the venue, or what stands before it, refuses a request with *status* (429, 418, 5xx)."""
        headers = {"Retry-After": str(retry_after)} if status in (418, 429) else {}
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        return HttpResponse(status, page.encode(), headers, "text/html")

    def addresses(self, http: str, ws: str) -> Mapping[str, str]:
        """Return what users are told: ``rest``, ``ws``, ``ws_api``, under the roots *http* and *ws*."""
        return {"rest": http, "ws": ws}

    def unserved(self) -> Mapping[str, int]:
        """Return endpoints that were asked for and are not served, with how often; the owner logs them."""
        return {}


class Dialect:
    """One exchange's protocol: its doors, all on one :class:`~.exchange.exchange.Exchange`."""

    interface_version = DIALECT_INTERFACE_VERSION
    name: str = ""
    card_names: Mapping[str, str] = MappingProxyType({})
    """Its venue cards by kind of instrument (spot, linear): the fees of their first line are the usual ones."""

    def __init__(self, exchange: Exchange, cards: Mapping[str, VenueCard]) -> None:
        self.exchange = exchange
        self.cards = cards

    def doors(self) -> Mapping[str, Door]:
        """Return the doors by name."""
        raise TypeError(f"{type(self).__name__} lacks doors()")

    def snippets(self, addresses: Mapping[str, Mapping[str, str]], key: str, secret: str) -> Mapping[str, str]:
        """Return code to paste that points a client at *addresses* (by door), by the client's name."""
        return {}
