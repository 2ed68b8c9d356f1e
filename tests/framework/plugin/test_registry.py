"""Finding plugins: where from, what blocks what, and one sentence for everything that is wrong."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from quotewright.config.units import Amount
from quotewright.errors import ConfigError
from quotewright.kernel.book import BookModel
from quotewright.kernel.rules import CheckRule
from quotewright.kernel.strategy import Strategy
from quotewright.plugin import configured, discovery, hookimpl, lazy, positive, setting
from quotewright.plugin.registry import ROLES, SINGULAR, PluginSet
from quotewright.plugin.specs import PROJECT


@configured
class MaxPosition(CheckRule):
    """Hold back what is too large."""

    limit: Amount = setting(doc="largest position", check=positive)
    mode: str = setting(default="", doc="the framework's own key, handed on")


class Still(Strategy):
    def on_wake(self, view, quotes):
        quotes.keep()


class Acme:
    @hookimpl
    def risk_rules(self):
        return {"max_position": MaxPosition}

    @hookimpl
    def strategies(self):
        return {"still": Still, "late": lazy("quotewright.kernel.strategy:Strategy"), "gone": lazy("no.such:Thing")}


@pytest.fixture(autouse=True)
def _no_installed_plugins(monkeypatch):
    """Only what a test names is found: what is installed here differs from machine to machine."""
    monkeypatch.setattr(discovery, "entry_points", lambda group: [])
    monkeypatch.delenv(discovery.VARIABLE, raising=False)


@pytest.fixture(autouse=True)
def _same_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def find(*extra, strict=True, **rest):
    return PluginSet.discover(extra=extra, strict=strict, **rest)


def installed(monkeypatch, *entries):
    """Pretend that distributions offer *entries*: (distribution, version, entry point, loader or object)."""

    def entry(distribution, number, name, plugin):
        dist = SimpleNamespace(name=distribution, version=number)
        load = plugin if callable(plugin) and not isinstance(plugin, type) else lambda: plugin
        return SimpleNamespace(name=name, value=f"{name}.module", dist=dist, load=load)

    monkeypatch.setattr(discovery, "entry_points", lambda group: [entry(*one) for one in entries])


def test_offers_say_who_offers_what():
    plugins = find(Acme())
    assert plugins.names("strategies") == ["gone", "late", "still"]
    assert plugins.offer("risk_rules", "max_position").record() == {
        "name": "max_position",
        "hook": "risk_rules",
        "distribution": "",
        "version": "",
        "status": "ok",
        "reason": "",
        "plugin": "Acme",
        "module": __name__,
    }
    assert plugins.get("strategies", "still") is Still
    assert plugins.get("strategies", "late") is Strategy


def test_distribution_and_version_are_those_of_the_installed_package(monkeypatch):
    installed(monkeypatch, ("acme-rules", "1.2", "acme", Acme()))
    offer = find().offer("risk_rules", "max_position")
    assert (offer.distribution, offer.version, offer.plugin) == ("acme-rules", "1.2", "acme")


def test_loading_everything_finds_factories_that_cannot_be_imported():
    loaded = {offer.name: offer for offer in find(Acme()).loaded().offers}
    assert loaded["gone"].status == "failed"
    assert loaded["gone"].reason.startswith("strategy 'gone' of Acme cannot be imported: ModuleNotFoundError")
    assert (loaded["late"].status, loaded["late"].reason) == ("ok", "")


def test_what_ships_in_the_box_is_found_without_doing_anything(monkeypatch):
    monkeypatch.undo()
    plugins = PluginSet.discover(environment={})
    ours = {offer.plugin: offer for offer in plugins.offers if offer.distribution == "quotewright"}
    assert set(ours) >= {"builtin", "simexchange"}
    assert ours["builtin"].version == version("quotewright")


# Names that are not there.

UNKNOWN = {
    "near": ("strategies", "stil", "no strategy called 'stil'; installed: gone, late, still; did you mean 'still'?"),
    "far": ("strategies", "zzz", "no strategy called 'zzz'; installed: gone, late, still"),
    "none installed": ("execution_venues", "binance", "no execution venue called 'binance'; installed: none"),
    "of another hook": (
        "strategies",
        "max_position",
        "no strategy called 'max_position'; installed: gone, late, still; 'max_position' is the name of a risk rule",
    ),
    "no hook": ("strategy", "still", "no hook called 'strategy'; hooks: feed_adapters, book_models, strategies, "),
    "lazy import fails": (
        "strategies",
        "gone",
        "strategy 'gone' of Acme cannot be imported: ModuleNotFoundError: No module named 'no'",
    ),
    "module that is not there": (
        "strategies",
        "no.such:Thing",
        "strategy 'no.such:Thing' cannot be imported: ModuleNotFoundError: No module named 'no'",
    ),
}


@pytest.mark.parametrize(("hook", "name", "message"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_name_that_is_not_there_is_told_with_those_that_are(hook, name, message):
    with pytest.raises(ConfigError) as caught:
        find(Acme()).get(hook, name)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 4


def test_every_hook_has_a_word_for_one_of_its_offers():
    for hook, word in SINGULAR.items():
        with pytest.raises(ConfigError, match=f"^no {word} called 'x'; installed: none$"):
            find().get(hook, "x")


# Two plugins, one name.


def test_a_name_offered_twice_is_an_error_that_names_both_and_the_remedy(monkeypatch):
    installed(monkeypatch, ("quotewright", "0.1", "builtin", Acme()), ("acme-rules", "1.0", "acme-rules", Acme()))
    with pytest.raises(ConfigError) as caught:
        find()
    assert str(caught.value) == (
        "two plugins offer strategies 'still': builtin and acme-rules; disable one under [plugins]: "
        'disable = ["acme-rules:still"]'
    )


def test_a_clash_is_listed_and_blocks_only_the_name(monkeypatch):
    installed(monkeypatch, ("quotewright", "0.1", "builtin", Acme()), ("acme-rules", "1.0", "acme-rules", Acme()))
    plugins = find(strict=False)
    assert {offer.status for offer in plugins.offers} == {"clash"}
    assert len(plugins.errors) == 4
    with pytest.raises(ConfigError, match=r"^strategy 'still' of acme-rules 1\.0 cannot be used \(clash\): two"):
        plugins.get("strategies", "still")
    with pytest.raises(ConfigError, match=r"^two plugins offer"):
        plugins.require_sound()


def test_one_offer_or_one_plugin_or_one_distribution_can_be_disabled(monkeypatch):
    installed(monkeypatch, ("quotewright", "0.1", "builtin", Acme()), ("acme-dist", "1.0", "acme", Acme()))
    names = ("still", "late", "gone", "max_position")
    for disabled in (
        ["acme"],
        ["acme-dist"],
        [f"acme:{name}" for name in names],
        [f"acme-dist:{name}" for name in names],
    ):
        plugins = find(disabled=disabled)
        assert plugins.offer("strategies", "still").plugin == "builtin"
        away = [offer for offer in plugins.offers if offer.plugin == "acme"]
        assert {(offer.status, offer.reason) for offer in away} == {("disabled", "disabled under [plugins]")}


def test_a_disabled_name_says_so():
    with pytest.raises(ConfigError, match=r"^strategy 'still' of Acme cannot be used \(disabled\): disabled under"):
        find(Acme(), disabled=["Acme:still"]).get("strategies", "still")


def test_plugins_of_one_name_are_told_apart_by_their_distribution(monkeypatch):
    class Other:
        @hookimpl
        def book_models(self):
            return {"plain": BookModel}

    installed(
        monkeypatch, ("a", "1", "acme", Acme()), ("b", "1", "acme", Other()), ("b", "1", "acme", SimpleNamespace())
    )
    assert [offer.plugin for offer in find().offers if offer.name == "plain"] == ["b.acme"]


# An allow-list.


def test_only_allowed_distributions_are_imported(monkeypatch):
    def load():
        raise AssertionError("a distribution that is not allowed was imported")

    installed(monkeypatch, ("quotewright", "0.1", "builtin", Acme()), ("evil-dist", "1.0", "evil", load))
    plugins = find(allow=["acme_rules"])
    assert plugins.names("risk_rules") == ["max_position"]
    (evil,) = [offer for offer in plugins.offers if offer.plugin == "evil"]
    assert (evil.status, evil.reason) == ("disabled", "distribution 'evil-dist' is not on the list [plugins] allow")
    with pytest.raises(
        ConfigError, match=r"no strategy called 'x'; .*; not loaded: evil \(see quotewright plugins why"
    ):
        plugins.get("strategies", "x")


def test_an_allowed_name_may_be_spelt_with_underscores(monkeypatch):
    installed(monkeypatch, ("Acme.Rules", "1.0", "acme", Acme()))
    assert find(allow=["acme_rules"]).names("risk_rules") == ["max_position"]


# Plugins that are at fault.


def raising(error):
    def hook(self):
        raise error

    return type("Broken", (), {"strategies": hookimpl(hook), "risk_rules": Acme.risk_rules})()


RAISED = {
    "an error": (ValueError("odd"), r"^hook 'strategies' raised ValueError: odd \(test_registry\.py, line \d+\)$"),
    "an exit": (SystemExit(3), r"^hook 'strategies' raised SystemExit: 3 \(test_registry\.py, line \d+\)$"),
    "something else": (BaseException("x"), r"^hook 'strategies' raised BaseException: x "),
    "two lines": (ValueError("a\nb"), r"^hook 'strategies' raised ValueError: a b "),
}


@pytest.mark.parametrize(("error", "reason"), RAISED.values(), ids=RAISED)
def test_a_hook_that_raises_is_listed_and_blocks_nothing_else(error, reason):
    plugins = find(raising(error), Acme(), disabled=["Acme:max_position"])
    assert plugins.names("strategies") == ["gone", "late", "still"]
    assert plugins.offer("risk_rules", "max_position").plugin == "Broken"
    (failed,) = [offer for offer in plugins.offers if offer.status == "failed"]
    assert (failed.name, failed.hook) == ("Broken", "strategies")
    import re

    assert re.search(reason, failed.reason)


@pytest.mark.parametrize("hook", SINGULAR)
def test_a_plugin_that_raises_in_any_hook_blocks_nothing_else(hook):
    def raises(self):
        raise RuntimeError("broken")

    broken = type("Broken", (), {hook: hookimpl(raises)})()
    plugins = find(broken, Acme())
    assert plugins.names("risk_rules") == ["max_position"]
    (failed,) = [offer for offer in plugins.offers if offer.status == "failed"]
    assert failed.reason.startswith(f"hook '{hook}' raised RuntimeError: broken")


def test_a_keyboard_interrupt_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        find(raising(KeyboardInterrupt()))


RETURNED = {
    "no mapping": (
        [("a", Still)],
        "hook 'strategies' raised TypeError: should return a mapping of names to factories, was list",
    ),
    "nothing": (
        None,
        "hook 'strategies' raised TypeError: should return a mapping of names to factories, was NoneType",
    ),
    "a number as name": ({3: Still}, "name should be letters, digits, '_', '-' or '.', was 3"),
    "a blank name": ({"a b": Still}, "name should be letters, digits, '_', '-' or '.', was 'a b'"),
    "no factory": ({"a": 3}, "factory should be callable, was int"),
}


@pytest.mark.parametrize(("returned", "reason"), RETURNED.values(), ids=RETURNED)
def test_what_a_hook_returns_is_looked_at(returned, reason):
    plugin = type("Odd", (), {"strategies": hookimpl(lambda self: returned)})()
    (offer,) = find(plugin).offers
    assert offer.status == "failed"
    assert offer.reason.startswith(reason)


def test_a_card_is_a_path_and_a_command_must_not_take_our_names():
    class Odd:
        @hookimpl
        def venue_cards(self):
            return {"a": Path("a.toml"), "b": 3}

        @hookimpl
        def commands(self):
            return {"backtest": print}

    reasons = {offer.name: offer.reason for offer in find(Odd()).offers}
    assert reasons == {
        "a": "",
        "b": "should be the path of a card, was int",
        "backtest": "'backtest' is a command of quotewright itself",
    }


class Misspelt:
    @hookimpl
    def strategys(self):
        return {}


class Arguments:
    @hookimpl
    def strategies(self, config):
        return {}


MISMADE = {
    "misspelt hook": (Misspelt, "plugin 'Misspelt' (Misspelt): no hook called 'strategys'; did you mean 'strategies'?"),
    "wrong signature": (
        Arguments,
        "plugin 'Arguments' (Arguments): hook 'strategies' takes no arguments, but this one declares 'config'",
    ),
}


@pytest.mark.parametrize(("plugin", "message"), MISMADE.values(), ids=MISMADE)
def test_a_hook_that_is_not_one_is_an_error_under_the_plugins_name(plugin, message):
    with pytest.raises(ConfigError) as caught:
        find(plugin(), Acme())
    assert str(caught.value) == message
    plugins = find(plugin(), Acme(), strict=False)
    assert plugins.errors == (message,)
    assert plugins.names("risk_rules") == ["max_position"]
    assert [offer.status for offer in plugins.offers if offer.plugin == plugin.__name__] == ["failed"]


def test_a_hook_unlike_any_is_told_with_all_that_there_are():
    plugin = type("Odd", (), {"zzz": hookimpl(lambda self: {})})()
    with pytest.raises(ConfigError, match="no hook called 'zzz'; hooks: feed_adapters, book_models"):
        find(plugin)


def test_an_optional_hook_and_a_wrapper():
    from pluggy import HookimplMarker

    class Odd:
        @HookimplMarker(PROJECT)(optionalhook=True)
        def later(self):
            return {}

        @HookimplMarker(PROJECT)(wrapper=True)
        def strategies(self):
            return (yield)

    (offer,) = find(Odd()).offers
    assert offer.reason == "hook 'strategies' is a wrapper; a hook returns names and factories"


def test_a_plugin_that_marks_nothing_offers_nothing():
    (offer,) = find(SimpleNamespace(strategies=dict)).offers
    assert offer.reason == "offers nothing: none of its functions is marked @hookimpl"


# A folder of plugins.

RULE = """\
from quotewright.kernel.strategy import Strategy
from quotewright.plugin import hookimpl

