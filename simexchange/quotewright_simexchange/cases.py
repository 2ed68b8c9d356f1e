"""Case files: load them, run them on an engine, say what passed and where the first difference is."""

from __future__ import annotations

import decimal
import importlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import attrs

from quotewright.errors import ConfigError, FormatVersionError, NotFoundError

SCHEMA = "matching-cases/1"


@attrs.frozen
class EngineEntry:
    """Where an engine's two classes are, and the tags of cases each can run; None: every tag."""

    engine: str
    replay: str
    engine_tags: frozenset[str] | None = None
    replay_tags: frozenset[str] | None = None


ENGINES = {
    "fast": EngineEntry(
        "quotewright_simexchange.matching.door:FastEngine",
        "quotewright_simexchange.matching.replay_door:FastReplay",
    ),
    "oracle": EngineEntry(
        "quotewright_simexchange.oracle.engine:OracleEngine",
        "quotewright_simexchange.oracle.replay:OracleReplay",
    ),
}
TEXT = frozenset(
    ("ev", "id", "account", "maker", "taker", "buy", "sell", "reason", "state", "side", "priority", "liquidity")
)
QUEUE_UNIT = Decimal("1E-6")
WIDE = decimal.Context(prec=120, rounding=decimal.ROUND_HALF_EVEN)


class CaseFormatError(ConfigError):
    """A case file cannot be read: says which case and what is wrong with it."""


class CaseVersionError(CaseFormatError, FormatVersionError):
    """A case file is of another version than this program reads."""


@attrs.frozen
class Failure:
    """The first difference of a case. *step* counts from 1; None is the final state."""

    id: str
    step: int | None
    expected: Any
    got: Any

    def __str__(self) -> str:
        where = "final state" if self.step is None else f"step {self.step}"
        return f"{self.id}: {where}: expected {_short(self.expected)}, got {_short(self.got)}"


