"""The command ``quotewright``: exit codes, errors in one line, and subcommands that are imported when called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from quotewright.cli.lazy import LazyGroup
from quotewright.cli.options import debug_option, plugins_dir_option
from quotewright.errors import QuotewrightError
from quotewright.plugin.lazy import lazy

USAGE = 64
"""Exit code of a command line that cannot be understood (2 means that something was not found)."""
INTERRUPTED = 130

COMMANDS = {
    "backtest": lazy("quotewright.cli.run:backtest", "Run a config on a tape, in virtual time."),
    "walk-forward": lazy(
        "quotewright.cli.walk_forward:walk_forward", "Choose parameters on one range of time and test them on the next."
    ),
    "paper": lazy("quotewright.cli.run:paper", "Run a config against a live feed or the embedded local exchange."),
    "status": lazy("quotewright.cli.status:status", "Show how a run on a live feed stands."),
    "set": lazy("quotewright.cli.operate:set_", "Change a strategy's parameter while a run goes on."),
    "halt": lazy("quotewright.cli.operate:halt", "Cancel everything in a run that goes on, and stop it quoting."),
    "reduce-only": lazy("quotewright.cli.operate:reduce_only", "Let a run that goes on only reduce its positions."),
    "resume": lazy("quotewright.cli.operate:resume", "Release every latch of a run that goes on."),
    "flatten": lazy("quotewright.cli.operate:flatten", "Close the positions of a run that goes on."),
    "report": lazy("quotewright.cli.run:report", "Write the report of a finished run again."),
    "calibrate": lazy("quotewright.cli.calibrate:calibrate", "Measure a tape: volatility, spread, trade intensity."),
    "data": lazy("quotewright.cli.data:data", "Import recorded market data and look into tapes."),
    "config": lazy("quotewright.cli.config:config", "Check, explain and begin config files."),
    "risk": lazy("quotewright.cli.risk:risk", "Say what a risk rule would have done in a run that is over."),
    "plugins": lazy("quotewright.cli.plugins:plugins", "List, explain and check plugins."),
    "venues": lazy("quotewright.cli.venues:venues", "List venue cards."),
    "venue": lazy("quotewright.cli.venues:venue", "Show a venue card, or how two of them differ."),
    "doctor": lazy("quotewright.cli.doctor:doctor", "Say what is installed and what is wrong."),
}


@click.group(
    cls=LazyGroup,
    targets=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failure, 2 not found, 3 not running, 4 config, 5 timeout, 6 risk halt, 7 divergence,"
    " 8 conformance, 64 usage, 130 interrupted.",
)
@click.version_option(package_name="quotewright", message="%(prog)s %(version)s")
@plugins_dir_option
@debug_option
@click.pass_context
def cli(ctx: click.Context, plugins_dir: tuple[Path, ...]) -> None:
    """A market-making framework fed by a tape, wired from plugins, run by three drivers."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if plugins_dir:
        # Commands below read the variable too, so that the option holds wherever it stands.
        from quotewright.plugin.registry import VARIABLE

        present = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
        os.environ[VARIABLE] = os.pathsep.join([*map(str, plugins_dir), *present])


def main(arguments: Sequence[str]) -> int:
    """Run the command line *arguments* and return its exit code; errors are told in one line on standard error."""
    debug = "--debug" in arguments
    try:
        code = cli.main(list(arguments), prog_name="quotewright", standalone_mode=False)
        return code if isinstance(code, int) and not isinstance(code, bool) else 0
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("quotewright: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain again while it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except QuotewrightError as error:
        if debug:
            raise
        click.echo(f"quotewright: {_one_line(error)}", err=True)
        return error.exit_code
    except OSError as error:
        if debug:
            raise
        click.echo(f"quotewright: {_one_line(error)}", err=True)
        return 1
    except Exception as error:
        if debug:
            raise
        from quotewright.plugin.registry import fault

        click.echo(f"quotewright: internal fault: {fault(error)}; --debug shows where", err=True)
        return 1


def run() -> NoReturn:
    """The console script: run what the command line says and exit."""
    arguments = sys.argv[1:]
    try:
        code = main(arguments)
    except Exception as error:  # only with --debug
        import traceback

        traceback.print_exc()
        code = error.exit_code if isinstance(error, QuotewrightError) else 1
    sys.exit(code)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    run()
