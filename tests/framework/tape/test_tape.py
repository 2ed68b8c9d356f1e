"""A tape comes back as it was written; what is damaged, of another version or shows the future is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.errors import FormatVersionError, InputError, NotFoundError
from quotewright.kernel.codes import NEVER
from quotewright.tape import writer as writer_module
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.source import TapeSource
from quotewright.tape.tape import MemoryTape, TapeFile
from quotewright.tape.writer import EventOrder, TapeWriter
from tests.framework.tape.generated import INSTRUMENTS, filled_buffer, random_rows, write_tape


def test_a_tape_comes_back_as_it_was_written(tmp_path):
    rows = random_rows(5000)
    write_tape(tmp_path / "tape", rows, piece=700)
    with TapeFile.open(tmp_path / "tape") as tape:
        assert np.array_equal(tape.array, rows)
        assert tape.instruments == INSTRUMENTS
        assert tape.rows.count == 5000 == len(tape)
        assert list(tape.rows.words[6:12]) == list(filled_buffer(rows[:2]).words[6:12])
        assert np.array_equal(tape.event_order, np.argsort(rows["event_ns"], kind="stable"))
        assert tape.span == (int(rows["receive_ns"][0]), int(rows["receive_ns"][-1]))
        assert sum(tape.info.kinds.values()) == 5000
        tape.require_causal()
        tape.verify()
        with pytest.raises((TypeError, ValueError)):
            tape.rows.words[0] = 1
        assert tape.instrument_id("ETH-USDT.spot@test") == tape.instrument_id("ETHUSDT") == 1
        with pytest.raises(NotFoundError, match=r"no instrument called 'XRP'; it holds BTC-USDT\.spot@test"):
            tape.instrument_id("XRP")


def test_a_tape_in_memory_is_the_same_tape(tmp_path):
    rows = random_rows(300)
    buffer = filled_buffer(rows)
    memory = MemoryTape(INSTRUMENTS, buffer)
    write_tape(tmp_path / "tape", rows)
    with TapeFile.open(tmp_path / "tape") as tape:
        assert np.array_equal(memory.array, tape.array)
        assert list(memory.event_order) == list(tape.event_order)
        assert memory.span == tape.span
    memory.require_causal()
    for _ in range(5000):  # the buffer goes on; the tape keeps what it saw
        buffer.append(0, 0, 0, 0, 0, 0)
    assert np.array_equal(memory.array, rows)


def test_an_empty_tape_can_be_written_and_read(tmp_path):
    with TapeWriter(tmp_path / "tape", INSTRUMENTS) as writer:
        writer.finish()
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        tape.verify()
        assert (len(tape), tape.span) == (0, (0, 0))
        assert TapeSource(tape).fill(NEVER) == NEVER
    MemoryTape(INSTRUMENTS, filled_buffer(random_rows(0))).require_causal()


@settings(max_examples=60, deadline=None)
@given(
    runs=st.lists(st.lists(st.integers(-3, 3) | st.integers(-(2**62), 2**62), max_size=40), max_size=12),
    pairs=st.sampled_from([1, 64, 1 << 18]),
)
def test_the_event_order_is_the_stable_sort_by_event_time(tmp_path_factory, runs, pairs):
    """Whatever the disorder and however little is held in memory."""
    directory = tmp_path_factory.mktemp("runs")
    order = EventOrder(directory)
    for run in runs:
        order.add(np.array(run, np.int64))
    merged = [int(row) for piece in order.merged(pairs) for row in piece]
    order.close()
    events = np.array([event for run in runs for event in run], np.int64)
    assert merged == list(np.argsort(events, kind="stable"))


def test_the_event_order_merges_runs_longer_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "BLOCK_ROWS", 1000)
    for delay_ns in (1_000_000, 10**11):
        rows = random_rows(9000, delay_ns=delay_ns)
        order = EventOrder(tmp_path)
        order.add(rows["event_ns"].copy())
        merged = np.concatenate(list(order.merged(700)))
        order.close()
        assert np.array_equal(merged, np.argsort(rows["event_ns"], kind="stable"))


def planted(field: str, row: int, value: int, count: int = 2000) -> np.ndarray:
    rows = random_rows(count)
    rows[field][row] += value
    return rows


ACAUSAL = {
    "received before it happened": (planted("event_ns", 1500, 10**10), r"row 1500 is received at \d+ ns, before it h"),
    "received out of order": (planted("receive_ns", 700, 10**9), r"row 701 is received at \d+ ns, before the row in"),
    "an instrument not listed": (planted("instrument", 3, 7), r"row 3 is about instrument [78], the tape has 2"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "said"), ACAUSAL.values(), ids=ACAUSAL)
def test_a_tape_that_shows_the_future_is_refused(tmp_path, rows, said):
    write_tape(tmp_path / "tape", rows)
    with TapeFile.open(tmp_path / "tape") as tape:
        with pytest.raises(InputError, match=said) as caught:
            tape.require_causal()
        assert "import the recording again" in str(caught.value)
    with pytest.raises(InputError, match=said):
        MemoryTape(INSTRUMENTS, filled_buffer(rows)).require_causal()


@pytest.mark.parametrize("change", ["swapped", "repeated", "out of range", "ties swapped"])
def test_another_event_order_is_refused(tmp_path, change):
    rows = random_rows(2000)
    write_tape(tmp_path / "tape", rows)
    path = tmp_path / "tape" / "event_order.bin"
    order = np.fromfile(path, np.int64)
    ties = np.flatnonzero(np.diff(rows["event_ns"][order]) == 0)
    at = int(ties[0]) if change == "ties swapped" else int(np.argmax(np.diff(rows["event_ns"][order]) > 0))
    if change == "repeated":
        order[at] = order[at + 1]
    elif change == "out of range":
        order[at] = 2000
    else:
        order[[at, at + 1]] = order[[at + 1, at]]
    order.tofile(path)
    with TapeFile.open(tmp_path / "tape") as tape:
        with pytest.raises(InputError, match="the event order is not the stable order by event time"):
            tape.require_causal()
        with pytest.raises(InputError, match="checksum should be"):
            tape.verify()


def test_another_version_is_refused(tmp_path):
    write_tape(tmp_path / "tape", random_rows(10))
    header = tmp_path / "tape" / "tape.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "version": 2}))
    with pytest.raises(FormatVersionError, match=r"is a tape of version 2, this program reads version 1; import"):
        TapeFile.open(tmp_path / "tape")


def damage_nothing(tape: Path) -> None:
    (tape / "tape.json").unlink()
    (tape / "rows.bin").unlink()


DAMAGE = {
    "cut rows": (lambda tape: (tape / "rows.bin").write_bytes(bytes(47)), InputError, "should have 480 bytes, has 47"),
    "no rows": (lambda tape: (tape / "rows.bin").unlink(), InputError, "should have 480 bytes, is missing"),
    "cut order": (lambda tape: (tape / "event_order.bin").write_bytes(b""), InputError, "should have 80 bytes, has 0"),
    "half written": (lambda tape: (tape / "tape.json").unlink(), InputError, "the tape was not finished"),
    "no tape": (damage_nothing, InputError, "is no tape"),
    "cut header": (lambda tape: (tape / "tape.json").write_text('{"format"'), InputError, "is damaged"),
    "other file": (lambda tape: (tape / "tape.json").write_text("{}"), InputError, "format should be"),
    "bad header": (
        lambda tape: (tape / "tape.json").write_text('{"format":"quotewright-tape","version":1,"row_count":"x"}'),
        InputError,
        r"Expected `int`, got `str` - at `\$.row_count`",
    ),
}


@pytest.mark.parametrize(("damage", "error", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_tape_is_refused(tmp_path, damage, error, said):
    write_tape(tmp_path / "tape", random_rows(10))
    damage(tmp_path / "tape")
    with pytest.raises(error, match=said):
        TapeFile.open(tmp_path / "tape")


def test_a_tape_that_is_not_there_or_a_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"no tape at .*none; make one with: quotewright data import"):
        TapeFile.open(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file, not a tape"):
        TapeFile.open(tmp_path / "file")


def test_a_flipped_bit_is_found_on_demand(tmp_path):
    write_tape(tmp_path / "tape", random_rows(100))
    path = tmp_path / "tape" / "rows.bin"
    data = bytearray(path.read_bytes())
    data[1234] ^= 1
    path.write_bytes(data)
    with TapeFile.open(tmp_path / "tape") as tape, pytest.raises(InputError, match="checksum should be"):
        tape.verify()


def test_a_tape_appears_whole_or_not_at_all(tmp_path):
    writer = TapeWriter(tmp_path / "tape", INSTRUMENTS)
    writer.write(random_rows(100))
    with pytest.raises(ZeroDivisionError), writer:
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_existing_tape_is_replaced_only_when_asked_and_other_things_never(tmp_path):
    write_tape(tmp_path / "tape", random_rows(10))
    with pytest.raises(InputError, match="exists already"):
        TapeWriter(tmp_path / "tape", INSTRUMENTS)
    with TapeWriter(tmp_path / "tape", INSTRUMENTS, replace=True) as writer:
        writer.write(random_rows(20))
        writer.finish()
    with TapeFile.open(tmp_path / "tape") as tape:
        assert len(tape) == 20
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="is no tape, so it is not replaced"):
        TapeWriter(tmp_path / "mine", INSTRUMENTS, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "tape"]


def taken(source: TapeSource, until_ns: int = NEVER) -> list[tuple[int, int]]:
    """Return the windows that *source* hands out."""
    windows = []
    while source.fill(until_ns) != NEVER:
        windows.append((source.first, source.last))
        source.first = source.last
    return windows


@pytest.mark.parametrize("window", [1, 2, 3, 100, 10**6])
def test_a_source_hands_out_every_row_once_in_whole_messages(tmp_path, window):
    rows = random_rows(1000)
    write_tape(tmp_path / "tape", rows)
    with TapeFile.open(tmp_path / "tape") as tape:
        windows = taken(TapeSource(tape, window=window))
    assert windows[0][0] == 0
    assert windows[-1][1] == 1000
    assert all(before[1] == after[0] for before, after in itertools.pairwise(windows))
    assert all(rows["flags"][last - 1] & 1 for _, last in windows)


def test_a_source_tells_the_time_of_its_first_row_and_waits_for_it():
    rows = random_rows(50)
    tape = MemoryTape(INSTRUMENTS, filled_buffer(rows))
    source = TapeSource(tape)
    first_ns = int(rows["receive_ns"][0])
    assert source.fill(first_ns - 1) == NEVER
    assert source.fill(first_ns) == first_ns
    source.first = 7
    assert source.fill(NEVER) == int(rows["receive_ns"][7])
    source.close()
    assert source.fill(NEVER) == NEVER


def test_a_source_may_be_bounded_by_receive_time():
    rows = random_rows(1000)
    tape = MemoryTape(INSTRUMENTS, filled_buffer(rows))
    from_ns, to_ns = int(rows["receive_ns"][300]), int(rows["receive_ns"][700])
    windows = taken(TapeSource(tape, from_ns, to_ns))
    picked = (rows["receive_ns"] >= from_ns) & (rows["receive_ns"] < to_ns)
    assert (windows[0][0], windows[-1][1]) == (int(np.argmax(picked)), 1000 - int(np.argmax(picked[::-1])))
    with pytest.raises(ValueError, match="window should be at least 1 row"):
        TapeSource(tape, window=0)


def test_a_row_is_six_words():
    assert ROW_DTYPE.itemsize == 48
    buffer = filled_buffer(random_rows(3))
    assert buffer.words[5] == buffer.words[5] & (2**63 - 1)
