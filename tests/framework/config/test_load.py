"""Config files: layers, options, versions, sources, and what is said about every fault."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.config.load import load_config
from quotewright.errors import ConfigError, FormatVersionError, NotFoundError

PAPER = """\
config_version = 1  # the format of this file

[run]
name = "two-venues"
seed = 7

[feeds.bin]
plugin = "binance"
instruments = ["BTC-USDT.spot", "BTC-USDT.perp"]

[venues.main]
plugin = "simexchange"
card = "binance-spot"
queue = { model = "power", exponent = 2.0 }

[strategies.mm]
plugin = "avellaneda_stoikov"
venue = "main"
instrument = "BTC-USDT.spot"
gamma = 0.1
requote = { ticks = 2 }

[risk.shock]
plugin = "price_shock"
move = "2%"

[risk.position]
plugin = "position_limit"
limit = "0.5 BTC"
mode = "observe"

[plugins]
allow = ["acme-strategies"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper.toml").write_text(PAPER, encoding="utf-8")
    return tmp_path


def load(*sets, files=("paper.toml",)):
    return load_config(files, sets)


@pytest.mark.usefixtures("folder")
def test_every_table_is_read_with_the_keys_of_the_framework_apart():
    config = load()
    assert (config.run.name, config.run.seed, config.run.sample) == ("two-venues", 7, 1_000_000_000)
    assert config.feeds["bin"].instruments == ("BTC-USDT.spot", "BTC-USDT.perp")
    assert config.feeds["bin"].book == "ladder"
    assert config.venues["main"].card == "binance-spot"
    assert config.venues["main"].settings == {"queue": {"model": "power", "exponent": Decimal("2.0")}}
    strategy = config.strategies["mm"]
    assert (strategy.plugin, strategy.venue, strategy.requote.ticks) == ("avellaneda_stoikov", "main", 2)
    assert strategy.settings == {"gamma": Decimal("0.1")}
    assert strategy.where == "paper.toml: strategies.mm"
    assert config.plugins.allow == ("acme-strategies",)


@pytest.mark.usefixtures("folder")
def test_rules_keep_the_order_of_the_file():
    assert list(load().risk) == ["shock", "position"]
    assert load().risk["position"].mode == "observe"


@pytest.mark.usefixtures("folder")
def test_the_source_of_every_value_is_its_line():
    sources = load("risk.position.limit=0.3 BTC").sources
    assert sources["run.seed"] == "paper.toml:5"
    assert sources["venues.main.queue.exponent"] == "paper.toml:14"
    assert sources["risk.shock.move"] == "paper.toml:25"
    assert sources["risk.position.limit"] == "--set"


SETS = {
    "text without quotes": ("risk.position.limit=0.3 BTC", "risk.position", "limit", "0.3 BTC"),
    "text in quotes": ('risk.position.limit="0.3 BTC"', "risk.position", "limit", "0.3 BTC"),
    "an exact number": ("strategies.mm.gamma=0.2", "strategies.mm", "gamma", Decimal("0.2")),
    "a whole number": ("strategies.mm.levels = 3", "strategies.mm", "levels", 3),
    "a flag": ("strategies.mm.fast=true", "strategies.mm", "fast", True),
    "a list": ('strategies.mm.sides=["buy"]', "strategies.mm", "sides", ["buy"]),
    "a time of day": ("risk.shock.reset=00:00 UTC", "risk.shock", "reset", "00:00 UTC"),
    "an equals sign": ("risk.shock.note=a=b", "risk.shock", "note", "a=b"),
    "nothing": ("risk.shock.note=", "risk.shock", "note", ""),
    "text that holds a line break": ("risk.shock.note=1\nseed = 2", "risk.shock", "note", "1\nseed = 2"),
    "into an inline table": ("venues.main.queue.exponent=3", "venues.main", "queue", {"model": "power", "exponent": 3}),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("option", "table", "key", "value"), SETS.values(), ids=SETS)
def test_an_option_sets_one_key(option, table, key, value):
    section, _, name = table.partition(".")
    settings = getattr(load(option), section)[name].settings
    assert settings[key] == value
    assert type(settings[key]) is type(value)


def test_a_later_file_lies_over_an_earlier_one(folder):
    (folder / "live.toml").write_text('config_version = 1\n[run]\nseed = 8\n[risk.position]\nlimit = "1 BTC"\n')
    config = load(files=("paper.toml", "live.toml"))
    assert (config.run.seed, config.run.name) == (8, "two-venues")
    assert config.risk["position"].settings == {"limit": "1 BTC"}
    assert list(config.risk) == ["shock", "position"]
    assert config.sources["run.seed"] == "live.toml:3"
    assert config.files == ("paper.toml", "live.toml")
    assert config.risk["position"].origins["limit"] == "live.toml: risk.position"


def test_another_plugin_takes_the_old_ones_keys_away_but_not_the_frameworks(folder):
    (folder / "live.toml").write_text('config_version = 1\n[venues.main]\nplugin = "binance"\n')
    venue = load(files=("paper.toml", "live.toml")).venues["main"]
    assert (venue.plugin, venue.settings, venue.card) == ("binance", {}, "binance-spot")
    venue = load("venues.main.fast=true", "venues.main.plugin=binance").venues["main"]
    assert (venue.plugin, venue.settings) == ("binance", {"fast": True})


FAULTS = {
    "unknown table": (
        PAPER + "[strategys.x]\n",
        (),
        "paper.toml: unknown table 'strategys'; did you mean 'strategies'?",
    ),
    "a value for a table": ("config_version = 1\nrun = 3\n", (), "paper.toml: run should be a table, was 3"),
    "keys straight in a section": (
        'config_version = 1\n[risk]\nplugin = "x"\n',
        (),
        "paper.toml: risk.plugin should be a table such as [risk.main], was 'x'",
    ),
    "no plugin": (
        "config_version = 1\n[risk.position]\nlimit = 1\n",
        (),
        "paper.toml: risk.position: missing key 'plugin': text in quotes",
    ),
    "option for a misspelt table": (
        PAPER,
        ("risk.positon.limit=1",),
        "--set: risk.positon: this table names no plugin; did you mean 'position'?",
    ),
    "misspelt key of the run": (
        "config_version = 1\n[run]\nsed = 1\n",
        (),
        "paper.toml: run: unknown key 'sed'; did you mean 'seed'?",
    ),
    "seed that is no number": (
        'config_version = 1\n[run]\nseed = "x"\n',
        (),
        "paper.toml: run.seed: should be a whole number, was 'x'",
    ),
    "negative seed": (
        "config_version = 1\n[run]\nseed = -1\n",
        (),
        "paper.toml: run.seed: should be at least 0, was -1",
    ),
    "mode that is none": (
        'config_version = 1\n[risk.a]\nplugin = "x"\nmode = "on"\n',
        (),
        "paper.toml: risk.a.mode: should be one of 'enforce', 'warn', 'observe', was 'on'",
    ),
    "not TOML": ("config_version = 1\n[run\n", (), "paper.toml: this is not TOML: "),
    "option without a value": (PAPER, ("run.seed",), "--set should be table.key=value, was 'run.seed'"),
    "option without a table": (PAPER, ("seed=3",), "--set should be table.key=value, was 'seed=3'"),
    "option for no table": (PAPER, ("rsk.a.b=3",), "--set rsk.a.b: unknown table 'rsk'; did you mean 'risk'?"),
    "option for a whole table": (PAPER, ("risk.a=3",), "--set: risk.a should be a table such as [risk.main], was 3"),
    "option of the wrong kind": (PAPER, ("run.seed=x",), "--set: run.seed: should be a whole number, was 'x'"),
}


@pytest.mark.parametrize(("text", "sets", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_sentence(folder, text, sets, message):
    (folder / "paper.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(*sets)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 4


VERSIONS = {
    "none": ("[run]\nseed = 1\n", "missing key 'config_version'; begin the file with config_version = 1"),
    "a later one": ("config_version = 2\n", "config_version should be 1, was 2"),
    "an earlier one": ("config_version = 0\n", "config_version should be 1, was 0"),
    "true": ("config_version = true\n", "config_version should be 1, was true"),
    "text": ('config_version = "1"\n', "config_version should be 1, was '1'"),
}


@pytest.mark.parametrize(("text", "message"), VERSIONS.values(), ids=VERSIONS)
def test_another_version_is_refused(folder, text, message):
    (folder / "paper.toml").write_text(text, encoding="utf-8")
    with pytest.raises(FormatVersionError) as caught:
        load()
    assert str(caught.value).startswith(f"paper.toml: {message}")
    assert caught.value.exit_code == 4


def test_a_file_that_is_not_there_is_not_found(folder):
    with pytest.raises(NotFoundError, match=r"^other\.toml: no such config file$"):
        load(files=("other.toml",))


def test_a_file_that_is_no_text_is_refused(folder):
    (folder / "paper.toml").write_bytes(b"config_version = 1 # \xff\n")
    with pytest.raises(ConfigError, match=r"^paper\.toml: a config file should be UTF-8, byte 21 is not$"):
        load()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(files=(".",))


def test_no_file_at_all_is_told_how_to_begin():
    with pytest.raises(ConfigError, match="quotewright config init"):
        load_config([])


@pytest.mark.usefixtures("folder")
def test_text_that_names_a_variable_is_looked_up_when_an_environment_is_given():
    config = load_config(["paper.toml"], ["risk.shock.note=$NAME"], {"NAME": "value"})
    assert config.risk["shock"].settings["note"] == "value"
    with pytest.raises(ConfigError, match="environment variable GONE is not set"):
        load_config(["paper.toml"], ["risk.shock.note=$GONE"], {})
    assert load("risk.shock.note=$NAME").risk["shock"].settings["note"] == "$NAME"
