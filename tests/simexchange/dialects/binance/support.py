"""A connection that collects what a door sends."""

from __future__ import annotations

import json
from typing import Any


class Wire:
    """Frames, pings and closes in the order in which they were sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.pings: list[bytes] = []
        self.closes: list[tuple[int, str]] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))

    def last(self) -> Any:
        return json.loads(self.frames[-1])

    def taken(self) -> list[Any]:
        """Return everything sent so far and forget it."""
        frames, self.frames = self.frames, []
        return [json.loads(frame) for frame in frames]
