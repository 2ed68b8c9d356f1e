"""Several tapes read as one, against the same rows sorted in plain Python."""

from __future__ import annotations

from decimal import Decimal

import attrs
import numpy as np
import pytest

from quotewright.errors import InputError
from quotewright.kernel.codes import INSTRUMENT_CHANGE, LAST, LAST_BIT, NEVER, OPEN_INTEREST, ROW_WORDS, STATUS
from quotewright.kernel.rows import TapeBuffer
from quotewright.tape.joined import JoinedTape
from quotewright.tape.tape import MemoryTape, TapeFile
from tests.framework.tape.generated import INSTRUMENTS, filled_buffer, random_rows, write_tape

START = 10**18


def tape_of(rows: np.ndarray, instruments=INSTRUMENTS) -> MemoryTape:
    return MemoryTape(tuple(instruments), filled_buffer(rows))


def moved(rows: np.ndarray, by_ns: int) -> np.ndarray:
    rows = rows.copy()
    rows["receive_ns"] += by_ns
    rows["event_ns"] += by_ns
    return rows


def torn(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return *rows* with some rows of a message at event times of their own."""
    rows = rows.copy()
    random = np.random.default_rng(seed)
    which = random.random(len(rows)) < 0.1
    rows["event_ns"][which] -= random.integers(0, 50, int(which.sum())) * 1000
    return rows


def messages(rows: np.ndarray) -> list[list[tuple[int, ...]]]:
    """Return rows as tuples of their six words, message by message."""
    words = rows.view(np.int64).reshape(-1, ROW_WORDS)
    found, current = [], []
    for row in words.tolist():
        current.append(tuple(row))
        if row[5] & LAST_BIT:
            found.append(current)
            current = []
    return found


def merged(tapes: list[MemoryTape]) -> MemoryTape:
    """Return one tape of the rows of *tapes*, whose instruments are the same: the oracle."""
    every = [
        (message[0][1], place, number, message)
        for place, tape in enumerate(tapes)
        for number, message in enumerate(messages(tape.array))
    ]
    buffer = TapeBuffer()
    for *_, message in sorted(every):
        for row in message:
            buffer.append(*row)
    return MemoryTape(tapes[0].instruments, buffer)


def read(source, until_ns: int = NEVER - 1) -> list[tuple[int, ...]]:
    """Return the rows of a source, window by window; each window must consist of whole messages."""
    found = []
    while source.fill(until_ns) != NEVER:
        words = np.asarray(source.rows.words)[source.first * ROW_WORDS : source.last * ROW_WORDS].reshape(-1, ROW_WORDS)
        assert words[-1, 5] & LAST_BIT
        found += [tuple(row) for row in words.tolist()]
        source.first = source.last
    return found


def pieces(windows) -> list[list[tuple[int, ...]]]:
    """Return rows in event order as the replay venue takes them: runs of neighbouring numbers up to a last row."""
    found = []
    for rows, order in windows:
        words, at = np.asarray(rows.words), 0
        while at < len(order):
            first = order[at]
            last = first + 1
            at += 1
            while not words[last * ROW_WORDS - 1] & LAST_BIT and at < len(order) and order[at] == last:
                last += 1
                at += 1
            found.append([tuple(row) for row in words[first * 6 : last * 6].reshape(-1, 6).tolist()])
    return found


SIDE_BY_SIDE = [torn(random_rows(400, seed), seed) for seed in (1, 2, 3)]
DAYS = [moved(torn(random_rows(300, seed), seed), seed * 10**10) for seed in (0, 1, 2)]
TOUCHING = [random_rows(200, 5), moved(random_rows(200, 6), 60_000), random_rows(1, 7)]
CASES = {"side by side": SIDE_BY_SIDE, "days": DAYS, "touching": TOUCHING, "all at once": [*SIDE_BY_SIDE, *DAYS]}


@pytest.mark.parametrize("window", [1, 7, 100, 10**6])
@pytest.mark.parametrize("rows", CASES.values(), ids=CASES)
def test_rows_are_those_of_one_sorted_tape_in_both_orders_whatever_the_window(rows, window):
    tapes = [tape_of(one) for one in rows]
    joined, oracle = JoinedTape(tapes, window), merged(tapes)
    assert read(joined.source()) == [tuple(row) for row in oracle.array.view(np.int64).reshape(-1, 6).tolist()]
    assert pieces(joined.event_windows()) == pieces(oracle.event_windows())
    assert np.concatenate([block for _, block in joined.blocks(window)]).tobytes() == oracle.array.tobytes()
    assert len(joined) == len(oracle)
    assert joined.span == oracle.span


def test_a_range_is_half_open_and_cuts_every_tape(tmp_path):
    tapes = [tape_of(one) for one in SIDE_BY_SIDE]
    joined, oracle = JoinedTape(tapes, 16), merged(tapes)
    times = oracle.array["receive_ns"]
    first, end = int(times[100]), int(times[900])
    wanted = oracle.array[(times >= first) & (times < end)]
    assert read(joined.source(first, end)) == [tuple(row) for row in wanted.view(np.int64).reshape(-1, 6).tolist()]


def test_a_tap_gets_every_row(tmp_path):
    joined, buffer = JoinedTape([tape_of(one) for one in SIDE_BY_SIDE], 16), TapeBuffer()
    source = joined.source()
    source.tap(buffer)
    rows = read(source)
    assert np.asarray(buffer.words)[: buffer.count * 6].reshape(-1, 6).tolist() == [list(row) for row in rows]


def test_days_in_files_are_read_without_copying_and_can_be_read_again(tmp_path):
    for number, rows in enumerate(DAYS):
        write_tape(tmp_path / str(number), rows)
    tapes = [TapeFile.open(tmp_path / str(number)) for number in range(3)]
    joined = JoinedTape(tapes, 50)
    joined.require_causal()
    source = joined.source()
    assert source.fill(NEVER - 1) == DAYS[0]["receive_ns"][0]
    assert source.rows is tapes[0].rows
    first, again = read(joined.source()), read(joined.source())
    assert first == again
    assert len(first) == 900
    source.close()
    joined.close()


def test_a_tape_that_shows_the_future_is_refused_among_others():
    late = DAYS[1].copy()
    late["event_ns"][17] = late["receive_ns"][17] + 1
    with pytest.raises(InputError, match="row 17 is received at"):
        JoinedTape([tape_of(DAYS[0]), tape_of(late)]).require_causal()


def test_a_header_that_is_wrong_about_the_beginning_is_refused():
    info = attrs.evolve(tape_of(DAYS[1]).info, start_ns=START)
    tape = MemoryTape(INSTRUMENTS, filled_buffer(DAYS[1]), info)
    with pytest.raises(InputError, match="its header is wrong about when it begins"):
        JoinedTape([tape_of(DAYS[0]), tape]).require_causal()


def test_instruments_are_numbered_by_name_over_all_tapes():
    eth = attrs.evolve(INSTRUMENTS[1], name="ETH-USDT.spot@other", venue="other")
    rows = random_rows(50, 3)
    rows["instrument"] = 0
    joined = JoinedTape([tape_of(rows, [eth]), tape_of(random_rows(50, 4))])
    names = [instrument.name for instrument in joined.instruments]
    assert names == ["BTC-USDT.spot@test", "ETH-USDT.spot@other", "ETH-USDT.spot@test"]
    found = np.concatenate([block["instrument"] for _, block in joined.blocks()])
    assert np.bincount(found).tolist()[1] == 50
    assert joined.instrument_id("ETH-USDT.spot@test") == 2


def test_finer_steps_of_another_day_are_exact():
    """Prices and sizes of levels are scaled, what is no price or size of the instrument is not."""
    coarse, fine = INSTRUMENTS[0], attrs.evolve(INSTRUMENTS[0], price_decimals=4, tick_steps=100, lot_steps=10,
                                                size_decimals=4)  # fmt: skip
    rows = random_rows(30, 3)
    rows["instrument"] = 0
    rows["kind"][5], rows["kind"][6] = STATUS, OPEN_INTEREST
    (joined_instrument,) = (joined := JoinedTape([tape_of(rows, [coarse]), tape_of(rows, [fine])])).instruments
    assert (joined_instrument.tick_size, joined_instrument.lot_size) == (coarse.tick_size, coarse.lot_size)
    assert (joined_instrument.price_decimals, joined_instrument.size_decimals) == (4, 4)
    read_rows = np.concatenate([block for _, block in joined.blocks()])
    ours = np.argsort(read_rows["id"], kind="stable")[::2]  # of one receive time the first tape's stand first
    scale = np.where(rows["kind"] == STATUS, 1, 100) * np.where(rows["kind"] == OPEN_INTEREST, 0, 1)
    scale = np.where(rows["kind"] == OPEN_INTEREST, 1, scale)
    assert (read_rows["price"][ours] == rows["price"] * scale).all()
    assert (read_rows["size"][ours] == rows["size"] * np.where(rows["kind"] == STATUS, 1, 10)).all()


def test_steps_too_fine_for_the_numbers_of_another_day_are_refused():
    fine = attrs.evolve(INSTRUMENTS[0], price_decimals=18, tick_steps=10**16)
    rows = random_rows(30, 3)
    rows["instrument"] = 0
    with pytest.raises(InputError, match="too many 10000000000000000ths of a step"):
        read(JoinedTape([tape_of(rows, [INSTRUMENTS[0]]), tape_of(rows, [fine])]).source())


def test_a_tick_that_changed_overnight_is_told_before_the_first_row_of_the_day():
    day = attrs.evolve(INSTRUMENTS[0], tick_steps=5, lot_steps=2)
    joined = JoinedTape([tape_of(DAYS[0]), tape_of(DAYS[1], [day, INSTRUMENTS[1]])])
    rows = np.concatenate([block for _, block in joined.blocks()])
    (at,) = np.flatnonzero(rows["kind"] == INSTRUMENT_CHANGE)
    assert at == 300
    assert (rows["price"][at], rows["size"][at], rows["flags"][at] & LAST) == (5, 2, LAST)
    assert joined.instruments[0].tick_size == Decimal("0.01")


REFUSED = {
    "another contract": ({"contract_size": Decimal(10)}, 10**10, "contract_size is 1 on .* and 10 on"),
    "another quote": ({"quote": "USDC"}, 10**10, "quote is USDT on"),
    "a guessed tick": ({"tick_steps": 5, "inferred": ("tick_steps",)}, 10**10, "import both with the same metadata"),
    "two ticks at once": ({"tick_steps": 5}, 1000, "overlap in time and have different ticks"),
}


@pytest.mark.parametrize(("changes", "by_ns", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_the_same_instrument_is_refused(changes, by_ns, message):
    other = attrs.evolve(INSTRUMENTS[0], **changes)
    with pytest.raises(InputError, match=message):
        JoinedTape([tape_of(DAYS[0]), tape_of(moved(DAYS[0], by_ns), [other, INSTRUMENTS[1]])])


def test_limits_that_differ_are_noted():
    other = attrs.evolve(INSTRUMENTS[0], min_notional=Decimal(5))
    joined = JoinedTape([tape_of(DAYS[0]), tape_of(DAYS[1], [other, INSTRUMENTS[1]])])
    assert joined.info.notes == ("BTC-USDT.spot@test: min_notional differs between the tapes; that of memory is used",)


def test_what_would_need_all_rows_at_once_is_refused():
    joined = JoinedTape([tape_of(DAYS[0])])
    with pytest.raises(InputError, match="several tapes have no common array"):
        _ = joined.array
    with pytest.raises(AttributeError, match="no attribute 'arrays'"):
        _ = joined.arrays
    with pytest.raises(InputError, match="there is no tape to join"):
        JoinedTape([])
