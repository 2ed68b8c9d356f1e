"""How a person commands a run that goes on: files in a folder of the run, asked for between two inputs.

A request is a file ``NUMBER.json`` in ``control/``. The run takes it, applies it to its pipeline, and leaves the answer
as ``NUMBER.answer.json``. What was done is recorded as an input, so that the run can be replayed. Whoever may write
into the folder of a run may command it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quotewright.errors import ConfigError, NotFoundError, QuotewrightError

if TYPE_CHECKING:
    from quotewright.kernel.pipeline import Pipeline

FOLDER = "control"
PROCESS = "process"
SUFFIX = ".json"
ANSWER = ".answer.json"
LONGEST_REQUEST = 65_536
ASK_SECONDS = 0.02
WAIT_SECONDS = 10.0


class NotRunningError(QuotewrightError):
    """A run that takes no commands any more, or never did."""

    exit_code = 3


class NoAnswerError(QuotewrightError):
    """A run that has not answered in time."""

    exit_code = 5


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What the operator wants: an action of the pipeline, and who says so."""

    action: str
    why: str = "operator"


class Answer(msgspec.Struct):
    """What came of it, at which pipeline time."""

    is_done: bool
    text: str
    now_ns: int


class Control:
    """The run's end: looks for requests, applies each, and answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.iterdir():  # of a run that was killed
            left.unlink()
        (self.folder / PROCESS).write_text(f"{os.getpid()}\n", encoding="utf-8")

    def serve(self, pipeline: Pipeline) -> int:
        """Apply the requests that wait, in the order of their names; return how many there were."""
        try:
            names = [name for name in os.listdir(self.folder) if name.endswith(SUFFIX) and not name.endswith(ANSWER)]
        except OSError:  # the folder was removed: nobody can ask any more
            return 0
        for name in sorted(names):
            path = self.folder / name
            answer = apply(pipeline, path)
            with contextlib.suppress(OSError):
                path.unlink()
                write(self.folder / f"{name.removesuffix(SUFFIX)}{ANSWER}", msgspec.json.encode(answer))
        return len(names)

    def close(self) -> None:
        """Take no more commands: the folder goes."""
        with contextlib.suppress(OSError):
            for left in self.folder.iterdir():
                left.unlink()
            self.folder.rmdir()


def apply(pipeline: Pipeline, path: Path) -> Answer:
    """Do what the request in *path* says; one that does not fit changes nothing and is answered with the reason."""
    now_ns = pipeline.now_ns
    try:
        with path.open("rb") as file:
            request = msgspec.json.decode(file.read(LONGEST_REQUEST), type=Request)
        pipeline.operate(request.action, request.why)
    except (QuotewrightError, ValueError, OSError, msgspec.MsgspecError) as error:
        return Answer(False, " ".join(str(error).split()), now_ns)
    return Answer(True, request.action, now_ns)


def write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


def command(
    folder: Path,
    action: str,
    why: str = "operator",
    wait_seconds: float = WAIT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask the run in *folder* for *action* and return its answer.

    Raises:
        NotFoundError: there is no run.
        NotRunningError: it takes no commands (any more).
        NoAnswerError: it did not answer within *wait_seconds*; the request is taken back.
        ConfigError: it refused.
    """
    control = folder / FOLDER
    if not folder.is_dir():
        raise NotFoundError(f"no run in {folder}")
    require_running(folder)
    number = f"{time.time_ns():020}-{os.getpid()}"
    asked, answered = control / f"{number}{SUFFIX}", control / f"{number}{ANSWER}"
    try:
        write(asked, msgspec.json.encode(Request(action, why)))
        waited = 0.0
        while not answered.exists():
            require_running(folder)
            if waited >= wait_seconds:
                asked.unlink(missing_ok=True)
                raise NoAnswerError(f"{folder}: no answer to '{action}' within {wait_seconds:g} s; it was taken back")
            sleep(ASK_SECONDS)
            waited += ASK_SECONDS
        answer = msgspec.json.decode(answered.read_bytes(), type=Answer)
        answered.unlink()
    except FileNotFoundError:
        raise NotRunningError(f"{folder}: the run ended before it answered '{action}'") from None
    if not answer.is_done:
        raise ConfigError(f"{folder}: refused: {answer.text}")
    return answer


def require_running(folder: Path) -> None:
    """Raise NotRunningError unless a process takes commands for the run in *folder*."""
    try:
        process = int((folder / FOLDER / PROCESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotRunningError(
            f"{folder}: this run takes no commands: it has ended, or is a backtest; paper and live runs take them"
        ) from None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        raise NotRunningError(f"{folder}: the process of this run, {process}, has ended without a word") from None
    except PermissionError:  # it runs, as somebody else
        return
