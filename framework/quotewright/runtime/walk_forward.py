"""Walk-forward: choose parameters on one range of time, run the next one with them, and go on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from quotewright.config.units import Duration, UnitError, shown
from quotewright.errors import ConfigError, NotFoundError
from quotewright.fetching.times import iso
from quotewright.kernel.codes import NEVER
from quotewright.runtime.arrays import records
from quotewright.runtime.given import given_config
from quotewright.tape.joined import JoinedTape
from quotewright.tape.tape import Tape, TapeFile

if TYPE_CHECKING:
    from quotewright.runtime.arrays import Records
    from quotewright.runtime.given import ConfigLike, Overrides

MOST_CANDIDATES = 10_000


@attrs.frozen
class Window:
    """Two ranges of time: parameters are chosen in ``[train_ns, test_ns)`` and tested in ``[test_ns, end_ns)``."""

    train_ns: int
    test_ns: int
    end_ns: int


@attrs.frozen
class Plan:
    """What is tried, on how long ranges, and what the best one is."""

    train_ns: int
    test_ns: int
    step_ns: int
    grid: dict[str, tuple[Any, ...]]
    select: str

    @classmethod
    def parse(cls, *, train: str, test: str, step: str | None, grid: Mapping[str, Sequence[Any]], select: str) -> Plan:
        """Return the plan that these say; ConfigError names what does not fit."""
        if not grid:
            raise ConfigError("grid: at least one key with values should be given, as in strategies.mm.gamma=0.01,0.02")
        found: dict[str, tuple[Any, ...]] = {}
        for key, values in grid.items():
            if key.count(".") < 2:
                raise ConfigError(f"grid: a key should be like strategies.mm.gamma, was '{key}'")
            if isinstance(values, str) or not len(values):
                raise ConfigError(f"grid.{key}: should be a list of values, was {shown(values)}")
            found[key] = tuple(values)
        count = 1
        for one in found.values():
            count *= len(one)
        if count > MOST_CANDIDATES:
            raise ConfigError(f"grid: {count} combinations are more than {MOST_CANDIDATES}; leave values out")
        if not select:
            raise ConfigError("select: should name a figure of the summary, such as pnl")
        span = _span(test, "test")
        return cls(_span(train, "train"), span, span if step is None else _span(step, "step"), found, select)

    def candidates(self) -> list[dict[str, Any]]:
        """Return every combination, the last key's values changing fastest."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def windows(self, first_ns: int, end_ns: int) -> list[Window]:
        """Return the windows that lie whole in ``[first_ns, end_ns)``; ConfigError if none does."""
        found = []
        at = first_ns
        while at + self.train_ns + self.test_ns <= end_ns:
            found.append(Window(at, at + self.train_ns, at + self.train_ns + self.test_ns))
            at += self.step_ns
        if not found:
            raise ConfigError(
                f"the data from {iso(first_ns)} to {iso(end_ns)} is shorter than one window: train and test are "
                f"{Duration(self.train_ns)} and {Duration(self.test_ns)}"
            )
        return found


def _span(text: str, name: str) -> int:
    """Return a length of time in ns."""
    try:
        span = int(Duration.parse(text))
    except UnitError as error:
        raise ConfigError(f"{name}: {error}") from error
    if span == 0:
        raise ConfigError(f"{name}: should be longer than nothing")
    return span


@attrs.frozen
class Job:
    """One run: everything another process needs to know of it."""

    config: Any
    overrides: tuple[str, ...] | Mapping[str, Any] | None
    candidate: dict[str, Any]
    seed: int | None
    plugins_dir: Any
    from_ns: int
    to_ns: int


def run_job(job: Job, tape: Tape) -> dict[str, Any]:
    """Return the summary of one run."""
    from quotewright.runtime.session import backtest

    given = job.overrides if job.overrides is not None else {}
    if isinstance(given, Mapping):
        config, plugins = given_config(job.config, {**given, **job.candidate}, job.seed, job.plugins_dir)
    else:
        layered, _ = given_config(job.config, given, job.seed, job.plugins_dir)
        config, plugins = given_config(layered, job.candidate, job.seed, job.plugins_dir)
    return backtest(config, plugins, tape, from_ns=job.from_ns, to_ns=job.to_ns).summary


