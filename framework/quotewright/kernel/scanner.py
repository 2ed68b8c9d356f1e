"""Decimal text to whole steps, exactly: no float, no ``Decimal``, no rounding unless it is asked for.

The quick path reads an optional minus, up to 18 digits and a fraction. Everything else (exponents, a plus sign,
leading zeros past 18 digits, anything wrong) goes to :func:`exact_steps`, which decides by the same rules and
words the errors.
"""

from __future__ import annotations

import re
from array import array

from quotewright.errors import InputError
from quotewright.kernel.codes import NOT_READ

MAX_DECIMALS = 18
JsonText = bytes | bytearray | memoryview
POWERS = [int("1" + "0" * n) for n in range(MAX_DECIMALS + 1)]

_DECIMAL = re.compile(rb"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_TOKEN = re.compile(rb'[^",\[\]{}\s]*')
_SHOWN = 60


def shown(text: bytes) -> str:
    """Return *text* as an error message may show it: escaped and cut short."""
    cut = text[:_SHOWN].decode("ascii", "backslashreplace")
    return repr(cut) + ("…" if len(text) > _SHOWN else "")


def exact_steps(text: bytes, decimals: int, where: str, is_rounded: bool = False) -> int:
    """Return the decimal number *text* in steps of 10**-*decimals*; *where* names the field in errors.

    Raises:
        InputError: *text* is no finite decimal number, is finer than the step (unless *is_rounded*: then the nearest
            step is returned, the even one of two), or needs more than 18 digits.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise InputError(f"{where} should be a decimal number, was {shown(text)}")
    sign, whole, fraction, exponent_sign, exponent = match.groups(b"")
    digits = (whole + fraction).lstrip(b"0")
    if not digits:
        return 0
    stripped = digits.rstrip(b"0")
    power = len(digits) - len(stripped) - len(fraction) + decimals
    exponent = exponent.lstrip(b"0")
    # An exponent of seven digits outweighs any mantissa that fits into a frame; clamped, it stays cheap.
    scale = int(exponent or b"0") if len(exponent) < 8 else 100_000_000
    power += -scale if exponent_sign == b"-" else scale
    if power >= 0:
        if len(stripped) + power > MAX_DECIMALS:
            raise InputError(f"{where} should fit into {MAX_DECIMALS} digits at {decimals} decimals, was {shown(text)}")
        steps = int(stripped + b"0" * power)
    else:
        if not is_rounded:
            raise InputError(f"{where} should have at most {decimals} decimals, was {shown(text)}")
        if len(stripped) + power > MAX_DECIMALS:
            raise InputError(f"{where} should fit into {MAX_DECIMALS} digits at {decimals} decimals, was {shown(text)}")
        steps = _half_even(stripped, -power)
    return -steps if sign == b"-" else steps


def _half_even(digits: bytes, cut: int) -> int:
    """Return the whole number *digits* without its last *cut* digits, rounded to the nearest, ties to even."""
    if cut > len(digits):
        return 0
    kept = int(digits[: len(digits) - cut] or b"0")
    rest = digits[len(digits) - cut :]
    half = b"5" + b"0" * (len(rest) - 1)
    if rest > half or (rest == half and kept & 1):
        kept += 1
    return kept


class Scanner:
    """Reads numbers and JSON arrays of levels. ``label`` (the symbol) goes in front of every error.

    :meth:`levels` leaves ``count`` levels in ``pairs``: price steps at ``2 * i``, size steps at ``2 * i + 1``.
    """

    def __init__(self) -> None:
        self.label = ""
        self.at = 0
        self.count = 0
        self.pairs = array("q", bytes(8 * 2 * 64))
        self.powers = array("q", POWERS)

    def number(self, text: str | bytes, decimals: int, field: str) -> int:
        """Return *text* in steps of 10**-*decimals*, any sign; *field* names it in the InputError it may raise."""
        data = as_bytes(text, self.label, field)
        if not 0 <= decimals <= MAX_DECIMALS:
            raise InputError(f"{self.where(field)}: decimals should be 0 to {MAX_DECIMALS}, was {decimals}")
        end = len(data)
        value = self.digits(data, 0, end, decimals)
        if value == NOT_READ or self.at != end:
            return exact_steps(data, decimals, self.where(field), False)
        return value

    def rounded(self, text: str | bytes, decimals: int, field: str) -> int:
        """Return *text* in steps of 10**-*decimals*, the nearest one, ties to even."""
        data = as_bytes(text, self.label, field)
        if not 0 <= decimals <= MAX_DECIMALS:
            raise InputError(f"{self.where(field)}: decimals should be 0 to {MAX_DECIMALS}, was {decimals}")
        end = len(data)
        value = self.digits(data, 0, end, decimals)
        if value == NOT_READ or self.at != end:
            return exact_steps(data, decimals, self.where(field), True)
        return value

    def price(self, text: str | bytes, decimals: int, field: str) -> int:
        """Return a price: as :meth:`number`, and positive."""
        value = self.number(text, decimals, field)
        if value <= 0:
            raise InputError(f"{self.where(field)} should be positive, was {shown(as_bytes(text, self.label, field))}")
        return value

    def size(self, text: str | bytes, decimals: int, field: str) -> int:
        """Return a size: as :meth:`number`, and not negative."""
        value = self.number(text, decimals, field)
        if value < 0:
            raise InputError(
                f"{self.where(field)} should not be negative, was {shown(as_bytes(text, self.label, field))}"
            )
        return value

    def levels(self, text: str | JsonText, price_decimals: int, size_decimals: int, field: str) -> int:
        """Read a JSON array of ``[price, size, ...]`` levels into ``pairs`` and return how many there are.

        Numbers may be quoted or bare; further scalars of a level are skipped. Prices must be positive, sizes not
        negative. A level may begin with a word for what was done, ``["new", price, size]``: ``new`` and ``change``
        set it, ``delete`` gives it the size 0. On an InputError nothing has been read.
        """
        data = as_bytes(text, self.label, field)
        if not 0 <= price_decimals <= MAX_DECIMALS or not 0 <= size_decimals <= MAX_DECIMALS:
            raise InputError(f"{self.where(field)}: decimals should be 0 to {MAX_DECIMALS}")
        self.count = 0
        count = self.scan(data, data, len(data), price_decimals, size_decimals, field)
        self.count = count
        return count

    def scan(self, data: bytes, text: bytes, end: int, price_decimals: int, size_decimals: int, field: str) -> int:
        """Read the array; *text* is *data* again (in C: its bytes). Positions only ever stand at or before *end*."""
        count = 0
        room = len(self.pairs)
        at = 0
        while at < end and is_blank(text[at]):
            at += 1
        if at >= end or text[at] != 91:
            self.refuse(data, at, field, "'[' at the start")
        at += 1
        while at < end and is_blank(text[at]):
            at += 1
        if at < end and text[at] == 93:
            at += 1
        else:
            while True:
                if at >= end or text[at] != 91:
                    self.refuse(data, at, field, "a level '[price, size]'")
                at += 1
                if 2 * count + 2 > room:
                    self.grow()
                    room = len(self.pairs)
                # Price, perhaps behind a word.
                while at < end and is_blank(text[at]):
                    at += 1
                part = 0
                is_delete = False
                quoted = at < end and text[at] == 34
                if quoted and at + 1 < end and text[at + 1] >= 97:
                    start = at
                    at = self.word(text, at, end)
                    if at != start:
                        is_delete = text[start + 1] == 100
                        part = 1
                        quoted = at < end and text[at] == 34
                if quoted:
                    at += 1
                start = at
                value = self.digits(text, at, end, price_decimals)
                at = self.at
                if quoted:
                    if value == NOT_READ or at >= end or text[at] != 34:
                        value = self.slow(data, start, price_decimals, field, count, part, True)
                        at = self.at
                    at += 1
                elif value == NOT_READ or at >= end or (text[at] != 44 and not is_blank(text[at])):
                    value = self.slow(data, start, price_decimals, field, count, part, False)
                    at = self.at
                if value <= 0:
                    self.refuse_number(data, start, field, count, part, "positive")
                self.pairs[2 * count] = value
                while at < end and is_blank(text[at]):
                    at += 1
                if at >= end or text[at] != 44:
                    self.refuse(data, at, field, "',' and a size")
                at += 1
                # Size.
                while at < end and is_blank(text[at]):
                    at += 1
                quoted = at < end and text[at] == 34
                if quoted:
                    at += 1
                start = at
                value = self.digits(text, at, end, size_decimals)
                at = self.at
                if quoted:
                    if value == NOT_READ or at >= end or text[at] != 34:
                        value = self.slow(data, start, size_decimals, field, count, part + 1, True)
                        at = self.at
                    at += 1
                elif value == NOT_READ or at >= end or (text[at] != 44 and text[at] != 93 and not is_blank(text[at])):
                    value = self.slow(data, start, size_decimals, field, count, part + 1, False)
                    at = self.at
                if value < 0:
                    self.refuse_number(data, start, field, count, part + 1, "zero or positive")
                self.pairs[2 * count + 1] = 0 if is_delete else value
                while at < end and is_blank(text[at]):
                    at += 1
                if at < end and text[at] == 44:
                    at = self.skip(data, at, end, field)
                if at >= end or text[at] != 93:
                    self.refuse(data, at, field, "']' after a level")
                at += 1
                count += 1
                while at < end and is_blank(text[at]):
                    at += 1
                if at >= end:
                    self.refuse(data, at, field, "',' or ']'")
                if text[at] == 93:
                    at += 1
                    break
                if text[at] != 44:
                    self.refuse(data, at, field, "',' or ']'")
                at += 1
                while at < end and is_blank(text[at]):
                    at += 1
        while at < end and is_blank(text[at]):
            at += 1
        if at < end:
            self.refuse(data, at, field, "nothing after the array")
        return count

    def word(self, text: bytes, at: int, end: int) -> int:
        """Return where a level goes on after the word at *at* and its comma; *at* if no known word stands there."""
        first = text[at + 1]
        if first == 110:  # new
            length = 3
            is_known = at + 4 < end and text[at + 2] == 101 and text[at + 3] == 119
        elif first == 99:  # change
            length = 6
            is_known = at + 7 < end and text[at + 2] == 104 and text[at + 3] == 97 and text[at + 4] == 110
            is_known = is_known and text[at + 5] == 103 and text[at + 6] == 101
        elif first == 100:  # delete
            length = 6
            is_known = at + 7 < end and text[at + 2] == 101 and text[at + 3] == 108 and text[at + 4] == 101
            is_known = is_known and text[at + 5] == 116 and text[at + 6] == 101
        else:
            return at
        if not is_known or text[at + length + 1] != 34:
            return at
        stop = at + length + 2
        while stop < end and is_blank(text[stop]):
            stop += 1
        if stop >= end or text[stop] != 44:
            return at
        stop += 1
        while stop < end and is_blank(text[stop]):
            stop += 1
        return stop

    def digits(self, text: bytes, at: int, end: int, decimals: int) -> int:
        """Return the plain number at *at* in steps and leave its end in ``at``; NOT_READ for whatever is unusual."""
        is_negative = at < end and text[at] == 45
        if is_negative:
            at += 1
        start = at
        stop = at + MAX_DECIMALS
        if stop > end:
            stop = end
        value = 0
        while at < stop:
            digit = text[at] - 48
            if digit < 0 or digit > 9:
                break
            value = value * 10 + digit
            at += 1
        # Below this bound no fraction of *decimals* digits can reach past 18 digits.
        if at == start or value >= self.powers[MAX_DECIMALS - decimals]:
            self.at = at
            return NOT_READ
        if at < end and text[at] == 46:
            at += 1
            start = at
            stop = at + decimals
            if stop > end:
                stop = end
            while at < stop:
                digit = text[at] - 48
                if digit < 0 or digit > 9:
                    break
                value = value * 10 + digit
                at += 1
            missing = decimals - (at - start)
            if missing:
                value = value * self.powers[missing]
            else:
                while at < end and text[at] == 48:
                    at += 1
            if at == start:
                self.at = at
                return NOT_READ
        else:
            value = value * self.powers[decimals]
        self.at = at
        if is_negative:
            return -value
        return value

    def slow(self, data: bytes, start: int, decimals: int, field: str, level: int, part: int, is_quoted: bool) -> int:
        """Return the unusual number at *start* and leave its end in ``at``, or raise InputError."""
        where = self.where(f"{field}[{level}][{part}]")
        if is_quoted:
            end = data.find(b'"', start)
            if end < 0:
                raise InputError(f"{where} should be a closed string, the text ends at byte {len(data)}")
        else:
            match = _TOKEN.match(data, start)
            end = start if match is None else match.end()
            if end >= len(data):
                raise InputError(f"{where} should be a decimal number, the text ends at byte {len(data)}")
            if end == start:
                raise InputError(
                    f"{where} should be a decimal number, came {shown(data[start : start + 1])} at byte {start}"
                )
        self.at = end
        return exact_steps(data[start:end], decimals, where, False)

    def skip(self, data: bytes, at: int, end: int, field: str) -> int:
        """Pass over the further scalars of a level, from the comma at *at*; return where its ``]`` should stand."""
        while at < end and data[at] == 44:
            at += 1
            while at < end and is_blank(data[at]):
                at += 1
            if at < end and data[at] == 34:
                at += 1
                while at < end and data[at] != 34:
                    # An escaped character is passed over whole: it may be the quote.
                    at += 2 if data[at] == 92 else 1
                if at >= end:
                    self.refuse(data, end, field, "the end of a string")
                at += 1
            else:
                start = at
                while at < end and (data[at] in b"+-.+eE" or 48 <= data[at] <= 57 or 97 <= data[at] <= 122):
                    at += 1
                if at == start:
                    self.refuse(data, at, field, "a string or a number")
            while at < end and is_blank(data[at]):
                at += 1
        return at

    def grow(self) -> bool:
        """Make room for twice as many levels."""
        larger = array("q")
        larger.frombytes(memoryview(self.pairs).cast("B"))
        larger.frombytes(bytes(8 * len(self.pairs)))
        self.pairs = larger
        return True

    def where(self, field: str) -> str:
        """Return how errors name *field*."""
        return f"{self.label} {field}" if self.label else field

    def refuse(self, data: bytes, at: int, field: str, expected: str) -> bool:
        """Raise InputError: at byte *at* of *field* stands something else than *expected*."""
        came = shown(data[at : at + 12]) if at < len(data) else "the end"
        raise InputError(f"{self.where(field)}: expected {expected} at byte {at}, came {came}")

    def refuse_number(self, data: bytes, start: int, field: str, level: int, part: int, expected: str) -> bool:
        """Raise InputError: a number that can be read must not stand here."""
        match = _TOKEN.match(data, start)
        text = b"" if match is None else match.group()
        raise InputError(f"{self.where(f'{field}[{level}][{part}]')} should be {expected}, was {shown(text)}")


def is_blank(code: int) -> bool:
    """Return whether *code* is JSON white space."""
    return code == 32 or (9 <= code <= 13 and code != 11 and code != 12)


def as_bytes(text: object, label: str, field: str) -> bytes:
    """Return *text* (str, bytes or any buffer, such as ``msgspec.Raw``) as bytes."""
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("utf-8", "backslashreplace")
    try:
        return b"".join((text,))  # type: ignore[arg-type]  # any buffer, and nothing else
    except TypeError:
        if isinstance(text, (bool, int, float)) or text is None:
            raise InputError(f"{label} {field} should be a decimal number as text, was {text!r}".strip()) from None
        raise InputError(f"{label} {field} should be text, was {type(text).__name__}".strip()) from None
