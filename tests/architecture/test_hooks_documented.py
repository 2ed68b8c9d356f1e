"""Every hook has a page for authors with a complete plugin that works, and an example in its own docstring."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from quotewright.errors import ConfigError
from quotewright.plugin import specs
from quotewright.plugin.registry import SINGULAR, PluginSet
from quotewright.testing.plugins import check_offer

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "writing-plugins"
CARD = ROOT / "plugins" / "quotewright_plugins" / "exchanges" / "binance" / "binance-spot.toml"
EXAMPLES = ("feed_adapters", "book_models", "strategies", "risk_rules", "execution_venues")


def hooks():
    return [name for name, spec in vars(specs).items() if hasattr(spec, f"{specs.PROJECT}_spec")]


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def load(code, name, folder, monkeypatch):
    """Return *code* as a module in *folder*, importable as *name*."""
    module = types.ModuleType(name)
    module.__file__ = str(folder / f"{name}.py")
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(code, module.__file__, "exec"), vars(module))
    return module


def test_the_words_for_hooks_name_all_of_them_in_order():
    assert list(SINGULAR) == hooks()


@pytest.mark.parametrize("hook", hooks())
def test_a_hook_has_a_page_whose_plugin_works(hook, tmp_path, monkeypatch):
    (code,) = blocks((PAGES / f"{hook}.md").read_text(encoding="utf-8"))
    (tmp_path / "acme-spot.toml").write_text(CARD.read_text(encoding="utf-8"), encoding="utf-8")
    module = load(code, f"documented_{hook}", tmp_path, monkeypatch)
    plugins = PluginSet.discover(extra=[module], environment={})
    mine = [offer for offer in plugins.offers if offer.plugin == module.__name__]
    assert mine
    for offer in mine:
        assert offer.hook == hook
        assert check_offer(plugins, offer) == []


@pytest.mark.parametrize("hook", hooks())
def test_a_hook_has_an_example_in_its_docstring(hook):
    text = getattr(specs, hook).__doc__
    assert "Example:" in text
    assert f"def {hook}():" in text


@pytest.mark.parametrize("hook", hooks())
def test_a_hook_is_named_on_the_overview_and_by_a_test(hook):
    assert f"writing-plugins/{hook}.md" in (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=f"no {SINGULAR[hook]} called 'nothing-of-this-name'"):
        PluginSet([], []).get(hook, "nothing-of-this-name")


@pytest.mark.parametrize("hook", EXAMPLES)
def test_each_of_the_five_roles_has_a_package_in_examples(hook):
    assert [file for file in (ROOT / "examples").glob("*/*.py") if f"def {hook}(" in file.read_text(encoding="utf-8")]


def test_the_docs_show_no_plugin_that_cannot_be_read():
    for page in sorted((ROOT / "docs").glob("plugins.md")):
        for number, code in enumerate(blocks(page.read_text(encoding="utf-8"))):
            compile(code, f"{page.name}:{number}", "exec")