def _run_elsewhere(job: Job, paths: Sequence[Path]) -> dict[str, Any]:
    """Run a job in another process, which opens the tapes itself."""
    tapes = [TapeFile.open(path) for path in paths]
    tape = tapes[0] if len(tapes) == 1 else JoinedTape(tapes)
    try:
        return run_job(job, tape)
    finally:
        tape.close()


class WalkForward:
    """How a walk went: ``windows`` and ``candidates`` as record arrays, ``tests`` the summaries of the test ranges."""

    def __init__(self, plan: Plan, windows: Sequence[Window], trained: Sequence[Sequence[Any]], chosen: Sequence[int],
                 tests: Sequence[dict[str, Any]]) -> None:  # fmt: skip
        self.plan = plan
        self.spans = tuple(windows)
        self.tests = tuple(tests)
        self._trained = trained
        self._chosen = chosen
        self._candidates = plan.candidates()

    @property
    def chosen(self) -> list[dict[str, Any]]:
        """The parameters that were chosen, window by window."""
        return [dict(self._candidates[number]) for number in self._chosen]

    @cached_property
    def candidates(self) -> Records:
        """One row for each run on a train range: ``window``, ``candidate`` (a text), ``figure``, ``is_chosen``."""
        texts = [_text(one) for one in self._candidates]
        rows = [
            (window, texts[number], _number(figure), number == self._chosen[window])
            for window, figures in enumerate(self._trained)
            for number, figure in enumerate(figures)
        ]
        window, text, figure, is_chosen = zip(*rows, strict=True)
        return records(
            {
                "window": np.array(window),
                "candidate": np.array(text, dtype=str),
                "figure": np.array(figure, dtype=float),
                "is_chosen": np.array(is_chosen),
            }
        )

    @cached_property
    def windows(self) -> Records:
        """One row a window: its times in ns, what was chosen, the figure there and in the test, pnl and fills of it."""
        figures = [_number(self._trained[place][number]) for place, number in enumerate(self._chosen)]
        return records(
            {
                "train_ns": np.array([window.train_ns for window in self.spans]),
                "test_ns": np.array([window.test_ns for window in self.spans]),
                "end_ns": np.array([window.end_ns for window in self.spans]),
                "chosen": np.array([_text(one) for one in self.chosen], dtype=str),
                "train_figure": np.array(figures, dtype=float),
                "test_figure": np.array([_number(figure_of(test, self.plan.select)) for test in self.tests]),
                "pnl": np.array([_number(test["pnl"]) for test in self.tests]),
                "fills": np.array([test["fills"] for test in self.tests]),
            }
        )

    @property
    def summary(self) -> dict[str, Any]:
        """The whole as one dict: the plan, each window, and the sums over the test ranges."""
        rows = []
        for place, window in enumerate(self.spans):
            test = self.tests[place]
            rows.append(
                {
                    "train": iso(window.train_ns),
                    "test": iso(window.test_ns),
                    "end": iso(window.end_ns),
                    "chosen": {key: str(value) for key, value in self.chosen[place].items()},
                    "train_figure": self._trained[place][self._chosen[place]],
                    "test_figure": figure_of(test, self.plan.select),
                    "pnl": test["pnl"],
                    "fills": test["fills"],
                    "order_log_sha256": test["order_log_sha256"],
                }
            )
        pnl = [test["pnl"] for test in self.tests]
        return {
            "select": self.plan.select,
            "grid": {key: [str(value) for value in values] for key, values in self.plan.grid.items()},
            "train_seconds": self.plan.train_ns / 1e9,
            "test_seconds": self.plan.test_ns / 1e9,
            "windows": rows,
            "pnl": None if any(one is None for one in pnl) else _exact_sum(pnl),
            "fills": int(_exact_sum([test["fills"] for test in self.tests])),
        }

    def __repr__(self) -> str:
        return (
            f"<WalkForward: {len(self.spans)} windows, {len(self._candidates)} candidates, pnl {self.summary['pnl']}>"
        )


def _exact_sum(values: Sequence[Any]) -> Any:
    total = values[0] * 0
    for value in values:
        total += value
    return total


