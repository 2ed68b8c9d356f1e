"""Lines of captures as generators of frames make them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import attrs


@attrs.frozen
class Line:
    """One line of a capture; *kind* and *id* say what the frame is, for tests that look for one."""

    receive_ns: int
    source: Literal["ws", "rest"]
    url: str | None
    raw: bytes
    kind: str = ""
    id: int = 0

    def capture(self) -> bytes:
        """Return the line as capture files hold it."""
        url = b"" if self.url is None else b'"url":' + json.dumps(self.url).encode() + b","
        return b'{"ts":%d,"src":"%s",%s"msg":%s}\n' % (self.receive_ns, self.source.encode(), url, self.raw)


def write_capture(lines: Iterable[Line], path: str | Path) -> int:
    """Write *lines* as a gzip-compressed capture to *path* and return how many there were."""
    count = 0
    with open(path, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        for line in lines:
            packed.write(line.capture())
            count += 1
    return count
