"""The settings of an instrument as decimal text, and the money and the core that are made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from quotewright.errors import InputError
from quotewright_simexchange.matching.accounts import Accounts, SpotAccounts
from quotewright_simexchange.matching.codes import (
    ALWAYS_REQUEUES,
    CROSS_CANCEL,
    CROSS_REJECT,
    INDEX,
    INVERSE,
    LAST,
    LINEAR,
    MARK,
    MET_REJECT,
    MET_TRIGGER,
    MOST,
    OPTION,
    QTY_DOWN_KEEPS,
    QTY_DOWN_ONLY,
    REF,
)
from quotewright_simexchange.matching.core import MatchingCore
from quotewright_simexchange.matching.decimals import decimals_of, scaled, setting_number
from quotewright_simexchange.matching.derivatives import DerivativeAccounts
from quotewright_simexchange.matching.ledger import Ledger

AMEND_POLICIES = {
    "qty_down_keeps": QTY_DOWN_KEEPS,
    "always_requeues": ALWAYS_REQUEUES,
    "qty_down_only": QTY_DOWN_ONLY,
}
AMEND_CROSSES = {"reject": CROSS_REJECT, "cancel": CROSS_CANCEL}
STOPS_MET = {"reject": MET_REJECT, "trigger": MET_TRIGGER}
TRIGGERS = {"last": LAST, "mark": MARK, "index": INDEX}
REFERENCES = TRIGGERS | {"ref": REF}
DERIVATIVES = {"linear": LINEAR, "inverse": INVERSE, "option": OPTION}

DEFAULTS: dict[str, Any] = {
    "kind": "plain",
    "tick": "1",
    "lot": "1",
    "mult": "1",
    "min_qty": None,
    "max_qty": None,
    "min_notional": None,
    "maker_fee": "0",
    "taker_fee": "0",
    "fee_mode": "received",
    "fee_scale": 8,
    "base": "BASE",
    "quote": "QUOTE",
    "amend_policy": "qty_down_keeps",
    "amend_post_only_cross": "reject",
    "stop_if_met": "reject",
    "market_protection": None,
    "price_band": None,
    "exec_range": None,
    "max_open_orders": None,
    "im_rate": None,
    "mm_rate": None,
    "option_fee_rate": None,
    "option_fee_cap": None,
    "strike": None,
    "option_type": None,
}
RATE_DECIMALS = 18
REFERENCE_DECIMALS = 18


class NotSupportedError(InputError):
    """The engine does not know this kind of instrument, setting, command or order."""


def choice(what: str, value: object, choices: Mapping[str, int]) -> int:
    """Return the number of the choice *value*; NotSupportedError if it is none of them."""
    if isinstance(value, str) and value in choices:
        return choices[value]
    raise NotSupportedError(f"{what} should be one of {', '.join(choices)}, was {value!r}; nothing was done")


class Terms:
    """Checked settings of one instrument; absent ones have their default."""

    def __init__(self, instrument: Mapping[str, Any]) -> None:
        unknown = instrument.keys() - DEFAULTS.keys()
        if unknown:
            raise InputError(f"instrument: unknown key {sorted(unknown)[0]!r}; known: {', '.join(DEFAULTS)}")
        self.settings = DEFAULTS | dict(instrument)
        self.kind: str = self.settings["kind"]
        choice("instrument: kind", self.kind, {"plain": 0, "spot": 0} | DERIVATIVES)
        if self.settings["fee_mode"] not in ("received", "quote"):
            raise InputError(f"instrument: fee_mode should be received or quote, was {self.settings['fee_mode']!r}")
        self.tick, self.lot, self.mult = (self.positive(key) for key in ("tick", "lot", "mult"))
        self.price_decimals = decimals_of(self.tick)
        self.size_decimals = decimals_of(self.lot)
        if max(self.price_decimals, self.size_decimals) > RATE_DECIMALS:
            raise InputError(f"tick and lot should have at most 18 decimals, were {self.tick} and {self.lot}")
        if self.kind == "spot" and self.mult != 1:
            raise NotSupportedError(f"mult of a spot instrument should be 1, was {self.mult}")
        self.fee_scale = int(self.settings["fee_scale"])
        self.base: str = self.settings["base"]
        self.quote: str = self.settings["quote"]
        self.is_derivative = self.kind in DERIVATIVES
        self.settles_in = self.quote if self.kind == "linear" else self.base
        decimals = 0 if self.kind == "inverse" else self.price_decimals + self.size_decimals + decimals_of(self.mult)
        self.money_decimals = max(18, decimals, self.fee_scale)
        self.is_put = self.settings["option_type"] == "put"
        if self.kind == "option":
            choice("instrument: option_type", self.settings["option_type"], {"call": 0, "put": 1})
            self.number("strike")

    def number(self, key: str) -> Decimal:
        """Return a setting as a number."""
        return setting_number(f"instrument: {key}", self.settings[key])

    def positive(self, key: str) -> Decimal:
        """Return a setting as a number above zero."""
        number = self.number(key)
        if number <= 0:
            raise InputError(f"instrument: {key} should be positive, was {number}")
        return number

    def rate(self, key: str, off: int = 0) -> int:
        """Return a rate in parts of RATE_UNIT, *off* if it is off."""
        return off if self.settings[key] is None else scaled(self.number(key), RATE_DECIMALS)

    def limit_steps(self, key: str, decimals: int, unit: Fraction) -> int:
        """Return a lower limit in steps, rounded up, 0 if it is off."""
        if self.settings[key] is None:
            return 0
        steps: int = math.ceil(Fraction(self.number(key)) * 10**decimals / unit)
        return steps

    def most_steps(self) -> int:
        """Return the largest quantity in steps, rounded down, 0 if it is off."""
        if self.settings["max_qty"] is None:
            return 0
        steps: int = math.floor(Fraction(self.positive("max_qty")) * 10**self.size_decimals)
        if steps == 0:
            raise InputError(f"instrument: max_qty {self.settings['max_qty']} is less than a lot")
        return steps

    # What is made of them.

    def money(self, ledger: Ledger, name: str) -> Accounts | None:
        """Return the accounts of the instrument in *ledger*; None for a plain one, which knows no money."""
        if self.kind == "plain":
            return None
        if self.kind == "spot":
            return SpotAccounts(
                self.price_decimals,
                self.size_decimals,
                self.rate("maker_fee"),
                self.rate("taker_fee"),
                self.settings["fee_mode"] == "quote",
                self.fee_scale,
                ledger=ledger,
                base=self.base,
                quote=self.quote,
                source=name,
            )
        mult_decimals = decimals_of(self.mult)
        strike = 0
        if self.kind == "option":
            strike = scaled(self.number("strike"), self.price_decimals + REFERENCE_DECIMALS)
        return DerivativeAccounts(
            DERIVATIVES[self.kind],
            self.price_decimals,
            self.size_decimals,
            scaled(self.mult, mult_decimals),
            mult_decimals,
            self.rate("maker_fee"),
            self.rate("taker_fee"),
            self.fee_scale,
            self.rate("im_rate", -1),
            self.rate("mm_rate", -1),
            self.rate("option_fee_rate"),
            self.rate("option_fee_cap", -1),
            strike,
            self.is_put,
            ledger=ledger,
            currency=self.settles_in,
            source=name,
        )

    def core(self, money: Accounts | None) -> MatchingCore:
        """Return the matching core of the instrument with its rules switched on."""
        settings = self.settings
        core = MatchingCore(
            tick_steps=scaled(self.tick, self.price_decimals),
            lot_steps=scaled(self.lot, self.size_decimals),
            min_quantity=self.limit_steps("min_qty", self.size_decimals, Fraction(1)),
            max_quantity=self.most_steps(),
            min_notional=self.limit_steps(
                "min_notional", self.price_decimals + self.size_decimals, Fraction(self.mult)
            ),
            max_open_orders=int(settings["max_open_orders"] or 0),
            amend_policy=choice("amend_policy", settings["amend_policy"], AMEND_POLICIES),
            amend_post_only_cross=choice("amend_post_only_cross", settings["amend_post_only_cross"], AMEND_CROSSES),
            money=money,
            stop_if_met=choice("stop_if_met", settings["stop_if_met"], STOPS_MET),
        )
        if settings["price_band"] is not None:
            core.set_price_band(*self._bounds("price_band"))
        if settings["exec_range"] is not None:
            core.set_execution_range(*self._bounds("exec_range"))
        if settings["market_protection"] is not None:
            self._protect(core)
        return core

    def _rule(self, key: str, known: tuple[str, ...]) -> Mapping[str, Any]:
        rule = self.settings[key]
        if not isinstance(rule, Mapping) or not rule.keys() <= set(known):
            raise InputError(f"instrument: {key} should be an object of {', '.join(known)}, was {rule!r}")
        return rule

    def _bounds(self, key: str) -> tuple[int, int | None, int | None, int | None, int | None]:
        """Return reference and shares of a band: low and high of buys, low and high of sells."""
        edges = ("down", "up", "down_buy", "up_buy", "down_sell", "up_sell")
        rule = self._rule(key, ("ref", *edges))
        shares: list[int | None] = []
        for side in ("buy", "sell"):
            for edge in ("down", "up"):
                share = rule.get(f"{edge}_{side}", rule.get(edge))
                number = None if share is None else setting_number(f"instrument: {key}: {edge}", share)
                shares.append(None if number is None else scaled(number, RATE_DECIMALS))
        low_buy, high_buy, low_sell, high_sell = shares
        return choice(f"{key}: ref", rule.get("ref"), REFERENCES), low_buy, high_buy, low_sell, high_sell

    def _protect(self, core: MatchingCore) -> None:
        rule = self._rule("market_protection", ("ref", "points", "pct", "remainder"))
        of_last = choice("market_protection: ref", rule.get("ref"), {"best": 0, "last": 1})
        rests = choice("market_protection: remainder", rule.get("remainder", "cancel"), {"cancel": 0, "rest": 1})
        points, share = rule.get("points"), rule.get("pct")
        if (points is None) == (share is None):
            raise InputError(f"instrument: market_protection should have either points or pct, was {dict(rule)!r}")
        name = "instrument: market_protection"
        core.set_protection(
            bool(of_last),
            None if points is None else min(math.floor(setting_number(name, points)), MOST),
            None if share is None else scaled(setting_number(name, share), RATE_DECIMALS),
            bool(rests),
        )
