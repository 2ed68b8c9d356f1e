"""The lines of a capture: one JSON object each, around the exchange's own frame.

A line is ``{"ts":1723161255030314667,"src":"ws","msg":{...}}``: *ts* receive time in ns (null where none is known),
*src* ``ws``, ``rest``, ``sent``, ``open`` or ``file``, optionally *url*. Lines of hftbacktest's recorder
(``1723161255030314667 {...}``) are read too.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quotewright.errors import InputError


class Line(msgspec.Struct):
    """The envelope of one line."""

    ts: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None = None
    src: str = "ws"
    url: str | None = None
    msg: msgspec.Raw = msgspec.Raw(b"null")


DECODER = msgspec.json.Decoder(Line)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def envelope(text: bytes) -> Line:
    """Return one line taken apart; InputError if it is none of a capture.

    A byte order mark before it, as some editors put at the beginning of a file, is passed over.
    """
    if text[:1].isdigit():
        stamp, _, frame = text.partition(b" ")
        if stamp.isdigit() and len(stamp) <= 19 and int(stamp) < 1 << 63 and frame[:1] == b"{":
            is_answer = b'"lastUpdateId"' in frame[:64]
            return Line(int(stamp), "rest" if is_answer else "ws", None, msgspec.Raw(frame))
    try:
        return DECODER.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        if text.startswith(BYTE_ORDER_MARK):
            return envelope(text.lstrip(BYTE_ORDER_MARK))
        raise InputError(f"should be a JSON object with ts, src and msg ({error}), was {shown(text)}") from None


def shown(text: bytes) -> str:
    """Return the beginning of a line as a message may show it."""
    return repr(text[:60].decode("utf-8", "backslashreplace")) + ("…" if len(text) > 60 else "")
