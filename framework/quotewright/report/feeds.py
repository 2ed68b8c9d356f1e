"""What reports tell of live feeds: where the rows came from, how the streams were, what went wrong."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_ROWS = 200
"""Rows of a table on the page; the summary holds all."""

Feeds = Mapping[str, Mapping[str, Any]]


def market_of(summary: Mapping[str, Any]) -> str:
    """Return what kind of market a run had, as it goes on after the name of the verb."""
    feeds: Feeds = summary.get("feeds") or {}
    if feeds:
        return " on the live market of " + ", ".join(dict.fromkeys(place_of(feed) for feed in feeds.values()))
    tape = summary["tape"]
    return " on a synthetic market" if tape is None or tape["is_synthetic"] else " on a recorded market"


def place_of(feed: Mapping[str, Any]) -> str:
    """Return exchange and market of a feed."""
    return f"{feed['venue']} {feed['market']}".rstrip()


def feed_warnings(summary: Mapping[str, Any]) -> list[str]:
    """Return what feeds warn of, one sentence each."""
    feeds: Feeds = summary.get("feeds") or {}
    return [f"feed {name}: {warning}" for name, feed in feeds.items() for warning in feed["warnings"]]


def feed_lines(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and figures of each feed, one line each."""
    feeds: Feeds = summary.get("feeds") or {}
    return [(f"feed {name}", f"{place_of(feed)}: {_in_short(feed)}") for name, feed in feeds.items()]


def _in_short(feed: Mapping[str, Any]) -> str:
    lost = sum(one["losses"] for one in feed["connections"])
    return (
        f"{feed['messages']:,} messages, {_many(feed['gaps'], 'gap')}, {_many(feed['resyncs'], 'resync')}, "
        f"{_many(sum(feed['decode_errors'].values()), 'decode error')}, {_many(lost, 'loss', 'losses')} of a "
        f"connection, lag at most {feed['longest_lag_ms']:,.1f} ms"
    )


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def feeds_section(summary: Mapping[str, Any]) -> str:
    """Return the report's section on feeds; empty if the run had no live one."""
    feeds: Feeds = summary.get("feeds") or {}
    if not feeds:
        return ""
    return "<h2>Feeds</h2>" + "".join(_feed(name, feed) for name, feed in feeds.items())


def _feed(name: str, feed: Mapping[str, Any]) -> str:
    figures = "".join(f"<tr><th>{title}</th><td>{html.escape(text)}</td></tr>" for title, text in _figures(feed))
    return (
        f"<h3>{html.escape(name)}: {html.escape(place_of(feed))}</h3><table>{figures}</table>"
        + _table(
            "Streams",
            ("stream", "state", "messages", "a second", "last", "gaps", "resyncs"),
            [
                (
                    stream,
                    _state(one),
                    f"{one['messages']:,}",
                    f"{one['rate']:,.1f}",
                    "never" if one["age_ms"] is None else f"{one['age_ms']:,.0f} ms before the end",
                    f"{one['gaps']:,}",
                    f"{one['resyncs']:,}",
                )
                for stream, one in feed["streams"].items()
            ],
        )
        + _table(
            "Books",
            ("symbol", "state", "messages", "gaps", "resyncs", "checksums", "stale for"),
            [
                (
                    symbol,
                    one["state"],
                    f"{one['messages']:,}",
                    f"{one['gaps']:,}",
                    f"{one['resyncs']:,}",
                    _checksums(one),
                    f"{one['stale_ns'] / 1e9:,.3f} s",
                )
                for symbol, one in feed["books"].items()
            ],
        )
        + _table(
            "Connections",
            ("number", "category", "state", "opened", "lost", "messages", "MB"),
            [
                (
                    str(one["number"]),
                    one["category"] or "-",
                    one["state"],
                    _times(one["opens"]),
                    _times(one["losses"]) + (f" ({one['reason']})" if one["reason"] else ""),
                    f"{one['messages']:,}",
                    f"{one['bytes'] / 1e6:,.2f}",
                )
                for one in feed["connections"]
            ],
        )
    )


def _figures(feed: Mapping[str, Any]) -> list[tuple[str, str]]:
    errors = ", ".join(f"{reason} {count:,}" for reason, count in feed["decode_errors"].items() if count)
    skew = feed["clock_skew_ms"]
    return [
        ("messages", f"{feed['messages']:,}"),
        ("gaps, resyncs", f"{feed['gaps']:,}, {feed['resyncs']:,}"),
        ("decode errors", f"{errors} (last: {feed['last_error']})" if errors else "none"),
        ("books given up", f"{feed['silences']:,} for silence, {feed['shed_books']:,} because too much waited"),
        ("connections replaced", _times(feed["switches"])),
        (
            "requests",
            f"{feed['requests']:,}, {feed['failed_requests']:,} of them failed"
            + (f" (last: {feed['last_trouble']})" if feed["last_trouble"] else ""),
        ),
        ("lag at the end, at most", f"{feed['lag_ms']:,.1f} ms, {feed['longest_lag_ms']:,.1f} ms"),
        ("clock skew", "unknown" if skew is None else f"{skew:+,.1f} ms"),
    ]


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _state(one: Mapping[str, Any]) -> str:
    return f"{one['state']} ({one['reason']})" if one["reason"] else str(one["state"])


def _checksums(book: Mapping[str, Any]) -> str:
    good, bad = book["checksums_ok"], book["checksums_bad"]
    return f"{good:,} of {good + bad:,} matched" if good or bad else "none sent"


def _table(title: str, heads: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[:MOST_ROWS]
    )
    more = f"<p class='sub'>{len(rows) - MOST_ROWS:,} more stand in summary.json.</p>" if len(rows) > MOST_ROWS else ""
    return f"<h4>{title}</h4><table><tr>{head}</tr>{body}</table>{more}"
