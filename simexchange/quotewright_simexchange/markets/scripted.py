"""A script that is carried out on an exchange, and what came of what it expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quotewright.errors import ConfigError, InputError
from quotewright_simexchange.exchange.records import OrderRecord, OrderRequest, Refused
from quotewright_simexchange.markets.driver import MarketDriver, ample_funds, find_listing
from quotewright_simexchange.markets.script import Script, Step, parse_script, read_script

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

OF_DERIVATIVES = ("fund", "funding", "settle")
OF_INSTRUMENTS = ("order", "phase", "uncross", "reference", *OF_DERIVATIVES)
Kind = Literal["limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit"]


class ScriptFailed(InputError):
    """What a script expected did not come; ``failures`` holds a sentence each."""

    def __init__(self, name: str, failures: tuple[str, ...]) -> None:
        super().__init__(f"{name}: {len(failures)} not as expected:\n  " + "\n  ".join(failures))
        self.failures = failures


class ScriptMarket(MarketDriver):
    """A market that does what a text says, at the times it says, counted from the moment it is started.

    Nothing is raised while the clock runs: what was not as expected stands in ``failures`` (:meth:`check` raises it),
    and so does a command that was refused, unless ``expect refused`` stands behind it.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.accounts = script.accounts
        self.failures: list[str] = []
        self.refusals: list[str] = []
        self.done = 0
        self._exchange: Exchange | None = None
        self._symbol = script.symbol
        self._orders: dict[str, OrderRecord] = {}
        self._refused: tuple[Step, Refused] | None = None

    @classmethod
    def of(cls, text: str, name: str = "script") -> ScriptMarket:
        """Return the market that *text* describes."""
        return cls(parse_script(text, name))

    @classmethod
    def read(cls, path: Path | str) -> ScriptMarket:
        """Return the market that the file at *path* describes."""
        return cls(read_script(path))

    @property
    def length_ns(self) -> int:
        """How long it lasts."""
        return self.script.steps[-1].after_ns if self.script.steps else 0

    @property
    def is_done(self) -> bool:
        return self.done == len(self.script.steps)

    def start(self, exchange: Exchange) -> None:
        self._exchange = exchange
        if not self._symbol and len(exchange.listings) == 1:
            self._symbol = next(iter(exchange.listings))
        for step in self.script.steps:
            if step.what in OF_INSTRUMENTS or step.word in ("bid", "offer", "last", "holds"):
                listing = find_listing(exchange, self._symbol_of(step), step.where)
                if listing.kind == "spot" and (step.what in OF_DERIVATIVES or step.word == "holds"):
                    raise InputError(
                        f"{step.where}: '{step.text}' is for derivatives, {listing.symbol} is spot; name another "
                        "instrument, or leave the line out"
                    )
        funds: dict[str, Decimal] = {}
        for listing in exchange.listings.values():
            funds |= ample_funds(listing)
        for account in self.accounts:
            if account not in exchange.accounts:
                exchange.open_account(account, self.script.funds.get(account, funds))
            elif account in self.script.funds:
                raise ConfigError(f"{self.script.name}: account '{account}' is open already; do not fund it here")
        start_ns = exchange.now_ns
        for step in self.script.steps:
            exchange.at(start_ns + step.after_ns, lambda step=step: self._do(step))  # type: ignore[misc]

    def check(self) -> None:
        """Raise ScriptFailed if something was not as expected, was refused, or has not happened yet."""
        self._settle_refusal(None)
        failures = list(self.failures)
        if not self.is_done:
            step = self.script.steps[self.done]
            failures.append(f"{step.where}: '{step.text}' has not happened yet; let the exchange's clock run longer")
        if failures:
            raise ScriptFailed(self.script.name, tuple(failures))

    def describe(self) -> Mapping[str, Any]:
        return {
            "market": "script",
            "script": self.script.name,
            "steps": len(self.script.steps),
            "done": self.done,
            "refused": list(self.refusals),
            "failures": list(self.failures),
        }

    @property
    def exchange(self) -> Exchange:
        if self._exchange is None:
            raise ConfigError(f"{self.script.name}: the market is not started; call start(exchange) first")
        return self._exchange

    def _symbol_of(self, step: Step) -> str:
        symbol = step.symbol or self._symbol
        if not symbol:
            raise InputError(
                f"{step.where}: '{step.text}' names no instrument and there are several; name one, or put "
                "'instrument SYMBOL' at the top"
            )
        return symbol

    def _do(self, step: Step) -> None:
        self.done += 1
        if step.what == "expect":
            self._expect(step)
            return
        self._settle_refusal(step)
        actions: Mapping[str, Callable[[Step], object]] = {
            "order": self._order,
            "cancel": self._cancel,
            "amend": self._amend,
            "deposit": lambda step: self.exchange.deposit(step.who, step.name, self._quantity(step)),
            "withdraw": lambda step: self.exchange.withdraw(step.who, step.name, self._quantity(step)),
            "phase": lambda step: self.exchange.set_phase(self._symbol_of(step), step.word),
            "uncross": lambda step: self.exchange.uncross(self._symbol_of(step)),
            "reference": self._reference,
            "fund": lambda step: self.exchange.fund(self._symbol_of(step), self._price(step)),
            "funding": lambda step: self.exchange.set_funding(
                self._symbol_of(step), self._price(step), self.exchange.now_ns + step.span_ns
            ),
            "settle": lambda step: self.exchange.settle(self._symbol_of(step), self._price(step)),
        }
        outcome = actions[step.what](step)
        if isinstance(outcome, Refused):
            self.refusals.append(f"{step.where}: '{step.text}' was refused: {outcome.reason}")
            self._refused = (step, outcome)

    def _quantity(self, step: Step) -> Decimal:
        assert step.quantity is not None
        return step.quantity

    def _price(self, step: Step) -> Decimal:
        assert step.price is not None
        return step.price

    def _settle_refusal(self, step: Step | None) -> None:
        """A refusal that nobody expected is a failure as soon as something else happens."""
        if self._refused is not None:
            before, refused = self._refused
            self._refused = None
            self.failures.append(
                f"{before.where}: '{before.text}' was refused: {refused.reason} {refused.text}".rstrip()
                + "; if it should be, say 'expect refused' in the next line"
            )

    def _order(self, step: Step) -> object:
        flags = step.flags
        kind: Kind = "limit" if step.price is not None else "market"
        if "stop" in flags:
            kind = "stop_limit" if step.price is not None else "stop"
        elif "take-profit" in flags:
            kind = "take_profit_limit" if step.price is not None else "take_profit"
        placed = self.exchange.place(
            step.who,
            OrderRequest(
                symbol=self._symbol_of(step),
                side="buy" if step.word == "buy" else "sell",
                type=kind,
                quantity=step.quantity,
                price=step.price,
                tif="ioc" if "ioc" in flags else "fok" if "fok" in flags else "gtc",
                post_only="reject" if "post-only" in flags else "",
                reduce_only="reduce-only" in flags,
                hidden="hidden" in flags,
                display=step.display,
                trigger=step.trigger,
            ),
        )
        if isinstance(placed, OrderRecord) and step.name:
            self._orders[step.name] = placed
        return placed

    def _named(self, step: Step) -> OrderRecord | None:
        """Return the newest record of the order that *step* names."""
        order = self._orders.get(step.name)
        if order is None:
            return None
        return self.exchange.order(order.account, order.request.symbol, order_id=order.order_id)

    def _cancel(self, step: Step) -> object:
        if step.name == "all":
            self.exchange.cancel_all(step.who)
            return None
        order = self._named(step)
        if order is None:
            return Refused(reason="unknown_order", text=f"no order is called '{step.name}'")
        return self.exchange.cancel(step.who, order.request.symbol, order_id=order.order_id)

    def _amend(self, step: Step) -> object:
        order = self._named(step)
        if order is None:
            return Refused(reason="unknown_order", text=f"'{step.name}' was not accepted")
        symbol = order.request.symbol
        return self.exchange.amend(step.who, symbol, order_id=order.order_id, price=step.price, quantity=step.quantity)

    def _reference(self, step: Step) -> object:
        symbol, price = self._symbol_of(step), self._price(step)
        call: Mapping[str, Callable[[str, Decimal], object]] = {
            "mark": self.exchange.set_mark,
            "index": self.exchange.set_index,
        }
        return call[step.word](symbol, price)

    def _expect(self, step: Step) -> None:
        if step.word == "refused":
            came = self._refused[1].reason if self._refused is not None else "nothing"
            if self._refused is None or step.name not in ("", came):
                self._fail(step, f"refused {step.name}".rstrip(), came)
            self._refused = None
            return
        self._settle_refusal(step)
        if step.word in ("bid", "offer"):
            book = self.exchange.book(self._symbol_of(step), 1)
            levels = book.bids if step.word == "bid" else book.offers
            price, quantity = levels[0] if levels else (None, None)
            if price != step.price or step.quantity not in (None, quantity):
                expected = _level(step.price, step.quantity)
                self._fail(step, expected, _level(price, quantity if step.quantity is not None else None))
        elif step.word == "last":
            trades = self.exchange.recent_trades(self._symbol_of(step), 1)
            last = trades[-1].price if trades else None
            if last != step.price:
                self._fail(step, _level(step.price, None), _level(last, None))
        elif step.word == "has":
            amount = sum(self.exchange.balances(step.who).get(step.name, ()), Decimal(0))
            if amount != step.quantity:
                self._fail(step, f"{step.quantity} {step.name}", f"{amount.normalize():f} {step.name}")
        elif step.word == "holds":
            held = self.exchange.position(step.who, self._symbol_of(step)).quantity
            if held != step.quantity:
                self._fail(step, f"{step.quantity}", f"{held:f}")
        else:
            self._expect_order(step)

    def _expect_order(self, step: Step) -> None:
        order = self._named(step)
        if order is None:
            self._fail(step, step.word, "an order that was not accepted")
        elif step.word == "quantity":
            if order.filled != step.quantity:
                self._fail(step, f"{step.quantity} filled", f"{order.filled} filled, {order.status}")
        elif order.status != step.word:
            self._fail(step, step.word, order.status)

    def _fail(self, step: Step, expected: str, came: str) -> None:
        self.failures.append(f"{step.where}: '{step.text}': expected {expected}, came {came}")


def _level(price: Decimal | None, quantity: Decimal | None) -> str:
    if price is None:
        return "none"
    return f"{price}" if quantity is None else f"{quantity} at {price}"
