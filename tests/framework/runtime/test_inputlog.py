"""The input log gives back what was written, and says so clearly when it is not whole."""

from __future__ import annotations

import msgspec
import pytest

from quotewright.errors import FormatVersionError, InputError, NotFoundError
from quotewright.model.orders import Canceled, CancelOrder, Fill, NewOrder
from quotewright.runtime.inputlog import (
    INTENT,
    OPERATOR,
    REPORT,
    TIMER,
    InputLogWriter,
    read_input_log,
    require_header,
)

ORDER = NewOrder(order_number=1, instrument=0, side=1, price_ticks=99, quantity_lots=2, post_only=True, strategy="mm")
CANCEL = CancelOrder(order_number=1, instrument=0, strategy="mm")
FILL = Fill(
    order_number=1, event_ns=3, receive_ns=5, fill_id="t1", price_ticks=99, quantity_lots=1, leaves_lots=1,
    is_maker=True, fee=-(10**15), fee_currency="USDT",
)  # fmt: skip
CANCELED = Canceled(order_number=1, event_ns=8, receive_ns=9, reason="user", leaves_lots=0)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "inputs.log"
    writer = InputLogWriter(path, {"verb": "paper", "seed": 7})
    writer.timer(1, 10, 0)
    writer.intent(1, 10, ORDER)
    writer.report(5, 12, FILL)
    writer.operator(6, 12, "halt")
    writer.intent(6, 12, CANCEL)
    writer.report(9, 15, CANCELED)
    writer.sync()
    writer.close()
    writer.close()
    return path


def test_what_was_written_is_read_back_in_order(log):
    records = list(read_input_log(log))
    assert [record.sequence for record in records] == [0, 1, 2, 3, 4, 5]
    assert [(record.kind, record.now_ns, record.rows) for record in records] == [
        (TIMER, 1, 10), (INTENT, 1, 10), (REPORT, 5, 12), (OPERATOR, 6, 12), (INTENT, 6, 12), (REPORT, 9, 15),
    ]  # fmt: skip
    assert records[0].body == 0
    assert records[3].body == "halt"
    assert msgspec.convert(records[1].body, NewOrder) == ORDER
    assert msgspec.convert(records[2].body, Fill) == FILL
    assert msgspec.convert(records[5].body, Canceled) == CANCELED


def test_the_header_says_what_it_is(log):
    header = require_header(log.read_bytes().splitlines(keepends=True)[0], log)
    assert header == {"format": "quotewright-inputs", "version": 1, "verb": "paper", "seed": 7}


def starts(data):
    """Return where each record begins."""
    at, found = data.index(b"\n") + 1, []
    while at < len(data):
        found.append(at)
        at += 16 + int.from_bytes(data[at : at + 4], "little")
    return found


def test_every_byte_flipped_in_the_last_three_records_is_found(log):
    data = log.read_bytes()
    for at in range(starts(data)[-3], len(data)):
        for bit in (1, 0x80):
            broken = bytearray(data)
            broken[at] ^= bit
            log.write_bytes(broken)
            with pytest.raises(InputError, match=r"inputs.log: record \d at byte \d+ (is|ends)"):
                list(read_input_log(log))


def test_every_cut_in_the_last_three_records_is_found_and_what_is_before_it_is_read(log):
    data = log.read_bytes()
    for length in range(starts(data)[-3], len(data)):
        log.write_bytes(data[:length])
        read = []
        with pytest.raises(InputError, match=r"is cut off|end record is missing after \d records"):  # noqa: PT012
            for record in read_input_log(log):
                read.append(record.sequence)  # one by one: what came before the fault counts
        whole = sum(end <= length for end in [*starts(data)[1:], len(data)])
        assert read == list(range(whole))


def test_a_run_that_was_killed_leaves_a_log_without_an_end(tmp_path):
    path = tmp_path / "inputs.log"
    writer = InputLogWriter(path, {})
    writer.timer(1, 1, 0)
    writer.sync()
    with pytest.raises(InputError, match="the end record is missing after 1 records: the log was cut off at byte"):
        list(read_input_log(path))
    writer.close()
    assert len(list(read_input_log(path))) == 1


def test_nothing_may_follow_the_end(log):
    with log.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match="ends the log, yet more follows it"):
        list(read_input_log(log))


def test_a_record_left_out_or_given_twice_is_found(log):
    data = log.read_bytes()
    at = starts(data)
    for broken in (data[: at[2]] + data[at[3] :], data[: at[3]] + data[at[2] : at[3]] + data[at[3] :]):
        log.write_bytes(broken)
        with pytest.raises(InputError, match="is damaged"):
            list(read_input_log(log))


OTHERS = {
    "another version": (
        b'{"format":"quotewright-inputs","version":2}\n',
        FormatVersionError,
        "input log version 2; this program reads version 1",
    ),
    "another format": (b'{"format":"quotewright-tape","version":1}\n', InputError, "format should be"),
    "no header": (b"\x00\x01\x02", InputError, "its first line should be a JSON header"),
    "nothing": (b"", InputError, "its first line should be a JSON header"),
    "a list": (b"[]\n", InputError, "its first line should be a JSON header"),
}


@pytest.mark.parametrize(("data", "error", "message"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_log_of_this_version_is_refused(data, error, message, tmp_path):
    path = tmp_path / "inputs.log"
    path.write_bytes(data)
    with pytest.raises(error, match=message):
        list(read_input_log(path))


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="no input log"):
        list(read_input_log(tmp_path / "inputs.log"))
