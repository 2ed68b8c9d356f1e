"""From plain values to a plugin's attrs class: what fits, and one sentence for everything that does not."""

from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from quotewright.config.structure import SettingsError, structure
from quotewright.config.units import Amount, Duration, Percent
from quotewright.plugin import at_least, between, configured, one_of, positive, setting


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


@configured
class Queue:
    model: Literal["power", "log"] = setting()
    exponent: Decimal = setting(default=Decimal(2), check=positive)


@configured
class Model:
    limit: Amount = setting(doc="largest position", check=positive)
    window: Duration = setting(default="30s", check=at_least(1))
    warn_at: Percent | Amount | None = setting(default=None)
    levels: int = setting(default=1, check=between(1, 10))
    gamma: float = setting(default=0.1)
    queue: Queue | None = setting(default=None)
    names: tuple[str, ...] = setting(default=())
    pair: tuple[int, str] = setting(default=(1, "a"))
    balance: dict[str, Decimal] = setting(factory=dict)
    on_breach: str = setting(default="halt", check=one_of("halt", "cancel_all"))
    colour: Colour = setting(default=Colour.RED)
    file: Path = setting(default=Path("x"))
    is_on: bool = setting(default=True)
    anything: Any = setting(default=None)
    plain: int = attrs.field(default=1, validator=attrs.validators.ge(1))


def read(**values):
    return structure(Model, values, "paper.toml: risk.position")


def test_every_kind_of_value_is_read():
    read_all = read(
        limit="0.5 BTC",
        window="5m",
        warn_at="80%",
        levels=3,
        gamma=Decimal("0.25"),
        queue={"model": "power", "exponent": 3},
        names=["a", "b"],
        pair=[2, "b"],
        balance={"USDT": "10000", "BTC": Decimal("0.1"), "ETH": 3},
        on_breach="cancel_all",
        colour="green",
        file="a/b",
        is_on=False,
        anything={"a": [1]},
    )
    assert read_all.limit == Amount(Decimal("0.5"), "BTC")
    assert read_all.window == 300_000_000_000
    assert read_all.warn_at == Decimal("0.8")
    assert read_all.gamma == 0.25
    assert type(read_all.gamma) is float
    assert (read_all.queue.model, read_all.queue.exponent) == ("power", Decimal(3))
    assert (read_all.names, read_all.pair) == (("a", "b"), (2, "b"))
    assert read_all.balance == {"USDT": Decimal(10000), "BTC": Decimal("0.1"), "ETH": Decimal(3)}
    assert (read_all.colour, read_all.file, read_all.is_on) == (Colour.GREEN, Path("a/b"), False)
    assert read_all.anything == {"a": [1]}


def test_defaults_are_those_of_the_class():
    made = read(limit="1 BTC")
    assert (made.window, made.levels, made.warn_at, made.balance) == (30_000_000_000, 1, None, {})


