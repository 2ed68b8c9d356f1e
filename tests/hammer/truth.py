"""After healing: what clients know and what REST shows against what the exchange itself holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.hammer.trader import PRODUCTS, SPOT, USDM, Product, Trader
from tests.hammer.wire import ControlPlane

STATUSES = {
    "open": "NEW",
    "partial": "PARTIALLY_FILLED",
    "filled": "FILLED",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
}
ALL = 10**6


def order_row(one: dict[str, Any]) -> tuple[object, ...]:
    """Return what matters of an order as REST shows it."""
    price = Decimal(one["price"]) if one["type"] == "LIMIT" else Decimal(0)
    numbers = (price, Decimal(one["origQty"]), Decimal(one["executedQty"]))
    return (one["clientOrderId"], one["side"], one["status"], *numbers)


def true_row(one: dict[str, Any]) -> tuple[object, ...]:
    """Return the same of an order of the exchange."""
    numbers = (Decimal(one["price"] or 0), Decimal(one["quantity"]), Decimal(one["filled"]))
    status = "EXPIRED_IN_MATCH" if one["status"] == "expired" and one["reason"] == "stp" else STATUSES[one["status"]]
    return (one["client_id"], one["request"]["side"].upper(), status, *numbers)


def is_unrecorded(product: Product, one: dict[str, Any]) -> bool:
    """Return whether the door refused what the exchange took and ended at once: futures say that there is no record."""
    return product is USDM and one["reason"] in ("fok", "post_only") and not Decimal(one["filled"])


def fill_row(one: dict[str, Any]) -> tuple[object, ...]:
    """Return what matters of a fill as REST shows it."""
    is_maker = one["isMaker"] if "isMaker" in one else one["maker"]
    return (int(one["orderId"]), Decimal(one["price"]), Decimal(one["qty"]), Decimal(one["commission"]), is_maker)


def true_fill(one: dict[str, Any]) -> tuple[object, ...]:
    """Return the same of a fill of the exchange; fees are written with eight decimals."""
    fee = Decimal(one["fee"]).quantize(Decimal("0.00000001"), "ROUND_DOWN")
    return (one["order_id"], Decimal(one["price"]), Decimal(one["quantity"]), fee, one["is_maker"])


def differences(what: str, shown: dict[Any, Any], true: dict[Any, Any]) -> list[str]:
    """Return a sentence for each thing that is not shown as it is."""
    return [
        f"{what} {name}: REST shows {shown.get(name, 'nothing')}, the exchange has {true.get(name, 'nothing')}"
        for name in sorted({*shown, *true}, key=str)
        if shown.get(name) != true.get(name)
    ]


async def compare(trader: Trader, control: ControlPlane) -> list[str]:
    """Return where REST differs from the exchange: orders, fills, open orders, balances, positions."""
    found = []
    for product in PRODUCTS:
        what = f"{trader.name} {product.door}"
        asked = {"account": trader.name, "symbol": product.listed}
        true = await control.ask("orders", **asked, limit=ALL)
        shown = await trader.all_pages(product, product.all_orders, "orderId", "orderId")
        unrecorded = {one["order_id"] for one in true if is_unrecorded(product, one)}
        orders = {one["order_id"]: true_row(one) for one in true if one["order_id"] not in unrecorded}
        rows = {int(one["orderId"]): order_row(one) for one in shown if int(one["orderId"]) not in unrecorded}
        found += differences(f"{what} order", rows, orders)
        found += _known(trader, product, orders)
        shown = await trader.told(product, product.open_orders, symbol=product.symbol)
        true = await control.ask("open_orders", **asked)
        rows = {int(one["orderId"]): order_row(one) for one in shown}
        found += differences(f"{what} open order", rows, {one["order_id"]: true_row(one) for one in true})
        true = await control.ask("fills", **asked, limit=ALL)
        shown = await trader.all_pages(product, product.trades, "id", "fromId")
        trader.counts["fills"] += len(true)
        # A trade with oneself is there twice.
        fills = {(one["trade_id"], one["order_id"]): true_fill(one) for one in true}
        shown_fills = {(int(one["id"]), int(one["orderId"])): fill_row(one) for one in shown}
        found += differences(f"{what} fill", shown_fills, fills)
    return found + await _money(trader, control)


def _known(trader: Trader, product: Product, orders: dict[int, tuple[object, ...]]) -> list[str]:
    """Return where an order that a client was told of is not there, or one it was refused is."""
    names = {str(row[0]) for row in orders.values()}
    found = []
    for name, sent in trader.sent.items():
        if sent.product is not product:
            continue
        if sent.outcome == "accepted" and str(orders.get(sent.order_id, ("",))[0]) != name:
            found.append(f"{name} was accepted as {sent.order_id} and is not there")
        elif sent.outcome == "refused" and name in names:
            found.append(f"{name} was refused and is there")
        elif sent.outcome == "unknown":
            trader.counts["unknown carried out"] += name in names
    return found


async def _money(trader: Trader, control: ControlPlane) -> list[str]:
    true = await control.ask("balances", account=trader.name)
    balances = {name: (Decimal(free), Decimal(locked)) for name, (free, locked) in true.items()}
    spot = await trader.told(SPOT, "/api/v3/account", omitZeroBalances="true")
    shown = {one["asset"]: (Decimal(one["free"]), Decimal(one["locked"])) for one in spot["balances"]}
    cut = {name: tuple(_cut(part) for part in pair) for name, pair in balances.items() if any(pair)}
    found = differences(f"{trader.name} balance", shown, cut)
    usdm = await trader.told(USDM, "/fapi/v3/balance")
    wallets = {one["asset"]: Decimal(one["balance"]) for one in usdm if Decimal(one["balance"])}
    cut_sums = {name: _cut(sum(pair, Decimal(0))) for name, pair in balances.items() if any(pair)}
    found += differences(f"{trader.name} futures balance", wallets, cut_sums)
    risks = await trader.told(USDM, "/fapi/v3/positionRisk", symbol=USDM.symbol)
    position = await control.ask("position", account=trader.name, symbol=USDM.listed)
    held = {one["symbol"]: Decimal(one["positionAmt"]) for one in risks}
    truly = {USDM.symbol: Decimal(position["quantity"])} if Decimal(position["quantity"]) else {}
    return found + differences(f"{trader.name} position", {name: size for name, size in held.items() if size}, truly)


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.00000001"), "ROUND_DOWN")


async def compare_books(traders: list[Trader], control: ControlPlane) -> list[str]:
    """Return where the books that the doors show are not the exchange's."""
    found = []
    for product in PRODUCTS:
        path = "/api/v3/depth" if product is SPOT else "/fapi/v1/depth"
        shown = await traders[0].told(product, path, symbol=product.symbol, limit=1000)
        true = await control.ask("book", symbol=product.listed, levels=1000)
        for ours, theirs in (("bids", "bids"), ("offers", "asks")):
            rows = {Decimal(price): Decimal(size) for price, size in shown[theirs]}
            held = {Decimal(price): Decimal(size) for price, size in true[ours]}
            found += differences(f"{product.door} {theirs}", rows, held)
    return found
