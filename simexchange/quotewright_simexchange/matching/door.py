"""The decimal door of the matching core: commands with decimal text and names in, events with decimal text out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import SpotAccounts
from quotewright_simexchange.matching.codes import (
    AMENDED,
    CANCELED,
    CROSSED,
    EVENT_NAMES,
    FOK,
    FUNDED,
    GTC,
    GTD,
    INSURED,
    IOC,
    IS_HIDDEN,
    IS_REDUCE_ONLY,
    KEEP,
    LIMIT,
    LIQUIDATED,
    MARKET,
    NO_STP,
    NOT_POST_ONLY,
    PHASE_CHANGED,
    PHASE_NAMES,
    POST_ONLY_REJECT,
    POST_ONLY_REPRICE,
    REASON_NAMES,
    REDUCED,
    REFRESHED,
    REPRICED,
    SETTLED,
    STOP,
    STOP_LIMIT,
    STP_BOTH,
    STP_DECREMENT,
    STP_MAKER,
    STP_TAKER,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRADED,
    UNCROSSED,
)
from quotewright_simexchange.matching.decimals import decimals_of, read_steps, scaled, setting_number, write_steps
from quotewright_simexchange.matching.derivatives import DerivativeAccounts
from quotewright_simexchange.matching.ledger import Ledger
from quotewright_simexchange.matching.terms import (
    RATE_DECIMALS,
    REFERENCE_DECIMALS,
    REFERENCES,
    TRIGGERS,
    NotSupportedError,
    Terms,
    choice,
)

__all__ = ["FastEngine", "NotSupportedError"]

SIDES = {"buy": BUY, "sell": SELL}
SIDE_NAMES = {BUY: "buy", SELL: "sell"}
KINDS = {
    "limit": LIMIT,
    "market": MARKET,
    "stop": STOP,
    "stop_limit": STOP_LIMIT,
    "take_profit": TAKE_PROFIT,
    "take_profit_limit": TAKE_PROFIT_LIMIT,
}
TIFS = {"gtc": GTC, "ioc": IOC, "fok": FOK, "gtd": GTD}
POST_ONLY = {"none": NOT_POST_ONLY, "reject": POST_ONLY_REJECT, "reprice": POST_ONLY_REPRICE}
STPS = {
    "none": NO_STP,
    "cancel_taker": STP_TAKER,
    "cancel_maker": STP_MAKER,
    "cancel_both": STP_BOTH,
    "decrement": STP_DECREMENT,
}
PHASES = {name: number for number, name in enumerate(PHASE_NAMES)}
AMOUNTS = (FUNDED, SETTLED, INSURED)
OPERATIONS = (
    *("new", "cancel", "cancel_all", "amend", "mark", "index", "ref", "clock", "phase", "uncross", "funding", "settle"),
)


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
        terms = Terms(instrument)
        self.terms = terms
        self.price_decimals = terms.price_decimals
        self.size_decimals = terms.size_decimals
        self.base = terms.base
        self.quote = terms.quote
        self.is_spot = terms.kind == "spot"
        self.fee_scale = terms.fee_scale
        self.order_numbers: dict[str, int] = {}
        self.order_names: list[str] = []
        funds = {account: self._balances(account, given) for account, given in (accounts or {}).items()}
        if ledger is None:
            decimals = [decimals_of(amount) for balances in funds.values() for amount in balances.values()]
            ledger = Ledger(max(terms.money_decimals, *decimals, 0))
        self.ledger = ledger
        self.name = name
        self.money_decimals = ledger.scale
        self.account_numbers = ledger.numbers
        self.money = terms.money(ledger, name)
        self.spot = self.money if isinstance(self.money, SpotAccounts) else None
        self.derivative = self.money if isinstance(self.money, DerivativeAccounts) else None
        self.core = terms.core(self.money)
        self.groups: dict[str, int] = {}
        self._ordered = 0
        for account, given in (accounts or {}).items():
            self._open(account, given, funds[account])

    def _balances(self, name: str, account: Mapping[str, Any]) -> dict[str, Decimal]:
        balances = dict(account.get("balances") or {})
        if self.terms.is_derivative and "cash" in account:
            balances[self.terms.settles_in] = account["cash"]
        return {
            currency: setting_number(f"account {name}: {currency}", amount) for currency, amount in balances.items()
        }

    def _open(self, name: str, given: Mapping[str, Any], balances: Mapping[str, Decimal]) -> None:
        if "balances" in given or "cash" in given:
            self.open(name, balances)
        number = self._account_number(name)
        if given.get("stp_group") is not None:
            self.core.set_group(number, self.groups.setdefault(str(given["stp_group"]), len(self.groups) + 1))
        if self.derivative is not None and given.get("pos") is not None:
            held = scaled(setting_number(f"account {name}: pos", given["pos"]), self.size_decimals)
            entry = scaled(setting_number(f"account {name}: entry", given.get("entry", "0")), self.price_decimals)
            self.derivative.add_position(number, held, entry)

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
            self._run_market(str(operation), cmd)
        return self._events(str(cmd.get("id"))), self._changes()

    def _run_market(self, operation: str, cmd: Mapping[str, Any]) -> None:
        """Carry out a command that is no order's."""
        if operation not in OPERATIONS:
            raise NotSupportedError(f"op should be one of {', '.join(OPERATIONS)}, was {operation!r}; nothing was done")
        self._order_accounts()
        if operation in REFERENCES:
            self.core.set_reference(REFERENCES[operation], self._reference(operation, cmd.get("price")))
        elif operation == "clock":
            now = cmd.get("now")
            if isinstance(now, bool) or not isinstance(now, int):
                raise InputError(f"clock: now should be a whole number, was {now!r}; nothing was done")
            self.core.set_time(now)
        elif operation == "phase":
            self.core.set_phase(choice("phase: state", cmd.get("state"), PHASES))
        elif operation == "uncross":
            self.core.uncross()
        elif operation == "funding":
            self.core.fund(scaled(setting_number("funding: rate", cmd.get("rate")), RATE_DECIMALS))
        else:
            self.core.settle(self._reference(operation, cmd.get("price")))

    def _reference(self, operation: str, price: object) -> int:
        number = setting_number(f"{operation}: price", price)
        if number <= 0:
            raise InputError(f"{operation}: price should be positive, was {number}; nothing was done")
        return scaled(number, self.price_decimals + REFERENCE_DECIMALS)

    def _order_accounts(self) -> None:
        """Tell the core the accounts by name: that is the order of liquidation, funding and settlement."""
        if self._ordered != len(self.ledger.names):
            self._ordered = len(self.ledger.names)
            self.core.set_account_order([number for _, number in sorted(self.ledger.numbers.items())])

    def open(self, account: str, balances: Mapping[str, Decimal]) -> None:
        """Fund *account* with *balances* by currency, before or while the engine runs: its orders are checked then."""
        number = self.ledger.number(account)
        self.ledger.open(number)
        for currency, amount in balances.items():
            self.ledger.deposit(number, currency, scaled(amount, self.money_decimals))

    def _new(self, cmd: Mapping[str, Any]) -> None:
        where = f"order {cmd.get('id')!r}"
        side = choice(f"{where}: side", cmd.get("side"), SIDES)
        kind = choice(f"{where}: type", cmd.get("type", "limit"), KINDS)
        tif = choice(f"{where}: tif", cmd.get("tif", "gtc"), TIFS)
        asked = cmd.get("post_only") or "none"
        post_only = choice(f"{where}: post_only", "reject" if asked is True else asked, POST_ONLY)
        stp = choice(f"{where}: stp", cmd.get("stp") or "none", STPS)
        trigger_by = choice(f"{where}: trigger_by", cmd.get("trigger_by") or "last", TRIGGERS)
        marks = (IS_HIDDEN if cmd.get("hidden") else 0) + (IS_REDUCE_ONLY if cmd.get("reduce_only") else 0)
        display, trigger = cmd.get("display"), cmd.get("trigger")
        expiry = cmd.get("expire_at") or 0
        if isinstance(expiry, bool) or not isinstance(expiry, int):
            raise InputError(f"{where}: expire_at should be a whole number, was {expiry!r}; nothing was done")
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
            stp,
            0 if display is None else read_steps(display, self.size_decimals),
            marks,
            0 if trigger is None else read_steps(trigger, self.price_decimals),
            trigger_by,
            expiry,
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
        for row in self.core.events():
            kind, order, other, price, quantity = row[:5]
            event: dict[str, Any] = {"ev": EVENT_NAMES[kind]}
            if kind in (TRADED, CROSSED):
                first, second = ("maker", "taker") if kind == TRADED else ("buy", "sell")
                event |= {first: self._order_name(order, name), second: self._order_name(other, name)}
                event |= {"price": self._price(price), "qty": self._size(quantity)}
                if fees:
                    maker, is_maker_base, taker, is_taker_base = fees[trades]
                    event["fees"] = {first: self._fee(maker, is_maker_base), second: self._fee(taker, is_taker_base)}
                    trades += 1
            elif kind == PHASE_CHANGED:
                event["state"] = PHASE_NAMES[row[7]]
            elif kind == UNCROSSED:
                event |= {"price": self._price(price) if price else None, "qty": self._size(quantity)}
            elif kind == LIQUIDATED:
                event |= {"account": self.ledger.names[row[8]], "side": SIDE_NAMES[row[7]]}
                event["qty"] = self._size(quantity)
            elif kind in AMOUNTS:
                amount = write_steps(self.core.amounts()[quantity], self.money_decimals)
                event |= {"account": self.ledger.names[row[8]], "amount": amount}
            else:
                event |= {"id": self._order_name(order, name)} | self._details(row)
            found.append(event)
        return found

    def _details(self, row: tuple[int, ...]) -> dict[str, Any]:
        """Return what an event of one order tells beside its id."""
        kind, _, _, price, quantity, leaves, _, code = row[:8]
        if kind == AMENDED:
            return {
                "price": self._price(price) if price else None,
                "qty": self._size(quantity),
                "leaves": self._size(leaves),
                "priority": "kept" if code else "lost",
            }
        if kind == CANCELED:
            return {"qty": self._size(quantity), "reason": REASON_NAMES[code]}
        if kind == REDUCED:
            return {"by": self._size(quantity), "leaves": self._size(leaves), "reason": REASON_NAMES[code]}
        if kind == REPRICED:
            return {"price": self._price(price)}
        if kind == REFRESHED:
            return {"qty": self._size(quantity)}
        return {"reason": REASON_NAMES[code]} if EVENT_NAMES[kind].endswith("rejected") else {}

    def _order_name(self, order: int, name: str) -> str:
        """Return the name of an order: the one it came with, or that of a liquidated account's closing order."""
        if order <= -2:
            return f"LIQ-{self.ledger.names[-2 - order]}"
        return self.order_names[order] if 0 <= order < len(self.order_names) else name

    def _fee(self, amount: int, is_base: bool) -> list[str]:
        return [write_steps(amount, self.money_decimals), self.base if is_base else self.quote]

    def _changes(self) -> list[list[str]]:
        return [
            ["bid" if side == BUY else "ask", self._price(price), self._size(quantity)]
            for side, price, quantity, _ in self.core.changes()
        ]

    # The state.

    def final(self) -> dict[str, Any]:
        """Return the book, the waiting orders, the last price and what the accounts have."""
        core = self.core
        state: dict[str, Any] = {
            "bids": self._side(BUY),
            "asks": self._side(SELL),
            "stops": [self.order_names[order] for order in core.waiting_orders()],
            "last": self._price(core.last_price) if core.last_price else None,
        }
        names = [name for number, name in enumerate(self.ledger.names) if self.ledger.is_funded[number]]
        if self.spot is not None and names:
            state["accounts"] = {name: {"balances": self._final_balances(name)} for name in names}
        elif self.derivative is not None:
            shown = {name: self._final_position(self.derivative, name) for name in sorted(self.ledger.numbers)}
            state["accounts"] = {name: amounts for name, amounts in shown.items() if amounts}
        return state

    def _side(self, side: int) -> list[dict[str, Any]]:
        return [
            {
                "price": self._price(price),
                "qty": self._size(self.core.size_at(side, price)),
                "orders": [self._resting(*row) for row in self.core.queue_at(side, price)],
            }
            for price in self.core.prices(side)
        ]

    def _resting(self, order: int, shown: int, reserve: int, is_hidden: bool) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": self.order_names[order], "qty": self._size(shown)}
        if reserve >= 0:
            entry["reserve"] = self._size(reserve)
        if is_hidden:
            entry["hidden"] = True
        return entry

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

    def _final_position(self, money: DerivativeAccounts, name: str) -> dict[str, str]:
        number = self.account_numbers[name]
        amounts = {
            "entry_value": money.entry_value(number),
            "realized": money.realized_profit(number),
            "fees": money.fees_paid(number),
            "funding": money.funding_received(number),
        }
        position = money.position(number)
        if not money.has_funds(number) and not position and not any(amounts.values()):
            return {}
        if money.has_funds(number):
            amounts["cash"] = money.cash(number)
        shown = {key: write_steps(amount, self.money_decimals) for key, amount in amounts.items()}
        return {"position": self._size(position)} | shown

    def _price(self, steps: int) -> str:
        return write_steps(steps, self.price_decimals)

    def _size(self, steps: int) -> str:
        return write_steps(steps, self.size_decimals)
