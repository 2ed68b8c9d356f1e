"""CRC-32C (Castagnoli, RFC 3720), the checksum of the records of an input log."""

from __future__ import annotations

from array import array

POLYNOMIAL = 0x82F63B78


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value


class _Table:
    """The table of all byte remainders."""

    def __init__(self) -> None:
        self.words = array("q", [_entry(value) for value in range(256)])

    def update(self, data: bytes, check: int) -> int:
        """Return *check* carried on over *data*."""
        value = check ^ 0xFFFFFFFF
        for index in range(len(data)):
            value = self.words[(value ^ data[index]) & 255] ^ (value >> 8)
        return value ^ 0xFFFFFFFF


_TABLE = _Table()


def crc32c(data: bytes, check: int = 0) -> int:
    """Return the CRC-32C of *data*, carried on from *check* (0 at the start)."""
    return _TABLE.update(data, check)
