"""Small changes of the sources for each row of the fault catalogue: each takes a handler out, and a test must fail.

Where the handler sits in an adapter, every exchange has a mutant of its own. A row is killed if all of its are.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import MARKET, Mutant

NUMBERS: Final = [f"m{number:02}" for number in range(1, 23)] + [f"c{number:02}" for number in range(1, 20)]

CONNECTIONS: Final = "tests/faults/test_connections.py"
LIVE_CONNECTION: Final = "tests/framework/live/test_connection.py"
LIVE_SESSION: Final = "tests/framework/live/test_session.py"
LIVE_FEEDS: Final = "tests/faults/test_live_feeds.py"
LIVE_MARKET: Final = "tests/faults/test_live_market.py"
TERMS: Final = "tests/framework/kernel/test_terms.py"

BINANCE: Final = "plugins/quotewright_plugins/exchanges/binance/adapter.py"
BINANCE_BOOKS: Final = "plugins/quotewright_plugins/exchanges/binance/books.py"
BINANCE_PRINTS: Final = "plugins/quotewright_plugins/exchanges/binance/prints.py"
BYBIT: Final = "plugins/quotewright_plugins/exchanges/bybit"
DERIBIT: Final = "plugins/quotewright_plugins/exchanges/deribit"
OKX: Final = "plugins/quotewright_plugins/exchanges/okx"
LIVE: Final = "framework/quotewright/live"
KERNEL: Final = "framework/quotewright/kernel"


_FIRST: Final = {
    "m01": Mutant(f"{BYBIT}/books.py", "elif data.u > book.last_id + 1:  # 3 and 5", "elif False:"),
    "m02": Mutant(f"{BYBIT}/books.py", "elif data.u <= book.last_id:", "elif False:"),
    "m03": Mutant(
        BINANCE_BOOKS,
        "elif self._is_old(event, book.last_id, book.is_joining):",
        "elif not self._apply(book, event, receive_ns, 0, sink):",
    ),
    "m04": Mutant(BINANCE_BOOKS, "        buffer.append(event)\n", "        pass\n"),
    "m05": Mutant("framework/quotewright/feed.py", "if len(asked) >= self.snapshot_tries_per_minute:", "if False:"),
    "m06": Mutant(f"{LIVE}/feed_session.py", "if now_ns - last_ns >= silence_ns:", "if False:", (LIVE_SESSION,)),
    "m07": Mutant(f"{KERNEL}/book.py", "self.status = BOOK_SUSPECT", "self.status = BOOK_GOOD"),
    "m08": Mutant(f"{OKX}/books.py", "if texts.checksum() == row.checksum:", "if texts.checksum():"),
    "m09": Mutant("framework/quotewright/feed.py", "if self._bad_run >= self.bad_frames_in_a_row:", "if False:"),
    "m10": Mutant(BINANCE, "if len(frame) > self.frame_limit[source]:", "if False:"),
    "m11": Mutant(
        "framework/quotewright/feed.py",
        'self.last_error = text.encode("unicode_escape").decode("ascii")[:300]',
        "self.last_error = text + chr(27)",
    ),
    "m12": Mutant(
        BINANCE_BOOKS,
        "            except InputError:\n                sink.abandon()\n                raise\n            sink.end()\n"  # noqa: E501
        "        self.counters.updates += 1\n        book.last_id = last_id\n",
        "            except InputError:\n                sink.end()\n                raise\n            sink.end()\n"
        "        self.counters.updates += 1\n        book.last_id = last_id\n",
    ),
    "m13": Mutant(f"{KERNEL}/scanner.py", "        if not is_rounded:\n", "        if False:\n"),
    "m14": Mutant(f"{KERNEL}/sink.py", "if size or not self.in_snapshot:", "if True:"),
    "m15": Mutant(f"{LIVE}/depth.py", "if most >= 2 * self.least and count < self.least:", "if False:"),
    "m16": Mutant("plugins/quotewright_plugins/exchanges/okx/prints.py", "if _is_zero(trade.sz):", "if False:"),
    "m17": Mutant(
        "framework/quotewright/feed.py",
        "if book.asked_ns >= 0 and 0 <= now_ns - book.asked_ns < self.snapshot_timeout_ns:",
        "if book.asked_ns >= 0 and now_ns - book.asked_ns < self.snapshot_timeout_ns:",
    ),
    "m18": Mutant(
        f"{KERNEL}/view.py", "self.tick_grid = multiple(price, self.tick_steps)", "self.tick_grid = 1", (TERMS,)
    ),
    "m19": Mutant(f"{KERNEL}/pipeline.py", " or view.status > POST_ONLY:", ":", (TERMS,)),
    "m20": Mutant(
        "plugins/quotewright_plugins/risk_rules/stream_disagreement.py",
        "if one.quotes_ns is not None and now_ns - one.quotes_ns >= lasting_ns:",
        "if False:",
    ),
    "m21": Mutant(f"{LIVE}/frames.py", 'symbol = symbol if may_go else ""', "pass"),
    "m22": Mutant(
        BINANCE_BOOKS,
        '        if event.s != symbol:\n            raise BadFrame("symbol"',
        '        if False:\n            raise BadFrame("symbol"',
    ),
    "c01": Mutant(f"{LIVE}/backoff.py", "if now_ns - opened_ns >= self.healthy_ns:", "if True:", (CONNECTIONS,)),
    "c02": Mutant(
        f"{LIVE}/connection.py",
        "self._due_ns = now_ns + int(self.settings.handshake_timeout)",
        "pass",
        (LIVE_CONNECTION,),
    ),
    "c03": Mutant(f"{LIVE}/connection.py", "if self.heard_ns <= self._ping_ns:", "if False:", (LIVE_CONNECTION,)),
    "c04": Mutant(f"{LIVE}/frames.py", "return len(entries) > self._next_shed", "return False", (CONNECTIONS,)),
    "c05": Mutant(
        f"{LIVE}/closing.py",
        "if (code == 1008 or code >= 3000) and _REFUSED.search(reason):",
        "if False:",
        (CONNECTIONS,),
    ),
    "c06": Mutant(
        f"{LIVE}/feed_session.py",
        "if connection.closing is not None and line.successor is None and line.replaces is None and is_open:",
        "if False:",
        (LIVE_SESSION,),
    ),
    "c07": Mutant(
        f"{LIVE}/budget.py",
        "            wait_ns = max(wait_ns, log.wait_ns(now_ns, weight, is_cancel))\n",
        "            pass\n",
        (CONNECTIONS,),
    ),
    "c08": Mutant(
        f"{LIVE}/connection.py", "        if isinstance(control, Respond):\n", "        if False:\n", (LIVE_CONNECTION,)
    ),
    "c09": Mutant(
        f"{LIVE}/connection.py",
        "            if subscription.state == StreamState.SILENT and subscription.due_ns <= now_ns:\n",
        "            if False:\n",
        (LIVE_CONNECTION,),
    ),
    "c10": Mutant(
        f"{LIVE}/credentials.py",
        'if kind == "skew" and self.state == KeyState.GOOD:',
        'if kind == "skew":',
        (CONNECTIONS,),
    ),
    "c11": Mutant(f"{LIVE}/retry.py", "    if status == 451:\n", "    if status == 999:\n", (CONNECTIONS,)),
    "c12": Mutant(
        f"{LIVE}/retry.py", "return min(MOST_WAIT_NS, max(LEAST_WAIT_NS, wait_ns))", "return wait_ns", (CONNECTIONS,)
    ),
    "c13": Mutant(f"{LIVE}/retry.py", "banned = status == 418 or (", "banned = False and (", (CONNECTIONS,)),
    "c14": Mutant(
        f"{LIVE}/retry.py",
        "if is_write and (status >= 500 or status == 408 or _UNKNOWN.search(start)):",
        "if False:",
        (CONNECTIONS,),
    ),
    "c15": Mutant(
        f"{LIVE}/writes.py",
        "            if found is None:\n                item.outcome = Outcome.UNKNOWN\n",
        "            if found is None:\n                item.outcome = Outcome.REJECTED\n",
        (CONNECTIONS,),
    ),
    "c16": Mutant(
        f"{LIVE}/writes.py", "                self.answered_twice += 1\n", "                pass\n", (CONNECTIONS,)
    ),
    "c17": Mutant(
        f"{LIVE}/credentials.py",
        "if self.login is not None and not self.login.holds(now_ns):",
        "if False:",
        (CONNECTIONS,),
    ),
    "c18": Mutant(
        f"{LIVE}/deadman.py",
        "return self.state in (SwitchState.ARMING, SwitchState.DOUBTED)",
        "return self.state == SwitchState.ARMING",
        (CONNECTIONS,),
    ),
    "c19": Mutant(
        f"{LIVE}/transport.py",
        "part = self._unpacker.decompress(part, self.most - self.size + 1)",
        "part = self._unpacker.decompress(part)",
        (CONNECTIONS,),
    ),
}


_BEFORE_IMAGE: Final = "elif book.state is not SYNCHRONISED:  # 1: nothing before the image is of use"
_ABANDON: Final = (
    "            except InputError:\n                sink.abandon()\n                raise\n            sink.end()\n"
)
_FARTHER: Final = "                except InputError:\n                    sink."
_WRITE_HALF: Final = _ABANDON.replace("abandon", "end")

_MORE: Final = [
    ("m01", Mutant(f"{DERIBIT}/books.py", "elif data.prev_change_id != book.last_id:  # 3 and 5", "elif False:")),
    (
        "m01",
        Mutant(
            f"{OKX}/books.py",
            "elif row.prevSeqId != NO_SEQ and book.last_id != NO_SEQ and row.prevSeqId != book.last_id:  # 2",
            "elif False:",
        ),
    ),
    (
        "m01",
        Mutant(
            BINANCE_BOOKS,
            "return event.U <= book.last_id + 1 <= event.u\n        if book.is_joining:",
            "return event.u > book.last_id\n        if book.is_joining:",
        ),
    ),
    (
        "m01",
        Mutant(
            BINANCE_BOOKS,
            "return event.pu == book.last_id and event.u > book.last_id",
            "return event.u > book.last_id",
        ),
    ),
    ("m02", Mutant(f"{DERIBIT}/books.py", "elif data.change_id <= book.last_id:  # 4", "elif False:")),
    ("m02", Mutant(f"{OKX}/books.py", "if row.seqId <= book.last_id and int(row.ts) <= book.stamp:", "if False:")),
    ("m02", Mutant(BINANCE_BOOKS, "elif self._is_old(event, book.last_id, book.is_joining):", "elif False:")),
    ("m03", Mutant(f"{BYBIT}/books.py", _BEFORE_IMAGE, "elif False:")),
    ("m03", Mutant(f"{DERIBIT}/books.py", _BEFORE_IMAGE, "elif False:")),
    ("m03", Mutant(f"{OKX}/books.py", "elif book.state is not SYNCHRONISED:  # 1\n", "elif False:\n")),
    (
        "m04",
        Mutant(
            f"{BYBIT}/books.py",
            "            self.request(book, receive_ns)\n        elif data.u <= book.last_id:",
            "        elif data.u <= book.last_id:",
        ),
    ),
    (
        "m04",
        Mutant(
            f"{DERIBIT}/books.py",
            "            book.messages += 1\n            self.request(book, receive_ns)\n"
            "        elif data.change_id <= book.last_id:  # 4",
            "            book.messages += 1\n        elif data.change_id <= book.last_id:  # 4",
        ),
    ),
    ("m04", Mutant(f"{OKX}/books.py", "        buffer.append(row)\n", "        pass\n")),
    (
        "m05",
        Mutant(
            BINANCE_BOOKS, "if (not is_fresh and last_id < book.last_id) or (", "if False and (", (MARKET, LIVE_FEEDS)
        ),
    ),
    ("m05", Mutant(f"{OKX}/books.py", "if waiting and waiting[0].prevSeqId > row.seqId:", "if False:")),
    ("m06", Mutant(f"{LIVE}/feed_session.py", "if now_ns - last_ns >= silence_ns:", "if False:", (LIVE_FEEDS,))),
    ("m10", Mutant(f"{BYBIT}/adapter.py", "if len(frame) > self._frame_limit:", "if False:")),
    ("m10", Mutant(f"{DERIBIT}/adapter.py", "if len(frame) > self._frame_limit:", "if False:")),
    (
        "m10",
        Mutant(
            f"{OKX}/adapter.py",
            'if len(frame) > (self._frame_limit if source == "ws" else self.frame_limit[source]):',
            "if False:",
        ),
    ),
    (
        "m12",
        Mutant(
            f"{BYBIT}/books.py",
            f"{_ABANDON}        self.counters.updates += 1\n        book.messages += 1\n",
            f"{_WRITE_HALF}        self.counters.updates += 1\n        book.messages += 1\n",
        ),
    ),
    (
        "m12",
        Mutant(
            f"{DERIBIT}/books.py",
            f"{_ABANDON}        self.counters.updates += 1\n        book.messages += 1\n",
            f"{_WRITE_HALF}        self.counters.updates += 1\n        book.messages += 1\n",
        ),
    ),
    (
        "m12",
        Mutant(
            f"{OKX}/books.py",
            f"        sink.bids(row.bids)\n{_FARTHER}abandon()",
            f"        sink.bids(row.bids)\n{_FARTHER}end()",
        ),
    ),
    (
        "m15",
        Mutant(
            "framework/quotewright/runtime/paper_live.py",
            "feed.resync(symbol, is_thin=True)",
            "pass",
            (LIVE_MARKET,),
        ),
    ),
    (
        "m15",
        Mutant(
            f"{LIVE}/feed_session.py",
            "if book is not None and book.state is not SYNCHRONISED:  # what was shed",
            "if book is not None:  # what was shed",
            (LIVE_MARKET,),
        ),
    ),
    (
        "m16",
        Mutant(BINANCE_PRINTS, 'if _is_zero(event.q):  # futures print adjustments without size (X "NA")', "if False:"),
    ),
    (
        "m16",
        Mutant(
            BINANCE_PRINTS,
            "if is_known or event.t <= known.last_aggregate_trade:",
            "if False:",
            (LIVE_MARKET,),
        ),
    ),
    ("m16", Mutant(BINANCE_PRINTS, "if event.a <= known.last_aggregate:", "if False:", (LIVE_MARKET,))),
    ("m16", Mutant(f"{BYBIT}/prints.py", "if is_zero(size):", "if False:")),
    ("m16", Mutant(f"{BYBIT}/prints.py", "if number in recent:", "if False:", (LIVE_MARKET,))),
    ("m16", Mutant(f"{DERIBIT}/prints.py", "if is_zero(size):", "if False:")),
    ("m16", Mutant(f"{DERIBIT}/prints.py", "        if id in recent:\n", "        if False:\n", (LIVE_MARKET,))),
    (
        "m16",
        Mutant(
            f"{OKX}/prints.py", "if self.is_sequenced and id in known.recent and (", "if False and (", (LIVE_MARKET,)
        ),
    ),
    (
        "m18",
        Mutant(
            f"{LIVE}/source.py",
            "if (after.tick_size, after.lot_size) != (before.tick_size, before.lot_size) and",
            "if False and",
            (LIVE_MARKET,),
        ),
    ),
    ("m19", Mutant(f"{LIVE}/source.py", "if after.status != before.status:", "if False:", (LIVE_MARKET,))),
    (
        "m21",
        Mutant(f"{LIVE}/frames.py", "return len(entries) > self._next_shed", "return False", (LIVE_MARKET,)),
    ),
    (
        "m22",
        Mutant(f"{BYBIT}/books.py", "if event.topic != route.topic or data.s != route.symbol:", "if False:"),
    ),
    (
        "m22",
        Mutant(
            f"{DERIBIT}/books.py", "if channel != route.channel or data.instrument_name != route.symbol:", "if False:"
        ),
    ),
    (
        "m22",
        Mutant(
            "framework/quotewright/feed.py",
            "if (self.subscribed and symbol not in self.subscribed) or len(",
            "if len(",
        ),
    ),
    ("c01", Mutant(f"{LIVE}/retry.py", "        if not html:\n", "        if True:\n", (LIVE_FEEDS,))),
    ("c11", Mutant(f"{LIVE}/requests.py", "if status in (401, 403, 451):", "if False:", (LIVE_FEEDS,))),
    (
        "c12",
        Mutant(
            f"{LIVE}/retry.py",
            "return own if asked_ns is None or asked_ns <= own.wait_ns else",
            "return own if True else",
            (LIVE_FEEDS,),
        ),
    ),
    (
        "c13",
        Mutant(
            f"{LIVE}/requests.py",
            'if status in (418, 429) or trouble.kind == "banned":',
            "if False:",
            (LIVE_FEEDS,),
        ),
    ),
]

MUTANTS: Final[dict[str, list[Mutant]]] = {
    number: [mutant, *(more for told, more in _MORE if told == number)] for number, mutant in _FIRST.items()
}