@attrs.define
class Report:
    """What came of a case file, by case id in the file's order."""

    passed: list[str] = attrs.field(factory=list)
    failures: list[Failure] = attrs.field(factory=list)
    skipped: list[str] = attrs.field(factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the form ``exchange cases --json`` prints."""
        return {
            "passed": len(self.passed),
            "failed": len(self.failures),
            "skipped": len(self.skipped),
            "failures": [attrs.asdict(failure) for failure in self.failures],
            "skipped_ids": self.skipped,
        }


@attrs.frozen
class CaseFile:
    """A case file that has been checked."""

    instrument_defaults: Mapping[str, Any]
    cases: tuple[Mapping[str, Any], ...]


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


# Loading


def load_cases(path: Path) -> CaseFile:
    """Read a case file; raise NotFoundError, CaseVersionError or CaseFormatError if it cannot be run."""
    if not path.is_file():
        raise NotFoundError(f"case file '{path}' does not exist: give the path of a JSON file of cases")
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CaseFormatError(f"case file '{path}' should be JSON, but {error}") from error
    if not isinstance(given, dict):
        raise CaseFormatError(f"case file '{path}' should hold an object, was {type(given).__name__}")
    if given.get("schema") != SCHEMA:
        found = given.get("schema")
        raise CaseVersionError(
            f"case file '{path}': schema should be '{SCHEMA}', was {found!r}; use a file of that form"
        )
    defaults, cases = given.get("instrument_defaults"), given.get("cases")
    if not isinstance(defaults, dict):
        raise CaseFormatError(f"case file '{path}': instrument_defaults should be an object, was {defaults!r}")
    if not isinstance(cases, list):
        raise CaseFormatError(f"case file '{path}': cases should be a list, was {type(cases).__name__}")
    seen: set[str] = set()
    for number, case in enumerate(cases, 1):
        if fault := case_fault(case):
            name = case["id"] if isinstance(case, dict) and isinstance(case.get("id"), str) else f"number {number}"
            raise CaseFormatError(f"case file '{path}': case {name}: {fault}")
        if case["id"] in seen:
            raise CaseFormatError(
                f"case file '{path}': case {case['id']}: its id is there twice; give each case its own"
            )
        seen.add(case["id"])
    return CaseFile(defaults, tuple(cases))


def case_fault(case: Any) -> str | None:
    """Say what is wrong with the form of one case, or return None."""
    if not isinstance(case, dict):
        return f"should be an object, was {type(case).__name__}"
    if not isinstance(case.get("id"), str):
        return f"id should be text, was {case.get('id')!r}"
    if case.get("kind") not in ("engine", "replay"):
        return f"kind should be 'engine' or 'replay', was {case.get('kind')!r}"
    tags = case.get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return f"tags should be a list of names, was {tags!r}"
    return _engine_fault(case) if case["kind"] == "engine" else _replay_fault(case)


OPERATIONS = frozenset(
    (
        "new",
        "cancel",
        "cancel_all",
        "amend",
        "mark",
        "index",
        "ref",
        "clock",
        "phase",
        "uncross",
        "funding",
        "settle",
    )
)
NEEDED = {
    "new": ("id", "account", "side"),
    "cancel": ("id", "account"),
    "cancel_all": ("account",),
    "amend": ("id", "account"),
    "mark": ("price",),
    "index": ("price",),
    "ref": ("price",),
    "clock": ("now",),
    "phase": ("state",),
    "funding": ("rate",),
    "settle": ("price",),
}
FEED_NEEDED = {
    "level": ("side", "price", "qty"),
    "trade": ("price", "qty"),
    "mbo_add": ("id", "side", "price", "qty"),
    "mbo_cancel": ("id",),
    "mbo_fill": ("id",),
}
REPLAY_NEEDED = {"new": ("id", "side", "price", "qty"), "cancel": ("id",)}


def _engine_fault(case: Mapping[str, Any]) -> str | None:
    for key in ("instrument", "accounts"):
        if not isinstance(case.get(key, {}), dict):
            return f"{key} should be an object, was {case[key]!r}"
    if not isinstance(case.get("final"), dict):
        return f"final should be an object, was {case.get('final')!r}"
    if not isinstance(case.get("steps"), list):
        return f"steps should be a list, was {case.get('steps')!r}"
    for number, step in enumerate(case["steps"], 1):
        if not isinstance(step, dict) or not isinstance(step.get("cmd"), dict):
            return f"step {number}: cmd should be an object"
        if step["cmd"].get("op") not in OPERATIONS:
            return f"step {number}: op should be one of {', '.join(sorted(OPERATIONS))}, was {step['cmd'].get('op')!r}"
        if fault := _fields_fault(step["cmd"], NEEDED.get(step["cmd"]["op"], ())):
            return f"step {number}: {fault}"
        if not isinstance(step.get("events"), list):
            return f"step {number}: events should be a list, was {step.get('events')!r}"
        if not isinstance(step.get("l2", []), list):
            return f"step {number}: l2 should be a list, was {step['l2']!r}"
    return None


def _replay_fault(case: Mapping[str, Any]) -> str | None:
    model = case.get("model")
    if not isinstance(model, dict) or model.get("queue") not in ("risk_averse", "prob", "l3"):
        return f"model should be an object with queue risk_averse, prob or l3, was {model!r}"
    is_timed = "inputs" in case
    steps = case.get("inputs" if is_timed else "steps")
    if not isinstance(steps, list):
        return "steps or inputs should be a list"
    if is_timed and not isinstance(case.get("events"), list):
        return f"events should be a list, was {case.get('events')!r}"
    for number, step in enumerate(steps, 1):
        if not isinstance(step, dict) or ("feed" in step) == ("cmd" in step):
            return f"step {number}: should hold either a feed or a cmd"
        kind = "feed" if "feed" in step else "cmd"
        known = FEED_NEEDED if kind == "feed" else REPLAY_NEEDED
        if not isinstance(step[kind], dict) or step[kind].get("op") not in known:
            return f"step {number}: op of {kind} should be one of {', '.join(known)}"
        if fault := _fields_fault(step[kind], known[step[kind]["op"]]):
            return f"step {number}: {fault}"
        if is_timed and not isinstance(step.get("at"), int):
            return f"step {number}: at should be a whole number, was {step.get('at')!r}"
        if not is_timed and not isinstance(step.get("events"), list):
            return f"step {number}: events should be a list, was {step.get('events')!r}"
        if not isinstance(step.get("queue", {}), dict):
            return f"step {number}: queue should be an object, was {step['queue']!r}"
    return None


def _fields_fault(cmd: Mapping[str, Any], needed: tuple[str, ...]) -> str | None:
    for key in needed:
        if key not in cmd:
            return f"{cmd['op']} needs '{key}'"
    if cmd.get("side", "buy") not in ("buy", "sell", "bid", "ask"):
        return f"side should be buy or sell (bid or ask in a feed), was {cmd['side']!r}"
    return None


# Comparing


def is_same(expected: Any, got: Any, key: str = "") -> bool:
    """Compare two values of a case: numbers as numbers, names as text, absent and empty keys alike nowhere."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(is_same(expected[k], got[k], k) for k in expected)
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        return len(expected) == len(got) and all(is_same(one, other) for one, other in zip(expected, got, strict=True))
    if expected == got:
        return True
    return key not in TEXT and isinstance(expected, str) and isinstance(got, str) and _is_equal(expected, got)


def _is_equal(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False


def first_difference(expected: list[Any], got: list[Any]) -> tuple[Any, Any]:
    """Return the first pair of list entries that differ; 'nothing more' stands for an absent one."""
    for one, other in zip(expected, got, strict=False):
        if not is_same(one, other):
            return one, other
    shared = min(len(expected), len(got))
    rest = (expected[shared:], got[shared:])
    return rest[0][0] if rest[0] else "nothing more", rest[1][0] if rest[1] else "nothing more"


def final_difference(expected: Mapping[str, Any], got: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Return the first part of the final state that differs."""
    for key in ("bids", "asks", "stops", "last"):
        one, other = expected.get(key) or None, got.get(key) or None
        same = one == other if key == "stops" else is_same(one, other)
        if not same:
            return {key: expected.get(key)}, {key: got.get(key)}
    one, other = expected.get("accounts", {}), got.get("accounts", {})
    for name in sorted({*one, *other}):
        if not _is_same_account(one.get(name, {}), other.get(name, {})):
            return {name: one.get(name, {})}, {name: other.get(name, {})}
    return None


def _is_same_account(expected: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    for key in sorted({*expected, *got}):
        one, other = expected.get(key), got.get(key)
        if isinstance(one, dict) or isinstance(other, dict):
            if not _is_same_account(one or {}, other or {}):
                return False
        elif not is_same(one or "0", other or "0"):
            return False
    return True


# Always true


def broken_rule(final: Mapping[str, Any], is_auction: bool) -> str | None:
    """Return which rule that always holds the state breaks, or None."""
    if is_auction:
        return None
    bids, asks = final["bids"], final["asks"]
    if bids and asks and Decimal(bids[0]["price"]) >= Decimal(asks[0]["price"]):
        return f"best bid {bids[0]['price']} is not below best ask {asks[0]['price']}"
    for level in [*bids, *asks]:
        shown = [Decimal(order["qty"]) for order in level["orders"] if not order.get("hidden")]
        if sum(shown, Decimal(0)) != Decimal(level["qty"]):
            return f"level {level['price']} shows {level['qty']}, its orders sum to {sum(shown, Decimal(0))}"
        if any(Decimal(order["qty"]) <= 0 for order in level["orders"]):
            return f"level {level['price']} holds an order without quantity"
    return None


class Conservation:
    """Money and positions are moved and never made: totals of all accounts change by fees, insurance and settlement."""

    def __init__(self, instrument: Mapping[str, Any], accounts: Mapping[str, Any]) -> None:
        self.kind = instrument["kind"]
        self.accounts = accounts
        self.totals: dict[str, Decimal] = {}
        self.position = sum((Decimal(given.get("pos", "0")) for given in accounts.values()), Decimal(0))
        for given in accounts.values():
            for currency, total in given.get("balances", {}).items():
                self.totals[currency] = self.totals.get(currency, Decimal(0)) + Decimal(total)
        self.is_closed = True
        self.owner: dict[str, str] = {}
        self.is_settled = False

    def broken(self, cmd: Mapping[str, Any], events: list[dict[str, Any]], final: Mapping[str, Any]) -> str | None:
        """Take a command's events and return what was not conserved, or None."""
        if cmd["op"] == "new":
            self.owner.setdefault(cmd["id"], cmd["account"])
        for event in events:
            if event["ev"] == "trade":
                self._note(event)
            self.is_settled = self.is_settled or event["ev"] == "settled"
        if self.kind == "spot":
            return self._spot(final) if self.is_closed else None
        if self.kind in ("linear", "inverse", "option") and not self.is_settled:
            held = sum((Decimal(a.get("position", "0")) for a in final.get("accounts", {}).values()), Decimal(0))
            if held != self.position:
                return f"positions should sum to {self.position}, were {held}"
        return None

    def _note(self, event: Mapping[str, Any]) -> None:
        parties = [event.get(key) for key in ("maker", "taker", "buy", "sell") if event.get(key)]
        if any("balances" not in self.accounts.get(self.owner.get(str(party), ""), {}) for party in parties):
            self.is_closed = False
        for amount, currency in event.get("fees", {}).values():
            self.totals[currency] = self.totals.get(currency, Decimal(0)) - Decimal(amount)

    def _spot(self, final: Mapping[str, Any]) -> str | None:
        found: dict[str, Decimal] = {}
        for account in final.get("accounts", {}).values():
            for currency, amounts in account.get("balances", {}).items():
                total = Decimal(amounts["free"]) + Decimal(amounts["locked"])
                found[currency] = found.get(currency, Decimal(0)) + total
        for currency in sorted({*found, *self.totals}):
            have, should = found.get(currency, Decimal(0)), self.totals.get(currency, Decimal(0))
            if have != should:
                return f"{currency} should sum to {should} over all accounts, was {have}"
        return None


# Running


def engine_factories(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the engine class and the replay class called *name*."""
    entry = _entry(name)
    return _load(entry.engine), _load(entry.replay)


def _entry(name: str) -> EngineEntry:
    if name not in ENGINES:
        raise ConfigError(f"engine '{name}' is unknown: choose one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name]


def _load(target: str) -> Callable[..., Any]:
    module, attribute = target.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def run_cases(cases: CaseFile, engine: str) -> Report:
    """Run every case whose tags the engine called *engine* can run."""
    entry = _entry(engine)
    make_engine, make_replay = engine_factories(engine)
    report = Report()
    for case in cases.cases:
        is_engine = case["kind"] == "engine"
        tags = entry.engine_tags if is_engine else entry.replay_tags
        if tags is not None and not tags.issuperset(case["tags"]):
            report.skipped.append(case["id"])
            continue
        instrument = dict(cases.instrument_defaults) | case.get("instrument", {})
        failure: Failure | None
        try:
            failure = (
                run_engine_case(case, instrument, make_engine) if is_engine else run_replay_case(case, make_replay)
            )
        except Exception as error:  # An engine that raises fails its case, and the others still run.
            failure = Failure(case["id"], None, "no exception", f"{type(error).__name__}: {error}")
        if failure is None:
            report.passed.append(case["id"])
        else:
            report.failures.append(failure)
    return report


def run_engine_case(
    case: Mapping[str, Any], instrument: Mapping[str, Any], factory: Callable[..., Any]
) -> Failure | None:
    """Run one engine case on a fresh engine and return its first difference."""
    accounts = case.get("accounts", {})
    engine = factory(instrument, accounts)
    conservation = Conservation(instrument, accounts)
    is_auction = False
    for number, step in enumerate(case["steps"], 1):
        events, l2 = engine.run(step["cmd"])
        for expected, got in ((step["events"], events), (step.get("l2", []), [list(row) for row in l2])):
            if not is_same(expected, got):
                return Failure(case["id"], number, *first_difference(expected, got))
        for event in events:
            is_auction = event["state"] == "auction" if event["ev"] == "phase" else is_auction
        final = engine.final()
        broken = broken_rule(final, is_auction) or conservation.broken(step["cmd"], events, final)
        if broken:
            return Failure(case["id"], number, "what is always true", broken)
    difference = final_difference(case["final"], engine.final())
    return Failure(case["id"], None, *difference) if difference else None


def run_replay_case(case: Mapping[str, Any], factory: Callable[..., Any]) -> Failure | None:
    """Run one replay case on a fresh machine and return its first difference."""
    machine = factory(case["model"])
    if "inputs" in case:
        events = machine.run_timed(case["inputs"])
        if not is_same(case["events"], events):
            return Failure(case["id"], None, *first_difference(case["events"], events))
        return None
    for number, step in enumerate(case["steps"], 1):
        events = machine.step(step)
        if not is_same(step["events"], events):
            return Failure(case["id"], number, *first_difference(step["events"], events))
        if "queue" in step:
            expected, got = (
                {name: rounded(ahead) for name, ahead in queue.items()} for queue in (step["queue"], machine.queue())
            )
            if expected != got:
                return Failure(case["id"], number, step["queue"], dict(machine.queue()))
    return None


def rounded(number: Any) -> Decimal:
    """Round a queue value half-even at 1e-6."""
    return Decimal(str(number)).quantize(QUEUE_UNIT, context=WIDE)
