"""Config keys of plugins: the decorator, the checks, and roles as base classes."""

from __future__ import annotations

import attrs
import pytest

from quotewright.config.units import Amount, Duration, Percent, UnitError
from quotewright.kernel.book import BookModel
from quotewright.kernel.rules import CheckRule
from quotewright.kernel.strategy import Strategy
from quotewright.kernel.venue import Venue
from quotewright.plugin import at_least, between, configured, not_negative, one_of, positive, setting
from quotewright.plugin.settings import config_model, info


@configured
class MaxPosition(CheckRule):
    """A rule with keys, on top of a role that has a state."""

    limit: Amount = setting(doc="largest position", unit="base", check=positive)
    window: Duration = setting(default="30s")
    share: Percent | None = setting(default=None)

    def check(self, order, view):
        return ""


@configured
class Wider(MaxPosition):
    levels: int = setting(default=3, check=between(1, 5))


def test_the_role_is_initialised_before_the_keys():
    rule = Wider(limit="0.5 BTC")
    assert (rule.state, rule.name, rule.mode) == (0, "", "enforce")
    assert (rule.limit, rule.window, rule.levels) == (Amount.parse("0.5 BTC"), 30_000_000_000, 3)
    rule.set_state(2, "why")
    assert rule.state == 2


@pytest.mark.parametrize("role", [BookModel, Strategy, Venue, CheckRule])
def test_every_role_can_be_a_configured_class(role):
    made = configured(type("Made", (role,), {"__annotations__": {"ticks": int}, "ticks": setting(default=2)}))
    assert isinstance(made(ticks=3), role)
    assert made(ticks=3).ticks == 3
    assert made() != made(), "two plugins are never equal"
    assert hash(made())


@pytest.mark.parametrize("role", [BookModel, Strategy, Venue, CheckRule])
def test_a_plain_attrs_class_that_initialises_its_role_works_too(role):
    @attrs.define(slots=False, eq=False)
    class Made(role):
        ticks: int = 2

        def __attrs_pre_init__(self):
            super().__init__()

    assert Made(ticks=3).ticks == 3


def test_values_may_be_given_as_text_or_as_themselves():
    assert MaxPosition(limit=Amount.parse("1 BTC"), share="2%").share == Percent.parse("2%")
    with pytest.raises(UnitError, match=r"^should be a duration"):
        MaxPosition(limit="1 BTC", window="5")


CHECKS = {
    "positive": (positive, 0, "n should be positive, was 0"),
    "not negative": (not_negative, -1, "n should be zero or more, was -1"),
    "at least": (at_least("0.5"), 0, "n should be at least 0.5, was 0"),
    "between": (between(1, 3), 4, "n should be between 1 and 3, was 4"),
    "one of": (one_of("a", "b"), "c", "n should be one of 'a', 'b', was 'c'"),
    "positive amount": (positive, Amount.parse("-1 BTC"), "n should be positive, was '-1 BTC'"),
    "positive duration": (positive, Duration(0), "n should be positive, was '0s'"),
}


@pytest.mark.parametrize(("check", "value", "message"), CHECKS.values(), ids=CHECKS)
def test_a_failed_check_says_what_is_allowed(check, value, message):
    @configured
    class Made:
        n: object = setting(check=check)

    with pytest.raises(UnitError) as caught:
        Made(n=value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("check", "value"),
    [(positive, 1), (not_negative, 0), (at_least(2), 2), (between(1, 3), 3), (one_of("a"), "a"), (positive, None)],
)
def test_a_check_lets_what_is_allowed_pass(check, value):
    @configured
    class Made:
        n: object = setting(check=check)

    assert Made(n=value).n == value


def test_what_is_told_about_a_key_is_kept_on_its_field():
    about = info(attrs.fields_dict(MaxPosition)["limit"])
    assert (about.doc, about.unit, about.range) == ("largest position", "base", "positive")
    assert info(attrs.fields_dict(attrs.make_class("Plain", ["x"]))["x"]).doc == ""


def test_the_config_model_of_a_factory():
    def factory(settings):
        return settings

    assert config_model(factory) is None
    factory.config_model = MaxPosition
    assert config_model(factory) is MaxPosition
    assert config_model(MaxPosition) is MaxPosition
    assert config_model(BookModel) is None
