"""The folder of a run: what is in it, and how its summary is written and read. See ``docs/run-folder.md``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quotewright.errors import ConfigError, FormatVersionError, InputError, NotFoundError
from quotewright.report.summary import SUMMARY_VERSION

if TYPE_CHECKING:
    from quotewright.config.model import Config

SUMMARY = "summary.json"
REPORT = "report.html"
CONFIG = "config.toml"
ORDERS = "orders.jsonl"


def new_folder(config: Config, verb: str, out: Path | None) -> Path:
    """Make and return the folder of a run: *out*, or ``run.record`` with name and start filled in.

    Raises:
        ConfigError: *out* holds another run, or the folder cannot be made.
    """
    if out is not None:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out}: should be a folder, is a file")
        if (out / SUMMARY).exists():
            raise ConfigError(f"--out {out}: holds another run; name a new folder")
        if (out / CONFIG).exists() and not (out / ORDERS).exists():  # a file of the user, no leaving of a run
            raise ConfigError(f"--out {out}: holds a {CONFIG}, which the run would overwrite; name a new folder")
        return _made(out)
    started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    pattern = config.run.record
    try:
        text = pattern.format(name=config.run.name, started=started, verb=verb)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(
            f"run.record: '{pattern}' should hold no fields but {{name}}, {{started}} and {{verb}}"
        ) from error
    path = Path(text)
    number = 1
    while path.exists():
        number += 1
        path = Path(f"{text}-{number}")
    return _made(path)


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder of the run cannot be made: {error}") from error
    return path


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write ``summary.json``."""
    encoded = msgspec.json.Encoder(decimal_format="number").encode(readable(summary))
    (folder / SUMMARY).write_bytes(msgspec.json.format(encoded, indent=2) + b"\n")


def readable(value: Any) -> Any:
    """Return *value* with every text such that UTF-8 can hold it: names of files need not be of any encoding."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {readable(key): readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(item) for item in value]
    return value


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of the run in *folder*.

    Raises:
        NotFoundError: there is no run.
        FormatVersionError: it was written by another version.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise NotFoundError(f"no finished run in {folder}: it has no {SUMMARY}")
    try:
        summary = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    version = summary.get("summary_version") if isinstance(summary, dict) else None
    if version != SUMMARY_VERSION:
        raise FormatVersionError(f"{path}: summary version {version!r}; this program reads version {SUMMARY_VERSION}")
    return dict(summary)
