"""What the server puts up with, and what it has counted."""

from __future__ import annotations

import attrs

KIB = 1024


@attrs.frozen(kw_only=True)
class ServerLimits:
    """Sizes in bytes, beyond which clients are refused or cut off."""

    body: int = 1024 * KIB
    """Of a request; more is answered with 413."""
    head: int = 64 * KIB
    """Of a request's line and headers; more is answered with 431."""
    frame: int = 256 * KIB
    """Of a WebSocket message; more closes the connection with 1009."""
    queue: int = 4096 * KIB
    """Waiting to be read by one client; more cuts it off."""
    connections: int = 2_000
    """Open at once on one door; more are answered with 503."""
    idle_seconds: int = 75
    """After which a kept connection without a request is closed."""
    closing_seconds: float = 5.0
    """For which the answer to a closing handshake is waited for."""


@attrs.define
class ServerCounts:
    """What has happened at the sockets so far."""

    requests: int = 0
    sockets: int = 0
    frames_in: int = 0
    frames_out: int = 0
    slow_readers: int = 0
    """Cut off because they did not read."""
    large_bodies: int = 0
    large_heads: int = 0
    large_frames: int = 0
    refused_handshakes: int = 0
    errors: int = 0
    """A door raised, which it never should."""
