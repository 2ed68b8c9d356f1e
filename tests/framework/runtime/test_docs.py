"""The pages on runs, strategies and risk rules name every key that there is."""

from __future__ import annotations

import typing
from pathlib import Path

import attrs
import pytest

from quotewright.config.load import load_config
from quotewright.model import orders
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.recorder import SAMPLE_COLUMNS
from quotewright.runtime.session import paper

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "simexchange" / "quotewright_simexchange" / "demo.toml"
PAGES = {"strategies": "strategies.md", "risk_rules": "risk-rules.md"}


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def missing(keys, text):
    return sorted(key for key in keys if f"`{key}`" not in text)


def test_the_page_on_the_folder_names_every_key_of_a_summary():
    text = page("run-folder.md")
    summary = paper(load_config([DEMO]), PluginSet.discover(environment={}), seconds=2).summary
    (instrument,) = summary["instruments"].values()
    (strategy,) = summary["strategies"].values()
    tables = (summary, instrument, strategy, summary["integrity"], instrument["quotes"], instrument["quotes"]["bid"])
    assert missing({key for table in tables for key in table}, text) == []
    assert missing(SAMPLE_COLUMNS, text) == []


@pytest.mark.parametrize(("hook", "name"), PAGES.items(), ids=PAGES)
def test_every_shipped_strategy_and_rule_is_on_its_page_with_every_key(hook, name):
    plugins, text = PluginSet.discover(environment={}), page(name)
    found = [offer for offer in plugins.offers if offer.hook == hook]
    assert len(found) >= 2
    for offer in found:
        assert offer.name in text
        own = ROOT / "docs" / hook / f"{offer.name}.md"
        told = text + (own.read_text(encoding="utf-8") if own.is_file() else "")
        for field in attrs.fields(plugins.get(hook, offer.name)):
            assert field.name == "resume" or missing([field.name], told) == [], f"{offer.name}.{field.name}"


def test_every_command_report_and_reason_is_on_its_page():
    text = page("order-and-venue-interface.md")
    for struct in (*typing.get_args(orders.Command), *typing.get_args(orders.Report)):
        assert missing([struct.__name__, *struct.__struct_fields__], text) == []
    for reasons in (orders.RejectReason, orders.CancelReason):
        assert missing(typing.get_args(reasons), text) == []
    assert all(state.name in text for state in orders.OrderState)
    assert all(state.name in page("risk-interface.md") for state in orders.RiskState)
