"""The docs hold: commands run as printed, files are files, configs are configs, links lead somewhere.

What stands in a fenced block is told by its tag. ``console``: a line ``$ command`` is run in the order of the page,
in a folder that holds ``examples/`` and a recording; it ends with exit code 0, or with the one in a comment ``# exits
4``; other lines are output and not compared. A block whose first line is ``# some/name.py`` (or ``.toml``) is a file
of that name, from there on. Other ``python`` blocks are compiled, and run if they open something in ``examples/``;
other ``toml`` blocks that begin a config are checked, and those that hold tables of one are laid over
``examples/backtest.toml``. Blocks without a tag are shown and not run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest

from quotewright.cli.main import cli, main
from quotewright.plugin.registry import PluginSet
from quotewright.testing.frames import write_capture
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
TEXTS = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "examples").glob("**/*.md"))]
TAGS = {"", "console", "python", "toml", "cython", "json", "text"}
NOT_RUN = (  # what continuous integration runs, or what changes the environment or takes long
    "pip",
    "tox",
    "git",
    "source",
    "pytest",
    ".ci/run",
    "python -m pip",
    "python -m tox",
    "python -m venv",
    "python3 -m venv",
    "python -m bench",
    "python setup.py",
)
EXITS = re.compile(r"\s+# exits (\d+)\s*$")
NAME = re.compile(r"# ([\w./-]+\.(?:py|pxd|toml))\n")
BLOCK = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```[ ]*$", flags=re.DOTALL | re.MULTILINE)


@attrs.frozen
class Block:
    """A fenced block: where it begins, its tag, its text, and the file name it gives itself."""

    line: int
    tag: str
    text: str

    @property
    def name(self) -> str:
        found = NAME.match(self.text)
        return found[1] if found and self.tag in ("python", "cython", "toml") else ""

    def commands(self) -> list[tuple[str, int]]:
        """Return the commands of the block, each with the exit code that the page expects."""
        found = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                exits = EXITS.search(line)
                command = EXITS.sub("", line[2:])
                parts = command.split(" && ")
                found += [(part.strip(), 0) for part in parts[:-1]]
                found.append((parts[-1].strip(), int(exits[1]) if exits else 0))
        return found


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, found.start()) + 1, found[2].strip(), found[3].replace("\n" + found[1], "\n"))
        for found in BLOCK.finditer(text)
    ]


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_installing(command: str) -> bool:
    return any(command == known or command.startswith(known + " ") for known in NOT_RUN)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "recording.jsonl.gz"
    write_capture(session_lines(BinanceSession(market="usdm"), updates=400), str(path))
    return path


@pytest.fixture
def folder(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder as a reader has it, and the working directory; modules imported from it are forgotten afterwards."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "tests" / "simexchange" / "cases", tmp_path / "tests" / "simexchange" / "cases")
    shutil.copy(recording, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUOTEWRIGHT_PLUGINS_DIR", "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def is_layer(table: dict[str, Any]) -> bool:
    """Return whether *table* is a part of a config: tables that name plugins, as they lie over a whole config."""
    inner = [one for section in ("feeds", "venues", "strategies", "risk") for one in table.get(section, {}).values()]
    return any("plugin" in one for one in inner)


def run(command: str, exits: int, capfd: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command)
    if words[:3] == ["python", "-m", "quotewright"]:
        words = words[2:]
    assert words[0] in ("quotewright", "qw"), f"{command!r}: the docs run quotewright, or what NOT_RUN lists"
    os.environ["QUOTEWRIGHT_PLUGINS_DIR"] = ""
    code = main(words[1:])
    told = capfd.readouterr()
    assert code == exits, f"{command!r} ended with {code}, the page expects {exits}: {told.err or told.out}"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_does_what_it_says(page: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = blocks(page)
    commands = " ".join(command for block in found if block.tag == "console" for command, _ in block.commands())
    for block in found:
        where = f"{shown(page)}:{block.line}"
        assert block.tag in TAGS, f"{where}: a block tagged {block.tag!r}; expected one of {sorted(TAGS)}"
        assert block.tag == "console" or not re.search(r"^\$ ", block.text, flags=re.MULTILINE), (
            f"{where}: tag it console"
        )
        if block.tag == "python":
            code = compile(block.text, where, "exec")
            if '"examples/' in block.text:
                exec(code, {"__name__": "page"})
        if block.tag == "toml":
            table = tomllib.loads(block.text)
            if "config_version" in table and not block.name:
                (folder / "checked.toml").write_text(block.text, encoding="utf-8")
                run("quotewright config check checked.toml", 0, capfd)
            elif "config_version" not in table and is_layer(table):
                (folder / "layer.toml").write_text("config_version = 1\n" + block.text, encoding="utf-8")
                run("quotewright config check examples/backtest.toml layer.toml", 0, capfd)
            elif "config_version" in table:
                assert block.name in commands, f"{where}: no command of the page uses {block.name}"
        if block.name:
            (folder / block.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.name).write_text(block.text, encoding="utf-8")
        if block.tag == "console":
            for command, exits in block.commands():
                if not is_installing(command):
                    run(command, exits, capfd)


def test_the_first_screen_of_the_readme_holds_the_two_commands_and_a_picture() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    assert "$ python -m pip install . && quotewright demo\n" in first
    assert "$ python -m pip install tox && python -m tox\n" in first
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", first)
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_the_readme_names_everything_in_the_box() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    offers = PluginSet.discover(environment={}).offers
    ours = {offer.name for offer in offers if offer.distribution == "quotewright" and offer.hook != "commands"}
    assert {"ladder", "binance", "replay"} <= ours
    assert [name for name in sorted(ours) if f"`{name}`" not in text] == []


KEYS = {
    "strategies": "strategies.md",
    "risk_rules": "risk-rules.md",
    "simexchange": "local-exchange.md",
    "replay": "replay-venue.md",
}


@pytest.mark.parametrize("what", KEYS)
def test_every_config_key_of_the_box_stands_on_its_page(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    pages = [ROOT / "docs" / KEYS[what], *sorted((ROOT / "docs" / what).glob("*.md"))]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert main(["plugins", "--json"]) == 0
    offers = json.loads(capfd.readouterr().out)
    missing = set()
    for name in {
        one["name"] for one in offers if what in (one["name"], one["hook"]) and one["distribution"] == "quotewright"
    }:
        assert main(["plugins", "info", name, "--json"]) == 0
        for offer in json.loads(capfd.readouterr().out):
            keys = [] if offer["hook"] == "feed_adapters" else [one["key"] for one in offer["keys"]]
            missing |= {(name, key) for key in keys if not re.search(rf"\b{re.escape(key)}\b", text)}
    assert not missing, f"docs/{KEYS[what]} does not name {sorted(missing)}"


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of *page*."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.+?)\s*$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", TEXTS, ids=shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead, f"{shown(page)}: dead links {dead}"


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    missing = [shown(page) for page in PAGES[1:] if f"]({page.relative_to(ROOT / 'docs').as_posix()})" not in index]
    assert [name for name in missing if name != "docs/index.md"] == []


def mentions(page: Path) -> list[str]:
    """Return what a page shows as a command of ours outside of console blocks."""
    text = page.read_text(encoding="utf-8")
    inside = [line for block in blocks(page) if block.tag == "" for line in block.text.splitlines()]
    quoted = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    return [one.strip() for one in [*inside, *quoted] if re.match(r"\s*(?:quotewright|qw) ", one)]


@pytest.mark.parametrize("page", TEXTS, ids=shown)
def test_commands_and_options_that_a_page_mentions_exist(page: Path) -> None:
    """Words up to the first argument are commands, and every ``--option`` is one of the command's."""
    wrong = []
    for text in mentions(page):
        command: click.Command = cli
        names = {"--help", "--version"} | {name for option in cli.params for name in option.opts}
        at_commands = True
        for part in re.split(r"\s{2,}", text, maxsplit=1)[0].split()[1:]:
            word = part.strip("[],;.)…'\"").partition("=")[0]
            if at_commands and isinstance(command, click.Group) and re.fullmatch(r"[a-z]+", word):
                deeper = command.get_command(click.Context(command), word)
                if deeper is None:
                    wrong.append(f"{text!r}: no command {word!r}")
                    break
                command = deeper
                names |= {name for option in command.params for name in option.opts}
            elif word.startswith("--") and len(word) > 2:
                if word not in names:
                    wrong.append(f"{text!r}: no option {word}")
            elif word:
                at_commands = False
    assert not wrong, f"{shown(page)}: {wrong}"
