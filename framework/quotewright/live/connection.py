"""One connection as a state machine in virtual time: what happened and when comes in, orders to the transport go out.

It asks for its streams within the venue's limits, keeps the connection alive the venue's way, notices when the peer
is gone or a stream stays silent, and opens it again after a pause. It neither reads data nor knows a socket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

import attrs

from quotewright.kernel.codes import NEVER
from quotewright.live.closing import general_reaction
from quotewright.live.orders import AbortSocket, CloseSocket, OpenSocket, Order, SendPing, SendText
from quotewright.live.streams import StreamState, Subscription
from quotewright.wire import Acknowledged, Closing, Pong, Reaction, Refused, Respond, Told, Trouble

if TYPE_CHECKING:
    from quotewright.feed import Stream
    from quotewright.live.backoff import Backoff
    from quotewright.live.budget import Windows
    from quotewright.live.settings import LiveSettings
    from quotewright.wire import Control, Wire

CLOSE_NORMAL = 1000
LIVE = StreamState.LIVE
MOST_PAUSE_NS = 600_000_000_000
"""A stream that does not come is asked for again at least this often."""
ENDING_NS = 2_000_000_000
"""So long is the answer to the end of a stream waited for before it is asked for anew."""


class ConnectionState(IntEnum):
    """Where a connection stands."""

    IDLE = 0
    WAITING = 1
    """To be opened when the pause is over and the venue's limit of new connections allows it."""
    CONNECTING = 2
    HANDSHAKING = 3
    OPEN = 4
    CLOSING = 5
    ENDED = 6
    """Not to be opened again: it was given up, or the venue will not have us."""


@attrs.define
class _Asked:
    """Frames on their way out that ask for streams."""

    names: tuple[str, ...]
    is_asking: bool = True


@attrs.define
class ConnectionCounters:
    """What a connection has seen since it was made."""

    opens: int = 0
    losses: int = 0
    messages: int = 0
    bytes: int = 0
    frames_sent: int = 0
    pings_sent: int = 0
    pongs: int = 0
    acknowledged_twice: int = 0
    told: int = 0
    last_reason: str = ""


