"""Clocks are put right by one constant; what comes out never shows a row before it happened."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.kernel.codes import EVENT_ESTIMATED, LAST, LEVEL_SET, RELEASED, SNAPSHOT_BEGIN, TRADE
from quotewright.tape.causality import CausalRows, Connection
from quotewright.tape.layout import ROW_DTYPE

BASE_NS = 1_000_000


def rows_of(*rows: tuple[int, int, int, int]) -> np.ndarray:
    """Return one-row messages ``(event_ns, receive_ns, kind, flags)`` of instrument 0."""
    made = np.zeros(len(rows), ROW_DTYPE)
    for number, (event_ns, receive_ns, kind, flags) in enumerate(rows):
        made[number] = (event_ns, receive_ns, 1, 1, 0, kind, 1, flags | LAST, 0)
    return made


def test_one_constant_makes_the_smallest_difference_the_base_latency():
    connection = Connection("recorder")
    for event_ns, receive_ns in ((100, 70), (200, 150), (300, 290)):
        connection.observe(event_ns, receive_ns, 0)
    clock = connection.clock(BASE_NS)
    assert (clock.smallest_ns, clock.shift_ns) == (-50, BASE_NS + 50)
    assert clock.latency_ns["min"] == BASE_NS
    assert clock.latency_ns["max"] == BASE_NS + 40


def test_a_message_from_a_buffer_counts_for_the_smallest_difference_only():
    connection = Connection("recorder")
    connection.observe(100, 200, 0)
    connection.observe(100, 5_000, RELEASED)
    connection.observe(100, 150, RELEASED)
    clock = connection.clock(BASE_NS)
    assert (clock.smallest_ns, clock.messages, clock.latency_ns["max"]) == (50, 1, BASE_NS + 50)


def test_a_recording_without_event_times_is_not_shifted():
    connection = Connection("recorder")
    connection.observe(0, 200, 0)
    clock = connection.clock(BASE_NS)
    assert (clock.shift_ns, clock.without_event_time, clock.latency_ns) == (0, 1, {})


def test_quantiles_stay_bounded_in_memory_and_near_the_truth():
    connection = Connection("recorder")
    for number in range(300_000):
        connection.observe(1, 1 + (number * 7919) % 100_000, 0)
    assert len(connection.samples) < 1 << 17
    latency = connection.clock(0).latency_ns
    assert abs(latency["p50"] - 50_000) < 500
    assert (latency["min"], latency["max"]) == (0, 99_999)


def test_an_estimated_event_time_is_the_latest_possible_one():
    rows = rows_of((5, 10 * BASE_NS, TRADE, EVENT_ESTIMATED))
    CausalRows(1, BASE_NS).correct(rows)
    assert int(rows["event_ns"][0]) == 9 * BASE_NS


def test_a_book_message_does_not_step_in_front_of_an_earlier_one():
    """The snapshot has no time of its own; the updates behind it have, and an earlier one."""
    rows = rows_of(
        (0, 50 * BASE_NS, SNAPSHOT_BEGIN, EVENT_ESTIMATED),
        (30 * BASE_NS, 50 * BASE_NS, LEVEL_SET, RELEASED),
        (20 * BASE_NS, 50 * BASE_NS, TRADE, 0),
        (60 * BASE_NS, 65 * BASE_NS, LEVEL_SET, 0),
    )
    causal = CausalRows(1, BASE_NS)
    causal.correct(rows)
    assert (rows["event_ns"] // BASE_NS).tolist() == [49, 49, 20, 60]
    assert ((rows["flags"] & EVENT_ESTIMATED) != 0).tolist() == [True, True, False, False]
    assert causal.late_events.tolist() == [1]


@settings(max_examples=100, deadline=None)
@given(
    messages=st.lists(
        st.tuples(
            st.integers(1, 10**7),
            st.integers(0, 10**7),
            st.sampled_from([LEVEL_SET, SNAPSHOT_BEGIN, TRADE]),
            st.sampled_from([0, EVENT_ESTIMATED, RELEASED]),
        ),
        max_size=40,
    ),
    pieces=st.integers(1, 7),
)
def test_whatever_comes_in_what_goes_out_is_causal(messages, pieces):
    """And it does not depend on where the blocks end."""
    rows = rows_of(*messages)
    whole = rows.copy()
    CausalRows(1, BASE_NS).correct(whole)
    causal = CausalRows(1, BASE_NS)
    for first in range(0, len(rows), pieces):
        causal.correct(rows[first : first + pieces])
    assert np.array_equal(rows, whole)
    assert (rows["receive_ns"] - rows["event_ns"] >= BASE_NS).all()
    assert (np.diff(rows["receive_ns"]) >= 0).all()
    assert (np.diff(rows["event_ns"][rows["kind"] != TRADE]) >= 0).all()
