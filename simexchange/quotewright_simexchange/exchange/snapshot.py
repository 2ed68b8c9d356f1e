"""The whole state of a local exchange as bytes, and an exchange in that state.

A snapshot is a header (magic, version, length, SHA-256 of what follows) and compressed JSON: nothing in it is code. Its
JSON is canonical, so that its hash is the hash of the state. Who listens, the log, and calls that doors and markets
have put on the market clock are not part of it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright.errors import FormatVersionError, InputError
from quotewright_simexchange.exchange.accounts import Account, ApiKey
from quotewright_simexchange.exchange.codec import record_of, row_of, shapes, text_of
from quotewright_simexchange.exchange.market import DAY_NS, Market
from quotewright_simexchange.exchange.orders import OrderStore
from quotewright_simexchange.exchange.positions import Held
from quotewright_simexchange.exchange.records import FillRecord, Listing, OrderRecord, ReferenceEvent, TradeEvent
from quotewright_simexchange.matching.decimals import write_steps
from quotewright_simexchange.matching.snapshot import open_numbers, restore_core, saved_core

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.matching.door import FastEngine

MAGIC = b"QW-EXCHANGE-SNAP"
VERSION = 1
HEADER = struct.Struct(">16sHQ32s")


def canonical(state: Any) -> bytes:
    """Return *state* as JSON that is the same for the same state."""
    return json.dumps(state, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def packed(state: dict[str, Any]) -> bytes:
    """Return *state* as a snapshot."""
    body = zlib.compress(canonical(state), 6)
    return HEADER.pack(MAGIC, VERSION, len(body), hashlib.sha256(body).digest()) + body


def unpacked(data: bytes) -> dict[str, Any]:
    """Return the state in a snapshot.

    Raises:
        FormatVersionError: another version wrote it.
        InputError: it is no snapshot, or not whole.
    """
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise InputError(f"a snapshot of an exchange begins with {MAGIC!r}, came {bytes(data[:16])!r}")
    _, version, length, digest = HEADER.unpack_from(data)
    if version != VERSION:
        raise FormatVersionError(
            f"snapshot: version should be {VERSION}, was {version}; replay the log of that exchange, or use the "
            "program that wrote it"
        )
    body = data[HEADER.size :]
    if len(body) != length:
        raise InputError(f"snapshot: {length} bytes should follow the header, there were {len(body)}")
    if hashlib.sha256(body).digest() != digest:
        raise InputError("snapshot: the checksum is not that of what follows; take another copy")
    state: dict[str, Any] = json.loads(zlib.decompress(body))
    if state["records"] != shapes():
        wrong = sorted(name for name in state["records"] if state["records"][name] != shapes().get(name))
        raise FormatVersionError(f"snapshot: its records have other fields: {', '.join(wrong)}; replay the log instead")
    return state


# What there is.


def state_of(exchange: Exchange) -> dict[str, Any]:
    """Return everything that later commands and answers depend on."""
    return {
        "records": shapes(),
        "seed": exchange.seed,
        "texts_drawn": exchange._key_maker.drawn,
        "now_ns": exchange.now_ns,
        "listings": [row_of(listing) for listing in exchange.listings.values()],
        "accounts": [row_of(account) for account in exchange.accounts.values()],
        "groups": list(exchange._groups.items()),
        "keys": [row_of(key) for key in exchange.keys.values()],
        "ledger": exchange.ledger.snapshot(),
        "engines": {symbol: _engine(engine) for symbol, engine in exchange._engines.items()},
        "markets": {symbol: _market(market, exchange.now_ns) for symbol, market in exchange._markets.items()},
        "store": _store(exchange._store),
        "held": [
            [account, symbol, *map(text_of, (held.quantity, held.entry_value, held.realized))]
            for (account, symbol), held in sorted(exchange._held.items())
        ],
        "told_balances": [
            [account, currency, text_of(free), text_of(locked)]
            for account, told in sorted(exchange._balances.items())
            for currency, (free, locked) in sorted(told.items())
        ],
        "told_positions": [
            [account, symbol, *map(text_of, told)]
            for (account, symbol), told in sorted(exchange._told_positions.items())
        ],
        "sequences": sorted(exchange._sequences.items()),
        "timers": exchange._schedule.named(),
    }


def _engine(engine: FastEngine) -> dict[str, Any]:
    state: dict[str, Any] = {"names": engine.order_names, "core": saved_core(engine.core)}
    if engine.spot is not None:
        ids = {number: order_id for order_id, number in open_numbers(engine.core).items()}
        money = engine.spot.snapshot()
        state["money"] = {"fees": money["fees"], "locks": sorted([ids[order], lock] for order, lock in money["locks"])}
    elif engine.derivative is not None:
        state["money"] = engine.derivative.snapshot()
    return state


def _market(market: Market, now_ns: int) -> dict[str, Any]:
    return {
        "phase": market.phase,
        "sequence": market.book.sequence,
        "trade_number": market.trade_number,
        "last": text_of(market.last),
        "reference": row_of(market.reference),
        "recent": [row_of(trade) for trade in market.recent],
        "day": [
            [when_ns, number, text_of(price), text_of(quantity)]
            for when_ns, number, price, quantity in market.day
            if when_ns > now_ns - DAY_NS
        ],
    }


def _store(store: OrderStore) -> dict[str, Any]:
    return {
        "next_id": store.next_id,
        "orders": [row_of(record) for _, record in sorted(store.orders.items())],
        "clients": sorted([*key, number] for key, number in store.clients.items()),
        "fills": [[*key, [row_of(fill) for fill in fills]] for key, fills in sorted(store.fills_by_account.items())],
    }


# An exchange in that state.


def listings_of(state: dict[str, Any]) -> list[Listing]:
    """Return the instruments of a saved exchange."""
    return [record_of(Listing, row) for row in state["listings"]]


def put(exchange: Exchange, state: dict[str, Any]) -> None:
    """Bring a new *exchange* of the same instruments into *state*."""
    exchange._key_maker.skip(state["texts_drawn"])
    for row in state["accounts"]:
        account = record_of(Account, row)
        exchange.accounts[account.name] = account
        exchange._balances[account.name] = {}
    exchange._groups.update(dict(state["groups"]))
    for row in state["keys"]:
        key = record_of(ApiKey, row)
        exchange.keys[key.key] = key
    exchange.ledger.restore(state["ledger"])
    for symbol, engine in exchange._engines.items():
        _put_engine(engine, state["engines"][symbol])
        _put_market(exchange._markets[symbol], engine, state["markets"][symbol])
    _put_store(exchange._store, state["store"])
    for account_name, symbol, quantity, entry_value, realized in state["held"]:
        held = exchange._held[account_name, symbol] = Held(exchange.listings[symbol])
        held.quantity, held.entry_value, held.realized = Decimal(quantity), Decimal(entry_value), Decimal(realized)
    for account_name, currency, free, locked in state["told_balances"]:
        exchange._balances[account_name][currency] = (Decimal(free), Decimal(locked))
    for account_name, symbol, quantity, entry_value, realized in state["told_positions"]:
        told = (Decimal(quantity), Decimal(entry_value), Decimal(realized))
        exchange._told_positions[account_name, symbol] = told
    exchange._sequences.update(dict(state["sequences"]))
    for when_ns, symbol in state["timers"]:
        exchange._end_later(symbol, when_ns)


def _put_engine(engine: FastEngine, state: dict[str, Any]) -> None:
    engine.order_names[:] = state["names"]
    engine.order_numbers.update({name: number for number, name in enumerate(engine.order_names)})
    numbers = restore_core(engine.core, state["core"])
    if engine.spot is not None:
        money = state["money"]
        engine.spot.restore(
            {"fees": money["fees"], "locks": [(numbers[order_id], lock) for order_id, lock in money["locks"]]}
        )
    elif engine.derivative is not None:
        engine.derivative.restore(state["money"])


def _put_market(market: Market, engine: FastEngine, state: dict[str, Any]) -> None:
    market.phase = state["phase"]
    market.book.sequence = state["sequence"]
    market.trade_number = state["trade_number"]
    market.last = None if state["last"] is None else Decimal(state["last"])
    market.reference = record_of(ReferenceEvent, state["reference"])
    market.recent.extend(record_of(TradeEvent, row) for row in state["recent"])
    market.day.extend(
        (when_ns, number, Decimal(price), Decimal(quantity)) for when_ns, number, price, quantity in state["day"]
    )
    for code, side in ((1, "bid"), (2, "ask")):
        for price, quantity in engine.core.levels(code):
            market.book.change(
                side,
                Decimal(write_steps(price, engine.price_decimals)),
                Decimal(write_steps(quantity, engine.size_decimals)),
            )


def _put_store(store: OrderStore, state: dict[str, Any]) -> None:
    for row in state["orders"]:
        store.put(record_of(OrderRecord, row))
    store.next_id = state["next_id"]
    for account, symbol, client_id, number in state["clients"]:
        store.clients[account, symbol, client_id] = number
    for _, _, rows in state["fills"]:
        for row in rows:
            store.put_fill(record_of(FillRecord, row))
