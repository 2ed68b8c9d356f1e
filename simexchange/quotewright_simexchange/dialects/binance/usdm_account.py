"""Accounts of USD-M futures: balances, positions, margins, and the settings of an account.

Positions are one-way and cross-margined, margin is taken at the instrument's own rates: a leverage that is set is kept
and told again, and may not be above what the instrument's initial margin allows, but changes no margin.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.usdm_words import (
    MS_NS,
    Symbols,
    price_text,
    setting,
    size_text,
    venue_symbol,
)
from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.dialects.binance.limits import Limits
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

ZERO = Decimal(0)
Tell: TypeAlias = "Callable[[str, dict[str, Any]], None]"
USUAL_LEVERAGE = 20
MOST_NOTIONAL = 100_000_000


@attrs.frozen
class Holding:
    """An account's position in one instrument with what it ties up."""

    listing: Listing
    quantity: Decimal
    entry_price: Decimal
    mark: Decimal
    unrealized: Decimal
    initial: Decimal
    maintenance: Decimal
    orders: Decimal
    """Margin of open orders."""
    bids: Decimal
    """Value of open buy orders."""
    asks: Decimal
    updated_ns: int

    @property
    def notional(self) -> Decimal:
        return self.quantity * self.mark


class UsdmAccounts:
    """What a key may read of its account, and set."""

    def __init__(self, exchange: Exchange, card: VenueCard, limits: Limits, symbols: Symbols, tell: Tell) -> None:
        self.exchange = exchange
        self.card = card
        self.limits = limits
        self.symbols = symbols
        self.tell = tell
        """Tells an account's listeners of a change that no command of the exchange made."""
        self.leverages: dict[tuple[str, str], int] = {}

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is served over REST."""
        read = {
            "v2/account": Endpoint(self.account_v2, 5, "read"),
            "v3/account": Endpoint(self.account_v3, 5, "read"),
            "v2/balance": Endpoint(self.balance, 5, "read"),
            "v3/balance": Endpoint(self.balance, 5, "read"),
            "v2/positionRisk": Endpoint(self.positions_v2, 5, "read"),
            "v3/positionRisk": Endpoint(self.positions_v3, 5, "read"),
            "v1/leverageBracket": Endpoint(self.brackets, 1, "read"),
            "v1/commissionRate": Endpoint(self.commission, 20, "read"),
            "v1/positionSide/dual": Endpoint(lambda _: {"dualSidePosition": False}, 30, "read"),
            "v1/multiAssetsMargin": Endpoint(lambda _: {"multiAssetsMargin": False}, 30, "read"),
            "v1/accountConfig": Endpoint(self.config, 5, "read"),
            "v1/symbolConfig": Endpoint(self.symbol_config, 5, "read"),
            "v1/feeBurn": Endpoint(lambda _: {"feeBurn": False}, 30, "read"),
            "v1/apiTradingStatus": Endpoint(self.trading_status, 1, "read"),
            "v1/adlQuantile": Endpoint(self.quantiles, 5, "read"),
            "v1/positionMargin/history": Endpoint(lambda _: [], 1, "read"),
            "v1/rateLimit/order": Endpoint(lambda _: self.limits_of_orders(), 1, "read"),
        }
        trade = {
            "v1/leverage": Endpoint(self.set_leverage, 1, "trade"),
            "v1/marginType": Endpoint(self.set_margin_type, 1, "trade"),
            "v1/positionMargin": Endpoint(self.set_margin, 1, "trade"),
            "v1/positionSide/dual": Endpoint(self.set_dual, 1, "trade"),
            "v1/multiAssetsMargin": Endpoint(self.set_multi_assets, 1, "trade"),
            "v1/feeBurn": Endpoint(self.set_fee_burn, 1, "trade"),
        }
        return {
            **{("GET", f"/fapi/{path}"): endpoint for path, endpoint in read.items()},
            **{("POST", f"/fapi/{path}"): endpoint for path, endpoint in trade.items()},
        }

    def methods(self) -> dict[str, Endpoint]:
        """Return what is served over the WebSocket API."""
        balance = Endpoint(self.balance, 5, "read")
        return {
            "account.balance": balance,
            "v2/account.balance": balance,
            "account.status": Endpoint(self.account_v2, 5, "read"),
            "v2/account.status": Endpoint(self.account_v3, 5, "read"),
            "account.position": Endpoint(self.positions_v2, 5, "read"),
            "v2/account.position": Endpoint(self.positions_v3, 5, "read"),
        }

    # What there is

    def limits_of_orders(self) -> object:
        return [pool.described() for pool in self.limits.of_kind("ORDERS")]

    def holding(self, account: str, listing: Listing) -> Holding:
        """Return what *account* holds in *listing*."""
        position = self.exchange.position(account, listing.symbol)
        mark = position.mark if position.mark is not None else position.entry_price
        orders = [order for order in self.exchange.open_orders(account, listing.symbol) if order.price is not None]
        bids, asks = (
            sum((order.leaves * (order.price or ZERO) for order in orders if order.request.side == side), ZERO)
            for side in ("buy", "sell")
        )
        notional = position.quantity * mark
        initial = setting(listing, "im_rate") or ZERO
        opening = max(bids + notional, asks - notional) - abs(notional)
        return Holding(
            listing,
            position.quantity,
            position.entry_price,
            mark,
            position.unrealized or ZERO,
            abs(notional) * initial,
            abs(notional) * (setting(listing, "mm_rate") or ZERO),
            max(opening, ZERO) * initial,
            bids,
            asks,
            self.exchange.now_ns,
        )

    def holdings(self, account: str) -> list[Holding]:
        return [self.holding(account, listing) for listing in self.symbols.listings.values()]

    def assets(self, account: str, holdings: list[Holding]) -> list[dict[str, Any]]:
        """Return what stands in every asset that margin is paid in or that the account has."""
        balances = self.exchange.balances(account)
        names = sorted({*balances, *(listing.settle for listing in self.symbols.listings.values())})
        found = []
        for name in names:
            free, locked = balances.get(name, (ZERO, ZERO))
            mine = [holding for holding in holdings if holding.listing.settle == name]
            profit, initial, maintenance, orders = (
                sum((getattr(holding, key) for holding in mine), ZERO)
                for key in ("unrealized", "initial", "maintenance", "orders")
            )
            wallet = free + locked
            available = max(ZERO, wallet + profit - initial - orders)
            found.append(
                {
                    "asset": name,
                    "walletBalance": fixed(wallet),
                    "unrealizedProfit": fixed(profit),
                    "marginBalance": fixed(wallet + profit),
                    "maintMargin": fixed(maintenance),
                    "initialMargin": fixed(initial + orders),
                    "positionInitialMargin": fixed(initial),
                    "openOrderInitialMargin": fixed(orders),
                    "crossWalletBalance": fixed(wallet),
                    "crossUnPnl": fixed(profit),
                    "availableBalance": fixed(available),
                    "maxWithdrawAmount": fixed(min(available, max(wallet, ZERO))),
                    "marginAvailable": True,
                    "updateTime": self.exchange.now_ns // MS_NS,
                }
            )
        return found

    def balance(self, call: Call) -> object:
        return [
            {
                "accountAlias": call.account,
                "asset": entry["asset"],
                "balance": entry["walletBalance"],
                **{key: entry[key] for key in ("crossWalletBalance", "crossUnPnl", "availableBalance")},
                **{key: entry[key] for key in ("maxWithdrawAmount", "marginAvailable", "updateTime")},
            }
            for entry in self.assets(call.account, self.holdings(call.account))
        ]

    def account_v3(self, call: Call) -> object:
        holdings = self.holdings(call.account)
        return {
            **self._totals(call.account, holdings),
            "positions": [
                {
                    "symbol": venue_symbol(holding.listing),
                    "positionSide": "BOTH",
                    "positionAmt": size_text(holding.listing, holding.quantity),
                    "unrealizedProfit": fixed(holding.unrealized),
                    "isolatedMargin": "0",
                    "notional": fixed(holding.notional),
                    "isolatedWallet": "0",
                    "initialMargin": fixed(holding.initial + holding.orders),
                    "maintMargin": fixed(holding.maintenance),
                    "updateTime": holding.updated_ns // MS_NS,
                }
                for holding in holdings
                if _is_shown(holding)
            ],
        }

    def account_v2(self, call: Call) -> object:
        holdings = self.holdings(call.account)
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            **self._totals(call.account, holdings),
            "positions": [
                {
                    "symbol": venue_symbol(holding.listing),
                    "initialMargin": fixed(holding.initial + holding.orders),
                    "maintMargin": fixed(holding.maintenance),
                    "unrealizedProfit": fixed(holding.unrealized),
                    "positionInitialMargin": fixed(holding.initial),
                    "openOrderInitialMargin": fixed(holding.orders),
                    "leverage": str(self.leverage(call.account, holding.listing)),
                    "isolated": False,
                    "entryPrice": price_text(holding.listing, holding.entry_price),
                    "breakEvenPrice": price_text(holding.listing, holding.entry_price),
                    "maxNotional": str(MOST_NOTIONAL),
                    "bidNotional": fixed(holding.bids),
                    "askNotional": fixed(holding.asks),
                    "positionSide": "BOTH",
                    "positionAmt": size_text(holding.listing, holding.quantity),
                    "notional": fixed(holding.notional),
                    "isolatedWallet": "0",
                    "updateTime": holding.updated_ns // MS_NS,
                }
                for holding in holdings
            ],
        }

    def _totals(self, account: str, holdings: list[Holding]) -> dict[str, Any]:
        assets = self.assets(account, holdings)

        def total(key: str) -> str:
            return fixed(sum((Decimal(entry[key]) for entry in assets), ZERO))

        return {
            "totalInitialMargin": total("initialMargin"),
            "totalMaintMargin": total("maintMargin"),
            "totalWalletBalance": total("walletBalance"),
            "totalUnrealizedProfit": total("unrealizedProfit"),
            "totalMarginBalance": total("marginBalance"),
            "totalPositionInitialMargin": total("positionInitialMargin"),
            "totalOpenOrderInitialMargin": total("openOrderInitialMargin"),
            "totalCrossWalletBalance": total("crossWalletBalance"),
            "totalCrossUnPnl": total("crossUnPnl"),
            "availableBalance": total("availableBalance"),
            "maxWithdrawAmount": total("maxWithdrawAmount"),
            "assets": assets,
        }

    def positions_v3(self, call: Call) -> object:
        return [
            {
                **self._position(call.account, holding),
                "marginAsset": holding.listing.settle,
                "initialMargin": fixed(holding.initial + holding.orders),
                "maintMargin": fixed(holding.maintenance),
                "positionInitialMargin": fixed(holding.initial),
                "openOrderInitialMargin": fixed(holding.orders),
                "adl": 0,
                "bidNotional": fixed(holding.bids),
                "askNotional": fixed(holding.asks),
            }
            for holding in self._asked(call)
            if _is_shown(holding)
        ]

    def positions_v2(self, call: Call) -> object:
        return [
            {
                **self._position(call.account, holding),
                "marginType": "cross",
                "isAutoAddMargin": "false",
                "leverage": str(self.leverage(call.account, holding.listing)),
                "maxNotionalValue": str(MOST_NOTIONAL),
            }
            for holding in self._asked(call)
        ]

    def _asked(self, call: Call) -> list[Holding]:
        if call.parameters.has("symbol"):
            return [self.holding(call.account, self._listing(call.parameters))]
        return self.holdings(call.account)

    def _position(self, account: str, holding: Holding) -> dict[str, Any]:
        listing = holding.listing
        return {
            "symbol": venue_symbol(listing),
            "positionSide": "BOTH",
            "positionAmt": size_text(listing, holding.quantity),
            "entryPrice": price_text(listing, holding.entry_price),
            "breakEvenPrice": price_text(listing, holding.entry_price),
            "markPrice": fixed(holding.mark),
            "unRealizedProfit": fixed(holding.unrealized),
            "liquidationPrice": fixed(self.liquidation_price(account, holding)),
            "isolatedMargin": "0",
            "notional": fixed(holding.notional),
            "isolatedWallet": "0",
            "updateTime": holding.updated_ns // MS_NS,
        }

    def liquidation_price(self, account: str, holding: Holding) -> Decimal:
        """Return the mark price at which the account's margin is just the maintenance margin; 0 if there is none."""
        rate = setting(holding.listing, "mm_rate") or ZERO
        slope = holding.quantity - rate * abs(holding.quantity)
        if not slope or not rate:
            return ZERO
        others = [
            other
            for other in self.holdings(account)
            if other.listing is not holding.listing and other.listing.settle == holding.listing.settle
        ]
        free, locked = self.exchange.balances(account).get(holding.listing.settle, (ZERO, ZERO))
        spare = free + locked + sum((other.unrealized - other.maintenance for other in others), ZERO)
        price: Decimal = (holding.quantity * holding.entry_price - spare) / slope
        return max(ZERO, price)

    def brackets(self, call: Call) -> object:
        listings = [self._listing(call.parameters)] if call.parameters.has("symbol") else self.symbols.listings.values()
        return [
            {
                "symbol": venue_symbol(listing),
                "notionalCoef": 1.0,
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": self.most_leverage(listing),
                        "notionalCap": MOST_NOTIONAL,
                        "notionalFloor": 0,
                        "maintMarginRatio": float(setting(listing, "mm_rate") or ZERO),
                        "cum": 0.0,
                    }
                ],
            }
            for listing in listings
        ]

    def commission(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        account = self.exchange.accounts[call.account]
        maker, taker = (
            own if own is not None else setting(listing, key) or ZERO
            for own, key in ((account.maker_fee, "maker_fee"), (account.taker_fee, "taker_fee"))
        )
        return {
            "symbol": venue_symbol(listing),
            "makerCommissionRate": fixed(maker, 6),
            "takerCommissionRate": fixed(taker, 6),
        }

    def config(self, call: Call) -> object:
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": False,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def symbol_config(self, call: Call) -> object:
        listings = [self._listing(call.parameters)] if call.parameters.has("symbol") else self.symbols.listings.values()
        return [
            {
                "symbol": venue_symbol(listing),
                "marginType": "CROSSED",
                "isAutoAddMargin": "false",
                "leverage": self.leverage(call.account, listing),
                "maxNotionalValue": str(MOST_NOTIONAL),
            }
            for listing in listings
        ]

    def trading_status(self, call: Call) -> object:
        return {"indicators": {}, "updateTime": self.exchange.now_ns // MS_NS}

    def quantiles(self, call: Call) -> object:
        listings = [self._listing(call.parameters)] if call.parameters.has("symbol") else self.symbols.listings.values()
        none = {"LONG": 0, "SHORT": 0, "BOTH": 0}
        return [{"symbol": venue_symbol(listing), "adlQuantile": none} for listing in listings]

    # What can be set

    def most_leverage(self, listing: Listing) -> int:
        rate = setting(listing, "im_rate")
        return max(1, int(1 / rate)) if rate else 125

    def leverage(self, account: str, listing: Listing) -> int:
        usual = min(USUAL_LEVERAGE, self.most_leverage(listing))
        return self.leverages.get((account, listing.symbol), usual)

    def set_leverage(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        leverage = call.parameters.integer("leverage")
        if not 1 <= leverage <= self.most_leverage(listing):
            raise ApiError(-4028, f"Leverage {leverage} is not valid")
        self.leverages[call.account, listing.symbol] = leverage
        now_ms = self.exchange.now_ns // MS_NS
        self.tell(
            call.account,
            {
                "e": "ACCOUNT_CONFIG_UPDATE",
                "E": now_ms,
                "T": now_ms,
                "ac": {"s": venue_symbol(listing), "l": leverage},
            },
        )
        return {
            "leverage": leverage,
            "maxNotionalValue": str(MOST_NOTIONAL),
            "symbol": venue_symbol(listing),
        }

    def set_margin_type(self, call: Call) -> object:
        self._listing(call.parameters)
        if call.parameters.choice("marginType", ("CROSSED", "ISOLATED")) == "CROSSED":
            raise ApiError(-4046, "No need to change margin type.")
        raise ApiError(-1020, "This operation is not supported.")

    def set_margin(self, call: Call) -> object:
        self._listing(call.parameters)
        call.parameters.number("amount")
        raise ApiError(-1020, "This operation is not supported.")

    def set_dual(self, call: Call) -> object:
        if not call.parameters.has("dualSidePosition"):
            call.parameters.text("dualSidePosition")
        if call.parameters.flag("dualSidePosition"):
            raise ApiError(-1020, "This operation is not supported.")
        raise ApiError(-4059, "No need to change position side.")

    def set_multi_assets(self, call: Call) -> object:
        call.parameters.text("multiAssetsMargin")
        if call.parameters.flag("multiAssetsMargin"):
            raise ApiError(-1020, "This operation is not supported.")
        raise ApiError(-4171, "No need to change multi-assets mode.")

    def set_fee_burn(self, call: Call) -> object:
        call.parameters.text("feeBurn")
        if call.parameters.flag("feeBurn"):
            raise ApiError(-1020, "This operation is not supported.")
        return {"code": 200, "msg": "success"}

    def _listing(self, parameters: Parameters) -> Listing:
        return self.symbols.find(parameters.text("symbol"))


def _is_shown(holding: Holding) -> bool:
    return bool(holding.quantity or holding.bids or holding.asks)