class Mine(Strategy):
    def on_wake(self, view, quotes):
        quotes.keep()

@hookimpl
def strategies():
    return {"mine": Mine}
"""


def test_each_module_and_package_of_a_folder_is_a_plugin(tmp_path):
    (tmp_path / "one.py").write_text(RULE)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "__init__.py").write_text(RULE.replace('"mine"', '"other"'))
    (tmp_path / "_private.py").write_text("raise ValueError")
    (tmp_path / "notes.txt").write_text("no plugin")
    (tmp_path / "folder").mkdir()
    plugins = find(plugins_dir=tmp_path)
    assert [(offer.name, offer.plugin) for offer in plugins.offers] == [("mine", "one"), ("other", "two")]
    assert plugins.offers[0].distribution == f"{tmp_path.name}/one.py"
    assert find(plugins_dir=[str(tmp_path)]).names("strategies") == ["mine", "other"]


def test_the_environment_names_folders_too(tmp_path):
    (tmp_path / "three.py").write_text(RULE)
    plugins = find(environment={discovery.VARIABLE: str(tmp_path)})
    assert plugins.names("strategies") == ["mine"]
    assert plugins.folders == (tmp_path.resolve(),)
    assert find(plugins_dir=tmp_path, environment={discovery.VARIABLE: str(tmp_path)}).errors == ()


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"^--plugins-dir should be a folder of plugin modules, '.*gone' is none$"):
        find(plugins_dir=tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"^QUOTEWRIGHT_PLUGINS_DIR should be a folder"):
        find(environment={discovery.VARIABLE: str(tmp_path / "gone")})


def test_a_file_named_like_a_module_of_python_does_not_stand_before_it(tmp_path):
    (tmp_path / "json.py").write_text(RULE)
    (tmp_path / "antigravity.py").write_text(RULE.replace('"mine"', '"other"'))
    assert find(plugins_dir=tmp_path).names("strategies") == ["mine", "other"]
    import json

    assert json.dumps([]) == "[]"


IMPORTS = {
    "an import that fails": (
        "import no_such_module\n",
        "ModuleNotFoundError: No module named 'no_such_module' (bad.py, line 1)",
    ),
    "an exit": ("x = 1\nraise SystemExit(0)\n", "SystemExit: 0 (bad.py, line 2)"),
    "no Python": ("def (:\n", "SyntaxError: invalid syntax (bad.py, line 1)"),
    "null bytes": ("\0", "SyntaxError: source code string cannot contain null bytes"),
}


@pytest.mark.parametrize(("text", "reason"), IMPORTS.values(), ids=IMPORTS)
def test_a_module_that_fails_to_import_is_listed_and_blocks_nothing_else(tmp_path, text, reason):
    (tmp_path / "bad.py").write_text(text)
    (tmp_path / "good.py").write_text(RULE)
    plugins = find(plugins_dir=tmp_path)
    assert plugins.names("strategies") == ["mine"]
    (bad,) = plugins.find("bad")
    assert (bad.name, bad.hook, bad.status) == ("bad", "", "failed")
    assert bad.reason.startswith(reason.partition(" (")[0])
    with pytest.raises(ConfigError, match="not loaded: bad"):
        plugins.get("strategies", "theirs")


# module:Class and building.


def test_a_class_can_be_named_in_place_of_a_plugin(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    assert type(find().build("strategies", {"plugin": "my_module:Mine"})).__name__ == "Mine"


def test_a_table_is_built_into_the_plugins_object():
    rule = find(Acme()).build("risk_rules", {"plugin": "max_position", "limit": "0.5 BTC"})
    assert isinstance(rule, MaxPosition)
    assert rule.limit == Amount.parse("0.5 BTC")


def test_a_function_with_a_config_model_is_called_with_the_structured_keys():
    def factory(settings):
        made = Still()
        made.limit = settings.limit
        return made

    factory.config_model = MaxPosition
    plugin = type("Made", (), {"strategies": hookimpl(lambda self: {"made": factory})})()
    built = find(plugin).build("strategies", {"plugin": "made", "limit": "1 BTC"})
    assert built.limit == Amount.parse("1 BTC")


def test_a_key_of_the_framework_is_handed_on_to_a_plugin_that_declares_it(tmp_path):
    from quotewright.config.load import load_config

    path = tmp_path / "a.toml"
    path.write_text('config_version = 1\n[risk.p]\nplugin = "max_position"\nlimit = "1 BTC"\nmode = "observe"\n')
    table = load_config([path]).risk["p"]
    assert find(Acme()).build("risk_rules", table).mode == "observe"


def exploding():
    raise SystemExit(1)


class Factories:
    @hookimpl
    def strategies(self):
        return {"explodes": exploding, "wrong": lambda: 3, "still": Still}


BUILT = {
    "misspelt key": (
        "risk_rules",
        {"plugin": "max_position", "limt": "1 BTC"},
        "f.toml: x.y: unknown key 'limt'; did you mean 'limit'?",
    ),
    "no plugin named": (
        "risk_rules",
        {"limit": "1 BTC"},
        "f.toml: x.y: missing key 'plugin': the name of a plugin in quotes",
    ),
    "no such plugin": (
        "risk_rules",
        {"plugin": "max"},
        "f.toml: x.y: no risk rule called 'max'; installed: max_position",
    ),
    "keys for a plugin without any": (
        "strategies",
        {"plugin": "still", "a": 1},
        "f.toml: x.y: unknown key 'a'; this plugin takes no keys",
    ),
    "a factory that raises": (
        "strategies",
        {"plugin": "explodes"},
        "f.toml: x.y: the plugin's factory raised SystemExit: 1 (test_registry.py, line ",
    ),
    "something else than the role": (
        "strategies",
        {"plugin": "wrong"},
        "f.toml: x.y: strategy 'wrong' should make a quotewright.kernel.strategy.Strategy, was builtins.int",
    ),
    "a class of another role": (
        "strategies",
        {"plugin": "quotewright.kernel.book:BookModel"},
        "f.toml: x.y: strategy 'quotewright.kernel.book:BookModel' should make a quotewright.kernel.strategy.Strategy",
    ),
}


@pytest.mark.parametrize(("hook", "table", "message"), BUILT.values(), ids=BUILT)
def test_a_table_that_cannot_be_built_is_told_with_its_place(hook, table, message):
    plugins = find(Factories(), Acme(), disabled=["Acme:still"])
    with pytest.raises(ConfigError) as caught:
        plugins.build(hook, table, "f.toml: x.y")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("hook", ROLES)
def test_every_role_can_be_imported(hook):
    assert isinstance(lazy(ROLES[hook]).load(), type)


def test_a_lazy_factory_is_imported_when_it_is_used():
    assert lazy("decimal:Decimal")("1.5") == 1.5
    with pytest.raises(ConfigError, match="lazy factory should be 'module:name', was 'decimal'"):
        lazy("decimal")
