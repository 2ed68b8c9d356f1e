"""Known truth: how far each queue model is off, on markets whose every order is known.

``python -m bench known-truth --seed 1`` writes the table of ``docs/known-truth.md``; the same seed writes the same
bytes, interpreted and compiled. ``--check`` writes nothing and exits 1 where the page differs or a target is missed.
"""

from __future__ import annotations

import argparse
import sys
from bisect import bisect_right
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import attrs

from bench.known_flow import CANCELS, INSTRUMENT, Flow, Probe
from quotewright.kernel.codes import BUY, NEVER
from quotewright.model.orders import CancelOrder, Fill, NewOrder
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, OrdersQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue

PAGE = Path(__file__).resolve().parent.parent / "docs" / "known-truth.md"
BEGIN, END = "<!-- known-truth: begin -->\n", "<!-- known-truth: end -->\n"
MODELS: dict[str, QueueModel] = {
    "orders": OrdersQueue(),
    "risk_averse": QueueModel(),
    "front": FrontQueue(),
    "power 1": PowerQueue(1.0),
    "power 2": PowerQueue(2.0),
    "power 3": PowerQueue(3.0),
    "power 2, form 2": PowerQueue(2.0, 2),
    "power 2, form 3": PowerQueue(2.0, 3),
    "log": LogQueue(),
    "log, form 2": LogQueue(2),
    "log, form 3": LogQueue(3),
}
MARKOUT_NS = 1_000_000_000
LINEAR = "power 1"
MOST_BIAS = Decimal(1)


@attrs.frozen
class Size:
    """Commands of others, probes every so many of them, and how many a probe waits for its fill."""

    count: int
    every: int
    patience: int


FULL = Size(100_000, 16, 600)


@attrs.frozen(kw_only=True)
class Row:
    """One model on one market: counts of probes, and sums over them."""

    cancels: str
    model: str
    probes: int
    true_fills: int
    fills: int
    earlier: int
    later: int
    both: int
    delay_ns: int
    true_markout2: int
    markout2: int

    @property
    def bias(self) -> Decimal:
        """The fill rate less the true one, in percentage points."""
        return Decimal(100 * (self.fills - self.true_fills)) / self.probes

    def cells(self) -> list[str]:
        """Return the row of the table."""
        same = self.probes - self.earlier - self.later
        shares = [Decimal(100 * part) / self.probes for part in (same, self.earlier, self.later)]
        delay = Decimal(self.delay_ns).scaleb(-6) / self.both if self.both else None
        return [
            self.model,
            _text(Decimal(100 * self.fills) / self.probes, "0.01"),
            _text(self.bias, "0.01", is_signed=True),
            *(_text(share, "0.01") for share in shares),
            "" if delay is None else _text(delay, "1", is_signed=True),
            _text(self._markout() - self._true_markout(), "0.001", is_signed=True),
        ]

    def _markout(self) -> Decimal:
        return Decimal(self.markout2) / (2 * self.fills) if self.fills else Decimal(0)

    def _true_markout(self) -> Decimal:
        return Decimal(self.true_markout2) / (2 * self.true_fills) if self.true_fills else Decimal(0)


def _text(value: Decimal, step: str, is_signed: bool = False) -> str:
    rounded = value.quantize(Decimal(step), ROUND_HALF_EVEN)
    return f"{rounded + 0:+f}" if is_signed and rounded else f"{abs(rounded):f}" if not rounded else f"{rounded:f}"


def replayed(flow: Flow, queue: QueueModel) -> dict[int, int]:
    """Return the time at which a replay of the flow's tape fills each probe, by the probe's number.

    Own orders share prints, so that probes of one side never stand at one time in one replay: there are several.
    """
    filled: dict[int, int] = {}
    tape = flow.tape(queue.wants_orders())
    for lane in lanes(flow.probes):
        venue = ReplayVenue(queue, ConstantLatency())
        venue.attach((INSTRUMENT,), tape)
        sent: list[tuple[int, int, Any]] = []
        for probe in lane:
            new = NewOrder(
                order_number=probe.number,
                instrument=0,
                side=probe.side,
                price_ticks=probe.price,
                quantity_lots=1,
                post_only=True,
            )
            sent.append((flow.times[probe.after], 1, new))
            sent.append((flow.times[probe.until], 0, CancelOrder(order_number=probe.number, instrument=0)))
        for at, _, command in sorted(sent, key=lambda row: (row[0], row[1], row[2].order_number)):
            _run(venue, at, filled)
            venue.submit(command, at)
        _run(venue, NEVER - 1, filled)
    return filled


def _run(venue: ReplayVenue, until_ns: int, filled: dict[int, int]) -> None:
    while (known := venue.run(until_ns)) != NEVER:
        for report in venue.take_reports(known):
            if isinstance(report, Fill):
                filled[report.order_number] = report.event_ns