def walk(
    plan: Plan,
    config: ConfigLike,
    tape: Tape,
    overrides: Overrides | None,
    seed: int | None,
    plugins_dir: Any,
    from_ns: int,
    to_ns: int,
    jobs: int,
    paths: Sequence[Path] | None,
    watcher: Callable[[str], None] | None = None,
) -> WalkForward:
    """Run *plan* on *tape* between these times, *jobs* runs at a time; see :func:`quotewright.walk_forward`."""
    info = tape.info
    end_ns = min(info.end_ns + 1, to_ns) if to_ns != NEVER else info.end_ns + 1
    windows = plan.windows(max(info.start_ns, from_ns), end_ns)
    candidates = plan.candidates()
    if overrides is not None and not isinstance(overrides, Mapping):
        overrides = tuple(overrides)
    run_all = _runner(tape, jobs, paths)

    def job(candidate: dict[str, Any], first_ns: int, last_ns: int) -> Job:
        return Job(config, overrides, candidate, seed, plugins_dir, first_ns, last_ns)

    trained: list[list[Any]] = []
    chosen: list[int] = []
    tests: list[dict[str, Any]] = []
    for window in windows:
        summaries = run_all([job(one, window.train_ns, window.test_ns) for one in candidates])
        figures = [figure_of(summary, plan.select) for summary in summaries]
        best = best_of(figures, plan.select)
        (test,) = run_all([job(candidates[best], window.test_ns, window.end_ns)])
        trained.append(figures)
        chosen.append(best)
        tests.append(test)
        if watcher is not None:
            watcher(
                f"{iso(window.test_ns)}: {_text(candidates[best])}, {plan.select} {_shown(figures[best])} in training, "
                f"{_shown(figure_of(test, plan.select))} in the test"
            )
    return WalkForward(plan, windows, trained, chosen, tests)


def _runner(tape: Tape, jobs: int, paths: Sequence[Path] | None) -> Callable[[list[Job]], list[dict[str, Any]]]:
    if jobs < 1:
        raise ConfigError(f"jobs should be at least 1, was {jobs}")
    if jobs == 1:
        return lambda todo: [run_job(one, tape) for one in todo]
    if paths is None:
        raise ConfigError("jobs: other processes can only open tapes in files; use jobs=1 for one in memory")
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise NotFoundError(
            "jobs: several runs at a time need joblib: pip install 'quotewright[parallel]'; jobs=1 needs nothing"
        ) from error
    found = list(paths)
    return lambda todo: list(Parallel(n_jobs=jobs)(delayed(_run_elsewhere)(one, found) for one in todo))


def figure_of(summary: Mapping[str, Any], path: str) -> Any:
    """Return the figure at a dotted *path* of a summary; ConfigError if there is none, or it is no number."""
    at: Any = summary
    for part in _parts(path, summary):
        if not isinstance(at, Mapping) or part not in at:
            known = ", ".join(sorted(map(str, at))[:12]) if isinstance(at, Mapping) else "nothing"
            raise ConfigError(f"select: the summary has no figure '{path}': there is no '{part}'; there are {known}")
        at = at[part]
    if isinstance(at, (Mapping, list, str, bool)):
        raise ConfigError(f"select: '{path}' of the summary should be a number, was {shown(at)}")
    return at


def _parts(path: str, summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a dotted path; names of instruments, which hold dots themselves, are taken whole."""
    names = [name for name in summary.get("instruments", {}) if f".{name}." in f".{path}."]
    if not names:
        yield from path.split(".")
        return
    before, _, after = f".{path}.".partition(f".{max(names, key=len)}.")
    yield from (part for part in before.split(".") if part)
    yield max(names, key=len)
    yield from (part for part in after.split(".") if part)


def best_of(figures: Sequence[Any], select: str) -> int:
    """Return the place of the highest figure, the first of equal ones; ConfigError if there is no figure at all."""
    known = [place for place, figure in enumerate(figures) if figure is not None and figure == figure]
    if not known:
        raise ConfigError(f"select: no run of a train range has the figure '{select}', so that none is the best")
    return max(known, key=lambda place: (figures[place], -place))


def _number(figure: Any) -> float:
    return float("nan") if figure is None else float(figure)


def _shown(figure: Any) -> str:
    return "none" if figure is None else f"{float(figure):,.4f}"


def _text(candidate: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in candidate.items())
