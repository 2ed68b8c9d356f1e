"""The checksum agrees with the examples of RFC 3720, appendix B.4."""

from __future__ import annotations

import pytest

from quotewright.kernel.crc32c import crc32c

EXAMPLES = {
    "nothing": (b"", 0),
    "the digits": (b"123456789", 0xE3069283),
    "32 zeros": (bytes(32), 0x8A9136AA),
    "32 ones": (b"\xff" * 32, 0x62A8AB43),
    "ascending": (bytes(range(32)), 0x46DD794E),
    "descending": (bytes(range(31, -1, -1)), 0x113FDB5C),
}


@pytest.mark.parametrize(("data", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_published_examples(data, expected):
    assert crc32c(data) == expected


def test_a_sum_is_carried_on_over_pieces():
    data = bytes(range(200))
    assert all(crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data) for cut in range(201))


def test_every_changed_bit_changes_the_sum():
    data = bytearray(b"one record of an input log")
    whole = crc32c(bytes(data))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        assert crc32c(bytes(data)) != whole
        data[bit // 8] ^= 1 << bit % 8
