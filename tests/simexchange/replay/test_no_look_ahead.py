"""What happened after T cannot be known before T: with all of it scrambled, everything told until T is the same."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quotewright.config.load import load_config
from quotewright.kernel.codes import EVENT, PRICE, RECEIVE, ROW_WORDS, SIZE
from quotewright.kernel.rows import TapeBuffer
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.session import backtest
from quotewright.tape.tape import MemoryTape, TapeFile
from quotewright_simexchange.latency import ConstantLatency, InterpolatedLatency, LatencyModel
from quotewright_simexchange.latency_models import DrawnLatency, StampLatency, lognormal
from quotewright_simexchange.local import LocalExchange
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue
from quotewright_simexchange.matching.taking_options import TakingOptions
from quotewright_simexchange.record import record_market
from tests.simexchange.replay.support import PERP
from tests.simexchange.replay.test_received import commands, described, market, reports_of

LATENCIES: list[LatencyModel] = [
    ConstantLatency(30, 90),
    InterpolatedLatency([(0, 40, 100), (20_000, 20_070, 20_200), (60_000, 60_010, 60_500)]),
    StampLatency(Decimal(1), Decimal(2), 7),
    DrawnLatency(lognormal(60, Decimal("0.5")), lognormal(80, Decimal(1)), 3, Decimal("0.02")),
]


def scrambled(rows: TapeBuffer, after_ns: int) -> TapeBuffer:
    """Return the rows with other prices and sizes, and later receive times, wherever they happened after *after_ns*."""
    made = TapeBuffer(rows.count)
    for at in range(0, rows.count * ROW_WORDS, ROW_WORDS):
        words = list(rows.words[at : at + ROW_WORDS])
        if words[EVENT] > after_ns:
            words[RECEIVE] += 3
            words[PRICE] = words[PRICE] and words[PRICE] + 17
            words[SIZE] = words[SIZE] and 1 + words[SIZE] * 7 % 61
        made.append(*words)
    return made


@pytest.mark.parametrize("latency", LATENCIES, ids=lambda model: model.describe())
@pytest.mark.parametrize(
    "queue", [QueueModel(), FrontQueue(), PowerQueue(2.0, 3), LogQueue()], ids=lambda model: model.describe()
)
def test_nothing_told_before_a_moment_depends_on_what_happened_after_it(
    queue: QueueModel, latency: LatencyModel
) -> None:
    rows = market(4, 300).buffer
    end = rows.words[(rows.count - 1) * ROW_WORDS + EVENT]
    sent = commands(4, end)

    def told(tape: TapeBuffer) -> list[tuple[Any, ...]]:
        options = TakingOptions(Decimal("0.2"), Decimal("0.1"), Decimal("0.0001"))
        venue = ReplayVenue(queue, latency, Decimal("0.0001"), conflation_ns=50, taking=options)
        venue.attach((PERP,), MemoryTape((PERP,), tape))
        return described(reports_of(venue, tape, sent, None), 0)

    known = told(rows)
    for part in (3, 5):
        moment = end * part // 7
        changed = told(scrambled(rows, moment))
        before = [report for report in known if report[3] <= moment]
        assert [report for report in changed if report[3] <= moment] == before
        assert sum(kind == "Fill" for kind, *_ in before) > 2
        assert changed != known


CONFIG = """
config_version = 1
[run]
name = "look"
seed = 7
[feeds.market]
plugin = "tape"
[venues.main]
plugin = "replay"
queue = { model = "power", exponent = 1.0 }
latency = { model = "tape", extra = "1ms" }
conflation = "5ms"
[strategies.maker]
plugin = "fixed_spread"
size = "0.01 BTC"
spread = "1 bps"
max_position = "1 BTC"
every = "100ms"
"""


def test_a_strategys_orders_and_fills_before_a_moment_do_not_depend_on_what_came_after(tmp_path: Path) -> None:
    record_market(tmp_path / "tape", LocalExchange(), 5, 5.0)
    with TapeFile.open(tmp_path / "tape") as tape:
        rows = TapeBuffer(tape.rows.count)
        rows.extend(tape.rows, 0, tape.rows.count)
        instruments = tape.instruments
        moment = (tape.info.start_ns + tape.info.end_ns) // 2
    path = tmp_path / "look.toml"
    path.write_text(CONFIG, encoding="utf-8")
    found = []
    for name, buffer in (("plain", rows), ("scrambled", scrambled(rows, moment))):
        folder = tmp_path / name
        outcome = backtest(load_config([path]), PluginSet.discover().loaded(), MemoryTape(instruments, buffer), folder)
        assert outcome.exit_code == 0
        sent = [json.loads(line) for line in (folder / "orders.jsonl").read_text(encoding="utf-8").splitlines()]
        with (folder / "fills.csv").open(encoding="utf-8", newline="") as file:
            fills = [row for row in csv.DictReader(file) if int(row["time_ns"]) <= moment]
        found.append(([line for line in sent if line[0] <= moment], fills))
    assert found[0] == found[1]
    assert len(found[0][0]) > 20
    assert found[0][1]
