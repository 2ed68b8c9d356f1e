"""Options that many commands share, and what follows from them: the config, the plugins, the first line of a run."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from quotewright.config.model import Config
    from quotewright.plugin.registry import PluginSet

F = TypeVar("F", bound=Callable[..., Any])


class RunOptions:
    """The options of a command that runs something; see :func:`run_options`."""

    def __init__(
        self,
        sets: Sequence[str] = (),
        seed: int | None = None,
        out: Path | None = None,
        plugins_dir: Sequence[Path] = (),
        as_json: bool = False,
    ) -> None:
        self.sets = list(sets)
        self.seed = seed
        self.out = out
        self.plugins_dir = list(plugins_dir)
        self.as_json = as_json

    def load(self, paths: Sequence[Path | str]) -> tuple[Config, PluginSet]:
        """Return the config that *paths* and the options state, and the plugins it allows.

        Raises:
            ConfigError: the config has a fault; nothing has been read or written yet.
        """
        from quotewright.config.check import faults
        from quotewright.config.load import load_config
        from quotewright.errors import ConfigError

        sets = list(self.sets)
        if self.seed is not None:
            sets.append(f"run.seed={self.seed}")
        config = load_config(paths, sets)
        plugins = self.discover(config)
        found = faults(config, plugins)
        if found:
            more = f" (and {len(found) - 1} more: quotewright config check tells them)" if found[1:] else ""
            raise ConfigError(found[0] + more)
        return config, plugins

    def discover(self, config: Config | None = None, *, strict: bool = True) -> PluginSet:
        """Return the plugins that *config* allows (all of them without one)."""
        from quotewright.plugin.registry import PluginSet

        allow = config.plugins.allow if config else None
        disable = config.plugins.disable if config else ()
        return PluginSet.discover(self.plugins_dir, allow=allow, disabled=disable, strict=strict)


def debug_option(command: F) -> F:
    """Add ``--debug``; the entry point looks for it, so that a command need not."""
    option = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
    return option(command)


def plugins_dir_option(command: F) -> F:
    """Add ``--plugins-dir DIR``, any number of times."""
    option = click.option(
        "--plugins-dir",
        multiple=True,
        is_eager=True,  # --help lists the commands of these plugins too
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="A folder of plugin modules; may be given more than once.",
    )
    return option(command)


def set_option(command: F) -> F:
    """Add ``--set table.key=value``, any number of times, as ``sets``."""
    option = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help="Set one key of the config; may be given more than once.",
    )
    return option(command)


def json_option(command: F) -> F:
    """Add ``--json`` as ``as_json``."""
    option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output and nothing else.")
    return option(command)


def data_options(command: F) -> F:
    """Add ``--data TAPE``, any number of times, and ``--from`` and ``--to`` as ``begin`` and ``end``."""
    for option in (
        click.option("--to", "end", metavar="TIME", help="First time that is not run: UTC, as for --from."),
        click.option(
            "--from", "begin", metavar="TIME", help="Begin here, such as 2026-03-01 or 2026-03-01T00:05Z; books stand."
        ),
        click.option(
            "--data",
            multiple=True,
            required=True,
            metavar="TAPE",
            type=click.Path(path_type=Path),
            help="A tape, or a recording that an importer can read (it is imported first); several are read as one.",
        ),
    ):
        command = option(command)
    return command


def time_range(begin: str | None, end: str | None) -> tuple[int, int]:
    """Return what ``--from`` and ``--to`` say in ns; without one the range is open on that side."""
    from quotewright.errors import ConfigError
    from quotewright.fetching.times import time_ns
    from quotewright.kernel.codes import NEVER

    from_ns = time_ns(begin) if begin is not None else 0
    to_ns = time_ns(end) if end is not None else NEVER
    if to_ns <= from_ns:
        raise ConfigError(f"--to should be later than --from ({begin}), was {end}")
    return from_ns, to_ns


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that runs something; they arrive as one argument ``options: RunOptions``."""

    @set_option
    @click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random in the run.")
    @click.option(
        "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the run; made if it is not there."
    )
    @plugins_dir_option
    @json_option
    @debug_option
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        sets: tuple[str, ...],
        seed: int | None,
        out: Path | None,
        plugins_dir: tuple[Path, ...],
        as_json: bool,
        **rest: Any,
    ) -> Any:
        return command(*args, options=RunOptions(sets, seed, out, plugins_dir, as_json), **rest)

    return wrapped


def banner() -> str:
    """Return the first line of every run: version, form of the kernels, Python, and why kernels are interpreted."""
    from quotewright import __version__, binaries

    python = ".".join(str(part) for part in sys.version_info[:3])
    why = binaries.reason()
    return f"quotewright {__version__}, {binaries.form()} kernels, Python {python}" + (f" ({why})" if why else "")


def announce() -> None:
    """Print the banner on standard error and refuse to run on binaries that do not fit their sources."""
    from quotewright import binaries
    from quotewright.errors import ConfigError

    click.echo(banner(), err=True)
    if why := binaries.trouble():
        raise ConfigError(f"the compiled kernels do not fit: {why}")