class Connection:
    """See the module; times are ns of whatever clock the caller keeps, and never go back.

    Args:
        number: Under which the transport knows it.
        pause: The pauses between attempts; its own.
        connects: The venue's windows of new connections; shared by all connections of the feed.
        sends: The venue's windows of frames on one connection; its own.
    """

    def __init__(
        self,
        number: int,
        category: str,
        streams: Iterable[Stream],
        wire: Wire,
        settings: LiveSettings,
        pause: Backoff,
        connects: Windows,
        sends: Windows,
    ) -> None:
        self.number = number
        self.category = category
        self.wire = wire
        self.settings = settings
        self.pause = pause
        self.connects = connects
        self.sends = sends
        self.state = ConnectionState.IDLE
        self.reason = ""
        """Why it is not open: what happened last."""
        self.counters = ConnectionCounters()
        self.subscriptions: dict[str, Subscription] = {stream.name: Subscription(stream) for stream in streams}
        self.orders: list[Order] = []
        self.closing: Closing | None = None
        """The venue has told that it will close this connection."""
        self.opened_ns = 0
        self.heard_ns = 0
        self.is_settling = True
        """Some stream is neither live nor refused."""
        self._due_ns = NEVER
        self._sent_ns = 0
        self._ping_ns = 0
        self._outbox: deque[tuple[bytes, int]] = deque()
        self._asked: dict[int, _Asked] = {}
        self._ending: dict[str, int] = {}
        """Streams whose end is waited for before they are asked for anew, with the request that ends them."""
        self._request = number * 1_000_000
        self._mark = wire.data_mark
        self._beginnings: dict[bytes, Subscription] = {}
        """How data frames of each stream begin, up to the wire's mark."""
        self._held_ns = 0

    # What happens.

    def open(self, now_ns: int, not_before_ns: int = 0) -> None:
        """Open the connection as soon as the venue's limit of new connections allows it."""
        if self.state in (ConnectionState.IDLE, ConnectionState.ENDED):
            self.state = ConnectionState.WAITING
            self._due_ns = max(now_ns, not_before_ns)
            self.tick(now_ns)

    def connected(self, now_ns: int) -> None:
        """The peer has accepted; TLS and the WebSocket handshake follow."""
        if self.state == ConnectionState.CONNECTING:
            self.state = ConnectionState.HANDSHAKING
            self._due_ns = now_ns + int(self.settings.handshake_timeout)

    def opened(self, now_ns: int) -> None:
        """The handshake is done: ask for every stream that was not refused."""
        if self.state not in (ConnectionState.CONNECTING, ConnectionState.HANDSHAKING):
            return
        self.state = ConnectionState.OPEN
        self.reason = ""
        self.closing = None
        self.counters.opens += 1
        self.opened_ns = self.heard_ns = self._sent_ns = now_ns
        self._ping_ns = 0
        self._asked.clear()
        self._ending.clear()
        self._outbox.clear()
        self._outbox.extend((frame, -1) for frame in self.wire.opening(self.category))
        waiting = []
        for subscription in self.subscriptions.values():
            subscription.messages_before = subscription.messages
            if subscription.state != StreamState.REFUSED:
                subscription.enter(StreamState.WAITING, now_ns)
                waiting.append(subscription)
        self.is_settling = bool(waiting)
        self._ask(waiting, now_ns)
        self._look_ahead(now_ns)

    def heard(self, frame: bytes, now_ns: int) -> str | None:
        """Take a frame; return the stream's name if it is data (empty: not told), None if it concerned us alone."""
        self.heard_ns = now_ns
        counters = self.counters
        counters.messages += 1
        counters.bytes += len(frame)
        mark = self._mark
        if mark:
            known = self._beginnings.get(frame[: frame.find(mark)])
            if known is not None:
                known.messages += 1
                known.last_ns = now_ns
                if known.state != LIVE:
                    self._came(known, now_ns)
                return known.stream.name
        wire = self.wire
        control = wire.control(frame)
        if control is not None:
            self._on_control(control, now_ns)
            return None
        name = wire.stream_of(frame)
        subscription = self.subscriptions.get(name)
        if subscription is not None:
            subscription.messages += 1
            subscription.last_ns = now_ns
            if subscription.state != LIVE:
                self._came(subscription, now_ns)
            # Only so many: a peer may write the same in ever new ways.
            if mark and mark in frame and len(self._beginnings) < 8 * len(self.subscriptions):
                self._beginnings[frame[: frame.find(mark)]] = subscription
        return name

    def ponged(self, now_ns: int) -> None:
        """The answer to a ping of ours, or a ping of theirs, has come."""
        self.heard_ns = now_ns
        self.counters.pongs += 1
        self._ping_ns = 0

    def closed(self, code: int, reason: str, now_ns: int) -> None:
        """The peer has closed, or the connection broke (1006)."""
        if self.state == ConnectionState.ENDED:
            return
        was_ours = self.state == ConnectionState.CLOSING
        reaction = self.wire.reaction(code, reason) or general_reaction(code, reason)
        text = f"closed with {code}{f' ({shown(reason)})' if reason else ''}: {reaction.text}"
        if was_ours:
            reaction, text = Reaction("again", self.reason), self.reason
        self._lost(text, now_ns)
        self._again(reaction, now_ns)

    def failed(self, reason: str, now_ns: int, trouble: Trouble | None = None) -> None:
        """No connection came about, or it broke; *trouble* says what the answer to the handshake means."""
        if self.state == ConnectionState.ENDED:
            return
        self._lost(reason, now_ns)
        if trouble is None:
            self._again(Reaction("again", reason), now_ns)
        elif trouble.kind in ("retry", "banned"):
            self._again(Reaction("later", trouble.text, trouble.wait_ns), now_ns)
        else:
            self._again(Reaction("never", trouble.text), now_ns)

    def tick(self, now_ns: int) -> None:
        """Let time pass: whatever is due by *now_ns* happens."""
        while self._due_ns <= now_ns:
            before = (self.state, self._due_ns)
            self._on_due(now_ns)
            if (self.state, self._due_ns) == before:
                break

    @property
    def deadline_ns(self) -> int:
        """When :meth:`tick` is to be called at the latest; NEVER if nothing is awaited."""
        return self._due_ns

    # What may be asked of it.

    def ask_again(self, name: str, now_ns: int) -> bool:
        """End a stream and ask for it anew; False if that is not possible or under way already."""
        subscription = self.subscriptions.get(name)
        if (
            subscription is None
            or self.state != ConnectionState.OPEN
            or subscription.state in (StreamState.WAITING, StreamState.SILENT, StreamState.REFUSED)
            or (subscription.state == StreamState.ASKED and subscription.due_ns)
        ):
            return False
        subscription.tries = 0
        self._renew(subscription, now_ns)
        self._look_ahead(now_ns)
        return True

    def add(self, streams: Iterable[Stream], now_ns: int) -> None:
        """Ask for more streams on this connection."""
        found = []
        for stream in streams:
            if stream.name not in self.subscriptions:
                found.append(self.subscriptions.setdefault(stream.name, Subscription(stream)))
        if found and self.state == ConnectionState.OPEN:
            self.is_settling = True
            self._ask(found, now_ns)
            self._look_ahead(now_ns)

    def reopen(self, reason: str, now_ns: int) -> None:
        """Close the connection and open it again."""
        if self.state == ConnectionState.OPEN:
            self.state = ConnectionState.CLOSING
            self.reason = reason
            self._due_ns = now_ns + int(self.settings.close_timeout)
            self.orders.append(CloseSocket(self.number, CLOSE_NORMAL, ""))

    def end(self, reason: str) -> None:
        """Close the connection for good."""
        if self.state in (ConnectionState.OPEN, ConnectionState.CLOSING):
            self.orders.append(CloseSocket(self.number, CLOSE_NORMAL, ""))
        elif self.state in (ConnectionState.CONNECTING, ConnectionState.HANDSHAKING):
            self.orders.append(AbortSocket(self.number))
        self.state = ConnectionState.ENDED
        self.reason = reason
        self._due_ns = NEVER

    def take_orders(self) -> list[Order]:
        """Return what the transport is to do since the last call."""
        orders, self.orders = self.orders, []
        return orders

    def symbols(self) -> list[str]:
        """Return the symbols whose books come over this connection."""
        return [
            subscription.stream.symbol
            for subscription in self.subscriptions.values()
            if subscription.stream.channel == "book" and subscription.stream.symbol
        ]

    # Its own affairs.

    def _on_due(self, now_ns: int) -> None:
        state = self.state
        settings = self.settings
        if state == ConnectionState.WAITING:
            wait_ns = self.connects.wait_ns(now_ns)
            if wait_ns > 0:
                self._due_ns = now_ns + wait_ns
                return
            self.connects.take(now_ns)
            self.state = ConnectionState.CONNECTING
            self._due_ns = now_ns + int(settings.connect_timeout)
            streams = [one.stream for one in self.subscriptions.values() if one.state != StreamState.REFUSED]
            self.orders.append(OpenSocket(self.number, self.wire.address(self.category, streams)))
        elif state in (ConnectionState.CONNECTING, ConnectionState.HANDSHAKING):
            what, limit = (
                ("the connection did not open", settings.connect_timeout)
                if state == ConnectionState.CONNECTING
                else ("the handshake was not answered", settings.handshake_timeout)
            )
            self.orders.append(AbortSocket(self.number))
            self.failed(f"{what} within {limit}", now_ns)
        elif state == ConnectionState.CLOSING:
            self.orders.append(AbortSocket(self.number))
            reason = self.reason
            self._lost(reason, now_ns)
            self._again(Reaction("again", reason), now_ns)
        elif state == ConnectionState.OPEN:
            self._on_open_due(now_ns)
        else:
            self._due_ns = NEVER

    def _on_open_due(self, now_ns: int) -> None:
        keep = self.wire.keep_alive
        quiet_ns = now_ns - self.heard_ns
        if keep.silence_ns and quiet_ns >= keep.silence_ns:
            self._dead(f"nothing came for {quiet_ns / 1e9:g} s", now_ns)
            return
        if self._ping_ns and now_ns - self._ping_ns >= keep.answer_ns:
            if self.heard_ns <= self._ping_ns:
                self._dead(f"no answer to our ping within {keep.answer_ns / 1e9:g} s", now_ns)
                return
            self._ping_ns = 0
        if self.is_settling:
            self._look_after_streams(now_ns)
        self._pump(now_ns)
        if keep.every_ns and now_ns - self._sent_ns >= keep.every_ns:
            self._keep_alive(now_ns)
        self._look_ahead(now_ns)

    def _keep_alive(self, now_ns: int) -> None:
        if self.sends.wait_ns(now_ns) > 0:
            return
        self.sends.take(now_ns)
        keep = self.wire.keep_alive
        self.counters.pings_sent += 1
        if keep.frame:
            self.orders.append(SendText(self.number, keep.frame))
        else:
            self.orders.append(SendPing(self.number, b"%d" % now_ns))
        self._sent_ns = now_ns
        if not self._ping_ns:
            self._ping_ns = now_ns

    def _dead(self, reason: str, now_ns: int) -> None:
        self.orders.append(AbortSocket(self.number))
        self.failed(reason, now_ns)

    def _lost(self, reason: str, now_ns: int) -> None:
        """Take note that there is no connection now."""
        if self.state in (ConnectionState.OPEN, ConnectionState.CLOSING) and self.opened_ns:
            self.counters.losses += 1
            self.pause.lost(self.opened_ns, now_ns)
        self.reason = self.counters.last_reason = reason
        self.opened_ns = 0
        self._outbox.clear()
        self._asked.clear()
        self._ending.clear()
        self._ping_ns = 0
        self.is_settling = True
        for subscription in self.subscriptions.values():
            if subscription.state != StreamState.REFUSED:
                subscription.enter(StreamState.WAITING, now_ns)

    def _again(self, reaction: Reaction, now_ns: int) -> None:
        if reaction.kind == "never":
            self.state = ConnectionState.ENDED
            self._due_ns = NEVER
            return
        self.state = ConnectionState.WAITING
        self._due_ns = now_ns + self.pause.next_ns(reaction.wait_ns if reaction.kind == "later" else 0, self.reason)

    def _on_control(self, control: Control, now_ns: int) -> None:
        if isinstance(control, Respond):
            for frame in reversed(control.frames):
                self._outbox.appendleft((frame, -1))
            self._pump(now_ns)
            self._look_ahead(now_ns)
        elif isinstance(control, Pong):
            self.ponged(now_ns)
        elif isinstance(control, (Acknowledged, Refused)) and self._is_ended(control.request, now_ns):
            self._look_ahead(now_ns)
        elif isinstance(control, Acknowledged):
            for subscription in self._meant(control.streams, control.request):
                self._acknowledged(subscription, now_ns)
            if control.missing:
                self._on_refused(Refused(control.missing, text=control.why), now_ns)
            self._look_ahead(now_ns)
        elif isinstance(control, Refused):
            self._on_refused(control, now_ns)
        elif isinstance(control, Closing):
            self.closing = control
        elif isinstance(control, Told):
            self.counters.told += 1
            self.counters.last_reason = f"the venue says {shown(f'{control.code} {control.text}'.strip())}"
            if control.is_final:
                reason = self.counters.last_reason
                self.orders.append(CloseSocket(self.number, CLOSE_NORMAL, ""))
                self._lost(reason, now_ns)
                self._again(Reaction("never", reason), now_ns)

    def _is_ended(self, request: int, now_ns: int) -> bool:
        """Return whether *request* was to end streams; they are asked for anew, whatever the venue says to it."""
        asked = self._asked.get(request)
        if asked is None or asked.is_asking:
            return False
        del self._asked[request]
        ended = [name for name in asked.names if self._ending.get(name) == request]
        for name in ended:
            del self._ending[name]
        self._ask([self.subscriptions[name] for name in ended], now_ns)
        return True

    def _meant(self, names: Sequence[str], request: int) -> list[Subscription]:
        """Return the streams that an answer speaks of: by name, else those its request asked for."""
        if not names:
            asked = self._asked.pop(request, None)
            if asked is None or not asked.is_asking:
                return []
            names = asked.names
        return [self.subscriptions[name] for name in names if name in self.subscriptions]

    def _acknowledged(self, subscription: Subscription, now_ns: int) -> None:
        if subscription.state in (StreamState.ASKED, StreamState.SILENT):
            # Books must come; trades, liquidations and the like may stay away for long.
            due_ns = now_ns + int(self.settings.data_timeout) if subscription.stream.channel == "book" else 0
            subscription.enter(StreamState.ACKNOWLEDGED, now_ns, due_ns)
        elif subscription.state in (StreamState.ACKNOWLEDGED, StreamState.LIVE):
            self.counters.acknowledged_twice += 1

    def _on_refused(self, control: Refused, now_ns: int) -> None:
        text = shown(f"{control.code} {control.text}".strip()) or "no reason told"
        for subscription in self._meant(control.streams, control.request):
            subscription.reason = f"the venue refuses it: {text}"
            if control.is_final:
                subscription.enter(StreamState.REFUSED, now_ns)
            else:
                subscription.enter(StreamState.SILENT, now_ns, now_ns + self._pause_of(subscription))
        self._settle()
        self._look_ahead(now_ns)

    def _came(self, subscription: Subscription, now_ns: int) -> None:
        """Take note that data of a stream came, whether or not they were acknowledged."""
        if subscription.state == StreamState.REFUSED or subscription.stream.name in self._ending:
            return
        subscription.enter(StreamState.LIVE, now_ns)
        subscription.tries = 0
        subscription.reason = ""
        self._settle()

    def _settle(self) -> None:
        """Streams of which nothing is awaited any more need no looking after."""
        self.is_settling = any(
            one.due_ns or one.state in (StreamState.WAITING, StreamState.ASKED) for one in self.subscriptions.values()
        )

    def _look_after_streams(self, now_ns: int) -> None:
        late = [one for one in self.subscriptions.values() if one.due_ns and one.due_ns <= now_ns]
        for subscription in late:
            if subscription.state == StreamState.ASKED:
                subscription.reason = f"no answer to the subscription within {self.settings.answer_timeout}"
                subscription.enter(StreamState.SILENT, now_ns, now_ns)
            elif subscription.state == StreamState.ACKNOWLEDGED:
                subscription.reason = f"no data within {self.settings.data_timeout} of the subscription"
                subscription.enter(StreamState.SILENT, now_ns, now_ns)
            if subscription.state == StreamState.SILENT and subscription.due_ns <= now_ns:
                self._renew(subscription, now_ns)
            elif subscription.state == StreamState.WAITING and self._ending.pop(subscription.stream.name, 0):
                subscription.due_ns = 0
                self._ask([subscription], now_ns)
        self._settle()

    def _pause_of(self, subscription: Subscription) -> int:
        return min(MOST_PAUSE_NS, int(self.settings.backoff) << min(subscription.tries, 20))

    def _renew(self, subscription: Subscription, now_ns: int) -> None:
        """End a stream, in case the venue thinks that it serves it, and ask for it when it has answered to that.

        A venue that is asked for a stream while it still ends it may answer that it serves it already.
        """
        request = self._next_request()
        name = subscription.stream.name
        frames = self.wire.unsubscribe([subscription.stream], request)
        self._asked[request] = _Asked((name,), is_asking=False)
        self._outbox.extend((frame, -1) for frame in frames)
        self.is_settling = True
        wait_ns = min(ENDING_NS, int(self.settings.answer_timeout)) if frames else 0
        subscription.enter(StreamState.WAITING, now_ns, now_ns + wait_ns if wait_ns else 0)
        if wait_ns:
            self._ending[name] = request
            self._pump(now_ns)
        else:
            self._ask([subscription], now_ns)

    def _next_request(self) -> int:
        self._request += 1
        return self._request

    def _ask(self, subscriptions: Sequence[Subscription], now_ns: int) -> None:
        """Put the frames that ask for *subscriptions* into the outbox, each no longer than the venue reads."""
        limits = self.wire.limits
        size = limits.streams_per_request or len(subscriptions) or 1
        parts = [list(subscriptions[at : at + size]) for at in range(0, len(subscriptions), size)]
        while parts:
            part = parts.pop(0)
            request = self._next_request()
            frames = self.wire.subscribe([one.stream for one in part], request)
            most = limits.bytes_per_request
            if most and len(part) > 1 and any(len(frame) > most for frame in frames):
                middle = len(part) // 2
                parts[:0] = [part[:middle], part[middle:]]
                continue
            for one in part:
                one.request = request
            self._asked[request] = _Asked(tuple(one.stream.name for one in part))
            if not frames:  # the address has asked for them
                self._sent(request, now_ns)
                for one in part:
                    self._acknowledged(one, now_ns)
            self._outbox.extend((frame, request if frame is frames[-1] else -1) for frame in frames)
        self._pump(now_ns)

    def _pump(self, now_ns: int) -> None:
        """Send what waits, as far as the venue's windows allow."""
        outbox = self._outbox
        self._held_ns = 0
        while outbox:
            wait_ns = self.sends.wait_ns(now_ns)
            if wait_ns > 0:
                self._held_ns = now_ns + wait_ns
                return
            self.sends.take(now_ns)
            frame, request = outbox.popleft()
            self.orders.append(SendText(self.number, frame))
            self.counters.frames_sent += 1
            self._sent_ns = now_ns
            if request >= 0:
                self._sent(request, now_ns)

    def _sent(self, request: int, now_ns: int) -> None:
        asked = self._asked.get(request)
        if asked is None:
            return
        timeout_ns = int(self.settings.answer_timeout)
        for name in asked.names:
            subscription = self.subscriptions.get(name)
            if subscription is not None and subscription.request == request:
                subscription.tries += 1
                pause_ns = max(timeout_ns, self._pause_of(subscription)) if subscription.tries > 1 else timeout_ns
                if subscription.state == StreamState.WAITING:
                    subscription.enter(StreamState.ASKED, now_ns, now_ns + pause_ns if timeout_ns else 0)

    def _look_ahead(self, now_ns: int) -> None:
        """Find out when something is due next while the connection is open."""
        if self.state != ConnectionState.OPEN:
            return
        keep = self.wire.keep_alive
        due_ns = NEVER
        if keep.silence_ns:
            due_ns = self.heard_ns + keep.silence_ns
        if self._ping_ns:
            due_ns = min(due_ns, self._ping_ns + keep.answer_ns)
        if keep.every_ns:
            due_ns = min(due_ns, max(self._sent_ns + keep.every_ns, now_ns + max(0, self.sends.wait_ns(now_ns))))
        if self._held_ns:
            due_ns = min(due_ns, self._held_ns)
        if self.is_settling:
            for subscription in self.subscriptions.values():
                if subscription.due_ns:
                    due_ns = min(due_ns, subscription.due_ns)
        self._due_ns = due_ns


def shown(text: str) -> str:
    """Return a peer's words as a message may show them: printable, at most 200 characters."""
    return text.encode("unicode_escape").decode("ascii")[:200]
