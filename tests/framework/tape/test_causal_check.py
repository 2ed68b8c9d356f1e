"""The quick pass over a tape against the checks that say what is wrong: they agree on every tape."""

from contextlib import nullcontext

import numpy as np
import pytest

from quotewright.errors import InputError, NotCausalError
from quotewright.kernel import causal
from quotewright.kernel.codes import LAST, NEVER
from quotewright.tape.tape import MemoryTape
from tests.framework.tape.generated import INSTRUMENTS, filled_buffer, random_rows

FIELDS = ("event_ns", "receive_ns", "instrument", "flags", "order", "none")


def damaged(seed: int) -> MemoryTape:
    """Return a tape of a few hundred rows with one value or two entries of its order changed, or nothing."""
    draw = np.random.default_rng(seed)
    rows = random_rows(300)
    field = FIELDS[seed % len(FIELDS)]
    at = int(draw.integers(300))
    if field in ("event_ns", "receive_ns"):
        rows[field][at] += int(draw.integers(-3, 4)) * 10 ** int(draw.integers(0, 10))
    elif field == "instrument":
        rows[field][at] = [0, 1, 2, 2**31 - 1][int(draw.integers(4))]
    elif field == "flags":
        rows[field][-1] &= ~1 & 0xFFFF if draw.integers(2) else 0xFFFF
    tape = MemoryTape(INSTRUMENTS, filled_buffer(rows))
    if field == "order":
        order = np.array(tape.event_order)
        other = int(draw.integers(300))
        order[at] = [order[other], -1, 300, order[at], 10**12][int(draw.integers(5))]
        tape.event_order = memoryview(order)
    return tape


def is_refused(tape: MemoryTape) -> bool:
    try:
        tape._check_rows()
        tape._check_event_order()
    except InputError:
        return True
    return False


@pytest.mark.parametrize("window", [1, 7, 300])
def test_the_compiled_pass_and_the_checks_agree(window, monkeypatch):
    monkeypatch.setattr(causal, "IS_COMPILED", True)
    monkeypatch.setattr("quotewright.tape.tape.WINDOW_ENTRIES", window)
    outcomes = set()
    for seed in range(180):
        tape = damaged(seed)
        refused = is_refused(tape)
        with pytest.raises(NotCausalError) if refused else nullcontext():
            tape.require_causal()
        assert tape._is_causal != refused, seed
        outcomes.add((FIELDS[seed % len(FIELDS)], refused))
    assert {field for field, refused in outcomes if refused} == set(FIELDS) - {"none"}
    assert ("none", False) in outcomes


def read_whole(tape: MemoryTape, window: int) -> tuple[list[int], list[int]]:
    """Return the rows that come from the tape's source, and from its windows in order of event time, as numbers."""
    tape.check_as_read()
    source, rows = tape.source(window=window), []
    while source.fill(NEVER - 1) != NEVER:
        rows += range(source.first, source.last)
        source.first = source.last
    order = [number for _, numbers in tape.event_windows() for number in numbers]
    return rows, order


@pytest.mark.parametrize("window", [1, 40, 1000])
def test_what_is_checked_as_it_is_read_is_refused_like_what_is_checked_before(window, monkeypatch):
    monkeypatch.setattr(causal, "IS_COMPILED", True)
    monkeypatch.setattr("quotewright.tape.tape.WINDOW_ENTRIES", window)
    monkeypatch.setattr("quotewright.tape.tape.BLOCK_ROWS", 70)
    for seed in range(180):
        if is_refused(damaged(seed)):
            with pytest.raises(NotCausalError):
                read_whole(damaged(seed), window)
            continue
        tape = damaged(seed)
        rows, order = read_whole(tape, window)
        assert (rows, order) == (list(range(300)), list(tape.event_order))
        assert tape._is_causal, "a second reading checks nothing again"
        # Beginning late, it is checked from its first row all the same.
        late = damaged(seed)
        late.check_as_read()
        source = late.source(from_ns=late.info.end_ns, window=window)
        source.fill(NEVER - 1)
        assert late._held == source.last > 280


def test_a_message_is_never_cut_between_windows_of_event_time(monkeypatch):
    monkeypatch.setattr(causal, "IS_COMPILED", True)
    monkeypatch.setattr("quotewright.tape.tape.WINDOW_ENTRIES", 3)
    tape = MemoryTape(INSTRUMENTS, filled_buffer(random_rows(500)))
    tape.check_as_read()
    flags = tape.array["flags"]
    ends = [int(numbers[-1]) for _, numbers in tape.event_windows()]
    order = list(tape.event_order)
    assert len(ends) > 20
    for end, begin in zip(ends, (order[order.index(end) + 1] for end in ends[:-1]), strict=False):
        assert begin != end + 1 or int(flags[end]) & LAST


def test_a_tape_without_rows_is_in_order(monkeypatch):
    monkeypatch.setattr(causal, "IS_COMPILED", True)
    tape = MemoryTape(INSTRUMENTS, filled_buffer(random_rows(0)))
    tape.require_causal()
    assert tape._is_causal
