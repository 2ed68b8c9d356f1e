"""Errors that a person can act on, each with the exit code its command ends with."""

from __future__ import annotations


class QuotewrightError(Exception):
    """Base of every error raised on purpose: one sentence, says where, what was expected, what came, what to do."""

    exit_code = 1


class InputError(QuotewrightError, ValueError):
    """A file, frame or value does not hold what it should."""


class NotCausalError(InputError):
    """A tape shows something before it happened, or its rows are out of order: no result may come of it."""


class NotFoundError(QuotewrightError):
    """A file, tape, run or name does not exist."""

    exit_code = 2


class ConfigError(QuotewrightError):
    """A config file, an option, a plugin or a credential is wrong."""

    exit_code = 4


class FormatVersionError(InputError):
    """A file is of another format version than this program reads."""


class RiskHalt(QuotewrightError):
    """A run ended halted by its risk rules."""

    exit_code = 6


class ConformanceError(QuotewrightError):
    """A plugin or an engine failed a check it must pass."""

    exit_code = 8


class DivergenceError(QuotewrightError):
    """Something that should have come out the same did not."""

    exit_code = 7
