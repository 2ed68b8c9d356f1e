"""A small HTTP server on loopback that answers by a script and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import attrs


@attrs.define
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@attrs.define
class Reply:
    """One answer; *cut* bytes of the body are sent, the rest is not."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = attrs.Factory(dict)
    cut: int = -1


def file_reply(asked: Asked, content: bytes, etag: str = '"1"') -> Reply:
    """Answer as a store of files does: whole, or the rest from a place if it is still the same file."""
    headers = {"etag": etag, "last-modified": "Sun, 01 Mar 2026 00:00:00 GMT"}
    wanted = asked.headers.get("range", "")
    if wanted and asked.headers.get("if-range", etag) == etag:
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return Reply(416, b"", {"content-range": f"bytes */{len(content)}"})
        headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[start:], headers)
    return Reply(200, content, headers)


@contextmanager
def serving(answer: Callable[[Asked], Reply]) -> Iterator[tuple[str, list[Asked]]]:
    """Serve *answer* while the block runs; yields the address and the list of what was asked."""
    log: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
            asked = Asked(self.command, split.path, query, {name.lower(): text for name, text in self.headers.items()})
            log.append(asked)
            reply = answer(asked)
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body if reply.cut < 0 else reply.body[: reply.cut])
            if reply.cut >= 0:
                self.close_connection = True

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", log
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
