"""The record of a run: its order log and digest, its fills, samples that never grow without bound."""

from __future__ import annotations

import csv
import hashlib

import msgspec
import numpy as np
import pytest

from quotewright.model.orders import AmendOrder, CancelOrder, NewOrder
from quotewright.runtime.recorder import (
    FILL_COLUMNS,
    MOST_SAMPLES,
    SAMPLE_COLUMNS,
    RunRecorder,
    Samples,
    own_quotes,
)
from tests.framework.kernel.stage import BUY, SELL, Market, ObedientVenue, Run, Stage, Told, touch
from tests.framework.kernel.test_view import live


def recorded_run(folder=None):
    """Return a finished run of two quotes, a fill and a cancel with its recorder."""
    recorder = RunRecorder()
    if folder is not None:
        recorder.open(folder)
    venue = ObedientVenue(latency=10)
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100), venue=venue)
    run.pipeline = type(run.pipeline)(run.pipeline.source, [run.view], [run.desk], run.gate, [venue], recorder, 100)
    recorder.watch((run.view,))
    run.pipeline.start(0)
    venue.script.append((120, venue.hit(BUY, 2)))
    run.until(250)
    run.pipeline.finish(1000)
    recorder.on_sample(run.pipeline.now_ns)
    recorder.close()
    return recorder


def test_the_digest_is_that_of_the_order_log(tmp_path):
    recorder = recorded_run(tmp_path)
    data = (tmp_path / "orders.jsonl").read_bytes()
    assert recorder.order_log_sha256 == hashlib.sha256(data).hexdigest()
    first, *_, last = [msgspec.json.decode(line) for line in data.splitlines()]
    assert first == [100, {
        "type": "new", "order_number": 1, "instrument": 0, "side": 1, "price_ticks": 99, "quantity_lots": 2,
        "time_in_force": 0, "post_only": True, "reduce_only": False, "strategy": "mm",
    }]  # fmt: skip
    assert last[1]["type"] == "cancel"
    assert recorded_run().order_log_sha256 == recorder.order_log_sha256, "in memory too"


def test_commands_are_counted_by_kind():
    recorder = RunRecorder()
    new = NewOrder(order_number=1, instrument=0, side=1, price_ticks=1, quantity_lots=1)
    for command in (
        new,
        new,
        CancelOrder(order_number=1, instrument=0),
        AmendOrder(order_number=1, instrument=0, price_ticks=1, quantity_lots=1),
    ):
        recorder.on_command(0, 0, command, None)
    assert (recorder.orders, recorder.cancels, recorder.amends) == (2, 1, 1)


def test_fills_are_written_as_lines_and_columns(tmp_path):
    recorder = recorded_run(tmp_path)
    (line,) = csv.DictReader((tmp_path / "fills.csv").read_text(encoding="utf-8").splitlines())
    assert line == {
        "time_ns": "130", "event_ns": "120", "instrument": "BTC-USDT.spot@test", "order_number": "1", "side": "buy",
        "price": "99", "quantity": "2", "is_maker": "1", "fee": line["fee"], "fee_currency": "USDT", "mid": "100",
    }  # fmt: skip
    assert float(line["fee"]) == 0
    assert [list(recorder.fills[name]) for name in FILL_COLUMNS] == [[130], [120], [1], [1], [99], [2], [1], [200]]


def test_samples_are_saved_by_instrument_and_column(tmp_path):
    recorded_run(tmp_path)
    with np.load(tmp_path / "samples.npz") as saved:
        assert {name for name in saved if name.startswith("samples/")} == {f"samples/0/{n}" for n in SAMPLE_COLUMNS}
        assert saved["samples/0/time_ns"].tolist()[:2] == [100, 200]
        assert saved["samples/0/position_lots"].tolist()[:2] == [0, 2]
        assert saved["samples/0/equity"].tolist()[1] == pytest.approx(2.0)
        assert saved["fills/price_ticks"].tolist() == [99]


def test_samples_thin_out_evenly_when_they_are_full():
    samples = Samples()
    for number in range(3 * MOST_SAMPLES):
        samples.add([number] * len(SAMPLE_COLUMNS))
    times = list(samples.columns["time_ns"])
    assert len(times) < MOST_SAMPLES
    assert times == list(range(0, 3 * MOST_SAMPLES, 4))
    assert {len(column) for column in samples.columns.values()} == {len(times)}


def test_own_quotes_are_the_best_of_each_side():
    stage = Stage().quote(1, 99, 101)
    assert own_quotes(stage.view) == (0, 0)
    live(stage, (BUY, 1, 97), (BUY, 1, 98), (SELL, 1, 105), (SELL, 1, 103))
    assert own_quotes(stage.view) == (98, 103)


def test_a_failure_is_told_once_with_its_traceback():
    recorder, told = RunRecorder(), []
    recorder.on_failure = told.append
    error = ValueError("no")
    recorder.on_strategy_failure(5, "mm", error)
    recorder.on_strategy_failure(6, "mm", error)
    assert len(told) == 1
    assert told[0].startswith("ValueError: no\n")
    assert recorder.failures == {"mm": "strategy mm raised and is stopped, its orders are cancelled: ValueError: no"}
