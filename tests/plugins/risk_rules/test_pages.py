"""Every rule in the box has its section, with every key as the code has it, and says what reducing orders meet."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from quotewright.plugin.discovery import OWN
from quotewright.plugin.registry import PluginSet
from quotewright.plugin.settings import info
from quotewright_plugins.risk_rules.price_shock import Resume

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = PluginSet.discover(environment={})
RULES = sorted(one.name for one in PLUGINS.offers if one.hook == "risk_rules" and one.distribution == OWN)
PAGE = (ROOT / "docs" / "risk-rules.md").read_text(encoding="utf-8")
NOT_ASKED = {
    "max_order_size", "max_order_value", "price_collar", "self_cross", "stale_book", "stale_private",
}  # fmt: skip
"""Rules on price, size, references and staleness: they hold for orders that only reduce, too."""


def section(name):
    found = re.search(rf"^### {name}\n(.*?)(?=^###? |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/risk-rules.md has no section '{name}'"
    return found[1]


def default_of(field):
    if field.default is attrs.NOTHING:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, tuple):
        return "`[" + ", ".join(f'"{one}"' for one in field.default) + "]`"
    value = field.converter(field.default) if field.converter else field.default
    return f"`{value!s}`"


@pytest.mark.parametrize("name", RULES)
def test_a_section_holds_every_key_with_its_default_and_meaning(name):
    text = section(name)
    model = PLUGINS.get("risk_rules", name)
    keys = [("", field) for field in attrs.fields(model) if field.name != "resume"]
    if name == "price_shock":
        keys += [("resume.", field) for field in attrs.fields(Resume)]
    rows = re.findall(r"^\| `([\w.]+)` \| (.+?) \| .+ \| (.+) \|$", text, flags=re.MULTILINE)
    assert rows == sorted(rows, key=lambda row: row[0] not in {f"{at}{field.name}" for at, field in keys})
    assert {(key, default, meaning) for key, default, meaning in rows} == {
        (f"{at}{field.name}", default_of(field), info(field).doc) for at, field in keys
    }
    assert f"| [`{name}`](#{name}) |" in PAGE, "the table names it"
    assert f'plugin = "{name}"' in text


@pytest.mark.parametrize("name", RULES)
def test_reducing_orders_pass_all_but_rules_on_price_size_references_and_staleness(name):
    """That they trip, let go and pass cancels is what the contract of the hook certifies."""
    assert PLUGINS.get("risk_rules", name).exempts_reducing is (name not in NOT_ASKED)
    (row,) = re.findall(rf"^\| \[`{name}`\].* \| ([\w, ]+) \|$", PAGE, flags=re.MULTILINE)
    assert row.startswith("asked") is (name in NOT_ASKED)


def test_there_are_at_least_25_rules():
    assert len(RULES) >= 25
