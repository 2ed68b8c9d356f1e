"""The decimal door of the matching core: commands with decimal text and names in, events with decimal text out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import SpotAccounts
from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    ALWAYS_REQUEUES,
    AMENDED,
    CANCELED,
    CROSS_CANCEL,
    CROSS_REJECT,
    EVENT_NAMES,
    FOK,
    GTC,
    IOC,
    KEEP,
    LIMIT,
    MARKET,
    NOT_POST_ONLY,
    POST_ONLY_REJECT,
    POST_ONLY_REPRICE,
    QTY_DOWN_KEEPS,
    QTY_DOWN_ONLY,
    REASON_NAMES,
    REPRICED,
    TRADED,
)
from quotewright_simexchange.matching.core import MatchingCore
from quotewright_simexchange.matching.decimals import decimals_of, read_steps, scaled, setting_number, write_steps
from quotewright_simexchange.matching.ledger import Ledger

SIDES = {"buy": BUY, "sell": SELL}
KINDS = {"limit": LIMIT, "market": MARKET}
TIFS = {"gtc": GTC, "ioc": IOC, "fok": FOK}
POST_ONLY = {"none": NOT_POST_ONLY, "reject": POST_ONLY_REJECT, "reprice": POST_ONLY_REPRICE}
AMEND_POLICIES = {
    "qty_down_keeps": QTY_DOWN_KEEPS,
    "always_requeues": ALWAYS_REQUEUES,
    "qty_down_only": QTY_DOWN_ONLY,
}
AMEND_CROSSES = {"reject": CROSS_REJECT, "cancel": CROSS_CANCEL}

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
    "max_open_orders": None,
}
UNUSED = {"stop_if_met"}
"""Settings of features that are not there: whatever they say, no order can meet them."""

NOT_BUILT = {
    "market_protection",
    "price_band",
    "exec_range",
    "im_rate",
    "mm_rate",
    "option_fee_rate",
    "option_fee_cap",
    "strike",
    "option_type",
}
ORDER_DEFAULTS: dict[str, Any] = {
    "reduce_only": False,
    "display": None,
    "hidden": False,
    "stp": "none",
    "trigger": None,
    "trigger_by": "last",
    "expire_at": None,
}
RATE_DECIMALS = 18


class NotSupportedError(InputError):
    """The engine does not know this kind of instrument, setting, command or order."""


def _choice(what: str, value: object, choices: Mapping[str, int]) -> int:
    if isinstance(value, str) and value in choices:
        return choices[value]
    raise NotSupportedError(f"{what} should be one of {', '.join(choices)}, was {value!r}; nothing was done")


class FastEngine:
    """One instrument behind names and decimal text; see ``docs/matching.md`` for the keys of commands and events.

    *instrument* holds the settings of the instrument (absent: the default), *accounts* the funds by account name: they
    are deposited in *ledger*, which engines can share (None: one of its own); *name* is what the ledger calls this
    engine. What the engine cannot do is refused with NotSupportedError before anything happens; a bad number in an
    order is not an error but a rejected order.
    """

    def __init__(
        self,
        instrument: Mapping[str, Any],
        accounts: Mapping[str, Any] | None = None,
        ledger: Ledger | None = None,
        name: str = "",
    ) -> None:
        settings = self._settings(instrument)
        tick, lot, mult = (self._positive(key, settings[key]) for key in ("tick", "lot", "mult"))
        self.price_decimals = decimals_of(tick)
        self.size_decimals = decimals_of(lot)
        if max(self.price_decimals, self.size_decimals) > 18:
            raise InputError(f"tick and lot should have at most 18 decimals, were {tick} and {lot}")
        self.base: str = settings["base"]
        self.quote: str = settings["quote"]
        self.is_spot = settings["kind"] == "spot"
        if self.is_spot and mult != 1:
            raise NotSupportedError(f"mult of a spot instrument should be 1, was {mult}")
        self.fee_scale = int(settings["fee_scale"])
        self.order_numbers: dict[str, int] = {}
        self.order_names: list[str] = []
        funds = {account: self._balances(account, given) for account, given in (accounts or {}).items()}
        if ledger is None:
            decimals = [decimals_of(amount) for balances in funds.values() for amount in balances.values()]
            ledger = Ledger(max(18, self.price_decimals + self.size_decimals, self.fee_scale, *decimals))
        self.ledger = ledger
        self.name = name
        self.money_decimals = ledger.scale
        self.account_numbers = ledger.numbers
        self.spot = self._spot(settings) if self.is_spot else None
        for account, balances in funds.items():
            self.open(account, balances)
        self.core = MatchingCore(
            tick_steps=scaled(tick, self.price_decimals),
            lot_steps=scaled(lot, self.size_decimals),
            min_quantity=self._limit_steps(settings, "min_qty", self.size_decimals, Fraction(1)),
            max_quantity=self._max_steps(settings),
            min_notional=self._limit_steps(
                settings, "min_notional", self.price_decimals + self.size_decimals, Fraction(mult)
            ),
            max_open_orders=int(settings["max_open_orders"] or 0),
            amend_policy=_choice("amend_policy", settings["amend_policy"], AMEND_POLICIES),
            amend_post_only_cross=_choice("amend_post_only_cross", settings["amend_post_only_cross"], AMEND_CROSSES),
            money=self.spot,
        )

    # Commands.

    def run(self, cmd: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[list[str]]]:
        """Carry out one command and return its events and the level changes it made.

        Raises NotSupportedError for what the engine cannot do; nothing has happened then.
        """
        operation = cmd.get("op")
        if operation == "new":
            self._new(cmd)
        elif operation == "cancel":
            self.core.cancel(self._order_number(cmd), self._known_account(cmd))
        elif operation == "cancel_all":
            self.core.cancel_all(self._known_account(cmd))
        elif operation == "amend":
            self.core.amend(
                self._order_number(cmd),
                self._known_account(cmd),
                KEEP if cmd.get("price") is None else read_steps(cmd["price"], self.price_decimals),
                KEEP if cmd.get("qty") is None else read_steps(cmd["qty"], self.size_decimals),
            )
        else:
            raise NotSupportedError(
                f"op should be one of new, cancel, cancel_all, amend, was {operation!r}; nothing was done"
            )
        return self._events(str(cmd.get("id"))), self._changes()

    def open(self, account: str, balances: Mapping[str, Decimal]) -> None:
        """Fund *account* with *balances* by currency, before or while the engine runs: its orders are checked then."""
        number = self.ledger.number(account)
        self.ledger.open(number)
        for currency, amount in balances.items():
            self.ledger.deposit(number, currency, scaled(amount, self.money_decimals))

    def final(self) -> dict[str, Any]:
        """Return the book, the last price and, for spot, the balances of the funded accounts."""
        core = self.core
        state: dict[str, Any] = {
            "bids": self._side(BUY),
            "asks": self._side(SELL),
            "stops": [],
            "last": self._price(core.last_price) if core.last_price else None,
        }
        names = [name for number, name in enumerate(self.ledger.names) if self.ledger.is_funded[number]]
        if self.spot is not None and names:
            state["accounts"] = {name: {"balances": self._final_balances(name)} for name in names}
        return state

    def _new(self, cmd: Mapping[str, Any]) -> None:
        for key, default in ORDER_DEFAULTS.items():
            if cmd.get(key, default) not in (default, None):
                raise NotSupportedError(f"order {cmd.get('id')!r}: {key} is not supported; nothing was done")
        side = _choice(f"order {cmd.get('id')!r}: side", cmd.get("side"), SIDES)
        kind = _choice(f"order {cmd.get('id')!r}: type", cmd.get("type", "limit"), KINDS)
        tif = _choice(f"order {cmd.get('id')!r}: tif", cmd.get("tif", "gtc"), TIFS)
        post_only = _choice(f"order {cmd.get('id')!r}: post_only", cmd.get("post_only") or "none", POST_ONLY)
        name = self._name(cmd, "id")
        account = self._account_number(self._name(cmd, "account"))
        number = self.order_numbers.get(name, len(self.order_names))
        self.core.new(
            number,
            account,
            side,
            kind,
            read_steps(cmd.get("price"), self.price_decimals),
            read_steps(cmd.get("qty"), self.size_decimals),
            tif,
            post_only,
        )
        if number == len(self.order_names) and self.core.is_used(number):
            self.order_numbers[name] = number
            self.order_names.append(name)

    def _name(self, cmd: Mapping[str, Any], key: str) -> str:
        name = cmd.get(key)
        if not isinstance(name, str) or not name:
            raise InputError(f"{cmd.get('op')}: {key} should be a name, was {name!r}; nothing was done")
        return name

    def _account_number(self, name: str) -> int:
        return self.ledger.number(name)

    def _known_account(self, cmd: Mapping[str, Any]) -> int:
        return self.account_numbers.get(self._name(cmd, "account"), -1)

    def _order_number(self, cmd: Mapping[str, Any]) -> int:
        return self.order_numbers.get(self._name(cmd, "id"), -1)

    # Events.

    def _events(self, name: str) -> list[dict[str, Any]]:
        fees = self.core.fees()
        trades = 0
        found = []
        for kind, order, other, price, quantity, leaves, _, code, _, _, _ in self.core.events():
            event: dict[str, Any] = {"ev": EVENT_NAMES[kind]}
            if kind == TRADED:
                event |= {"maker": self.order_names[order], "taker": self.order_names[other]}
                event |= {"price": self._price(price), "qty": self._size(quantity)}
                if fees:
                    event["fees"] = self._fees(*fees[trades])
                    trades += 1
                found.append(event)
                continue
            is_known = 0 <= order < len(self.order_names)
            event["id"] = self.order_names[order] if is_known else name
            if kind == AMENDED:
                event |= {"price": self._price(price), "qty": self._size(quantity), "leaves": self._size(leaves)}
                event["priority"] = "kept" if code else "lost"
            elif kind == CANCELED:
                event |= {"qty": self._size(quantity), "reason": REASON_NAMES[code]}
            elif kind == REPRICED:
                event["price"] = self._price(price)
            elif kind != ACCEPTED:
                event["reason"] = REASON_NAMES[code]
            found.append(event)
        return found

    def _fees(self, maker: int, is_maker_base: bool, taker: int, is_taker_base: bool) -> dict[str, list[str]]:
        return {
            "maker": [write_steps(maker, self.money_decimals), self.base if is_maker_base else self.quote],
            "taker": [write_steps(taker, self.money_decimals), self.base if is_taker_base else self.quote],
        }

    def _changes(self) -> list[list[str]]:
        return [
            ["bid" if side == BUY else "ask", self._price(price), self._size(quantity)]
            for side, price, quantity, _ in self.core.changes()
        ]

    def _side(self, side: int) -> list[dict[str, Any]]:
        return [
            {
                "price": self._price(price),
                "qty": self._size(quantity),
                "orders": [
                    {"id": self.order_names[order], "qty": self._size(leaves)}
                    for order, leaves in self.core.orders_at(side, price)
                ],
            }
            for price, quantity in self.core.levels(side)
        ]

    def _final_balances(self, name: str) -> dict[str, dict[str, str]]:
        number = self.account_numbers[name]
        shown = {}
        for currency in sorted({self.base, self.quote, *self.ledger.wallets}):
            free, locked = self.ledger.balance(number, currency)
            if free or locked or currency in (self.base, self.quote):
                shown[currency] = {
                    "free": write_steps(free, self.money_decimals),
                    "locked": write_steps(locked, self.money_decimals),
                }
        return shown

    def _price(self, steps: int) -> str:
        return write_steps(steps, self.price_decimals)

    def _size(self, steps: int) -> str:
        return write_steps(steps, self.size_decimals)

    # Settings.

    def _settings(self, instrument: Mapping[str, Any]) -> dict[str, Any]:
        unknown = instrument.keys() - DEFAULTS.keys() - UNUSED - NOT_BUILT
        if unknown:
            raise InputError(f"instrument: unknown key {sorted(unknown)[0]!r}; known: {', '.join(DEFAULTS)}")
        for key in sorted(NOT_BUILT & instrument.keys()):
            if instrument[key] is not None:
                raise NotSupportedError(f"instrument: {key} is not supported, was {instrument[key]!r}")
        settings = DEFAULTS | {key: value for key, value in instrument.items() if key in DEFAULTS}
        if settings["kind"] not in ("plain", "spot"):
            raise NotSupportedError(f"instrument: kind should be plain or spot, was {settings['kind']!r}")
        if settings["fee_mode"] not in ("received", "quote"):
            raise InputError(f"instrument: fee_mode should be received or quote, was {settings['fee_mode']!r}")
        return settings

    def _positive(self, key: str, value: object) -> Decimal:
        number = setting_number(f"instrument: {key}", value)
        if number <= 0:
            raise InputError(f"instrument: {key} should be positive, was {number}")
        return number

    def _limit_steps(self, settings: Mapping[str, Any], key: str, decimals: int, unit: Fraction) -> int:
        """Return a lower limit in steps, rounded up, 0 if it is off."""
        if settings[key] is None:
            return 0
        limit = Fraction(setting_number(f"instrument: {key}", settings[key])) * 10**decimals / unit
        steps: int = math.ceil(limit)
        return steps

    def _max_steps(self, settings: Mapping[str, Any]) -> int:
        """Return the largest quantity in steps, rounded down, 0 if it is off."""
        if settings["max_qty"] is None:
            return 0
        limit = Fraction(self._positive("max_qty", settings["max_qty"])) * 10**self.size_decimals
        steps: int = math.floor(limit)
        if steps == 0:
            raise InputError(f"instrument: max_qty {settings['max_qty']} is less than a lot")
        return steps

    def _balances(self, name: str, account: Mapping[str, Any]) -> dict[str, Decimal]:
        balances = account.get("balances") or {}
        return {
            currency: setting_number(f"account {name}: {currency}", amount) for currency, amount in balances.items()
        }

    def _spot(self, settings: Mapping[str, Any]) -> SpotAccounts:
        return SpotAccounts(
            self.price_decimals,
            self.size_decimals,
            scaled(setting_number("instrument: maker_fee", settings["maker_fee"]), RATE_DECIMALS),
            scaled(setting_number("instrument: taker_fee", settings["taker_fee"]), RATE_DECIMALS),
            settings["fee_mode"] == "quote",
            self.fee_scale,
            ledger=self.ledger,
            base=self.base,
            quote=self.quote,
            source=self.name,
        )
