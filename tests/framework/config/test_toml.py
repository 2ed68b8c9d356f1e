"""The exact TOML writer: what it writes is read back as the same values."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.config.toml import to_json, to_toml
from quotewright.config.units import Amount, Duration

keys = st.text(max_size=8)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9)
scalars = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), texts, numbers)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(keys, st.dictionaries(keys, values, max_size=3), max_size=3))
def test_what_is_written_is_read_back_as_the_same(document):
    assert tomllib.loads(to_toml(document), parse_float=Decimal) == document


def test_tables_are_headers_two_levels_deep_and_inline_below():
    document = {
        "config_version": 1,
        "run": {"name": 'a\n"b"', "seed": 7},
        "risk": {
            "position": {"plugin": "p", "limit": Amount.parse("0.50 BTC"), "resume": {"for": Duration.parse("30s")}}
        },
    }
    assert to_toml(document) == (
        'config_version = 1\n\n[run]\nname = "a\\n\\"b\\""\nseed = 7\n\n'
        '[risk.position]\nplugin = "p"\nlimit = "0.5 BTC"\nresume = { for = "30s" }\n'
    )


def test_nothing_is_left_out_and_attrs_objects_become_tables():
    @attrs.define
    class Requote:
        ticks: int = 2
        limit: object = None

    assert to_toml({"strategies": {"mm": {"requote": Requote(), "gone": None}}}) == (
        "[strategies.mm]\nrequote = { ticks = 2 }\n"
    )


def test_json_keeps_decimals_exactly():
    assert json.loads(to_json({"a": Decimal("0.10"), "b": [Duration.parse("5m")]})) == {"a": "0.10", "b": ["5m"]}


def test_a_value_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="a config value should be text, a number, a list or a table, was object"):
        to_toml({"a": object()})
