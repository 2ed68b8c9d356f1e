"""The entry point: exit codes, errors in one line, lazy imports, options that hold everywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import click
import pytest

from quotewright import __version__
from quotewright.cli import main as main_module
from quotewright.cli.main import COMMANDS, USAGE, cli, main
from quotewright.cli.options import RunOptions, announce, banner, run_options
from quotewright.errors import (
    ConfigError,
    ConformanceError,
    FormatVersionError,
    InputError,
    NotFoundError,
    QuotewrightError,
    RiskHalt,
)


@pytest.fixture(autouse=True)
def _no_plugins_folder(monkeypatch):
    monkeypatch.setenv("QUOTEWRIGHT_PLUGINS_DIR", "")


@pytest.fixture
def verb(monkeypatch):
    """Return a function that makes ``quotewright verb`` do what it is given."""

    def make(action):
        @click.command()
        @run_options
        def command(options):
            return action()

        monkeypatch.setitem(
            cli.targets, "verb", type("Target", (), {"load": lambda self: command, "help": "A verb."})()
        )

    return make


def raising(error):
    def action():
        raise error

    return action


CODES = {
    "ok": (lambda: None, 0, ""),
    "its own code": (lambda: 7, 7, ""),
    "a truth is no code": (lambda: True, 0, ""),
    "failure": (raising(QuotewrightError("it failed")), 1, "quotewright: it failed\n"),
    "bad input": (raising(InputError("row 3 is bad")), 1, "quotewright: row 3 is bad\n"),
    "another version": (raising(FormatVersionError("version 2")), 1, "quotewright: version 2\n"),
    "not found": (raising(NotFoundError("no tape")), 2, "quotewright: no tape\n"),
    "config": (raising(ConfigError("a: b")), 4, "quotewright: a: b\n"),
    "risk halt": (raising(RiskHalt("halted")), 6, "quotewright: halted\n"),
    "conformance": (raising(ConformanceError("two checks")), 8, "quotewright: two checks\n"),
    "two lines become one": (raising(ConfigError("a\n  b")), 4, "quotewright: a b\n"),
    "interrupted": (raising(KeyboardInterrupt()), 130, "\nquotewright: interrupted\n"),
    "disk": (
        raising(OSError(28, "No space left on device", "x")),
        1,
        "quotewright: [Errno 28] No space left on device: 'x'\n",
    ),
    "click's own": (raising(click.ClickException("odd")), 1, "Error: odd\n"),
}


@pytest.mark.parametrize(("action", "code", "text"), CODES.values(), ids=CODES)
def test_a_command_ends_with_its_exit_code_and_one_line(verb, capsys, action, code, text):
    verb(action)
    assert main(["verb"]) == code
    captured = capsys.readouterr()
    assert captured.err == text
    assert captured.out == ""


def test_a_fault_of_the_program_is_told_in_one_line_with_its_place(verb, capsys):
    verb(raising(ZeroDivisionError("division by zero")))
    assert main(["verb"]) == 1
    assert capsys.readouterr().err.startswith(
        "quotewright: internal fault: ZeroDivisionError: division by zero (test_main.py"
    )


@pytest.mark.parametrize("error", [ConfigError("x"), OSError("y"), ValueError("z")])
def test_debug_lets_the_traceback_through(verb, error):
    verb(raising(error))
    with pytest.raises(type(error)):
        main(["verb", "--debug"])


USAGES = {
    "unknown command": ["nothing"],
    "unknown option": ["plugins", "--nothing"],
    "missing argument": ["plugins", "why"],
    "not a number": ["verb", "--seed", "x"],
    "negative seed": ["verb", "--seed", "-1"],
}


@pytest.mark.parametrize("arguments", USAGES.values(), ids=USAGES)
def test_a_command_line_that_cannot_be_understood_ends_with_64(verb, capsys, arguments):
    verb(lambda: None)
    assert main(arguments) == USAGE == 64
    assert "Usage: quotewright" in capsys.readouterr().err


def test_the_options_of_a_run_arrive_as_one_object(monkeypatch, tmp_path):
    seen = []

    @click.command()
    @run_options
    def command(options):
        seen.append(options)

    target = type("Target", (), {"load": lambda self: command, "help": ""})()
    monkeypatch.setitem(cli.targets, "verb", target)
    main(["verb", "--set", "run.seed=1", "--set", "a.b=c", "--seed", "3", "--out", str(tmp_path), "--json"])
    (options,) = seen
    assert (options.sets, options.seed, options.out, options.as_json) == (["run.seed=1", "a.b=c"], 3, tmp_path, True)


CONFIG = """\
config_version = 1
[feeds.market]
plugin = "tape"
[venues.main]
plugin = "simexchange"
[strategies.maker]
plugin = "fixed_spread"
size = "1 BTC"
spread = "4 bps"
max_position = "1 BTC"
"""


def test_loading_a_config_names_the_first_fault_before_anything_runs(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(CONFIG, encoding="utf-8")
    config, plugins = RunOptions(seed=9).load([path])
    assert config.run.seed == 9
    assert "fixed_spread" in plugins.names("strategies")
    sets = ["strategies.maker.plugin=fixed_spred", "venues.main.plugin=x"]
    with pytest.raises(ConfigError, match=r"no execution venue called 'x'; .* \(and 1 more: quotewright config check"):
        RunOptions(sets).load([path])


def test_the_first_line_of_a_run_says_version_and_form_of_the_kernels(capsys, monkeypatch):
    from quotewright import binaries

    assert banner().startswith(f"quotewright {__version__}, {binaries.form()} kernels, Python 3.")
    announce()
    assert capsys.readouterr().err == banner() + "\n"
    monkeypatch.setattr(binaries, "trouble", lambda: "kernel/ladder.py has changed")
    with pytest.raises(ConfigError, match=r"^the compiled kernels do not fit: kernel/ladder\.py has changed"):
        announce()


def test_a_plugin_offers_a_command_found_by_help_without_being_imported(tmp_path, capsys):
    (tmp_path / "greeting.py").write_text(
        "from quotewright.plugin import hookimpl, lazy\n"
        "@hookimpl\n"
        "def commands():\n"
        "    greet = lazy('greeting_command:greet', 'Say hello.')\n"
        "    return {'greet': greet, 'broken': lazy('no_such:thing', 'Fails.')}\n"
    )
    (tmp_path / "greeting_command.py").write_text(
        "import click\n@click.command()\ndef greet():\n    click.echo('hello')\n"
    )
    folder = ["--plugins-dir", str(tmp_path)]
    assert main([*folder, "--help"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  greet +Say hello\.$", shown, flags=re.MULTILINE)
    assert main([*folder, "greet"]) == 0
    assert capsys.readouterr().out == "hello\n"
    assert main([*folder, "broken"]) == 4
    assert "command 'broken' of greeting" in capsys.readouterr().err


def test_a_faulty_plugin_leaves_the_commands_usable(tmp_path, capsys):
    (tmp_path / "bad.py").write_text("raise SystemExit('no')\n")
    assert main(["--plugins-dir", str(tmp_path), "--help"]) == 0
    assert main(["--plugins-dir", str(tmp_path / "gone"), "--help"]) == 4
    assert "should be a folder of plugin modules" in capsys.readouterr().err


def test_no_color_is_obeyed(monkeypatch):
    seen = []

    @click.command()
    @click.pass_context
    def command(ctx):
        seen.append(ctx.color)

    target = type("Target", (), {"load": lambda self: command, "help": ""})()
    monkeypatch.setitem(cli.targets, "verb", target)
    main(["verb"])
    monkeypatch.setenv("NO_COLOR", "1")
    main(["verb"])
    assert seen == [None, False]


def test_every_verb_can_be_imported_and_has_a_line_of_help(capsys):
    for name, target in COMMANDS.items():
        assert isinstance(target.load(), click.Command), name
        assert target.help
        assert main([name, "--help"]) == 0
    capsys.readouterr()


HEAVY = ("numpy", "plotly", "rich", "cattrs", "msgspec", "anyio", "sortedcontainers", "asyncio")


def test_help_imports_nothing_heavy():
    script = (
        "import sys, json\nfrom quotewright.cli.main import main\ncode = main(['--help'])\n"
        f"print(json.dumps([code, sorted(set({HEAVY!r}) & set(sys.modules))]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []]
    assert "Commands:" in done.stdout


def test_the_module_and_a_closed_pipe():
    def script(*arguments, check, **rest):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "quotewright", *arguments]
        return subprocess.run(command, check=check, env=environment, text=True, **rest)

    shown = script("--version", check=True, capture_output=True)
    assert shown.stdout == f"quotewright {__version__}\n"
    wrong = script("plugins", "why", "nothing-of-this-name", "--debug", check=False, capture_output=True)
    assert wrong.returncode == 2
    assert "Traceback" in wrong.stderr
    reader, writer = os.pipe()
    os.close(reader)
    closed = script("plugins", "--json", check=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert closed.returncode == 1
    assert closed.stderr == ""


def test_the_console_script_exits_with_the_code(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["quotewright", "nothing"])
    with pytest.raises(SystemExit) as caught:
        main_module.run()
    assert caught.value.code == USAGE
