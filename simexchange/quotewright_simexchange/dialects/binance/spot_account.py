"""Spot accounts: balances and fees, listen keys, and the side endpoints that clients read before they trade."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.listings import number, spot_listings
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint, account_name
from quotewright_simexchange.dialects.binance.spot_market import find_symbol
from quotewright_simexchange.dialects.binance.wallet import Wallet
from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

KEY_LIFE_NS = 3_600_000_000_000


@attrs.define
class ListenKey:
    """A name under which an account's events are sent on a stream connection."""

    key: str
    public: str
    account: str
    until_ns: int
    sessions: list[Callable[[], None]] = attrs.field(factory=list)
    """What ends those who listen."""


class SpotAccount:
    """What an account asks about itself."""

    def __init__(self, exchange: Exchange, *, has_listen_keys: bool) -> None:
        self.exchange = exchange
        self.has_listen_keys = has_listen_keys
        self.listen_keys: dict[str, ListenKey] = {}
        self._numbers = 0

    def endpoints(self) -> dict[tuple[str, str, str], Endpoint]:
        """Return what is served, by (verb, path) of REST and method of the WebSocket API (empty: none)."""
        served = Wallet(self.exchange).endpoints() | {
            ("GET", "/api/v3/account", "account.status"): Endpoint(self.account, 20, "read"),
            ("GET", "/api/v3/account/commission", "account.commission"): Endpoint(self.commission, 20, "read"),
            ("GET", "/sapi/v1/margin/allPairs", ""): Endpoint(lambda _: [], 1, "key"),
            ("GET", "/sapi/v1/margin/isolated/allPairs", ""): Endpoint(lambda _: [], 1, "read"),
            ("GET", "/sapi/v1/account/apiRestrictions", ""): Endpoint(self.restrictions, 1, "read"),
            ("GET", "/sapi/v1/asset/tradeFee", ""): Endpoint(self.trade_fees, 1, "read"),
            ("GET", "/dapi/v1/exchangeInfo", ""): Endpoint(self.nothing_listed, 1),
            ("GET", "/eapi/v1/exchangeInfo", ""): Endpoint(self.nothing_listed, 1),
        }
        if self.has_listen_keys:
            served |= {
                ("POST", "/api/v3/userDataStream", "userDataStream.start"): Endpoint(self.start, 2, "key"),
                ("PUT", "/api/v3/userDataStream", "userDataStream.ping"): Endpoint(self.keep, 2, "key"),
                ("DELETE", "/api/v3/userDataStream", "userDataStream.stop"): Endpoint(self.stop, 2, "key"),
            }
        return served

    def account(self, call: Call) -> object:
        hides_zero = call.parameters.flag("omitZeroBalances")
        maker, taker = self.fees(call.account)
        held = self.exchange.balances(call.account)
        assets = {
            code: None for listing in spot_listings(self.exchange).values() for code in (listing.base, listing.quote)
        }
        return {
            "makerCommission": int(maker * 10_000),
            "takerCommission": int(taker * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": fixed(maker),
                "taker": fixed(taker),
                "buyer": fixed(None),
                "seller": fixed(None),
            },
            "canTrade": call.key is not None and "trade" in call.key.rights,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": call.time(self.exchange.now_ns),
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": fixed(free), "locked": fixed(locked)}
                for asset, (free, locked) in ({code: (Decimal(0), Decimal(0)) for code in assets} | dict(held)).items()
                if free or locked or not hides_zero
            ],
            "permissions": ["SPOT"],
            "uid": list(self.exchange.accounts).index(call.account) + 1,
        }

    def commission(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters)
        maker, taker = self.fees(call.account, symbol)
        none = {key: fixed(None) for key in ("maker", "taker", "buyer", "seller")}
        return {
            "symbol": symbol,
            "standardCommission": none | {"maker": fixed(maker), "taker": fixed(taker)},
            "specialCommission": none,
            "taxCommission": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": fixed(None),
            },
        }

    def fees(self, name: str, symbol: str = "") -> tuple[Decimal, Decimal]:
        """Return what an account pays as maker and as taker: its own rates, else those of *symbol* or the first one."""
        account = self.exchange.accounts[name]
        settings = spot_listings(self.exchange)[symbol or next(iter(spot_listings(self.exchange)))].settings
        maker = number(settings, "maker_fee") if account.maker_fee is None else account.maker_fee
        taker = number(settings, "taker_fee") if account.taker_fee is None else account.taker_fee
        return maker or Decimal(0), taker or Decimal(0)

    def trade_fees(self, call: Call) -> object:
        rates = {symbol: self.fees(call.account, symbol) for symbol in spot_listings(self.exchange)}
        return [
            {"symbol": symbol, "makerCommission": fixed(maker), "takerCommission": fixed(taker)}
            for symbol, (maker, taker) in rates.items()
            if call.parameters.text("symbol", symbol) == symbol
        ]

    def restrictions(self, call: Call) -> object:
        return {
            "ipRestrict": False,
            "enableReading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "enableSpotAndMarginTrading": call.key is not None and "trade" in call.key.rights,
        }

    def nothing_listed(self, call: Call) -> object:
        return {
            "timezone": "UTC",
            "serverTime": call.time(call.now_ns),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [],
            "optionSymbols": [],
        }

    def start(self, call: Call) -> object:
        assert call.key is not None
        for held in self.listen_keys.values():
            if held.public == call.key.key and call.now_ns < held.until_ns:
                held.until_ns = call.now_ns + KEY_LIFE_NS
                return {"listenKey": held.key}
        self._numbers += 1
        key = f"listen{self._numbers:058d}"
        self.listen_keys[key] = ListenKey(key, call.key.key, account_name(call.key), call.now_ns + KEY_LIFE_NS)
        return {"listenKey": key}

    def keep(self, call: Call) -> object:
        self._held(call).until_ns = call.now_ns + KEY_LIFE_NS
        return {}

    def stop(self, call: Call) -> object:
        held = self._held(call)
        del self.listen_keys[held.key]
        for end in held.sessions:
            end()
        return {}

    def _held(self, call: Call) -> ListenKey:
        held: Any = self.listen_keys.get(call.parameters.text("listenKey"))
        if held is None or call.key is None or held.public != call.key.key or call.now_ns >= held.until_ns:
            raise ApiError(-1125, "This listenKey does not exist.")
        return held  # type: ignore[no-any-return]
