"""The hash table of far levels beside a dict: the same answers on any history of sets and deletes."""

from __future__ import annotations

import random

import pytest

from quotewright.kernel.far_levels import FarLevels

LEAST = 64
"""Places in an empty table."""
HIGHEST = 2**53
SPACES = {
    "a side of a book": range(600_000, 640_000),
    "offers, below zero": range(-640_000, -600_000),
    "apart by the table's size": range(0, 2_000 * LEAST, LEAST),
    "few": range(40),
    "far apart": [sign * (HIGHEST - 977 * number) for number in range(3_000) for sign in (1, -1)],
}


def same(table: FarLevels, oracle: dict[int, int]) -> bool:
    keys = sorted(oracle, reverse=True)
    return (
        table.count == len(oracle)
        and sorted(table.keys_from(-(2**62)), reverse=True) == keys
        and [table.get(k) for k in keys] == [oracle[k] for k in keys]
    )


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("deletes", [0.05, 0.5, 0.9])
def test_any_history_leaves_what_a_dict_holds(space, deletes):
    chance = random.Random(f"{space} {deletes}")
    keys = list(SPACES[space])
    table, oracle = FarLevels(), {}
    for step in range(6_000):
        key = chance.choice(keys)
        if chance.random() < deletes:
            assert table.pop(key) == oracle.pop(key, 0)
        else:
            size = chance.randrange(1, HIGHEST)
            assert bool(table.put(key, size)) == (key not in oracle)
            oracle[key] = size
        if step % 500 == 0:
            assert same(table, oracle)
            probe = chance.choice(keys)
            assert table.get(probe) == oracle.get(probe, 0)
            lowest = chance.choice(keys)
            assert sorted(table.keys_from(lowest)) == sorted(k for k in oracle if k >= lowest)
            assert table.sum_from(lowest) == sum(size for k, size in oracle.items() if k >= lowest)
            if oracle:
                assert table.best() == max(oracle)
    assert same(table, oracle)
    table.clear()
    assert same(table, {})
    table.put(keys[0], 7)
    assert same(table, {keys[0]: 7})


def test_levels_that_come_and_go_elsewhere_do_not_fill_the_table():
    table = FarLevels()
    for key in range(200_000):
        table.put(key, 1)
        if key >= 10:
            assert table.pop(key - 10) == 1
    assert sorted(table.keys_from(0)) == list(range(199_990, 200_000))


def test_sums_pass_64_bits():
    table = FarLevels()
    for key in range(3_000):
        table.put(key, HIGHEST)
    assert table.sum_from(0) == 3_000 * HIGHEST
