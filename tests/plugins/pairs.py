"""Raw messages and what must come of them: reading such pairs, running them, comparing numbers as numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from quotewright.plugin.registry import PluginSet
from quotewright.tape.normalising import Normaliser


class Message(msgspec.Struct):
    """One message as it was received; ``input`` is its very text."""

    input: msgspec.Raw
    local_timestamp: str


class Pair(msgspec.Struct):
    """A message, those that must have come before it, and the normalised messages it makes."""

    id: str
    exchange: str
    input: msgspec.Raw
    local_timestamp: str
    expected: list[dict[str, Any]]
    context: list[Message] = []
    channel: str | None = None


def pairs(path: Path) -> Iterator[Pair]:
    """Yield the pairs of a file; those of retired interfaces and of exchanges nobody reads are left out."""
    decoder = msgspec.json.Decoder(Pair)
    for line in path.read_bytes().splitlines():
        pair = decoder.decode(line)
        if not (pair.channel or "").startswith("v3:") and pair.exchange != "okex-spreads":
            yield pair


def nanoseconds(iso: str) -> int:
    """Return a time of ISO 8601 in ns."""
    moment = datetime.fromisoformat(iso).astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


def line(frame: bytes, iso: str) -> bytes:
    """Return a message as a line of a capture."""
    return b'{"ts":%d,"src":"ws","msg":%b}' % (nanoseconds(iso), frame)


def run(plugins: PluginSet, pair: Pair, change: Callable[[bytes], bytes] = bytes) -> list[dict[str, Any]]:
    """Return what comes of the input of *pair* after its context; *change* is made to each raw text before."""
    normaliser = Normaliser(plugins, pair.exchange)
    for message in pair.context:
        normaliser.take(line(change(bytes(message.input)), message.local_timestamp))
    texts = normaliser.take(line(change(bytes(pair.input)), pair.local_timestamp))
    return [json.loads(text) for text in texts]


def exact(plugins: PluginSet, pair: Pair, change: Callable[[bytes], bytes] = bytes) -> list[dict[str, Any]]:
    """Return the same with every number as the decimal that its digits say."""
    normaliser = Normaliser(plugins, pair.exchange)
    for message in pair.context:
        normaliser.take(line(change(bytes(message.input)), message.local_timestamp))
    texts = normaliser.take(line(change(bytes(pair.input)), pair.local_timestamp))
    return [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in texts]


def differences(came: Any, expected: Any, where: str = "") -> list[str]:
    """Return how two JSON values differ; numbers are compared as a reader with binary floats sees them."""
    if isinstance(came, dict) and isinstance(expected, dict):
        found = [f"{where}.{key}: lacks {expected[key]!r}" for key in expected.keys() - came.keys()]
        found += [f"{where}.{key}: came {came[key]!r}, none expected" for key in came.keys() - expected.keys()]
        for key in sorted(expected.keys() & came.keys()):
            found += differences(came[key], expected[key], f"{where}.{key}")
        return found
    if isinstance(came, list) and isinstance(expected, list):
        if len(came) != len(expected):
            return [f"{where}: came {len(came)} items, expected {len(expected)}"]
        found = []
        for place, (one, other) in enumerate(zip(came, expected, strict=True)):
            found += differences(one, other, f"{where}[{place}]")
        return found
    if _is_number(came) and _is_number(expected):
        return [] if float(came) == float(expected) else [f"{where}: came {came}, expected {expected}"]
    return (
        [] if type(came) is type(expected) and came == expected else [f"{where}: came {came!r}, expected {expected!r}"]
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
