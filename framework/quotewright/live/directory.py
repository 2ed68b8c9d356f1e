"""What a feed asks of its venue beside the market: the instruments, now and then again, and the venue's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.kernel.codes import NEVER

if TYPE_CHECKING:
    from quotewright.feed import FeedAdapter
    from quotewright.live.requests import RequestQueue, Wanted
    from quotewright.model.instrument import Instrument
    from quotewright.wire import Request, Wire


class Directory:
    """Pure, as the feed's session is, which owns it.

    Args:
        changed: Called with what was known of an instrument, what is listed now (None: no more), and the time.
        tell: Keeps a sentence for the status.
        refresh_ns: How often the venue is asked again; 0: never.
    """

    def __init__(
        self,
        adapter: FeedAdapter,
        wire: Wire,
        requests: RequestQueue,
        instruments: Iterable[Instrument],
        changed: Callable[[Instrument, Instrument | None, int], None],
        tell: Callable[[str], None],
        refresh_ns: int,
    ) -> None:
        self.adapter = adapter
        self.wire = wire
        self.requests = requests
        self.known = {instrument.symbol: instrument for instrument in instruments}
        self.changed = changed
        self.tell = tell
        self.refresh_ns = refresh_ns
        self.skew_ns: int | None = None
        """How far the venue's clock is ahead of ours."""
        self.deadline_ns = NEVER
        self._listing: list[Instrument] = []
        self._is_whole = True
        self._failed = 0

    def start(self, now_ns: int) -> None:
        """Ask for the venue's clock, and for the instruments when it is time."""
        self.deadline_ns = now_ns + self.refresh_ns if self.refresh_ns else NEVER
        self._ask_time(now_ns)

    def stop(self) -> None:
        self.deadline_ns = NEVER

    def tick(self, now_ns: int) -> None:
        """Ask anew if that is due."""
        if self.deadline_ns > now_ns:
            return
        self.deadline_ns = now_ns + self.refresh_ns
        self._ask_time(now_ns)
        self._listing = []
        self._is_whole = True
        self._failed = self.requests.failed
        for number, request in enumerate(self.wire.instrument_requests()):
            self.requests.ask("instruments", str(number), request, now_ns)

    def _ask_time(self, now_ns: int) -> None:
        request = self.wire.time_request()
        if request is not None:
            self.requests.ask("time", "", request, now_ns)

    def on_time(self, wanted: Wanted, body: bytes, now_ns: int) -> None:
        """Take the venue's clock: it was read half-way between question and answer."""
        try:
            told_ns = self.wire.server_time_ns(body)
        except InputError as error:
            self.tell(str(error))
            return
        if told_ns:
            self.skew_ns = told_ns - (wanted.asked_ns + now_ns) // 2

    def on_instruments(self, request: Request, body: bytes, now_ns: int) -> None:
        """Take a page; after the last one, tell what has changed, unless some page could not be had or read."""
        try:
            self._listing += self.adapter.instruments(body)
            following = self.wire.next_request(request, body)
        except InputError as error:
            self.tell(str(error))
            self._is_whole = False
            following = None
        if following is not None:
            self.requests.ask("instruments", following.url, following, now_ns)
        if any(kind == "instruments" for kind, _ in self.requests.keys):
            return
        listed = {instrument.symbol: instrument for instrument in self._listing}
        self._listing = []
        if not self._is_whole or self.requests.failed != self._failed:
            return
        for symbol, before in list(self.known.items()):
            after = listed.get(symbol)
            self.changed(before, after, now_ns)
            if after is not None:
                self.known[symbol] = after
