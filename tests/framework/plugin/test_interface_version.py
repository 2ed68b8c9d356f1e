"""A plugin written for another version of its role's interface is refused by name."""

from __future__ import annotations

import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.book import BookModel
from quotewright.kernel.rules import RiskRule
from quotewright.kernel.strategy import Strategy
from quotewright.kernel.venue import Venue
from quotewright.plugin.registry import PluginSet
from quotewright.plugin.settings import configured

ROLES = {
    "book_models": BookModel,
    "strategies": Strategy,
    "risk_rules": RiskRule,
    "execution_venues": Venue,
}


class Offering:
    """Stands for a plugin module: one factory under one hook."""

    def __init__(self, hook: str, factory: type) -> None:
        from quotewright.plugin.specs import hookimpl

        def offer() -> dict[str, type]:
            return {"late": factory}

        offer.__name__ = hook
        setattr(self, hook, hookimpl(offer))


@pytest.mark.parametrize(("hook", "role"), ROLES.items(), ids=ROLES)
def test_a_role_of_another_interface_version_is_refused(hook: str, role: type) -> None:
    late = configured(type("Late", (role,), {"interface_version": 2, "__annotations__": {}}))
    plugins = PluginSet.discover(extra=[Offering(hook, late)])
    with pytest.raises(ConfigError, match="written for version 2 of its interface, this program has version 1"):
        plugins.build(hook, {"plugin": "late"})


@pytest.mark.parametrize(("hook", "role"), ROLES.items(), ids=ROLES)
def test_a_role_of_this_interface_version_is_taken(hook: str, role: type) -> None:
    fitting = configured(type("Fitting", (role,), {"__annotations__": {}}))
    plugins = PluginSet.discover(extra=[Offering(hook, fitting)])
    assert isinstance(plugins.build(hook, {"plugin": "late"}), role)
