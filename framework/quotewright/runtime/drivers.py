"""What decides how far a run goes next: as fast as possible, in step with a clock, or one step at a time.

A driver only says up to which time inputs are taken; which they are and in which order does not depend on it, so that
every driver makes the same commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import attrs

from quotewright.config.units import Duration, UnitError
from quotewright.errors import ConfigError

if TYPE_CHECKING:
    from quotewright.runtime.session import Session, Watcher

    Driver = Callable[["Session", int], None]
    """Takes the inputs of a session up to a time; returns when that is reached or the session is stopped."""

LONGEST_PAUSE_SECONDS = 1.0
NAP_SECONDS = 0.02


class Clock(Protocol):
    """What a paced run goes by."""

    def now(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Return after about so many seconds."""


class WallClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@attrs.frozen
class Max:
    """As fast as possible, telling *watcher* after every slice."""

    watcher: Watcher | None = None

    def __call__(self, session: Session, until_ns: int) -> None:
        session.run_through(until_ns, self.watcher)


@attrs.frozen
class Paced:
    """*speed* seconds of market time to a second of *clock*.

    A long pause, as of a person at a breakpoint, is not caught up with: the market stood still meanwhile.
    """

    speed: float
    watcher: Watcher | None = None
    clock: Clock = attrs.field(factory=WallClock)

    def __call__(self, session: Session, until_ns: int) -> None:
        clock = self.clock
        before = clock.now()
        target_ns = session.now_ns
        while not session.is_stopped and session.now_ns < until_ns:
            now = clock.now()
            target_ns += int(min(now - before, LONGEST_PAUSE_SECONDS) * self.speed * 1e9)
            before = now
            while session.advance(min(until_ns, target_ns)):
                pass
            if self.watcher is not None:
                self.watcher(session)
            if session.now_ns < until_ns:
                clock.sleep(NAP_SECONDS)


@attrs.frozen
class Step:
    """How far one step goes: to the next message, to the next time a strategy is woken, or *span_ns* of market time.

    What falls due at one moment, such as two strategies on one timer, is one step; so is a timer between messages.
    """

    kind: str
    span_ns: int = 0

    @classmethod
    def parse(cls, text: str | Step) -> Step:
        """Return what ``message``, ``wake`` or a duration such as ``1s`` means."""
        if isinstance(text, Step):
            return text
        if text in ("message", "wake"):
            return cls(text)
        try:
            span = Duration.parse(text)
        except UnitError as error:
            raise ConfigError(f"a step should be message, wake or a duration such as 1s, was '{text}'") from error
        if span == 0:
            raise ConfigError("a step should be message, wake or a duration such as 1s, was no time at all")
        return cls("span", int(span))

    def take(self, session: Session, until_ns: int) -> bool:
        """Go one step, at most to *until_ns*; return whether the run may go on."""
        if session.is_stopped or session.now_ns >= until_ns:
            return False
        if self.kind == "message":  # timers and reports that come before it are taken along
            session.pipeline.advance(until_ns, 1)
        elif self.kind == "wake":
            before = wakes(session)
            while wakes(session) == before and not session.is_stopped and session.now_ns < until_ns:
                timer_ns = session.pipeline.next_timer_ns
                session.pipeline.advance(min(until_ns, max(timer_ns, session.now_ns)), 1)
        else:
            target_ns = min(until_ns, session.now_ns + self.span_ns)
            while session.advance(target_ns):
                pass
        return not session.is_stopped


def wakes(session: Session) -> int:
    """Return how often strategies have been asked for quotes so far."""
    return sum(desk.wakes for desk in session.wired.desks)


@attrs.frozen
class Stepped:
    """One *step* after another; before the first, everything up to *pause_ns*.

    *look* is called after each step (and at *pause_ns*) and returns how the run goes on: a Step to take, a time to go
    to, or None to go on to the end.
    """

    step: Step
    look: Callable[[Session], Step | int | None]
    pause_ns: int = 0

    def __call__(self, session: Session, until_ns: int) -> None:
        if self.pause_ns > session.now_ns:
            session.run_through(min(until_ns, self.pause_ns))
            todo = self.look(session)
        else:
            todo = self.step
        while not session.is_stopped and session.now_ns < until_ns:
            if todo is None:
                session.run_through(until_ns)
            elif isinstance(todo, Step):
                todo.take(session, until_ns)
                todo = self.look(session) if session.now_ns < until_ns else None
            else:
                session.run_through(min(until_ns, todo))
                todo = self.look(session) if session.now_ns < until_ns else None


def steps(session: Session, until_ns: int, step: Step, pause_ns: int = 0) -> Iterator[Session]:
    """Yield *session* after each step up to *until_ns*; before the first, everything up to *pause_ns* is taken."""
    if pause_ns > session.now_ns:
        session.run_through(min(until_ns, pause_ns))
        yield session
    while step.take(session, until_ns):
        yield session


def speed_of(text: str | float) -> float:
    """Return market seconds to a second of the clock for ``real``, ``max`` (0.0: no clock) or a factor such as 10.

    Raises:
        ConfigError: it is none of these.
    """
    if text == "max":
        return 0.0
    if text == "real":
        return 1.0
    try:
        factor = float(text.removesuffix("x") if isinstance(text, str) else text)
    except ValueError:
        factor = -1.0
    if not 0 < factor < 1e6:
        raise ConfigError(f"speed should be real, max, or a factor such as 10, was '{text}'")
    return factor