FAULTS = {
    "misspelt key": (
        {"limt": "0.5 BTC"},
        "paper.toml: risk.position: unknown key 'limt'; did you mean 'limit'?",
    ),
    "unknown key": ({"limit": "1 BTC", "zzz": 1}, "paper.toml: risk.position: unknown key 'zzz'; known keys: limit, "),
    "missing key": (
        {},
        "paper.toml: risk.position: missing key 'limit': an amount with its unit such as '0.5 BTC' or '200 USDT' "
        "(largest position)",
    ),
    "missing unit": (
        {"limit": "0.5"},
        "paper.toml: risk.position.limit: should be an amount with its unit such as '0.5 BTC' or '200 USDT', was '0.5'",
    ),
    "failed check": ({"limit": "0 BTC"}, "paper.toml: risk.position.limit: should be positive, was '0 BTC'"),
    "failed check of attrs": ({"limit": "1 BTC", "plain": 0}, "paper.toml: risk.position: 'plain' must be >= 1: 0"),
    "out of range": (
        {"limit": "1 BTC", "levels": 11},
        "paper.toml: risk.position.levels: should be between 1 and 10, was 11",
    ),
    "fraction for a whole number": (
        {"limit": "1 BTC", "levels": Decimal("1.0")},
        "paper.toml: risk.position.levels: should be a whole number, was 1.0",
    ),
    "true for a whole number": (
        {"limit": "1 BTC", "levels": True},
        "paper.toml: risk.position.levels: should be a whole number, was true",
    ),
    "text for a number": (
        {"limit": "1 BTC", "gamma": "x"},
        "paper.toml: risk.position.gamma: should be a number, was 'x'",
    ),
    "not a number": (
        {"limit": "1 BTC", "gamma": Decimal("nan")},
        "paper.toml: risk.position.gamma: should be a number, was NaN",
    ),
    "infinite": (
        {"limit": "1 BTC", "gamma": Decimal("inf")},
        "paper.toml: risk.position.gamma: should be a number, was Infinity",
    ),
    "number for text": (
        {"limit": "1 BTC", "on_breach": 3},
        "paper.toml: risk.position.on_breach: should be text in quotes, was 3",
    ),
    "not one of the choices": (
        {"limit": "1 BTC", "on_breach": "hold"},
        "paper.toml: risk.position.on_breach: should be one of 'halt', 'cancel_all', was 'hold'",
    ),
    "text for a list": (
        {"limit": "1 BTC", "names": "abc"},
        "paper.toml: risk.position.names: should be a list, was 'abc'",
    ),
    "item of a list": (
        {"limit": "1 BTC", "names": ["a", 2]},
        "paper.toml: risk.position.names.1: should be text in quotes, was 2",
    ),
    "list too long": (
        {"limit": "1 BTC", "pair": [1]},
        "paper.toml: risk.position.pair: should be a list of 2, was [1]",
    ),
    "key inside a table": (
        {"limit": "1 BTC", "queue": {"model": "power", "exponant": 2}},
        "paper.toml: risk.position.queue: unknown key 'exponant'; did you mean 'exponent'?",
    ),
    "value inside a table": (
        {"limit": "1 BTC", "queue": {"model": "fifo"}},
        "paper.toml: risk.position.queue.model: should be one of 'power', 'log', was 'fifo'",
    ),
    "text for a table": (
        {"limit": "1 BTC", "queue": "power"},
        "paper.toml: risk.position.queue: should be a table, was 'power'",
    ),
    "value of a mapping": (
        {"limit": "1 BTC", "balance": {"USDT": "ten"}},
        "paper.toml: risk.position.balance.USDT: should be a decimal number, was 'ten'",
    ),
    "list for a mapping": (
        {"limit": "1 BTC", "balance": []},
        "paper.toml: risk.position.balance: should be a table, was []",
    ),
    "float from a script": (
        {"limit": "1 BTC", "balance": {"USDT": 0.1}},
        "paper.toml: risk.position.balance.USDT: should be a decimal number, was 0.1",
    ),
    "none of several units": (
        {"limit": "1 BTC", "warn_at": "80"},
        "paper.toml: risk.position.warn_at: should be a percentage such as '2%' or an amount with its unit",
    ),
    "no such member": (
        {"limit": "1 BTC", "colour": "blue"},
        "paper.toml: risk.position.colour: should be one of 'red', 'green'",
    ),
    "number for a flag": (
        {"limit": "1 BTC", "is_on": 1},
        "paper.toml: risk.position.is_on: should be true or false, was 1",
    ),
}


@pytest.mark.parametrize(("values", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_sentence_that_says_where_and_what(values, message):
    with pytest.raises(SettingsError) as caught:
        read(**values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_all_faults_are_kept_and_the_missing_key_that_was_misspelt_is_told_once():
    with pytest.raises(SettingsError) as caught:
        read(limt="1 BTC", levels="x", window=5)
    assert [problem.partition("risk.position")[2] for problem in caught.value.problems] == [
        ": unknown key 'limt'; did you mean 'limit'?",
        ".window: should be a duration such as '100ms', '30s', '5m' or '24h', was 5",
        ".levels: should be a whole number, was 'x'",
    ]


def test_a_key_of_another_file_is_told_with_that_file():
    with pytest.raises(SettingsError, match=r"^--set: risk\.position\.limit: should be"):
        structure(Model, {"limit": 1}, "paper.toml: risk.position", {"limit": "--set: risk.position"})
