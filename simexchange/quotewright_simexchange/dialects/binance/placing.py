"""Which orders a client asks to place: told from what it sends, before anything is carried out."""

from __future__ import annotations

import json

from quotewright_simexchange.dialects.binance.parameters import split
from quotewright_simexchange.doors import HttpRequest

PATHS = ("/order", "/order/cancelReplace")
METHODS = ("order.place", "order.cancelReplace")
NAME = "newClientOrderId"


def placed(message: HttpRequest | bytes) -> tuple[str, ...]:
    """Return the client ids of the orders that *message* asks to place; orders without one, and batches, are left out.

    Changes of an order name its id anew and are none.
    """
    if isinstance(message, HttpRequest):
        if message.method.upper() != "POST" or not message.path.rstrip("/").endswith(PATHS):
            return ()
        return tuple(value for name, value in split(message.query) + split(message.body) if name == NAME)
    if b'"order.' not in message:
        return ()
    try:
        read = json.loads(message)
        params = read["params"] if read["method"] in METHODS else {}
        found = params.get(NAME)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    return (found,) if isinstance(found, str) else ()
