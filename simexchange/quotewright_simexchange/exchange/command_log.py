"""The log of an exchange's commands: what it was asked, when, in order; and that log as text, one command a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from quotewright.errors import FormatVersionError, InputError
from quotewright_simexchange.exchange.codec import read, shapes, written

VERSION = 1
HEADING = "quotewright exchange log"
CALLS = frozenset(
    (
        *("open_account", "add_key", "enable_key", "deposit", "withdraw", "place", "cancel", "cancel_all", "amend"),
        *("set_phase", "uncross", "set_mark", "set_index", "set_funding", "fund", "settle", "expire", "tell_time"),
    )
)
"""The methods of an exchange that a log may name."""


SECRETS = ("secret", "passphrase")


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* with stars where a secret was given: what people and programs may be shown."""
    return {key: "***" if key in SECRETS and value else value for key, value in values.items()}


@attrs.frozen
class LoggedCall:
    """One command: the name of the method, and what it was called with."""

    at_ns: int
    call: str
    values: Mapping[str, Any] = attrs.field(repr=lambda values: repr(without_secrets(values)))

    def shown(self) -> LoggedCall:
        """Return this entry without secrets."""
        return LoggedCall(self.at_ns, self.call, without_secrets(self.values))


def log_text(log: Iterable[LoggedCall]) -> str:
    """Return *log* as lines of JSON, secrets included, under a heading with the version."""
    heading = {"format": HEADING, "version": VERSION, "request": shapes()["OrderRequest"]}
    rows = [json.dumps(heading, separators=(",", ":"))]
    for entry in log:
        rows.append(json.dumps([entry.at_ns, entry.call, written(entry.values)], separators=(",", ":")))
    return "\n".join(rows) + "\n"


def read_log(text: str) -> list[LoggedCall]:
    """Return the log that ``log_text`` wrote.

    Raises:
        FormatVersionError: another version wrote it.
        InputError: a line is no command.
    """
    lines = text.splitlines()
    heading = _parsed(lines[0], 1) if lines else None
    if not isinstance(heading, dict) or heading.get("format") != HEADING:
        raise InputError(f"a log should begin with a line that names its format, {HEADING!r}, came {text[:40]!r}")
    if heading.get("version") != VERSION or heading.get("request") != shapes()["OrderRequest"]:
        raise FormatVersionError(
            f"log: version should be {VERSION}, was {heading.get('version')}, with other fields of an order; "
            "use the program that wrote it"
        )
    found = []
    for number, line in enumerate(lines[1:], 2):
        row = _parsed(line, number)
        if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], int) or row[1] not in CALLS:
            raise InputError(f"log, line {number}: expected [time, command, values], came {line[:80]!r}")
        found.append(LoggedCall(row[0], row[1], read(row[2])))
    return found


def _parsed(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise InputError(f"log, line {number}: expected JSON, came {line[:80]!r}") from error
