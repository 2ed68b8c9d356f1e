"""How a feed stands, as plain values: what the live view, ``quotewright status`` and the report show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quotewright.feed import BookState

if TYPE_CHECKING:
    from quotewright.live.feed_session import FeedSession

BOOK_STATES = {BookState.WAITING: "waiting", BookState.SYNCHRONISED: "good", BookState.STALE: "stale"}


def report(session: FeedSession, now_ns: int) -> dict[str, Any]:
    """Return the state of a feed: its connections, streams and books, and what went wrong."""
    adapter = session.adapter
    counters = adapter.counters
    settings = session.settings
    warnings = list(session.counters.told)
    skew_ns = session.directory.skew_ns
    if skew_ns is not None and abs(skew_ns) > int(settings.most_skew):
        warnings.append(
            f"the venue's clock is {skew_ns / 1e9:+.3f} s off ours; more than {settings.most_skew} is tolerated"
        )
    if session.requests.final:
        warnings.append(f"no request is made any more: {session.requests.final}")
    if session.unserved:
        names = ", ".join(stream.name for stream in session.unserved[:10])
        warnings.append(f"{len(session.unserved)} streams exceed the venue's limits and are not served: {names}")
    return {
        "venue": session.wire.venue or adapter.name,
        "market": adapter.market_name,
        "messages": counters.messages,
        "decode_errors": dict(counters.decode_errors),
        "last_error": counters.last_error,
        "gaps": counters.gaps,
        "resyncs": counters.resyncs,
        "switches": session.counters.switches,
        "silences": session.counters.silences,
        "shed_books": session.counters.shed,
        "requests": session.requests.asked,
        "failed_requests": session.requests.failed,
        "last_trouble": session.requests.last_trouble,
        "clock_skew_ms": None if skew_ns is None else round(skew_ns / 1e6, 3),
        "unserved": [stream.name for stream in session.unserved],
        "warnings": warnings,
        "connections": [_connection(session, number, now_ns) for number in session.lines],
        "streams": _streams(session, now_ns),
        "books": _books(session, now_ns),
    }


def _connection(session: FeedSession, number: int, now_ns: int) -> dict[str, Any]:
    line = session.lines[number]
    connection = line.connection
    counters = connection.counters
    age_ns = now_ns - connection.opened_ns if connection.opened_ns else 0
    return {
        "number": number,
        "category": connection.category,
        "state": "taking over" if line.replaces is not None else connection.state.name.lower(),
        "reason": connection.reason or counters.last_reason,
        "opens": counters.opens,
        "losses": counters.losses,
        "messages": counters.messages,
        "bytes": counters.bytes,
        "age_s": round(age_ns / 1e9, 3),
    }


def _streams(session: FeedSession, now_ns: int) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in session.lines.values():
        if line.replaces is not None:
            continue
        opened_ns = line.connection.opened_ns
        for name, one in line.connection.subscriptions.items():
            seconds = (now_ns - opened_ns) / 1e9 if opened_ns else 0.0
            book = session.adapter.books.get(one.stream.symbol) if one.stream.channel == "book" else None
            found[name] = {
                "state": one.state.name.lower(),
                "reason": one.reason,
                "messages": one.messages,
                "rate": round((one.messages - one.messages_before) / seconds, 3) if seconds > 0 else 0.0,
                "age_ms": round((now_ns - one.last_ns) / 1e6, 3) if one.last_ns else None,
                "gaps": book.gaps if book is not None else 0,
                "resyncs": book.resyncs if book is not None else 0,
            }
    return found


def _books(session: FeedSession, now_ns: int) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for symbol, book in session.adapter.books.items():
        times = session.books.get(symbol)
        stale_ns = 0
        if times is not None:
            stale_ns = times.stale_ns + (now_ns - times.lost_ns if times.lost_ns else 0)
        found[symbol] = {
            "state": BOOK_STATES.get(book.state, "waiting"),
            "messages": book.messages,
            "gaps": book.gaps,
            "resyncs": book.resyncs,
            "checksums_ok": book.checksums_good,
            "checksums_bad": book.checksums_bad,
            "stale_ns": stale_ns,
        }
    return found