def lanes(probes: Sequence[Probe]) -> list[list[Probe]]:
    """Share the probes out so that in one lane no two of a side are open at one time."""
    found: list[list[Probe]] = []
    ends: list[dict[int, int]] = []
    for probe in probes:
        for lane, end in zip(found, ends, strict=True):
            if end.get(probe.side, -1) < probe.after:
                lane.append(probe)
                end[probe.side] = probe.until
                break
        else:
            found.append([probe])
            ends.append({probe.side: probe.until})
    return found


def compare(flow: Flow, model: str) -> Row:
    """Return how a model's fills differ from the true ones."""
    filled = replayed(flow, MODELS[model])
    earlier = later = both = delay = true_fills = true_markout2 = markout2 = 0
    for probe in flow.probes:
        truth = flow.times[probe.filled] if probe.filled >= 0 else NEVER
        found = filled.get(probe.number, NEVER)
        earlier += found < truth
        later += found > truth
        if truth != NEVER:
            true_fills += 1
            true_markout2 += _markout2(flow, probe, truth)
        if found != NEVER:
            markout2 += _markout2(flow, probe, found)
        if truth != NEVER and found != NEVER:
            both += 1
            delay += found - truth
    return Row(
        cancels=flow.cancels,
        model=model,
        probes=len(flow.probes),
        true_fills=true_fills,
        fills=len(filled),
        earlier=earlier,
        later=later,
        both=both,
        delay_ns=delay,
        true_markout2=true_markout2,
        markout2=markout2,
    )


def _markout2(flow: Flow, probe: Probe, filled_ns: int) -> int:
    """Return twice what the mid is in a fill's favour a second after it, in ticks."""
    mid2 = flow.mids2[bisect_right(flow.times, filled_ns + MARKOUT_NS) - 1]
    return mid2 - 2 * probe.price if probe.side == BUY else 2 * probe.price - mid2


def measure(seed: int, size: Size, tell: Any = None) -> list[Row]:
    """Return every model on the market of each way to cancel."""
    rows = []
    for place, cancels in enumerate(CANCELS):
        if tell is not None:
            tell(f"{cancels} cancels")
        flow = Flow(seed * len(CANCELS) + place, cancels, size.count, size.every, size.patience)
        rows += [compare(flow, model) for model in MODELS]
    return rows


def targets(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """Return what was aimed at, what came, and whether that is it."""
    found = {(row.cancels, row.model): row for row in rows}
    wrong = sum(found[cancels, "orders"].earlier + found[cancels, "orders"].later for cancels in CANCELS)
    all_probes = sum(found[cancels, "orders"].probes for cancels in CANCELS)
    linear = found["proportional", LINEAR].bias
    early = found["tail", "risk_averse"].earlier
    return [
        ("order by order: no difference", f"{wrong} of {all_probes} probes differ", wrong == 0),
        (
            "linear (power 1), proportional cancels: fill rate within ±1 percentage point",
            f"{_text(linear, '0.01', is_signed=True)}",
            abs(linear) <= MOST_BIAS,
        ),
        ("risk-averse, cancels at the tail: never earlier than truth", f"{early} probes earlier", early == 0),
    ]


def table(rows: Sequence[Row], seed: int, size: Size) -> str:
    """Return the generated part of the page."""
    lines = [
        f"Seed {seed}, {size.count:,} commands a market, a probe every {size.every} commands, each waiting for up to "
        f"{size.patience} commands.",
        "",
        "| target | came | met |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {aim} | {came} | {'yes' if is_met else 'no'} |" for aim, came, is_met in targets(rows)]
    for cancels in CANCELS:
        part = [row for row in rows if row.cancels == cancels]
        rate = _text(Decimal(100 * part[0].true_fills) / part[0].probes, "0.01")
        lines += [
            "",
            f"### Cancels: {cancels}",
            "",
            f"{part[0].probes:,} probes, of which {rate} % filled in truth.",
            "",
            "| queue model | filled, % | bias, pp | same, % | earlier, % | later, % | time bias, ms | markout bias |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [f"| {' | '.join(row.cells())} |" for row in part]
    return "\n".join(lines) + "\n"


def with_table(page: str, made: str) -> str:
    """Return the page with the generated part replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page should hold {BEGIN.strip()} and {END.strip()}")
    return f"{before}{begin}\n{made}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench known-truth", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="seed of the markets (the page is of seed 1)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page differs")
    options = parser.parse_args(arguments)
    rows = measure(options.seed, FULL, lambda what: print(f"known-truth: {what} …", file=sys.stderr))
    page = PAGE.read_text(encoding="utf-8")
    made = with_table(page, table(rows, options.seed, FULL))
    is_met = all(met for _, _, met in targets(rows))
    if options.check:
        print("the page is as generated" if made == page else "the page differs from what is generated")
        return 0 if made == page and is_met else 1
    PAGE.write_text(made, encoding="utf-8")
    for aim, came, met in targets(rows):
        print(f"{'met   ' if met else 'MISSED'} {aim}: {came}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
