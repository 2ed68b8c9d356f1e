"""A recorded session once more: the same inputs into a fresh pipeline give the same commands, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quotewright.errors import InputError
from quotewright.kernel.codes import NEVER
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.venue import Venue
from quotewright.live.venue import LiveVenue
from quotewright.model.orders import Report
from quotewright.runtime.inputlog import (
    INTENT,
    KIND_NAMES,
    OPERATOR,
    REPORT,
    TIMER,
    InputRecord,
    read_input_log,
)
from quotewright.wiring import assemble

if TYPE_CHECKING:
    from collections.abc import Callable

    from quotewright.config.model import Config
    from quotewright.kernel.orders import Order
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.tape import Tape
    from quotewright.wiring import Wired

NO_SAMPLES_NS = 1 << 61
"""So seldom that no sample is taken; it also tells the sample timer from the others."""
GRACE_NS = 10_000_000_000


def replay(
    config: Config,
    plugins: PluginSet,
    log: Path,
    tape: Tape | None = None,
    is_cut: bool = False,
    prepared: Callable[[Wired, Follower], None] | None = None,
) -> int:
    """Run the session of *log* again and return how many commands were made anew.

    *is_cut*: the run was killed; it is followed as far as both its log and its tape reach.
    *prepared* is told of everything before the first input; a rule that it has added must only watch.
    Rows come from *tape* or from the config's own seeded market; reports, timers and operator commands from the log.

    Raises:
        InputError: the log is damaged, or something differs from it; says at which record, what was logged and
            what came. With several venues also: a report cannot be given back to the venue that it came from.
    """
    records = list(read_input_log(log, is_cut))
    if is_cut and tape is not None:
        records = [record for record in records if record.rows <= tape.rows.count]
    follower = Follower(records, log, is_cut)
    wired = assemble(config, plugins, tape, follower, NO_SAMPLES_NS, is_replay=True)
    if prepared is not None:
        prepared(wired, follower)
    is_live = any(isinstance(venue, LiveVenue) for venue in wired.venues.values())
    reports = reports_of(records, wired, log)
    venues = {
        name: (RecordedLiveVenue if isinstance(inner, LiveVenue) else RecordedVenue)(inner, reports[name])
        for name, inner in wired.venues.items()
    }
    for desk in wired.desks:
        desk.venue = next(venues[name] for name, inner in wired.venues.items() if inner is desk.venue)
    pipeline = Pipeline(
        wired.pipeline.source,
        wired.pipeline.views,
        list(wired.desks),
        wired.gate,
        list(venues.values()),
        follower,
        NO_SAMPLES_NS,
    )
    pipeline.configure = wired.pipeline.configure
    follower.begin(pipeline)
    pipeline.start(wired.market.start_ns)
    for index, record in enumerate(follower.records):
        if record.kind == OPERATOR:
            follower.reach(pipeline, index, record)
            if record.body == "finish":
                pipeline.finish(0 if is_live else GRACE_NS)
            else:
                pipeline.operate(record.body, "as recorded")
    if is_cut or is_live:  # what came while a live venue was left is on the log like all before it
        follower.reach_end(pipeline)
    follower.require_end()
    for inner in wired.venues.values():
        inner.close()
    wired.market.source.close()
    return sum(record.kind == INTENT for record in follower.records)


def reports_of(records: list[InputRecord], wired: Wired, log: Path) -> dict[str, list[InputRecord]]:
    """Return the reports of *records* by the table of the venue that gave them: the one its order was sent to.

    Raises:
        InputError: there are several venues, and a report belongs to no order and to no instrument.
    """
    found: dict[str, list[InputRecord]] = {name: [] for name in wired.venues}
    if len(found) == 1:
        (only,) = found.values()
        only.extend(record for record in records if record.kind == REPORT)
        return found
    lived = [name for name, venue in wired.venues.items() if isinstance(venue, LiveVenue)]
    venue_of_order: dict[int, str] = {}
    for record in records:
        body = record.body
        if record.kind == INTENT and body["type"] == "new":
            venue_of_order[body["order_number"]] = wired.gate.venue_of[body["instrument"]]
        elif record.kind == REPORT:
            name = venue_of_order.get(body["order_number"]) or wired.gate.venue_of.get(body.get("instrument", -1))
            if name is None and len(lived) == 1:  # only the way to a venue over the network has states of its own
                name = lived[0]
            if name is None:
                raise InputError(
                    f"{log}: record {record.sequence} is a report of order {body['order_number']}, which the log never "
                    f"placed: which of the venues {', '.join(found)} gave it cannot be told, so it cannot be replayed"
                )
            found[name].append(record)
    return found


class RecordedVenue(Venue):
    """Hands out the reports of a log in place of those of *inner*, which only carries the market on."""

    def __init__(self, inner: Venue, records: list[InputRecord]) -> None:
        super().__init__()
        self.inner = inner
        self.records = records
        self.taken = 0

    def run(self, until_ns: int) -> int:
        return self.inner.run(until_ns)

    def submit(self, command: Command, now_ns: int) -> bool:
        return self.inner.submit(command, now_ns)

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return as many recorded reports as the venue has now."""
        count = len(self.inner.take_reports(now_ns))
        records = self.records[self.taken : self.taken + count]
        self.taken += count
        return [msgspec.convert(record.body, Report) for record in records]


