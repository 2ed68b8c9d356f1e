"""Generated sessions through the normaliser: one form of messages, renamed, and with every number times 3."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from quotewright.plugin.registry import PluginSet
from quotewright.tape.exchanges import recorded_names
from quotewright.tape.normalising import Normaliser
from quotewright.testing.frames import Line
from tests.plugins.pairs import differences
from tests.plugins.test_tardis_pairs import renamed, sizes_trebled, symbols_renamed, trebled

PLUGINS = PluginSet.discover()
NAMES = recorded_names(PLUGINS)
UPDATES = 40


def session(exchange: str, market: str) -> list[Line]:
    generator: Any = importlib.import_module(f"quotewright_plugins.exchanges.{exchange}.frames")
    made = next(value for name, value in vars(generator).items() if name.endswith("Session"))
    if not market:
        lines = list(generator.session_lines(made(), UPDATES))
    elif "market" in {field.name for field in attrs.fields(made)}:
        lines = list(generator.session_lines(made(market=market), UPDATES))
    else:
        lines = list(generator.session_lines(made(symbol=generator.SYMBOLS[market]), UPDATES))
    return lines


def messages(name: str, lines: list[Line], change: Callable[[bytes], bytes] = bytes) -> list[dict[str, Any]]:
    """Return the normalised messages of *lines*, to whose text *change* was made, every number as its digits say."""
    normaliser = Normaliser(PLUGINS, name)
    found = []
    for line in lines:
        url = None if line.url is None else renamed(line.url.encode()).decode() if change is renamed else line.url
        altered = attrs.evolve(line, raw=change(line.raw), url=url)
        for text in normaliser.take(altered.capture().rstrip()):
            found.append(json.loads(text, parse_float=Decimal, parse_int=Decimal))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_session_becomes_messages_of_one_form(name: str) -> None:
    exchange, market = NAMES[name]
    lines = session(exchange, market)
    plain = messages(name, lines)
    kinds = Counter(message["type"] for message in plain)
    assert kinds["book_change"] >= UPDATES // 2
    assert kinds["trade"] + kinds["book_ticker"] > 5
    assert {message["exchange"] for message in plain} == {name}
    first = next(message for message in plain if message["type"] == "book_change")
    assert first["isSnapshot"] is True
    assert all(bid["price"] < ask["price"] for bid in first["bids"] for ask in first["asks"])
    assert differences(messages(name, lines, renamed), symbols_renamed(plain)) == []
    assert differences(messages(name, lines, trebled), sizes_trebled(plain)) == []
