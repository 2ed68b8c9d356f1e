"""Latency models: what follows the tape's stamps, what is drawn, what is measured, and market data that comes later."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY, LAST_BIT, LEVEL_SET, SELL, pack
from quotewright.tape.tape import MemoryTape
from quotewright.wiring import VenueContext
from quotewright_simexchange.latency import REFUSED, ConstantLatency, LatencyModel
from quotewright_simexchange.latency_models import DrawnLatency, StampLatency, lognormal, quantiles
from quotewright_simexchange.latency_table import LatencyTable
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue
from quotewright_simexchange.replay_venue import ReplaySettings, replay
from tests.simexchange.replay.support import PERP, Desk, Recording

NEW, CANCEL, AMEND, REPORT = range(4)


def stamped(*stamps: tuple[int, int]) -> MemoryTape:
    """Return a tape whose rows happened and were received at these times."""
    recording = Recording()
    for event, receive in stamps:
        recording.buffer.append(event, receive, 1000, 5, 0, pack(LEVEL_SET, BUY, 0, 0) | LAST_BIT)
    return MemoryTape((PERP,), recording.buffer)


def desk_with(recording: Recording, latency: LatencyModel) -> Desk:
    desk = Desk(recording)
    desk.venue = ReplayVenue(QueueModel(), latency)
    desk.venue.attach((PERP,), MemoryTape((PERP,), recording.buffer))
    return desk


def test_the_tapes_stamps_say_how_long_a_command_and_its_report_take() -> None:
    """Rows took 10, 40 and 20; a command takes twice that of the last row received, a report half that of the last
    one that had happened: neither knows a later row."""
    latency = StampLatency(Decimal(2), Decimal("0.5"), 3)
    latency.attach(stamped((100, 110), (200, 240), (230, 250)))
    assert latency.arrival_ns(50) == 50 + 20 + 3  # before the first row, the first one counts
    assert latency.arrival_ns(239) == 239 + 20 + 3
    assert latency.arrival_ns(240) == 240 + 80 + 3
    assert latency.arrival_ns(250) == 250 + 40 + 3
    assert latency.known_ns(199) == 199 + 5 + 3
    assert latency.known_ns(200) == 200 + 20 + 3
    assert latency.known_ns(231) == 231 + 10 + 3
    assert latency.known_ns(9_999) == 9_999 + 10 + 3


def test_with_a_later_feed_a_command_takes_what_the_last_row_took_that_the_strategy_has_seen() -> None:
    latency = StampLatency()
    latency.feed_ns = 20
    latency.attach(stamped((100, 110), (200, 240), (230, 250)))
    assert latency.arrival_ns(259) == 259 + 10
    assert latency.arrival_ns(260) == 260 + 40


def test_the_tapes_stamps_over_many_rows_are_those_of_a_plain_search() -> None:
    stamps = [(7 * n, 7 * n + 5 + (n * n) % 31) for n in range(1, 3000)]
    stamps.sort(key=lambda stamp: stamp[1])
    latency = StampLatency()
    latency.attach(stamped(*stamps))
    for time in range(3, 22_000, 997):
        received = [row for row in stamps if row[1] <= time] or stamps[:1]
        happened = max((row for row in stamps if row[0] <= time), key=lambda row: row[0], default=min(stamps))
        assert latency.arrival_ns(time) == time + received[-1][1] - received[-1][0]
        assert latency.known_ns(time) == time + happened[1] - happened[0]


def test_a_command_is_late_by_as_much_as_the_market_is() -> None:
    recording = Recording(30).bid(0, 1000, 1).bid(100, 999, 1)
    latency = StampLatency(Decimal(1), Decimal(1))
    desk = desk_with(recording, latency).new(40, 1, BUY, 1000, 2).end()
    (accepted,) = desk.reports
    assert (accepted.event_ns, accepted.receive_ns) == (70, 100)


def test_drawn_latencies_follow_from_seed_and_order_alone() -> None:
    there, back = lognormal(5_000_000, Decimal("0.5")), lognormal(3_000_000, Decimal("0.5"))
    one, same, other = DrawnLatency(there, back, 7), DrawnLatency(there, back, 7), DrawnLatency(there, back, 8)
    keys = [4 * number + NEW for number in range(200)]
    drawn = {key: one.arrival_ns(1_000, key) - 1_000 for key in keys}
    assert {key: same.arrival_ns(9_000, key) - 9_000 for key in reversed(keys)} == drawn
    assert sum(other.arrival_ns(0, key) == drawn[key] for key in keys) < 5
    assert len(set(drawn.values())) > 190
    assert one.arrival_ns(0, 4 + AMEND) != one.arrival_ns(1_000, 4 + AMEND) - 1_000  # amended again and again
    assert one.known_ns(50, 4 + REPORT) == same.known_ns(50, 4 + REPORT) > 50


def test_a_lognormal_latency_has_the_median_and_spread_that_it_is_told() -> None:
    drawn = lognormal(5_000_000, Decimal("0.5"), 1_000_000)
    model = DrawnLatency(drawn, drawn, 3)
    found = sorted(model.arrival_ns(0, 4 * number) for number in range(20_000))
    assert abs(found[10_000] - 5_000_000) < 60_000
    # 1 ms and 4 ms x exp(0.5 z) at z = -1.6449 and 1.6449
    assert abs(found[1_000] - 2_757_500) < 60_000
    assert abs(found[19_000] - 10_104_000) < 200_000
    assert found[0] >= 1_000_000


def test_golden_draws_are_the_same_on_every_machine() -> None:
    drawn = lognormal(5_000_000, Decimal("0.5"))
    model = DrawnLatency(drawn, lognormal(2_000_000, Decimal(1)), 42)
    assert [drawn.points[part] for part in (0, 1, 1024, 2048, 4096)] == GOLDEN_POINTS
    assert [model.arrival_ns(0, key) for key in (0, 4, 8, 5)] == GOLDEN_ENTRIES
    assert [model.known_ns(time, 3) - time for time in (0, 1, 2)] == GOLDEN_RESPONSES


GOLDEN_POINTS = [798_734, 874_490, 3_568_670, 5_000_000, 31_299_513]
GOLDEN_ENTRIES = [5_291_761, 3_037_754, 12_520_453, 6_208_991]
GOLDEN_RESPONSES = [231_485, 3_119_118, 1_931_329]


def test_measured_quantiles_are_drawn_evenly() -> None:
    rows = [(Decimal(0), 100), (Decimal("0.5"), 200), (Decimal(1), 1_000)]
    drawn = quantiles(rows, "here")
    assert (drawn.at(0), drawn.at(1 << 63), drawn.at((1 << 64) - 1)) == (100, 200, 999)
    assert drawn.at(1 << 62) == 150
    model = DrawnLatency(drawn, drawn, 1)
    found = [model.arrival_ns(0, 4 * number) for number in range(4_000)]
    assert abs(sum(value <= 200 for value in found) - 2_000) < 120
    assert min(found) >= 100
    assert max(found) < 1_000


def test_some_requests_are_refused_where_the_model_says_so() -> None:
    flat = quantiles([(Decimal(0), 10), (Decimal(1), 10)], "here")
    model = DrawnLatency(flat, flat, 5, Decimal("0.25"))
    refused = [key for key in range(0, 4_000, 4) if model.arrival_ns(0, key) == REFUSED]
    assert 200 < len(refused) < 300
    desk = desk_with(Recording().bid(0, 1000, 1), model)
    number = refused[3] // 4
    desk.new(5, number, BUY, 1000, 1).end()
    assert desk.told() == [("rejected", number, "overload")]
    assert desk.reports[0].receive_ns == 25


def test_commands_overtake_one_another_only_where_the_model_says_so() -> None:
    class Hasty(ConstantLatency):
        def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
            return sent_ns + (50 if key == 4 + NEW else 1)

    recording = Recording().bid(0, 1000, 1).bid(90, 1000, 2)
    ordered = desk_with(recording, Hasty()).new(1, 1, BUY, 1000, 2).new(2, 2, BUY, 1000, 2).end()
    assert [report.order_number for report in ordered.reports] == [1, 2]
    free = Hasty()
    free.keeps_order = False
    desk = desk_with(recording, free).new(1, 1, BUY, 1000, 2).new(2, 2, BUY, 1000, 2).cancel(3, 1).end()
    assert desk.told() == [("accepted", 2, ""), ("cancelrejected", 1, "unknown_order"), ("accepted", 1, "")]
    assert [report.event_ns for report in desk.reports] == [3, 4, 51]


def test_market_data_that_comes_later_is_a_venue_that_is_ahead() -> None:
    """Feed 20 later: what is sent on seeing a row reaches the market 20 later, and everything else is as it was."""
    recording = Recording().bid(100, 1000, 1).offer(100, 1010, 5).offer(125, 1010, 0).offer(125, 1020, 5)

    def filled(feed_ns: int) -> list[tuple[str, ...]]:
        latency = ConstantLatency(10, 5)
        latency.feed_ns = feed_ns
        return desk_with(recording, latency).new(110, 1, BUY, 1010, 2, time_in_force=1).end().told()

    assert filled(0) == [("accepted", 1, ""), ("fill", 1, 1010, 2)]
    assert filled(20) == [("accepted", 1, ""), ("canceled", 1, "ioc")]
    assert filled(4) == filled(0)
    assert filled(5) == filled(20)  # at one time the market comes first


def test_later_market_data_is_the_same_as_a_tape_received_later() -> None:
    """The run with ``feed`` is the run on a tape whose receive times are later, its clock set back by as much."""
    recording, later = Recording(7), Recording(27)
    for tape in (recording, later):
        tape.bid(0, 1000, 10).offer(0, 1010, 10).trade(60, SELL, 1000, 14).bid(70, 1000, 3).trade(90, SELL, 999, 1)
    plain = desk_with(later, ConstantLatency(10, 5)).new(27, 1, BUY, 1000, 8).new(80, 2, SELL, 1000, 2).end()
    latency = ConstantLatency(10, 5)
    latency.feed_ns = 20
    shifted = desk_with(recording, latency).new(7, 1, BUY, 1000, 8).new(60, 2, SELL, 1000, 2).end()
    assert shifted.told() == plain.told()
    assert len(plain.told()) == 5
    assert [(one.event_ns, one.receive_ns) for one in shifted.reports] == [
        (one.event_ns - 20, one.receive_ns - 20) for one in plain.reports
    ]


def context(seed: int = 9) -> VenueContext:
    tape = MemoryTape((PERP,), Recording().bid(0, 1000, 10).buffer)
    return VenueContext(name="sim", where="bt.toml: venues.sim", instruments=(PERP,), tape=tape, seed=seed, start_ns=0)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"model": "tape", "entry_multiplier": Decimal(2), "extra": "1ms"}, "2 for entry and 1 for response, 1ms"),
        ({"model": "lognormal", "entry": "4ms"}, "seed 9: entry lognormal with median 4ms, sigma 0.5"),
        ({"model": "constant", "feed": "30ms"}, "constant, entry 5ms, response 5ms; the strategy sees the market 30ms"),
        ({"model": "constant", "keeps_order": False}, "response 5ms. Commands may overtake one another."),
    ],
)  # fmt: skip
def test_the_config_table_makes_each_model_and_the_report_names_it(table: dict[str, object], told: str) -> None:
    venue = replay(ReplaySettings(latency=LatencyTable(**table)))
    venue.connect(context())
    assert any(told in sentence for sentence in venue.assumptions()), venue.assumptions()


def test_measured_rows_are_read_from_csv_and_npz_alike(tmp_path: Path) -> None:
    rows = [(0, 40, 100), (1_000, 1_060, 1_100), (2_000, 0, 2_300)]
    text = tmp_path / "trips.csv"
    text.write_text("request_ns,venue_ns,response_ns\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    named, plain = tmp_path / "named.npz", tmp_path / "plain.npz"
    columns = np.array(rows, dtype=np.int64)
    np.savez(named, request_ns=columns[:, 0], venue_ns=columns[:, 1], response_ns=columns[:, 2])
    np.savez(plain, data=columns)
    structured = tmp_path / "structured.npz"
    names = [("req_ts", "i8"), ("exch_ts", "i8"), ("resp_ts", "i8"), ("_padding", "i8")]
    np.savez(structured, data=np.array([(*row, 0) for row in rows], dtype=names))
    for path in (text, named, plain, structured):
        model = LatencyTable(model="interpolated", file=str(path)).make("here")
        assert model.arrival_ns(500) == 550
        assert model.arrival_ns(1_500) == REFUSED
        assert model.known_ns(1_060) == 1_100


def test_measured_quantiles_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "quantiles.csv"
    path.write_text("probability,entry_ns,response_ns\n0,100,10\n0.9,200,20\n1,5000,500\n")
    model = LatencyTable(model="quantiles", file=str(path)).make("here", 3)
    found = [model.arrival_ns(0, 4 * number) for number in range(2_000)]
    assert 150 <= sum(value > 200 for value in found) <= 250
    assert all(10 <= model.known_ns(time, 3) - time <= 500 for time in range(50))


@pytest.mark.parametrize(
    ("name", "content", "model", "why"),
    [
        ("a.csv", "0,1\n", "interpolated", r"a\.csv:1: expected three whole numbers request_ns,.*came '0,1'"),
        ("a.csv", "0,1.5,2\n", "interpolated", r"a\.csv:1: expected three whole numbers"),
        ("a.csv", "0,1,x\n", "quantiles", r"a\.csv:1: expected a probability and two whole numbers"),
        ("a.csv", "0,1,1\n0.5,2,2\n", "quantiles", r"probabilities should rise from 0 to 1, were 0, 0\.5"),
        ("a.npz", "no archive", "interpolated", r"here\.latency\.file: .*a\.npz is no npz file of numbers"),
        ("", "", "interpolated", r"here\.latency\.file: an interpolated latency needs the file"),
        ("", "", "quantiles", r"here\.latency\.file: a latency of measured quantiles needs their file"),
        ("gone.csv", None, "quantiles", r"gone\.csv cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    tmp_path: Path, name: str, content: str | None, model: str, why: str
) -> None:
    path = tmp_path / name
    if content:
        path.write_text(content)
    with pytest.raises(ConfigError, match=why):
        LatencyTable(model=model, file=str(path) if name else "").make("here")


def test_an_npz_of_other_arrays_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, one=np.zeros(3), two=np.zeros(3))
    with pytest.raises(ConfigError, match=r"should hold three arrays request_ns.*; came one, two"):
        LatencyTable(model="interpolated", file=str(path)).make("here")
    np.savez(path, one=np.zeros((3, 2)))
    with pytest.raises(ConfigError, match=r"its one array has the shape \(3, 2\)"):
        LatencyTable(model="interpolated", file=str(path)).make("here")


@pytest.mark.parametrize(
    "make",
    [
        lambda: StampLatency(Decimal(-1)),
        lambda: lognormal(5, Decimal(-1)),
        lambda: lognormal(5, Decimal(1), 6),
        lambda: DrawnLatency(lognormal(5, Decimal(1)), lognormal(5, Decimal(1)), 1, Decimal(2)),
        lambda: LatencyTable(feed=-1).make("here"),
    ],
)
def test_numbers_that_make_no_latency_are_refused(make: object) -> None:
    with pytest.raises(ConfigError, match="latency"):
        make()  # type: ignore[operator]
