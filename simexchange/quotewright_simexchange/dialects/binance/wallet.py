"""The venue's wallet service as far as clients read it: states, assets, what is never done here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.coins import coins
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange


class Wallet:
    """What is asked of ``/sapi`` beside orders."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def endpoints(self) -> dict[tuple[str, str, str], Endpoint]:
        """Return what is served, by (verb, path) of REST; nothing of it over the WebSocket API."""
        served = {
            ("GET", "v1/system/status"): Endpoint(lambda _: {"status": 0, "msg": "normal"}),
            ("GET", "v1/account/status"): Endpoint(lambda _: {"data": "Normal"}, 1, "read"),
            ("GET", "v1/account/apiTradingStatus"): Endpoint(self.trading_status, 1, "read"),
            ("GET", "v1/bnbBurn"): Endpoint(lambda _: {"spotBNBBurn": False, "interestBNBBurn": False}, 1, "read"),
            ("POST", "v3/asset/getUserAsset"): Endpoint(self.assets, 5, "read"),
            ("GET", "v1/capital/config/getall"): Endpoint(lambda call: coins(self.exchange, call.account), 10, "read"),
        }
        return {(verb, f"/sapi/{path}", ""): endpoint for (verb, path), endpoint in served.items()}

    def trading_status(self, call: Call) -> object:
        """Answer that nothing is locked: there are no limits on how somebody trades beside those of requests."""
        return {
            "data": {
                "isLocked": False,
                "plannedRecoverTime": 0,
                "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
                "updateTime": 0,
            }
        }

    def assets(self, call: Call) -> object:
        """Answer with what the account has, without what it has not."""
        wanted = call.parameters.text("asset", "")
        return [
            _asset(coin) for coin in coins(self.exchange, call.account) if wanted in ("", coin["coin"]) and _has(coin)
        ]


def _has(coin: dict[str, Any]) -> bool:
    return any(float(coin[key]) for key in ("free", "locked"))


def _asset(coin: dict[str, Any]) -> dict[str, Any]:
    none = {"freeze": "0", "withdrawing": "0", "ipoable": "0", "btcValuation": "0"}
    return {"asset": coin["coin"], "free": coin["free"], "locked": coin["locked"], **none}
