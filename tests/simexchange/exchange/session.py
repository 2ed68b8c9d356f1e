"""A session of one exchange with an instrument of every kind: accounts that do whatever can be done, by a seed."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import Listing, OrderRequest

SECOND = 1_000_000_000
NAMES = ("ann", "bob", "cid", "dan")
STARTING = {"BTC": Decimal(50), "USDT": Decimal(100_000)}
LITTLE = {"BTC": Decimal(2), "USDT": Decimal(400)}
MARGIN = {"im_rate": "0.1", "mm_rate": "0.05"}
BAND = {"ref": "last", "down": "0.98", "up": "1.02"}


def listing(symbol: str, kind: Any, lot: str = "0.1", **settings: object) -> Listing:
    fees = {"maker_fee": "-0.0001", "taker_fee": "0.0005"}
    return Listing(
        symbol=symbol,
        name=f"{symbol}@session",
        kind=kind,
        base="BTC",
        quote="USDT",
        settle="BTC" if kind in ("inverse", "option") else "USDT",
        settings={"kind": kind, "tick": "0.5", "lot": lot, "base": "BTC", "quote": "USDT", **fees, **settings},
        price_decimals=1,
        size_decimals=0 if lot == "1" else 1,
    )


LISTINGS = [
    listing("SPOT", "spot", exec_range=BAND, stop_if_met="trigger", tick=Decimal("0.5")),
    listing("COIN", "spot", fee_mode="quote", amend_policy="qty_down_only"),
    listing("LINEAR", "linear", **MARGIN, market_protection={"ref": "best", "points": "3", "remainder": "rest"}),
    listing("INVERSE", "inverse", "1", mult="100", amend_policy="always_requeues", **MARGIN),
    listing("CALL", "option", strike="100", option_type="call", option_fee_rate="0.0003", option_fee_cap="0.125"),
]


class Session:
    """Does one random thing after the other on *exchange*; what it did is in ``done``."""

    def __init__(self, exchange: Exchange, seed: int) -> None:
        self.exchange = exchange
        self.chance = random.Random(seed)
        self.done: dict[str, int] = {}

    @classmethod
    def opened(cls, seed: int) -> Session:
        exchange = Exchange(LISTINGS, seed=seed)
        for name in NAMES:
            group = "desk" if name in ("ann", "dan") else ""
            rates = {"maker_fee": Decimal("0.0002")} if name == "bob" else {}
            exchange.open_account(name, LITTLE if name == "dan" else STARTING, stp_group=group, **rates)
        exchange.add_key("ann")
        for one in LISTINGS:
            exchange.set_mark(one.symbol, Decimal(100))
        return cls(exchange, seed)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        roll = self.chance.random()
        if roll < 0.65:
            self.place()
        elif roll < 0.87:
            self.change()
        elif roll < 0.94:
            self.exchange.advance(self.exchange.now_ns + self.chance.randint(0, 3) * SECOND)
        else:
            self.rule()

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def price(self) -> Decimal:
        return Decimal(self.chance.randint(190, 210)) / 2

    def place(self) -> None:
        one = self.chance.choice(LISTINGS)
        kind = self.chance.choice(("limit",) * 8 + ("market", "stop", "stop_limit", "take_profit", "take_profit_limit"))
        lots = self.chance.randint(1, 30)
        quantity = Decimal(lots) if one.size_decimals == 0 else Decimal(lots) / 10
        more: dict[str, Any] = {"type": kind, "quantity": quantity}
        if kind in ("limit", "stop_limit", "take_profit_limit"):
            more["price"] = self.price()
            more["tif"] = self.chance.choice(("gtc", "gtc", "gtc", "gtc", "gtd", "ioc", "fok"))
            if more["tif"] == "gtd":
                more["expire_ns"] = self.exchange.now_ns + self.chance.randint(1, 9) * SECOND
            if more["tif"] in ("gtc", "gtd"):
                roll = self.chance.random()
                if roll < 0.15:
                    more["display"] = quantity / lots * self.chance.randint(1, lots)
                elif roll < 0.25:
                    more["hidden"] = True
                elif roll < 0.35:
                    more["post_only"] = self.chance.choice(("reject", "reprice"))
        if kind not in ("limit", "market"):
            more["trigger"] = self.price()
            more["trigger_by"] = self.chance.choice(("last", "mark", "index"))
        if one.kind != "spot" and self.chance.random() < 0.15:
            more["reduce_only"] = True
        if kind == "market" and self.chance.random() < 0.3:
            more |= {"quantity": None, "quote_quantity": Decimal(self.chance.randint(50, 500))}
        more["stp"] = self.chance.choice(("none", "cancel_taker", "cancel_maker", "cancel_both", "decrement"))
        if self.chance.random() < 0.2:
            more |= {"client_id": f"c{self.chance.randint(1, 20)}", "labels": {"door": "session"}}
        side = self.chance.choice(("buy", "sell"))
        account = self.chance.choice(list(self.exchange.accounts))
        self.exchange.place(account, OrderRequest(symbol=one.symbol, side=side, **more))
        self.count("place")

    def change(self) -> None:
        account = self.chance.choice(list(self.exchange.accounts))
        mine = self.exchange.open_orders(account)
        if not mine:
            return
        record = self.chance.choice(mine)
        symbol, roll = record.request.symbol, self.chance.random()
        if roll < 0.5:
            self.exchange.cancel(account, symbol, order_id=record.order_id, cause="why")
            self.count("cancel")
        elif roll < 0.95:
            change = self.chance.choice(
                ({"price": self.price()}, {"quantity": record.quantity / 2}, {"quantity": None})
            )
            self.exchange.amend(account, symbol, order_id=record.order_id, **change)
            self.count("amend")
        else:
            self.exchange.cancel_all(account, self.chance.choice((symbol, None)))
            self.count("cancel_all")

    def rule(self) -> None:
        exchange, chance = self.exchange, self.chance
        symbol, account = chance.choice(LISTINGS).symbol, chance.choice(list(exchange.accounts))
        what = chance.choice(RULES)
        self.count(what)
        if what in ("set_mark", "set_index"):
            getattr(exchange, what)(symbol, self.price() + Decimal(chance.randint(0, 999)) / 8000)
        elif what == "crash":
            exchange.set_mark(chance.choice(("LINEAR", "INVERSE")), Decimal(chance.choice((40, 200))))
        elif what == "phase":
            exchange.set_phase(symbol, chance.choice(("trading", "halt", "cancel_only", "post_only", "auction")))
        elif what == "uncross":
            for one in LISTINGS:
                if exchange.phase(one.symbol) == "auction":
                    exchange.uncross(one.symbol)
        elif what == "trading":
            for one in LISTINGS:
                exchange.set_phase(one.symbol, "trading")
        elif what == "set_funding":
            exchange.set_funding(symbol, Decimal("0.0001"), exchange.now_ns + 8 * 3600 * SECOND)
        elif what == "fund":
            exchange.fund("LINEAR", Decimal("0.00013"))
        elif what == "settle":
            exchange.settle(chance.choice(("LINEAR", "INVERSE", "CALL")), self.price())
        elif what == "deposit":
            exchange.deposit(account, chance.choice(("BTC", "USDT", "EUR")), Decimal(chance.randint(1, 9999)) / 100)
        elif what == "withdraw":
            exchange.withdraw(account, "USDT", Decimal(chance.randint(1, 999)))
        elif what == "add_key":
            exchange.add_key(account, rights=("read",))
        elif what == "enable_key":
            exchange.enable_key(chance.choice(list(exchange.keys)), chance.random() < 0.5)
        else:
            exchange.open_account(f"guest{len(exchange.accounts)}", STARTING, taker_fee=Decimal("0.001"))


RULES = (
    *("set_mark", "set_mark", "set_index", "crash", "phase", "phase", "uncross", "trading", "trading", "trading"),
    *("set_funding", "fund", "settle", "deposit", "withdraw", "add_key", "enable_key", "open_account"),
)
