"""A sink that keeps what is written into it as lines of text; a message taken back leaves nothing."""

from __future__ import annotations

import attrs

from quotewright.errors import InputError


class ScriptSink:
    """Lines such as ``bid 100 1``; each message begins with ``SYMBOL @event``."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.start = 0

    def begin(self, symbol, event_ns, receive_ns, flags=0, id=0, stamp_ns=0):
        self.start = len(self.lines)
        self.lines.append(f"{symbol} @{event_ns} <{receive_ns} #{id}")
        return True

    def __getattr__(self, name):
        def write(*values, **named):
            if name == "option":
                values = tuple(value for value in attrs.astuple(values[0]) if value)
            for value in values:
                if value in ("NaN", "bad"):
                    raise InputError(f"{name} should be a decimal number, was {value!r}")
            shown = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
            shown += [f"{key}={value}" for key, value in named.items() if value]
            self.lines.append(" ".join([name, *shown]))

        return write

    def end(self):
        """A message without rows leaves nothing."""
        if len(self.lines) == self.start + 1:
            self.abandon()

    def abandon(self):
        del self.lines[self.start :]