class RecordedLiveVenue(RecordedVenue):
    """Hands out what a venue over the network reported, at the times it was known then; nothing is sent."""

    def run(self, until_ns: int) -> int:
        if self.taken < len(self.records) and self.records[self.taken].now_ns <= until_ns:
            return self.records[self.taken].now_ns
        return NEVER

    def submit(self, command: Command, now_ns: int) -> bool:
        return True

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return the recorded reports known by *now_ns*."""
        found: list[Report] = []
        while self.taken < len(self.records) and self.records[self.taken].now_ns <= now_ns:
            found.append(msgspec.convert(self.records[self.taken].body, Report))
            self.taken += 1
        return found


class Follower:
    """A recorder that holds everything it is told against the next record of a log."""

    def __init__(self, records: list[InputRecord], log: Path, is_cut: bool = False) -> None:
        self.records = records
        self.log = log
        self.is_cut = is_cut
        self.at = 0
        self.sample = -1
        self.added = -1
        """Timer of a rule that the recorded run did not have, -1 for none."""
        self.pipeline: Pipeline | None = None

    def begin(self, pipeline: Pipeline) -> None:
        """Leave out the sample timer, which is the record's own affair, and follow *pipeline*."""
        self.sample = next(place for place, timer in enumerate(pipeline.timers) if timer.period_ns == NO_SAMPLES_NS)
        logged = (TIMER, self.logged_timer(self.sample))
        self.records[:] = [one for one in self.records if (one.kind, one.body) != logged]
        self.pipeline = pipeline

    def logged_timer(self, timer: int) -> int:
        """Return the number that a timer has in the log."""
        return timer - 1 if 0 <= self.added < timer else timer

    def reach(self, pipeline: Pipeline, index: int, record: InputRecord) -> None:
        """Take inputs up to the moment of the operator's command *record*, and no further."""
        while self.at < index or pipeline.rows_consumed < record.rows or pipeline.now_ns < record.now_ns:
            before = (self.at, pipeline.rows_consumed, pipeline.now_ns)
            pipeline.is_interrupted = False
            pipeline.advance(record.now_ns, 1 if pipeline.rows_consumed < record.rows else NEVER)
            if before == (self.at, pipeline.rows_consumed, pipeline.now_ns):
                self.differ("nothing more")
        pipeline.is_interrupted = False

    def reach_end(self, pipeline: Pipeline) -> None:
        """Take inputs until the last record has been met."""
        while self.at < len(self.records):
            last = self.records[-1]
            before = (self.at, pipeline.rows_consumed, pipeline.now_ns)
            pipeline.is_interrupted = False
            pipeline.advance(last.now_ns, 1 if pipeline.rows_consumed < last.rows else NEVER)
            if before == (self.at, pipeline.rows_consumed, pipeline.now_ns):
                return

    def follow(self, kind: int, now_ns: int, rows: int, body: Any) -> None:
        """Compare one thing with the next record, and stop the pipeline before an operator's command."""
        came = (kind, now_ns, rows, msgspec.to_builtins(body))
        if self.at >= len(self.records):
            if self.is_cut:
                return
            self.differ(told(*came))
        record = self.records[self.at]
        if (record.kind, record.now_ns, record.rows, record.body) != came:
            self.differ(told(*came))
        self.at += 1
        is_next = self.at < len(self.records) and self.records[self.at].kind == OPERATOR
        if is_next and self.pipeline is not None:
            self.pipeline.is_interrupted = True

    def differ(self, came: str) -> None:
        """Raise InputError about the record that should have come next."""
        if self.at >= len(self.records):
            raise InputError(f"{self.log}: the replay goes on after the last record: {came}")
        record = self.records[self.at]
        logged = told(record.kind, record.now_ns, record.rows, record.body)
        raise InputError(f"{self.log}: record {record.sequence} differs: logged {logged}, came {came}")

    def require_end(self) -> None:
        """Raise InputError unless every record was met."""
        if self.at < len(self.records):
            self.differ("nothing more")

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None:
        self.follow(INTENT, now_ns, rows, command)

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None:
        self.follow(REPORT, now_ns, rows, report)

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None:
        if timer not in (self.sample, self.added):
            self.follow(TIMER, now_ns, rows, self.logged_timer(timer))

    def on_operator(self, now_ns: int, rows: int, action: str) -> None:
        self.follow(OPERATOR, now_ns, rows, action)

    def on_refusal(self, now_ns: int, command: Command, refusal: Refusal, view: View) -> None:
        """Refusals are no inputs."""

    def on_sample(self, now_ns: int) -> None:
        """Samples are no inputs."""

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None:
        """A failure shows in the commands that follow."""


def told(kind: int, now_ns: int, rows: int, body: Any) -> str:
    """Return one input or intent in a line."""
    return f"{KIND_NAMES.get(kind, kind)} at {now_ns} after {rows} rows: {body}"
